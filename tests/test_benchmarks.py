"""The benchmarks run and give well-formed rows; no figure is asserted."""

import json
import subprocess
import sys
from importlib import import_module
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

    result = runtime_graphs.throughput(runtime_graphs.GRAPHS[name], 0.001, engine=engine)
    assert result["count"] > 0
    assert result["wall_s"] > 0
    if name in ("hard", "soft"):
        assert 0 < result["ber"] < 0.1


def test_memory_is_measured():
    import runtime_graphs

    result = runtime_graphs.memory(runtime_graphs.GRAPHS["elementwise"], 4, engine="inline", capacity=2)
    assert 1 < result["end"] <= result["peak"]


@pytest.mark.parametrize("script", ["runtime", "phy"])
def test_every_case_gives_a_row_per_peer(script, tmp_path, monkeypatch):
    """The children are replaced: their scripts have tests of their own."""
    import cases
    import children

    module = import_module(script)
    raw = {"count": 10.0, "wall_s": 1.0, "cpu_s": 0.5, "ber": 0.004, "heavy": 0, "peak": 9.0, "end": 8.0}
    seen = []

    def child(job, kind, seconds):
        assert (BENCHMARKS / job.script).is_file()
        seen.append(job)
        return {**children.figures(kind, raw), "versions": {"peer": "3.10"}}

    monkeypatch.setattr(children, "sample", child)
    monkeypatch.setattr(cases, "python_with", lambda host: "python")
    out, table = tmp_path / "new" / "rows.jsonl", tmp_path / "table.md"
    module.main(["--json", str(out), "--markdown", str(table), "--repeats", "2"])
    records = [well_formed(line) for line in out.read_text().splitlines()]
    assert [r["name"] for r in records] == [c.name for c in module.CASES for _ in c.peers or [None]]
    assert len({c.name for c in module.CASES}) == len(module.CASES)
    assert {r["ratio"] for r in records if "peer_recorded_on" not in r} <= {1, None}
    assert table.read_text().count("\n| ") == len(records) + 1
    first = module.CASES[0]
    assert seen[: 2 * (1 + len(first.peers))] == [first.ours, *first.peers] * 2  # ours and the peers' in turn


def test_what_is_to_be_reached(monkeypatch):
    """Every figure that was promised is the target of a row."""
    import phy
    import runtime

    promised = {c.name: (c.target, *(p.target for p in c.peers)) for c in (*runtime.CASES, *phy.CASES) if c.has_target}
    texts = {name: [t.text for t in targets if t] for name, targets in promised.items()}
    for name in ("call-inline", "call-threads", "modem-hard", "start-plain"):
        assert texts[name]
    assert texts["ldpc-1944-12-128"] == [">= 3x"]
    assert texts["ldpc-1944-12-stop"] == [">= 4x"]
    assert texts["ldpc-nr-bg1-0917-block"] == texts["ldpc-nr-bg1-13-block"] == [">= 3x"]
    assert texts["ldpc-nr-bg1-0917-8"] == texts["ldpc-nr-bg1-13-8"] == [">= 3x"]
    assert texts["ldpc-encoder-1944-12"] == texts["ldpc-encoder-nr-8424-9216"] == [">= 1000 Mbit/s"]
    assert texts["qam-max-log-16"] == [">= 1000 M symbols/s"]
    assert texts["channel-awgn"] == [">= 500 M symbols/s"]
    assert texts["convolutional-viterbi-2048-zero"] == [">= 1x"]
    assert texts["chain-soft-threads"][0].startswith(">= 20x")
    assert texts["chain-ldpc-threads"][0].startswith(">= 100x")
    assert texts["start-codeword"] == ["<= 1.5 s"]


def test_targets_are_chosen(monkeypatch, tmp_path):
    import children
    import phy

    def child(job, kind, seconds):
        return {**children.figures(kind, {"count": 1, "wall_s": 1, "cpu_s": 1}), "versions": {}}

    monkeypatch.setattr(children, "sample", child)
    out = tmp_path / "rows.jsonl"
    phy.main(["--targets", "--only", "qam", "--repeats", "1", "--json", str(out)])
    assert {json.loads(line)["name"] for line in out.read_text().splitlines()} == {"qam-max-log-16"}


