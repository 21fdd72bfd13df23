"""Error rate curves: repeatable whatever the engine and wherever broken off, honest intervals, their files."""

import json

import numpy as np
import pytest

from lgvsc_flow import Graph
from lgvsc_flow.blocks.channel import AwgnChannel
from lgvsc_flow.blocks.metrics import BerMeter
from lgvsc_flow.blocks.metrics.errors import wilson_interval
from lgvsc_flow.blocks.phy import NrLdpcDecoder, QamDecision, QamModulator, RandomBits
from lgvsc_flow.blocks.phy.nr_mcs import best_mcs
from lgvsc_flow.errors import FlowError
from lgvsc_flow.graphs.ber import CHUNK, ber_curve, clustered_interval, errors, worth
from lgvsc_flow.graphs.ber_file import load_curve
from lgvsc_flow.graphs.ber_plot import ber_table, plot_curves
from lgvsc_flow.graphs.ber_theory import theory
from lgvsc_flow.graphs.modem import Modem

SMALL = {"burst_bits": 2048}


def uncoded(esn0_db):
    """A graph of one's own, that ends after 40 bursts."""
    source, meter = RandomBits(n=1200, count=40), BerMeter()
    graph = Graph("own")
    graph.connect(source, QamModulator(order=4), AwgnChannel(esn0_db=esn0_db), QamDecision(order=4), meter.received)
    graph.connect(source, meter.sent)
    return graph


@pytest.mark.parametrize(
    "settings",
    [
        {"code": "none", "channel": "rayleigh", "order": 16},
        {"code": "nr:256/512", "channel": "rayleigh:coherence=8", "order": 4},
        {"code": "conv:1/2:k=250", "channel": "tdl-b", "order": 4},
    ],
)
def test_engines_agree_bit_for_bit(settings):
    modem = Modem(**settings, **SMALL)
    curves = [ber_curve(modem, [3, 6], stop=errors(30), engine=e, seed=4) for e in ("inline", "threads", "threads")]
    assert curves[0] == curves[1] == curves[2]
    assert all(p.bursts % CHUNK == 0 for p in curves[0].points)


def test_a_curve_that_was_broken_off_goes_on_to_the_same_bytes(tmp_path):
    modem, points, stop = Modem(code="wifi:648/1/2", order=4, **SMALL), [0, 0.5, 1, 1.5], errors(20)
    whole = ber_curve(modem, points, stop=stop, out=tmp_path / "whole.jsonl")
    content = (tmp_path / "whole.jsonl").read_bytes()
    lines = content.splitlines(keepends=True)
    assert len(lines) == 5
    for kept in (b"", lines[0][:17], lines[0], b"".join(lines[:3]), b"".join(lines[:3]) + lines[3][:40]):
        (tmp_path / "part.jsonl").write_bytes(kept)
        assert ber_curve(modem, points, stop=stop, out=tmp_path / "part.jsonl", engine="inline") == whole
        assert (tmp_path / "part.jsonl").read_bytes() == content


def test_an_interrupt_leaves_the_finished_points(tmp_path):
    modem, path = Modem(**SMALL), tmp_path / "a.jsonl"

    def interrupt(esn0_db, wrong, bits):
        if esn0_db == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ber_curve(modem, [0, 2, 4, 6], out=path, show=interrupt, engine="inline")
    assert [p.esn0_db for p in load_curve(path).points] == [0, 2]
    ber_curve(modem, [0, 2, 4, 6], out=path)
    assert load_curve(path) == ber_curve(modem, [0, 2, 4, 6])


def test_a_finished_point_is_not_measured_again(tmp_path):
    modem, path = Modem(**SMALL), tmp_path / "a.jsonl"
    first = ber_curve(modem, [4, 0], out=path)
    asked = []
    second = ber_curve(modem, [0, 2, 4], out=path, show=lambda esn0_db, wrong, bits: asked.append(esn0_db))
    assert set(asked) == {2}
    assert [p for p in second.points if p.esn0_db != 2] == first.points


def test_a_point_is_the_same_on_every_curve_and_another_for_another_seed():
    modem = Modem(**SMALL)
    alone, among = ber_curve(modem, [5]).points[0], ber_curve(modem, range(3, 8)).points[2]
    assert alone == among
    assert ber_curve(modem, [5], seed=1).points[0].bit_errors != alone.bit_errors


