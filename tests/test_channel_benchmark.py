"""The benchmark of the channels runs and gives well-formed rows; no figure is asserted, GNU Radio is replaced."""

import json
from pathlib import Path

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


def test_every_row_is_measured(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    import channels
    import measure

    def once(call, elements, repeats, clock):
        call()
        return float(elements)

    def child(job, kind, seconds):
        assert (BENCHMARKS / job.script).is_file()
        return {"cpu": 2.0} if kind == "rate" else None

    monkeypatch.setattr(measure, "rate", once)
    monkeypatch.setattr(channels, "rate", once)
    monkeypatch.setattr(channels, "sample", child)
    monkeypatch.setattr("sys.argv", ["channels.py", "--json", str(tmp_path / "rows.jsonl")])
    channels.main()
    rows = [json.loads(line) for line in (tmp_path / "rows.jsonl").read_text().splitlines()]
    assert len(rows) == 16
    assert all(row["ours"] > 0 and row["peer"] > 0 and row["ratio"] for row in rows)
