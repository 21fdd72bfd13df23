"""The physical layer: bits, LLRs and symbols."""

from typing import TYPE_CHECKING

from lgvsc_flow.lazy import exports

if TYPE_CHECKING:
    from lgvsc_flow.blocks.phy.burst import BurstPad as BurstPad, BurstTrim as BurstTrim
    from lgvsc_flow.blocks.phy.convolutional import (
        ConvolutionalEncoder as ConvolutionalEncoder,
        ViterbiDecoder as ViterbiDecoder,
    )
    from lgvsc_flow.blocks.phy.crc import CrcAppend as CrcAppend, CrcCheck as CrcCheck
    from lgvsc_flow.blocks.phy.decision import HardDecision as HardDecision, QamDecision as QamDecision
    from lgvsc_flow.blocks.phy.estimation import ChannelEstimator as ChannelEstimator
    from lgvsc_flow.blocks.phy.interleaver import (
        Deinterleaver as Deinterleaver,
        Interleaver as Interleaver,
        NrDeinterleaver as NrDeinterleaver,
        NrInterleaver as NrInterleaver,
        RandomDeinterleaver as RandomDeinterleaver,
        RandomInterleaver as RandomInterleaver,
    )
    from lgvsc_flow.blocks.phy.ldpc.blocks import (
        LdpcDecoder as LdpcDecoder,
        LdpcEncoder as LdpcEncoder,
        LdpcSoftDecoder as LdpcSoftDecoder,
    )
    from lgvsc_flow.blocks.phy.ldpc.nr_blocks import NrLdpcDecoder as NrLdpcDecoder, NrLdpcEncoder as NrLdpcEncoder
    from lgvsc_flow.blocks.phy.ldpc.user_blocks import (
        UserLdpcDecoder as UserLdpcDecoder,
        UserLdpcEncoder as UserLdpcEncoder,
    )
    from lgvsc_flow.blocks.phy.link_mcs import LinkMcs as LinkMcs, choose_link_mcs as choose_link_mcs
    from lgvsc_flow.blocks.phy.mcs import Mcs as Mcs, choose_mcs as choose_mcs
    from lgvsc_flow.blocks.phy.mux import TimeDemultiplexer as TimeDemultiplexer, TimeMultiplexer as TimeMultiplexer
    from lgvsc_flow.blocks.phy.nr_mcs import NrMcs as NrMcs, best_mcs as best_mcs
    from lgvsc_flow.blocks.phy.ofdm import (
        OfdmDemodulator as OfdmDemodulator,
        OfdmModulator as OfdmModulator,
        nr_numerology as nr_numerology,
    )
    from lgvsc_flow.blocks.phy.packet import (
        Depacketizer as Depacketizer,
        NoPayload as NoPayload,
        Packetizer as Packetizer,
    )
    from lgvsc_flow.blocks.phy.points import (
        UserPointsDecision as UserPointsDecision,
        UserPointsDemodulator as UserPointsDemodulator,
        UserPointsModulator as UserPointsModulator,
    )
    from lgvsc_flow.blocks.phy.qam import QamDemodulator as QamDemodulator, QamModulator as QamModulator
    from lgvsc_flow.blocks.phy.repeat import BitRepeat as BitRepeat, LlrCombine as LlrCombine
    from lgvsc_flow.blocks.phy.scrambler import (
        Descrambler as Descrambler,
        LlrDescrambler as LlrDescrambler,
        Prbs as Prbs,
        Scrambler as Scrambler,
        SelfSyncDescrambler as SelfSyncDescrambler,
        SelfSyncScrambler as SelfSyncScrambler,
    )
    from lgvsc_flow.blocks.phy.source import RandomBits as RandomBits
    from lgvsc_flow.blocks.phy.streams import StreamJoiner as StreamJoiner, StreamSplitter as StreamSplitter
    from lgvsc_flow.blocks.phy.transport import (
        TransportDecoder as TransportDecoder,
        TransportEncoder as TransportEncoder,
    )

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
        "ldpc.blocks": ["LdpcDecoder", "LdpcEncoder", "LdpcSoftDecoder"],
        "ldpc.nr_blocks": ["NrLdpcDecoder", "NrLdpcEncoder"],
        "ldpc.user_blocks": ["UserLdpcDecoder", "UserLdpcEncoder"],
        "link_mcs": ["LinkMcs", "choose_link_mcs"],
        "mcs": ["Mcs", "choose_mcs"],
        "mux": ["TimeDemultiplexer", "TimeMultiplexer"],
        "nr_mcs": ["NrMcs", "best_mcs"],
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
        "streams": ["StreamJoiner", "StreamSplitter"],
        "transport": ["TransportDecoder", "TransportEncoder"],
    },
)
