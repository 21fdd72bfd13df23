"""The keyframe path alone: what it sends is counted, and what it receives is all that it needs."""

import inspect
import json
import subprocess
import sys
from pathlib import Path

import networkx as nx
import numpy as np
import pytest

pytest.importorskip("torch")

import lgvsc_flow.blocks.ntscc.keyframes as keyframe_blocks
from lgvsc_flow import Graph
from lgvsc_flow.blocks.channel import AwgnChannel, GilbertElliottChannel, RayleighChannel, TdlChannel
from lgvsc_flow.blocks.metrics.cbr import KEYFRAMES
from lgvsc_flow.blocks.ntscc import NtsccDecoder
from lgvsc_flow.blocks.ntscc.ledger import ROWS
from lgvsc_flow.blocks.ntscc.rate import digital_symbols
from lgvsc_flow.errors import SettingError, WiringError
from lgvsc_flow.graphs.keyframes import KeyframeSession, Pictures, keyframe_link, receiver, transmitter
from lgvsc_flow.graphs.ofdm import ofdm
from lgvsc_flow.probe import Probe

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A small untrained model as a file: a test fixture, never a result."""
    import torch

    from lgvsc_flow.blocks.ntscc.nets import NetSettings, NtsccNet
    from lgvsc_flow.blocks.ntscc.weights_file import NOMINAL_CBR, save_weights

    torch.manual_seed(0)
    settings = NetSettings((64, 20, 20), 6, 16, 16, 16, (16, 16, 16), (1, 1, 1), (32, 16, 16), (1, 1, 1))
    net = NtsccNet(settings)
    decays = [scale * torch.linspace(0, -4, count).exp() for scale, count in ((2.0, 64), (0.5, 20), (0.3, 20))]
    net.y_std.copy_(torch.cat(decays))
    path = tmp_path_factory.mktemp("weights") / "small.safetensors"
    save_weights(path, net.eval(), np.linspace(0, -3, len(NOMINAL_CBR)))
    return str(path)


@pytest.fixture
def once(monkeypatch):
    """Load each weights file once for many graphs."""
    codecs = {}
    load = keyframe_blocks._codec
    monkeypatch.setattr(
        keyframe_blocks,
        "_codec",
        lambda *which: codecs[which] if which in codecs else codecs.setdefault(which, load(*which)),
    )


def pictures(*sizes):
    rng = np.random.default_rng(5)
    found = []
    for height, width in sizes:
        y, x = np.mgrid[:height, :width]
        ramp = 128 + 80 * np.sin(x / 9 + rng.uniform(0, 6)) * np.cos(y / 7) + rng.normal(0, 6, (height, width))
        found.append(np.stack([ramp, 255 - ramp, ramp // 2 + 60], 2).clip(0, 255).astype(np.uint8))
    return found


def run(link):
    link.graph.run(engine="inline")
    return link


def same(expected, got):
    return len(expected) == len(got) and all(
        (a is None and b is None) or (a is not None and b is not None and np.array_equal(a, b))
        for a, b in zip(expected, got, strict=True)
    )


def test_the_ledger_is_what_the_channel_counted(weights, once):
    """100 pictures of random size at random rates and SNRs: rows, channel and `digital_symbols` agree to the symbol."""
    rng = np.random.default_rng(1)
    charged = dict.fromkeys(ROWS, 0)
    for number in range(100):
        size = tuple(int(v) for v in np.exp(rng.uniform(0, np.log(200.5), 2)))
        rate = {"target_cbr": rng.uniform(0.01, 0.1)} if number % 2 else {"quality": rng.uniform(1, 10)}
        link_snr_db = None if number % 4 else rng.uniform(-5, 20)
        session = KeyframeSession(
            snr_db=rng.uniform(-5, 20), fading=number % 5 == 0, link_snr_db=link_snr_db, weights=weights
        )
        link = keyframe_link(session, pictures(size), **rate, seed=number)
        payloads = link.graph.probe(link.encoder.payloads)
        run(link)
        symbols = link.ledger.symbols
        assert tuple(symbols) == ROWS
        assert sum(symbols.values()) == link.ledger.total_symbols == link.channel.symbol_count
        link_db = session.snr_db if link_snr_db is None else link_snr_db
        digital = digital_symbols(len(payloads.items[0].data), link_db, fading=session.fading)
        assert link.channel.symbol_count - symbols[KEYFRAMES] == digital
        assert link.ledger.cbr == link.channel.symbol_count / (3 * size[0] * size[1])
        assert sum(row.cbr for row in link.ledger.rows) == pytest.approx(link.ledger.cbr)
        assert link.ledger.bytes["hyperprior z"] + link.ledger.bytes["keyframe header"] == len(payloads.items[0].data)
        for name, count in symbols.items():
            assert count >= 0
            charged[name] += count
    assert all(charged.values())


def test_the_table_of_the_ledger(weights):
    link = run(keyframe_link(KeyframeSession(weights=weights), pictures((64, 64), (30, 50)), target_cbr=0.09))
    text = link.ledger.table()
    assert "2 keyframes" in text
    for row in link.ledger.rows:
        line = next(line for line in text.splitlines() if row.name in line)
        assert f"{row.symbols:,}" in line
        assert f"{row.symbols / link.ledger.total_symbols:.1%}".replace("%", " %") in line
    assert f"{link.channel.symbol_count:,}" in text


def test_a_ledger_of_another_link_is_refused(weights):
    link = keyframe_link(KeyframeSession(weights=weights), pictures((40, 40)))
    link.ledger.code_rate = 0.3
    with pytest.raises(Exception, match="give the ledger the settings of TransportEncoder"):
        run(link)


@pytest.mark.parametrize("snr_db", [0, 10])
@pytest.mark.parametrize("name", ["awgn", "rayleigh", "erasures", "ofdm"])
def test_a_recording_gives_the_same_pictures(weights, tmp_path, name, snr_db):
    channels = {
        "awgn": lambda: AwgnChannel(esn0_db=snr_db),
        "rayleigh": lambda: RayleighChannel(esn0_db=snr_db, coherence=16),
        "erasures": lambda: GilbertElliottChannel(bad_rate=0.1, mean_run=4),
        "ofdm": lambda: ofdm(TdlChannel(esn0_db=snr_db + 20, sinusoids=8), receiver="lmmse", any_size=True),
    }
    session = KeyframeSession(snr_db=snr_db, fading=name != "awgn", weights=weights)
    sent = pictures((64, 96), (33, 47))
    link = run(
        keyframe_link(
            session, sent, channels[name](), target_cbr=0.09, record=tmp_path / "one", state="estimated", seed=3
        )
    )
    graph, received = receiver(session, tmp_path / "one")
    graph.run(engine="inline")
    assert same(link.pictures, [keyframe.pixels for keyframe in received.items])
    assert any(p is not None for p in link.pictures)


def test_sending_alone_records_what_the_whole_link_records(weights, tmp_path):
    session, sent = KeyframeSession(weights=weights), pictures((64, 96), (33, 47))
    run(keyframe_link(session, sent, record=tmp_path / "one", seed=3))
    graph, ledger = transmitter(session, sent, tmp_path / "two", seed=3)
    graph.run(engine="inline")
    for ending in (".sigmf-data", ".sigmf-meta"):
        assert (tmp_path / f"one{ending}").read_bytes() == (tmp_path / f"two{ending}").read_bytes()
    assert ledger.total_symbols * 8 == (tmp_path / "two.sigmf-data").stat().st_size


SEND = """
import sys
import numpy as np
from lgvsc_flow.blocks.channel import RayleighChannel
from lgvsc_flow.graphs.keyframes import KeyframeSession, transmitter
session = KeyframeSession.load(sys.argv[1])
pictures = list(np.load(sys.argv[2]))
channel = RayleighChannel(esn0_db=12, coherence=8)
graph, _ = transmitter(session, pictures, sys.argv[3], channel, target_cbr=0.09, seed=9)
graph.run()
"""
RECEIVE = """
import sys
import numpy as np
from lgvsc_flow.graphs.keyframes import KeyframeSession, receiver
graph, received = receiver(KeyframeSession.load(sys.argv[1]), sys.argv[2])
graph.run()
np.save(sys.argv[3], np.stack([keyframe.pixels for keyframe in received.items]))
"""


def test_another_process_rebuilds_the_pictures_from_the_recording_alone(weights, tmp_path):
    """The receiving process is given two files in a folder of its own: the session, and what crossed the channel."""
    sent, session = pictures((48, 80), (48, 80)), KeyframeSession(height=48, width=80, fading=True, weights=weights)
    here, there = tmp_path / "sender", tmp_path / "receiver"
    here.mkdir()
    there.mkdir()
    session.save(here / "session.json")
    np.save(here / "pictures.npy", np.stack(sent))
    names = [str(here / name) for name in ("session.json", "pictures.npy", "air")]
    subprocess.run([sys.executable, "-c", SEND, *names], check=True, timeout=240)
    for name in ("session.json", "air.sigmf-data", "air.sigmf-meta"):
        (here / name).rename(there / name)
    names = [str(there / name) for name in ("session.json", "air", "received.npy")]
    subprocess.run([sys.executable, "-c", RECEIVE, *names], check=True, timeout=240)

    channel = RayleighChannel(esn0_db=12, coherence=8)
    link = run(keyframe_link(session, sent, channel, target_cbr=0.09, seed=9))
    assert same(link.pictures, list(np.load(there / "received.npy")))
    assert "true state" in json.loads((there / "air.sigmf-meta").read_text())["global"]["core:description"]


def test_the_examples_send_and_receive(tmp_path):
    printed = []
    for script in ("06_send_keyframes.py", "07_receive_keyframes.py"):
        command = [sys.executable, EXAMPLES / script]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=240)
        assert done.returncode == 0, done.stderr
        printed.append(done.stdout)
    assert "burst length (SIG)" in printed[0]
    assert all(f"keyframe {i}: " in printed[1] for i in range(3))


def no_way_around(graph: Graph, channel, begin, end):
    """No path leads from `begin` to `end` but through the channel."""
    assert nx.has_path(graph.nx, begin, end)
    rest = graph.nx.copy()
    rest.remove_node(channel)
    assert not nx.has_path(rest, begin, end)


def test_nothing_reaches_the_receiver_but_through_the_channel(weights, tmp_path):
    link = keyframe_link(KeyframeSession(weights=weights), pictures((20, 20)), record=tmp_path / "a")
    no_way_around(link.graph, link.channel, link.source, link.received)
    assert isinstance(link.source, Pictures)
    assert isinstance(link.received, Probe)
    # Nor is anything shared beside the wires: no block of the receiver holds what the sender holds.
    rest = link.graph.nx.copy()
    rest.remove_node(link.channel)
    ours = nx.descendants(rest, link.source) | {link.source}
    theirs = nx.ancestors(rest, link.received) | {link.received}
    assert not ours & theirs
    plain = (int, float, str, bool, type(None))
    for block in theirs:
        assert all(isinstance(value, plain) for value in block.settings.values()), block


def test_a_wire_around_the_channel_would_be_found(weights):
    link = keyframe_link(KeyframeSession(weights=weights), pictures((20, 20)))
    link.graph.connect(link.encoder.payloads, Probe(name="spy"))
    no_way_around(link.graph, link.channel, link.source, link.received)
    link.graph.nx.add_edge(link.encoder, link.graph.find(NtsccDecoder), sender=None, taker=None)
    with pytest.raises(AssertionError):
        no_way_around(link.graph, link.channel, link.source, link.received)


def test_the_receiver_is_built_from_session_and_recording():
    assert list(inspect.signature(receiver).parameters) == ["session", "path"]


def test_a_dispersive_channel_is_named(weights):
    with pytest.raises(WiringError, match="one gain per symbol cannot undo that"):
        run(keyframe_link(KeyframeSession(weights=weights), pictures((20, 20)), TdlChannel()))


def test_a_lost_burst_is_a_lost_keyframe(weights):
    link = run(keyframe_link(KeyframeSession(weights=weights), pictures((30, 30)), AwgnChannel(esn0_db=-15)))
    assert link.pictures == [None]
    assert link.decoder.lost == 1


@pytest.mark.parametrize(("link_snr_db", "arrive"), [(None, 0), (2.0, 3)])
def test_a_link_for_less_keeps_the_pictures_where_the_one_for_the_design_snr_loses_them(weights, link_snr_db, arrive):
    """Designed for 10 dB, received at 0 dB: that is 7.3 dB below the threshold of the one, 0.7 above the other's."""
    session = KeyframeSession(snr_db=10, link_snr_db=link_snr_db, weights=weights)
    sent = pictures((160, 160), (144, 200), (160, 176))
    link = run(keyframe_link(session, sent, AwgnChannel(esn0_db=0), target_cbr=0.06, seed=4))
    assert len(sent) - link.decoder.lost == sum(p is not None for p in link.pictures) == arrive
    assert link.ledger.cbr == pytest.approx(0.06, rel=0.05)


def test_session_files(tmp_path):
    path = tmp_path / "session.json"
    for link_snr_db in (None, 2.5):
        session = KeyframeSession(
            height=3, width=4, snr_db=7.5, fading=True, link_snr_db=link_snr_db, weights="x.safetensors"
        )
        session.save(path)
        assert KeyframeSession.load(path) == session
    for text, message in [
        ("nonsense", "is no description of a session"),
        ("[1]", "it has the fields fading, height, link_snr_db, snr_db, weights, width"),
        ('{"seed": 3}', "it has the fields"),
        ('{"snr_db": "10"}', "snr_db cannot be '10'"),
        ('{"height": true}', "height cannot be True"),
        ('{"link_snr_db": "two"}', "link_snr_db cannot be 'two'"),
    ]:
        path.write_text(text)
        with pytest.raises(SettingError, match=message):
            KeyframeSession.load(path)
    with pytest.raises(SettingError, match="is no description of a session"):
        KeyframeSession.load(tmp_path / "missing.json")
