import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from lgvsc_flow import Graph
from lgvsc_flow.blocks.channel import AwgnChannel, RayleighChannel
from lgvsc_flow.blocks.phy import BurstPad, BurstTrim, QamModulator, RandomBits
from lgvsc_flow.blocks.phy.mux import sig_symbols
from lgvsc_flow.errors import WiringError
from lgvsc_flow.items import Received
from lgvsc_flow.testing import run_block


def signal(n, seed=0):
    return (np.random.default_rng(seed).normal(size=(n, 2)) @ [1, 1j]).astype(np.complex64)


@settings(max_examples=40, deadline=None)
@given(sizes=st.lists(st.integers(0, 700), max_size=4), frame=st.integers(1, 500), repeats=st.integers(1, 3))
def test_round_trip(sizes, frame, repeats):
    bursts = [signal(n, i) for i, n in enumerate(sizes)]
    padded = run_block(BurstPad(frame=frame, sig_repeats=repeats), bursts)
    for a, b in zip(padded, bursts, strict=True):
        assert a.size % frame == 0
        assert 0 <= a.size - b.size - sig_symbols(repeats) < frame
    received = run_block(AwgnChannel(esn0_db=100.0), padded)
    out = run_block(BurstTrim(frame=frame, sig_repeats=repeats), received)
    for a, b in zip(out, bursts, strict=True):
        assert a.symbols.size == b.size
        assert np.allclose(a.symbols, b, atol=1e-3)


def test_the_state_is_cut_along():
    (padded,) = run_block(BurstPad(frame=300), [signal(100)])
    (received,) = run_block(RayleighChannel(esn0_db=40.0, coherence=7), [padded])
    (out,) = run_block(BurstTrim(frame=300), [received])
    head = sig_symbols(2)
    assert np.array_equal(out.gain, received.gain[head : head + 100])
    assert np.array_equal(out.symbols, received.symbols[head : head + 100])


def test_an_unreadable_field_loses_the_burst():
    (padded,) = run_block(BurstPad(frame=300), [signal(100)])
    noise = Received(signal(300), np.array(1, np.complex64), np.array(1, np.float32))
    whole = Received(padded, np.array(1, np.complex64), np.array(0.01, np.float32))
    twice = Received(np.tile(padded, 2), whole.gain, whole.noise_variance)
    short = Received(padded[:50], whole.gain, whole.noise_variance)
    out = run_block(BurstTrim(frame=300), [noise, whole, twice, short])
    assert [o.symbols.size for o in out] == [0, 100, 0, 0]


def test_ends_that_differ_are_found_before_the_run():
    graph = Graph()
    graph.connect(RandomBits(), QamModulator(), BurstPad(frame=10), AwgnChannel(), BurstTrim(frame=20))
    with pytest.raises(WiringError, match=r"padding is 2 SIG, frames of 10 .* BurstTrim takes 2 SIG, frames of 20"):
        graph.check()
