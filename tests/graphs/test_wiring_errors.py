"""The errors that the architecture page promises, in its words."""

import numpy as np
import pytest

from lgvsc_flow import Graph
from lgvsc_flow.blocks.channel import AwgnChannel, Equalizer, TdlChannel
from lgvsc_flow.blocks.metrics import BerMeter
from lgvsc_flow.blocks.phy import LdpcDecoder, LdpcEncoder, QamDemodulator, QamModulator, RandomBits
from lgvsc_flow.errors import BlockError, WiringError
from lgvsc_flow.testing import run_block


def test_types_and_constellations_in_one_message():
    source, meter = RandomBits(n=4096, count=1), BerMeter()
    graph = Graph("link")
    graph.connect(source, QamModulator(order=16), AwgnChannel(), QamDemodulator(order=64), meter.received)
    graph.connect(source, meter.sent)
    with pytest.raises(WiringError) as caught:
        graph.check()
    assert str(caught.value) == (
        "graph 'link' has 2 problems:\n"
        "  1. QamDemodulator.llrs -> BerMeter.received: sends Llrs, takes Bits. "
        "Blocks that turn Llrs into Bits: HardDecision, LdpcDecoder, UserLdpcDecoder, ViterbiDecoder.\n"
        "  2. AwgnChannel.received -> QamDemodulator.received: constellation is 16-QAM (set by QamModulator.order=16), "
        "QamDemodulator takes 64-QAM (order=64)."
    )


def test_a_decoder_of_another_code():
    graph = Graph("link")
    graph.connect(
        RandomBits(n=324),
        LdpcEncoder(n=648, code_rate="1/2"),
        QamModulator(order=4),
        AwgnChannel(),
        Equalizer(),
        QamDemodulator(order=4),
        LdpcDecoder(n=1296, code_rate="1/2"),
    )
    with pytest.raises(WiringError) as caught:
        graph.check()
    assert caught.value.problems == [
        "QamDemodulator.llrs -> LdpcDecoder.llrs: code is 802.11n n=648 r=1/2 (set by LdpcEncoder.n=648, "
        "code_rate=1/2), LdpcDecoder takes 802.11n n=1296 r=1/2 (n=1296, code_rate=1/2)."
    ]


def test_bursts_that_are_no_whole_codewords():
    graph = Graph("link")
    graph.connect(RandomBits(n=1000), LdpcEncoder(n=648, code_rate="1/2"))
    with pytest.raises(WiringError) as caught:
        graph.check()
    assert caught.value.problems == [
        "RandomBits.bits -> LdpcEncoder.bits: bursts of 1000 elements, 1000 does not divide into whole blocks of k=324."
    ]


def test_a_burst_that_is_no_whole_codeword():
    with pytest.raises(BlockError) as caught:
        run_block(LdpcDecoder(n=648, code_rate="1/2"), [np.ones(648, np.float32)] * 17 + [np.ones(647, np.float32)])
    assert str(caught.value) == (
        "LdpcDecoder, item 17: got Llrs[647]; a burst must hold whole codewords of n=648. (from ValueError)"
    )


def test_echoes_are_not_left_to_an_equalizer_of_one_gain():
    graph = Graph("echoes")
    graph.connect(RandomBits(n=4096), QamModulator(order=16), TdlChannel(), Equalizer())
    with pytest.raises(WiringError) as caught:
        graph.check()
    assert str(caught.value) == (
        "graph 'echoes' has 1 problem:\n"
        "  1. TdlChannel.received -> Equalizer.received: the channel is dispersive, each sample holds echoes of "
        "others, and one gain per symbol cannot undo that. Put the channel between OfdmModulator and "
        "OfdmDemodulator, as lgvsc_flow.graphs.ofdm.ofdm(channel) does."
    )
