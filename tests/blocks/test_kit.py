"""The toolkit's own blocks under the testing kit: engines agree, and bursts may be cut anywhere between whole units."""

import numpy as np
import pytest
from hypothesis import given, settings

from lgvsc_flow import Graph
from lgvsc_flow.blocks.channel import AwgnChannel, Equalizer, RayleighChannel
from lgvsc_flow.blocks.metrics import BerMeter
from lgvsc_flow.blocks.phy import BitRepeat, HardDecision, LlrCombine, QamDemodulator, QamModulator, RandomBits
from lgvsc_flow.items import Bits, Llrs
from lgvsc_flow.strategies import items
from lgvsc_flow.testing import assert_chunking_invariant, assert_same_on_all_engines, run_block

quick = settings(max_examples=50, deadline=None, derandomize=True, database=None)
BITS = np.random.default_rng(5).integers(0, 2, 960, dtype=np.uint8)


@pytest.mark.parametrize("channel", [AwgnChannel, RayleighChannel])
def test_a_modem_is_the_same_on_all_engines(channel):
    def modem():
        source, meter = RandomBits(n=256, count=12), BerMeter()
        graph = Graph("modem", seed=11)
        received = [channel(esn0_db=9), Equalizer()] if channel is RayleighChannel else [channel(esn0_db=9)]
        graph.connect(source, QamModulator(order=16), *received, QamDemodulator(order=16), HardDecision())
        graph.connect(graph.find(HardDecision), meter.received)
        graph.connect(source, meter.sent)
        return graph

    assert_same_on_all_engines(modem)


@pytest.mark.parametrize("order", [4, 16, 64, 256])
def test_modulated_bursts_may_be_cut_between_symbols(order):
    assert_chunking_invariant(QamModulator(order=order), BITS, unit=order.bit_length() - 1)


def test_llrs_may_be_cut_anywhere():
    llrs = np.random.default_rng(6).normal(size=960).astype(np.float32)
    assert_chunking_invariant(HardDecision(), llrs)


@quick
@given(items(Llrs, infinite=True))
def test_hard_decisions_are_bits_whatever_comes(llrs):
    (bits,) = run_block(HardDecision(), [llrs])
    assert bits.dtype == np.uint8
    assert np.array_equal(bits[llrs != 0], (llrs < 0)[llrs != 0])


@quick
@given(items(Bits))
def test_repeated_bits_combine_to_themselves(bits):
    (repeated,) = run_block(BitRepeat(times=3), [bits])
    (combined,) = run_block(LlrCombine(times=3), [(1 - 2.0 * repeated).astype(np.float32)])
    assert np.array_equal(combined < 0, bits == 1)
