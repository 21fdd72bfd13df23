"""The benchmarks run and give well-formed rows; no figure is asserted."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from lgvsc_flow.testing import run_block

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
KEYS = {"name", "ours", "peer", "peer_name", "ratio", "unit", "target", "met", "cpu", "cores", "load", "versions"}


@pytest.fixture(autouse=True)
def _on_path(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)


def well_formed(line):
    record = json.loads(line)
    assert record.keys() >= KEYS
    assert isinstance(record["ours"], float)
    assert record["ours"] > 0
    assert record["peer"] is None or record["peer"] > 0
    assert record["met"] in (None, True, False)
    assert record["versions"]["python"]
    return record


@pytest.mark.parametrize("engine", ["inline", "threads"])
@pytest.mark.parametrize("name", ["call", "elementwise", "hard", "soft", "heavy"])
def test_each_graph_is_measured(name, engine):
    import runtime_graphs

    result = runtime_graphs.throughput(name, 0.001, engine=engine)
    assert result["count"] > 0
    assert result["wall_s"] > 0
    if name in ("hard", "soft"):
        assert 0 < result["ber"] < 0.1


def test_memory_is_measured():
    import runtime_graphs

    result = runtime_graphs.memory("elementwise", 4, engine="inline", capacity=2)
    assert 1 < result["end"] <= result["peak"]


def test_every_case_gives_a_row_per_peer(tmp_path, monkeypatch):
    """The children are replaced: their scripts have tests of their own."""
    import runtime

    raw = {"count": 10.0, "wall_s": 1.0, "cpu_s": 0.5, "ber": 0.004, "heavy": 0, "peak": 9.0, "end": 8.0}
    seen = []

    def child(job, kind, seconds):
        assert (BENCHMARKS / job.script).is_file()
        seen.append(job.label)
        return {**runtime.figures(kind, raw), "version": "3.10"}

    monkeypatch.setattr(runtime, "sample", child)
    monkeypatch.setattr(runtime, "gnuradio_python", lambda: "python")
    out, table = tmp_path / "rows.jsonl", tmp_path / "table.md"
    runtime.main(["--json", str(out), "--markdown", str(table), "--repeats", "2"])
    records = [well_formed(line) for line in out.read_text().splitlines()]
    assert [r["name"] for r in records] == [c.name for c in runtime.CASES for _ in c.peers]
    assert all(r["ratio"] == 1 for r in records)
    assert {r["name"] for r in records if r["target"]} >= {"call-inline", "call-threads", "modem-hard", "start-plain"}
    assert table.read_text().count("\n| ") == len(records) + 1
    first = runtime.CASES[0]
    jobs = [first.ours.label, *(p.label for p in first.peers)]
    assert seen[: 2 * len(jobs)] == jobs * 2  # ours and the peers' in turn


def test_without_gnuradio_the_peers_columns_are_empty(monkeypatch, capsys, tmp_path):
    import runtime

    monkeypatch.setattr(runtime, "gnuradio_python", lambda: None)
    out = tmp_path / "rows.jsonl"
    runtime.main(["--only", "start-plain", "--repeats", "1", "--json", str(out)])
    (record,) = [well_formed(line) for line in out.read_text().splitlines()]
    assert record["peer"] is record["ratio"] is None
    assert record["target"] == "<= 0.8 s, no model library imported"
    assert record["met"] in (True, False)
    assert "apt-get install gnuradio" in capsys.readouterr().err


def test_a_target_that_needs_the_peer_is_not_judged_without_it(monkeypatch):
    import runtime

    case = next(c for c in runtime.CASES if c.name == "modem-hard")
    ours = [runtime.figures("rate", {"count": 1, "wall_s": 1, "cpu_s": 1, "ber": 0.004})]
    assert runtime.row(case, case.peers[0], ours, [], 0.0).met is None


def test_the_modem_must_have_the_peers_errors():
    import runtime
    from runtime_rows import ESN0_DB, theory_ber

    case = next(c for c in runtime.CASES if c.name == "modem-hard")
    ber = theory_ber(ESN0_DB)
    theirs = [{**runtime.figures("rate", {"count": 1, "wall_s": 1, "cpu_s": 1, "ber": ber}), "version": "3.10"}]
    fast = {"count": 10, "wall_s": 1, "cpu_s": 1}
    assert runtime.row(case, case.peers[0], [runtime.figures("rate", {**fast, "ber": ber})], theirs, 0.0).met
    wrong = [runtime.figures("rate", {**fast, "ber": 2 * ber})]
    assert runtime.row(case, case.peers[0], wrong, theirs, 0.0).met is False


def test_theory_against_a_union_of_regions():
    """The closed form against numerical integration of both bits of 4-PAM."""
    from runtime_rows import theory_ber

    deviation = np.sqrt(0.5 * 10**-1.0)
    x = np.linspace(-4, 4, 400_001)
    wrong = 0.0
    for level in (-3, -1, 1, 3):
        sent = level / np.sqrt(10)
        density = np.exp(-((x - sent) ** 2) / (2 * deviation**2)) / (deviation * np.sqrt(2 * np.pi))
        errors = ((x < 0) != (level < 0)).astype(float) + ((np.abs(x) > 2 / np.sqrt(10)) != (abs(level) > 2))
        wrong += float(np.sum(density * errors) * (x[1] - x[0])) / 8
    assert theory_ber(10.0) == pytest.approx(wrong, rel=1e-4)


def test_the_nine_blocks_compute_what_they_say():
    from elementwise import expected, nine

    rng = np.random.default_rng(5)
    bursts = [rng.standard_normal(2 * n).astype(np.float32).view(np.complex64) for n in (64, 64, 128)]
    stream = bursts
    for block in nine():
        stream = run_block(block, stream)
    for burst, found, first in zip(bursts, stream, (0, 64, 128), strict=True):
        assert found == pytest.approx(expected(burst, first), rel=1e-4)


@pytest.mark.parametrize("name", ["plain", "toolkit"])
def test_a_small_graph_imports_no_model_library(name):
    done = subprocess.run(
        [sys.executable, BENCHMARKS / f"start_{name}.py"], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["heavy"] == 0
    assert result["count"] == 4096


def peers():
    sys.path.insert(0, str(BENCHMARKS))
    try:
        from runtime_rows import CASES
    finally:
        sys.path.remove(str(BENCHMARKS))
    jobs = {(job.script, job.arguments): job for case in CASES for job in case.peers if job.of_gnuradio}
    return list(jobs.values())


@pytest.mark.parametrize("job", peers(), ids=lambda j: " ".join((Path(j.script).name, *j.arguments)))
def test_each_script_of_the_peer_measures(job):
    import runtime

    if runtime.gnuradio_python() is None:
        pytest.skip("GNU Radio is not installed")
    kind = "seconds" if "start" in job.script else "rate"
    found = runtime.sample(job, kind, 0.1)
    assert found["version"].startswith("3.")
    assert found["wall"] > 0
    if "qam" in job.script:
        assert 0.001 < found["ber"] < 0.02
