"""The benchmark of the channels runs and gives well-formed rows; no figure is asserted."""

import json
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


def test_every_row_is_measured(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    channels, measure = pytest.importorskip("channels"), pytest.importorskip("measure")

    def once(call, elements, repeats, clock):
        call()
        return float(elements)

    monkeypatch.setattr(measure, "rate", once)
    monkeypatch.setattr("sys.argv", ["channels.py", "--json", str(tmp_path / "rows.jsonl")])
    channels.main()
    rows = [json.loads(line) for line in (tmp_path / "rows.jsonl").read_text().splitlines()]
    assert len(rows) == 12
    assert all(row["ours"] > 0 and row["peer"] > 0 and row["ratio"] for row in rows)