def test_without_peers_their_columns_are_empty(monkeypatch, capsys, tmp_path):
    import cases
    import phy

    monkeypatch.setattr(cases, "python_with", lambda host: None)
    monkeypatch.setattr(cases, "find_spec", lambda name: None)
    out, table = tmp_path / "rows.jsonl", tmp_path / "table.md"
    arguments = ["--only", "qam-mapper-16", "--repeats", "1", "--seconds", "0.001"]
    phy.main([*arguments, "--json", str(out), "--markdown", str(table)])
    records = [well_formed(line) for line in out.read_text().splitlines()]
    assert [r["peer_name"] for r in records] == ["NumPy", "GNU Radio", "Sionna", "commpy"]
    assert records[0]["ratio"] > 0
    assert all(r["peer"] is r["ratio"] is None for r in records[1:])
    told = capsys.readouterr().err
    for hint in ("apt-get install gnuradio", "SIONNA_PYTHON", "commpy: pip install"):
        assert hint in told


def test_a_case_that_fails_does_not_end_the_others(monkeypatch, capsys, tmp_path):
    import children
    import phy

    def child(job, kind, seconds):
        if job.arguments[-1] == "order=16":
            raise RuntimeError("python phy_parts.py failed:\nValueError: why [it] did")
        return {**children.figures(kind, {"count": 1, "wall_s": 1, "cpu_s": 1}), "versions": {}}

    monkeypatch.setattr(children, "sample", child)
    out = tmp_path / "rows.jsonl"
    with pytest.raises(SystemExit, match="qam-mapper-16"):
        phy.main(["--only", "qam-mapper", "--repeats", "1", "--json", str(out)])
    assert {json.loads(line)["name"] for line in out.read_text().splitlines()} == {"qam-mapper-256"}
    assert "ValueError: why [it] did" in capsys.readouterr().err


def test_a_recorded_peer_says_where_it_was_recorded(monkeypatch, tmp_path):
    import children
    import phy

    case = next(c for c in phy.CASES if c.name == "ldpc-1944-12-128")
    raw = {"count": 500e6, "wall_s": 1, "cpu_s": 1}
    ours = [{**children.figures("rate", raw), "versions": {}}]
    found = children.row(case, case.peers[0], ours, [], 0.0)
    record = found.record()
    assert record["peer_name"] == "AFF3CT 3.0.2 int16 NMS (recorded)"
    assert record["peer_range"] == [89, 95]
    assert "EPYC" in record["peer_recorded_on"]
    assert record["ratio"] == pytest.approx(500 / 92)
    assert record["met"] is True
    assert "Recorded: taken earlier on one core of" in children.document([found], "phy.py")
    slower = [{**children.figures("rate", {**raw, "count": 200e6}), "versions": {}}]
    assert children.row(case, case.peers[0], slower, [], 0.0).met is False


def test_a_target_that_needs_the_peer_is_not_judged_without_it():
    import children
    import runtime

    case = next(c for c in runtime.CASES if c.name == "modem-hard")
    ours = [children.figures("rate", {"count": 1, "wall_s": 1, "cpu_s": 1, "ber": 0.004})]
    assert children.row(case, case.peers[0], ours, [], 0.0).met is None


@pytest.mark.parametrize(("script", "name"), [("runtime", "modem-hard"), ("phy", "chain-soft-threads")])
def test_the_modem_must_have_the_errors_of_theory(script, name):
    import children
    from runtime_rows import ESN0_DB, theory_ber

    case = next(c for c in import_module(script).CASES if c.name == name)
    ber = theory_ber(ESN0_DB)

    def ours(ber):
        return [children.figures("rate", {"count": 100, "wall_s": 1, "cpu_s": 1, "ber": ber})]

    theirs = [{**children.figures("rate", {"count": 1, "wall_s": 1, "cpu_s": 1, "ber": ber}), "versions": {}}]
    assert children.row(case, case.peers[0], ours(ber), theirs, 0.0).met is True
    assert children.row(case, case.peers[0], ours(2 * ber), theirs, 0.0).met is False