def test_another_curve_is_not_added_to(tmp_path):
    path = tmp_path / "a.jsonl"
    ber_curve(Modem(**SMALL), [0], out=path)
    before = path.read_bytes()
    with pytest.raises(FlowError, match=r"holds another curve, uncoded, 16-QAM, awgn: its seed is 0, not 1; take"):
        ber_curve(Modem(**SMALL), [0], seed=1, out=path)
    with pytest.raises(FlowError, match=r"its link is not uncoded, 16-QAM, rician with the same settings; take"):
        ber_curve(Modem(channel="rician", **SMALL), [0], out=path)
    with pytest.raises(FlowError, match=r"its stop is \{'count': 100, .*\}, not \{'count': 50"):
        ber_curve(Modem(**SMALL), [0], stop=errors(50), out=path)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"hello", "line 1: no part of an error rate curve; take another file"),
        (b"hello\n", "line 1: no part"),
        (b'{"curve": "a", "settings": 3}\n', "line 1: no part"),
        (b'{"curve": "a", "settings": {}}\n{"esn0_db": 1}\n', "line 2: no part"),
        (b'{"curve": "a", "settings": {}}\n[[[[\n', "line 2: no part"),
        (b"[" * 100000 + b"\n", "line 1: no part"),
        (b"\xff\xfe\n", "line 1: no part"),
    ],
)
def test_a_file_that_is_no_curve_stays_as_it_is(content, message, tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_bytes(content)
    with pytest.raises(FlowError, match=message):
        ber_curve(Modem(**SMALL), [0], out=path)
    assert path.read_bytes() == content


def test_numbers_in_a_file_are_numbers(tmp_path):
    path = tmp_path / "a.jsonl"
    ber_curve(Modem(**SMALL), [0], out=path)
    for wrong in ("NaN", '"x"', "true", "null"):
        line = json.loads(path.read_text().splitlines()[1])
        text = json.dumps({**line, "ber": "@"}).replace('"@"', wrong)
        (tmp_path / "b.jsonl").write_text(path.read_text().splitlines()[0] + "\n" + text + "\n")
        with pytest.raises(FlowError, match="line 2"):
            load_curve(tmp_path / "b.jsonl")
    with pytest.raises(FlowError, match=r"none\.jsonl does not exist"):
        load_curve(tmp_path / "none.jsonl")


def test_where_a_point_ends():
    modem = Modem(code="nr:256/512", order=4, channel="awgn", **SMALL)
    low, high = ber_curve(modem, [-3, 10], stop=errors(20, max_bits=40000)).points
    assert (low.stopped_by, low.bursts, low.blocks, low.block_errors) == ("errors", CHUNK, 64, 64)
    assert (high.stopped_by, high.bit_errors, high.block_errors) == ("max_bits", 0, 0)
    assert 40000 <= high.bits < 40000 + CHUNK * 1024
    assert (high.ber_low, high.bler_low) == (0, 0)
    assert high.bler_high == wilson_interval(0, high.blocks, 0.95)[1]
    (point,) = ber_curve(modem, [10], stop=errors(20, max_blocks=100)).points
    assert (point.stopped_by, point.blocks) == ("max_blocks", 128)
    (point,) = ber_curve(uncoded, [30]).points
    assert (point.stopped_by, point.bursts, point.blocks, point.ebn0_db) == ("source", 40, None, None)


def test_a_graph_of_ones_own():
    """QPSK over AWGN at 4 dB, 48,000 bits: the Wilson interval itself, errors being independent but for the spread."""
    curve = ber_curve(uncoded, [4], efficiency=2, block_bits=300, confidence=0.999, stop=errors(10**6))
    (point,) = curve.points
    assert point.ebn0_db == pytest.approx(4 - 3.0103, abs=1e-4)
    assert (point.bits, point.blocks, point.block_errors) == (48000, 160, 160)
    assert point.ber_low < theory(4, Modem().parsed_channel)(4.0) < point.ber_high
    assert curve.name == "own"


def test_ebn0_counts_what_the_code_adds():
    (point,) = ber_curve(Modem(code="nr:256/512", order=16, **SMALL), [10], stop=errors(1, max_bits=1)).points
    assert point.ebn0_db == pytest.approx(10 - 10 * np.log10(2))


@pytest.mark.parametrize(
    ("channel", "esn0_db"),
    [
        ("awgn", 12.0),
        ("rayleigh", 15.0),
        ("rayleigh:coherence=1", 15.0),
        ("rician:k_db=6,coherence=4", 12.0),
        ("jakes:doppler_hz=50000,coherence=4", 12.0),
        ("tdl-a:delay_spread_s=100e-9", 15.0),
        ("tdl-d:delay_spread_s=50e-9", 12.0),
        ("gilbert-elliott:bad_rate=0.05,mean_run=10", 14.0),
        ("mimo:method=zf,coherence=4", 18.0),
    ],
)
def test_simulation_meets_the_closed_form(channel, esn0_db):
    """16-QAM, 400 errors' worth: the closed form lies inside the 99.9 % interval, and that is within +-30 %."""
    modem = Modem(order=16, channel=channel, burst_bits=8192)
    (point,) = ber_curve(modem, [esn0_db], stop=errors(400, max_bits=2e7), confidence=0.999, seed=21).points
    expected = theory(16, modem.parsed_channel)(esn0_db)
    assert point.stopped_by == "errors"
    assert point.ber_low < expected < point.ber_high
    assert point.ber_high < 1.3 * point.ber
    assert point.ber_low > 0.7 * point.ber


@pytest.mark.parametrize(("esn0_db", "target", "table"), [(1.0, 0.1, 1), (9.0, 0.05, 1), (16.0, 0.1, 2)])
def test_link_adaptation_with_a_margin_keeps_its_word(esn0_db, target, table):
    """The scheme chosen with 1 dB of margin loses fewer blocks than asked for, of 600 and more (99.9 %)."""
    mcs = best_mcs(esn0_db, target, table=table, margin_db=1.0)
    assert mcs.threshold_db(target) + 1 <= esn0_db
    modem = Modem.of_mcs(mcs)
    assert modem.efficiency == pytest.approx(mcs.efficiency, rel=0.05)  # sizes are quantised
    (point,) = ber_curve(modem, [esn0_db], stop=errors(10**6, max_blocks=600), confidence=0.998).points
    assert point.bler_high < target


def test_intervals_of_clusters_cover_as_often_as_they_say():
    """400 draws of 16 bursts whose error rate itself is random: the 95 % interval holds the mean in 92.5 % to 97.5 % of
    them (99 % of binomial draws do), Wilson's for independent trials in fewer than 75 %."""
    rng = np.random.default_rng(1)
    covered = plain = 0
    for _ in range(400):
        rates = rng.beta(5, 45, 32)
        wrong = rng.binomial(1000, rates)
        total = int(wrong.sum())
        low, high = clustered_interval(total, 32000, 32, float((wrong**2).sum()), 0.95)
        covered += low < 0.1 < high
        low, high = wilson_interval(total, 32000, 0.95)
        plain += low < 0.1 < high
    assert 0.925 * 400 < covered < 0.975 * 400
    assert plain < 0.75 * 400


def test_what_trials_are_worth():
    assert worth(100, 1000, 10, 10 * 10.0**2) == 1000  # the same in each: as good as independent
    assert worth(100, 1000, 10, 100.0**2) == pytest.approx(1000 * 90 / (9000 * 10 / 9))  # all in one
    assert worth(0, 1000, 10, 0) == 1000
    assert worth(1000, 1000, 10, 10 * 100.0**2) == 1000
    assert clustered_interval(7, 1000, 1, 49.0, 0.9) == pytest.approx(wilson_interval(7, 1000, 0.9))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: errors(0), "errors is at least 1, got 0"),
        (lambda: errors(10, max_bits=float("nan")), "max_bits is at least 1, got nan"),
        (lambda: ber_curve(Modem(), []), "takes 1 to 1000 finite values of Es/N0, got 0"),
        (lambda: ber_curve(Modem(), [1], confidence=1.0), "confidence is between 0 and 1"),
        (lambda: ber_curve(Modem(), [1], stop=errors(of="blocks")), "set block_bits, the information bits of a block"),
        (lambda: ber_curve(lambda esn0_db: Graph("bare"), [1]), "graph 'bare': an error rate curve takes a graph with"),
    ],
)
def test_what_cannot_be_measured_is_said(call, message):
    with pytest.raises(FlowError, match=message):
        call()


