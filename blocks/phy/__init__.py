"""The physical layer: bits, LLRs and symbols."""

from typing import TYPE_CHECKING

from lgvsc_flow.lazy import exports

if TYPE_CHECKING:
    from lgvsc_flow.blocks.phy.burst import BurstPad, BurstTrim
    from lgvsc_flow.blocks.phy.convolutional import ConvolutionalEncoder, ViterbiDecoder
    from lgvsc_flow.blocks.phy.crc import CrcAppend, CrcCheck
    from lgvsc_flow.blocks.phy.decision import HardDecision, QamDecision
    from lgvsc_flow.blocks.phy.estimation import ChannelEstimator
    from lgvsc_flow.blocks.phy.interleaver import (
        Deinterleaver,
        Interleaver,
        NrDeinterleaver,
        NrInterleaver,
        RandomDeinterleaver,
        RandomInterleaver,
    )
    from lgvsc_flow.blocks.phy.ldpc.blocks import LdpcDecoder, LdpcEncoder
    from lgvsc_flow.blocks.phy.mcs import Mcs, choose_mcs
    from lgvsc_flow.blocks.phy.mux import TimeDemultiplexer, TimeMultiplexer
    from lgvsc_flow.blocks.phy.ofdm import OfdmDemodulator, OfdmModulator, nr_numerology
    from lgvsc_flow.blocks.phy.packet import Depacketizer, NoPayload, Packetizer
    from lgvsc_flow.blocks.phy.points import UserPointsDecision, UserPointsDemodulator, UserPointsModulator
    from lgvsc_flow.blocks.phy.qam import QamDemodulator, QamModulator
    from lgvsc_flow.blocks.phy.repeat import BitRepeat, LlrCombine
    from lgvsc_flow.blocks.phy.scrambler import (
        Descrambler,
        LlrDescrambler,
        Prbs,
        Scrambler,
        SelfSyncDescrambler,
        SelfSyncScrambler,
    )
    from lgvsc_flow.blocks.phy.source import RandomBits

__getattr__, __dir__, __all__ = exports(
    __name__,
    {
        "burst": ["BurstPad", "BurstTrim"],
        "convolutional": ["ConvolutionalEncoder", "ViterbiDecoder"],
        "crc": ["CrcAppend", "CrcCheck"],
        "decision": ["HardDecision", "QamDecision"],
        "estimation": ["ChannelEstimator"],
        "interleaver": [
            "Deinterleaver",
            "Interleaver",
            "NrDeinterleaver",
            "NrInterleaver",
            "RandomDeinterleaver",
            "RandomInterleaver",
        ],
        "ldpc.blocks": ["LdpcDecoder", "LdpcEncoder"],
        "mcs": ["Mcs", "choose_mcs"],
        "mux": ["TimeDemultiplexer", "TimeMultiplexer"],
        "ofdm": ["OfdmDemodulator", "OfdmModulator", "nr_numerology"],
        "packet": ["Depacketizer", "NoPayload", "Packetizer"],
        "points": ["UserPointsDecision", "UserPointsDemodulator", "UserPointsModulator"],
        "qam": ["QamDemodulator", "QamModulator"],
        "repeat": ["BitRepeat", "LlrCombine"],
        "scrambler": [
            "Descrambler",
            "LlrDescrambler",
            "Prbs",
            "Scrambler",
            "SelfSyncDescrambler",
            "SelfSyncScrambler",
        ],
        "source": ["RandomBits"],
    },
)
