"""Symbols that a payload costs on the digital link: what the link itself sends."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from lgvsc_flow import Graph
from lgvsc_flow.blocks.channel import IdealChannel
from lgvsc_flow.blocks.ntscc.rate import MARGIN_DB, bits_per_symbol, digital_symbols, link_mcs
from lgvsc_flow.blocks.phy import QamModulator, RandomBits, StreamJoiner, TimeMultiplexer, TransportEncoder
from lgvsc_flow.blocks.phy.link_mcs import LINK_MCS_TABLE
from lgvsc_flow.items import Payload
from lgvsc_flow.probe import Probe
from lgvsc_flow.testing import run_block


def sent_by_the_link(size: int, snr_db: float, fading: bool) -> int:
    """Symbols that the channel of the real link counts for a payload, with no keyframe symbols beside it."""
    mcs = link_mcs(snr_db, fading)
    payloads = [
        [Payload(0, name, data)] for name, data in (("caption", None), ("side", None), ("hyperprior", bytes(size)))
    ]
    (bits,) = run_block(StreamJoiner(), *payloads)
    (coded,) = run_block(TransportEncoder(order=mcs.order, code_rate=mcs.code_rate), [bits])
    (digital,) = run_block(QamModulator(order=mcs.order), [coded])
    (burst,) = run_block(TimeMultiplexer(sig_repeats=mcs.sig_repeats), [digital], [np.zeros(0, np.complex64)])
    (received,) = run_block(IdealChannel(), [burst])
    return received.symbols.size


@settings(max_examples=150, deadline=None, derandomize=True, database=None)
@given(st.integers(0, 3000), st.floats(-20, 40), st.booleans())
def test_the_price_is_what_the_link_sends(size, snr_db, fading):
    assert digital_symbols(size, snr_db, fading=fading) == sent_by_the_link(size, snr_db, fading)


@pytest.mark.parametrize("size", [0, 1, 126, 127, 476, 1050, 16_383, 40_000])
def test_the_price_of_sizes_where_something_changes(size):
    assert digital_symbols(size, 10) == sent_by_the_link(size, 10, False)


def test_every_snr_setting():
    for snr_db in np.arange(-20, 40.1, 0.5):
        assert digital_symbols(200, float(snr_db)) == sent_by_the_link(200, float(snr_db), False)


def test_each_byte_costs_more_and_each_decibel_less():
    prices = [digital_symbols(size, 10) for size in range(2000)]
    assert all(a < b for a, b in itertools.pairwise(prices))
    prices = [digital_symbols(200, snr_db / 4) for snr_db in range(-80, 161)]
    assert all(a >= b for a, b in itertools.pairwise(prices))


def test_the_price_of_two_hundred_bytes_by_hand():
    # 16-QAM at rate 552/1024 and less: 200 bytes, 4 of lengths and 16 bits of CRC, behind 84 symbols of SIG.
    mcs = link_mcs(10)
    assert digital_symbols(200, 10) == 84 + -(-(8 * 204 + 16) // mcs.efficiency)
    assert bits_per_symbol(10) == mcs.efficiency == 4 * mcs.rate_1024 / 1024


@pytest.mark.parametrize("fading", [False, True])
def test_the_side_information_fails_below_the_design_snr(fading):
    for snr_db in np.arange(-9, 30, 0.5):
        mcs = link_mcs(float(snr_db), fading)
        threshold = mcs.fading_threshold_db if fading else mcs.threshold_db
        if threshold > min(m.fading_threshold_db if fading else m.threshold_db for m in LINK_MCS_TABLE):
            assert threshold <= snr_db - MARGIN_DB
    assert MARGIN_DB >= 2.5


def test_too_much_is_refused():
    with pytest.raises(ValueError, match="a burst of the digital link holds 1 to"):
        digital_symbols(1 << 18, 10)
    with pytest.raises(ValueError, match="an Es/N0 and a margin in dB choose the scheme"):
        bits_per_symbol(float("nan"))


def test_as_one_graph():
    mcs, probe = link_mcs(3.0), Probe()
    graph = Graph("digital")
    encoder = TransportEncoder(order=mcs.order, code_rate=mcs.code_rate)
    graph.connect(RandomBits(n=8 * (4 + 300), count=2), encoder, QamModulator(order=mcs.order), probe)
    graph.run(engine="inline")
    assert [burst.size + 84 * mcs.sig_repeats for burst in probe.items] == 2 * [digital_symbols(300, 3.0)]