def test_the_table_fits_a_terminal():
    from rich.console import Console

    curve = ber_curve(Modem(code="nr:256/512", order=4, **SMALL), [-3, 0, 20], stop=errors(20, max_bits=50000))
    console = Console(width=80, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    console.print(ber_table(curve))
    text = console.export_text()
    assert "…" not in text
    assert "64/64" in text
    assert "*: ended before there were enough errors" in text


def test_hybrid_arq_counts_transmissions(tmp_path):
    """Against what the decoder itself says of the same bursts; throughput and Eb/N0 are those of what was sent."""
    modem, stop = Modem(code="nr:256/320:rv=0 2 3 1", order=4, channel="awgn", **SMALL), errors(30, max_blocks=150)
    curve = ber_curve(modem, [-9, 0, 10], stop=stop, seed=3, out=tmp_path / "a.jsonl")
    assert load_curve(tmp_path / "a.jsonl") == curve
    assert ber_curve(modem, [-9, 0, 10], stop=stop, seed=3, engine="inline") == curve
    bad, middle, good = curve.points
    graph = modem(middle.esn0_db, count=middle.bursts)
    graph.seed = middle.seed
    probe = graph.probe(graph.find(NrLdpcDecoder).checked)
    graph.run(engine="inline")
    taken = np.concatenate([item.transmissions for item in probe.items])
    assert taken.size == middle.blocks
    assert middle.transmissions == taken.mean()
    assert 1 < taken.mean() < 4
    assert (bad.transmissions, bad.throughput) == (4, 0)
    assert (good.transmissions, good.throughput) == (1, 2 * 256 / 320)
    assert middle.throughput == pytest.approx((1 - middle.bler) * 2 * 256 / 320 / taken.mean())
    assert good.ebn0_db == pytest.approx(10 - 10 * np.log10(2 * 256 / 320))
    assert bad.ebn0_db == pytest.approx(-9 - 10 * np.log10(2 * 256 / 320 / 4))
    once = ber_curve(Modem(code="nr:256/320", order=4, **SMALL), [0], stop=stop)
    assert once.points[0].transmissions is once.points[0].throughput is None
    assert [column.header for column in ber_table(curve).columns][-2:] == ["mean\nsent", "bits/\nsymbol"]
    figure = plot_curves([curve, once])
    assert [axes.get_ylabel() for axes in figure.axes][1:] == ["throughput (bits per symbol)"]
    first, second = figure.axes[1].lines
    assert first.get_ydata().tolist() == [p.throughput for p in curve.points]
    assert second.get_ydata().tolist() == [2 * 256 / 320 * (1 - once.points[0].bler)]


def test_the_plot_is_whole_or_not_there(tmp_path, monkeypatch):
    curve = ber_curve(Modem(**SMALL), [0, 4, 30], stop=errors(20, max_bits=50000))
    forms = {"closed form": theory(16, Modem().parsed_channel)}
    figure = plot_curves([curve, curve], tmp_path / "new" / "a.png", closed_forms=forms)
    assert (tmp_path / "new" / "a.png").read_bytes().startswith(b"\x89PNG")
    axes = figure.axes[0]
    assert axes.get_yscale() == "log"
    assert axes.get_xlabel() == "$E_s/N_0$ (dB)"
    assert axes.get_ylabel() == "bit error rate (BER)"
    assert axes.child_axes[0].get_xlabel() == "$E_b/N_0$ (dB)"
    assert figure.legends[0].get_texts()[0].get_text() == "closed form"
    plot_curves([curve], tmp_path / "a.svg")
    assert "<svg" in (tmp_path / "a.svg").read_text()

    def full(self, path, **settings):
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("matplotlib.figure.Figure.savefig", full)
    with pytest.raises(FlowError, match="cannot be written: No space left on device"):
        plot_curves([curve], tmp_path / "b.pdf")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.svg", "new"]
    with pytest.raises(FlowError, match=r"a\.gif: a plot ends in \.png, \.svg, \.pdf"):
        plot_curves([curve], tmp_path / "a.gif")
