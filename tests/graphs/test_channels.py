"""Every channel in the same modem: swapped, saved, and run by either engine."""

import numpy as np
import pytest

from lgvsc_flow import Graph
from lgvsc_flow.blocks.channel import (
    CarrierFrequencyOffset,
    GilbertElliottChannel,
    IdealChannel,
    IqImbalance,
    JakesChannel,
    MimoChannel,
    MimoEqualizer,
    PhaseNoise,
    ReplayChannel,
    RicianChannel,
    TdlChannel,
)
from lgvsc_flow.graphs.modem import uncoded
from lgvsc_flow.graphs.ofdm import ofdm


def chained(*blocks):
    """Blocks one behind the other, as one channel."""
    graph = Graph("chained")
    graph.connect(*blocks)
    last = blocks[-1]
    (output,) = last.outputs()
    return graph.open(symbols=blocks[0].symbols, received=getattr(last, output.name))


def replay(folder):
    np.save(folder / "h.npy", np.exp(1j * np.arange(100)))
    return ReplayChannel(path=folder / "h.npy", esn0_db=25.0)


CHANNELS = {
    "ideal": lambda _: IdealChannel(),
    "rician": lambda _: RicianChannel(esn0_db=25.0, k_factor_db=20.0),
    "jakes": lambda _: JakesChannel(esn0_db=25.0, k_factor_db=20.0),
    "erasures": lambda _: GilbertElliottChannel(esn0_db=25.0, bad_rate=0.0),
    "replay": replay,
    "mimo": lambda _: chained(MimoChannel(esn0_db=25.0, receivers=8), MimoEqualizer(receivers=8)),
    "offset": lambda _: chained(RicianChannel(esn0_db=25.0, k_factor_db=20.0), CarrierFrequencyOffset(offset_hz=1e4)),
    "oscillator": lambda _: chained(IdealChannel(esn0_db=30.0), PhaseNoise(), IqImbalance()),
    "tdl": lambda _: ofdm(TdlChannel(profile="TDL-E", esn0_db=25.0), receiver="lmmse", frame_data=8192),
}


@pytest.mark.parametrize("name", CHANNELS)
def test_a_swap_changes_nothing_else(tmp_path, name):
    """At 25 dB QPSK has no errors over any of them; a file of the graph gives the same run; so does either engine."""
    graph = uncoded(order=4, channel=CHANNELS[name](tmp_path), n=16384, count=2, seed=3)
    probe = graph.probe(graph["QamDemodulator"].llrs, keep=None)
    graph.run()
    assert graph["BerMeter"].bits == 2 * 16384
    assert graph["BerMeter"].errors == 0
    graph.save(tmp_path / "graph.yaml")
    again = Graph.load(tmp_path / "graph.yaml")
    again.run(engine="inline")
    for a, b in zip(probe.items, again["Probe"].items, strict=True):
        assert np.array_equal(a, b)