def test_the_coded_chain_must_decode():
    import children
    import phy

    case = next(c for c in phy.CASES if c.name == "chain-ldpc-threads")

    def side(count, ber):
        return [{**children.figures("rate", {"count": count, "wall_s": 1, "cpu_s": 1, "ber": ber}), "versions": {}}]

    assert children.row(case, case.peers[0], side(100, 0.0), side(1, 1e-7), 0.0).met is True
    assert children.row(case, case.peers[0], side(99, 0.0), side(1, 1e-7), 0.0).met is False
    assert children.row(case, case.peers[0], side(100, 0.0), side(1, 1e-3), 0.0).met is False


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


def parts():
    """Every part of ours, and of the peers that this Python runs, that a case of the PHY asks for."""
    sys.path.insert(0, str(BENCHMARKS))
    try:
        from phy_rows import CASES
    finally:
        sys.path.remove(str(BENCHMARKS))
    jobs = [job for case in CASES for job in (case.ours, *case.peers) if getattr(job, "script", "") == "phy_parts.py"]
    # One job per part: the others differ in its settings.
    return list({job.arguments[0]: job for job in jobs}.values())


@pytest.mark.parametrize("job", parts(), ids=lambda j: j.arguments[0])
def test_each_part_of_the_phy_is_measured(job):
    import phy_parts

    if job.package:
        pytest.importorskip(job.package)
    call, count = phy_parts.load(job.arguments[0], list(job.arguments[1:]))
    result = phy_parts.timed(call, count, 1e-4)
    assert result["count"] >= count > 0
    assert result["wall_s"] > 0
    assert result["cpu_s"] > 0


@pytest.mark.parametrize("name", ["soft", "ldpc", "nr", "convolutional"])
def test_each_chain_of_the_phy_is_measured(name):
    import phy_chains

    graph, count = phy_chains.CHAINS[name](1)
    graph.run(engine="inline")
    meter = graph["BerMeter"]
    assert meter.ber < (0.01 if name == "soft" else 0.001)
    assert meter.bits == count * (4 if name == "soft" else 1)


@pytest.mark.parametrize("name", ["qam.decision", "bits.interleaver kind=nr direction=interleave"])
def test_the_numpy_peer_does_the_same(name):
    """Where NumPy's program is to give the very same bits, it does."""
    import phy_parts

    part, *settings = name.split()
    settings = settings or ["order=16"]
    ours, _ = phy_parts.load(part, settings)
    theirs, _ = phy_parts.load(f"{part}_numpy", settings)
    assert np.array_equal(ours(), theirs())


def test_the_settings_of_a_part_are_numbers_where_they_can_be():
    import phy_parts

    assert [phy_parts.value(text) for text in ("16", "2.5", "1/2")] == [16, 2.5, "1/2"]


@pytest.mark.parametrize("name", ["plain", "toolkit"])
def test_a_small_graph_imports_no_model_library(name):
    done = subprocess.run(
        [sys.executable, BENCHMARKS / f"start_{name}.py"], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["heavy"] == 0
    assert result["count"] == 4096


def test_the_first_codeword_is_decoded():
    done = subprocess.run(
        [sys.executable, BENCHMARKS / "start_codeword.py"], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["count"] == 972
    assert result["right"] == 1


def peers():
    sys.path.insert(0, str(BENCHMARKS))
    try:
        from phy_rows import CASES as PHY
        from runtime_rows import CASES as RUNTIME
    finally:
        sys.path.remove(str(BENCHMARKS))
    jobs = [job for case in (*RUNTIME, *PHY) for job in case.peers if getattr(job, "host", None)]
    # Those that differ in numbers only are one.
    return list({(j.script, *(a for a in j.arguments if not any(map(str.isdigit, a)))): j for j in jobs}.values())


@pytest.mark.parametrize("job", peers(), ids=lambda j: " ".join((j.script.removesuffix(".py"), *j.arguments)))
def test_each_script_of_a_peer_measures(job):
    import children

    if job.python is None:
        pytest.skip(f"{job.host} is not installed")
    kind = "seconds" if "start" in job.script else "rate"
    found = children.sample(job, kind, 0.1)
    assert found["versions"][job.host]
    assert found["wall"] > 0
    if "qam" in job.script:
        assert 0.001 < found["ber"] < 0.02
