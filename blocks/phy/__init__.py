"""The physical layer: bits, LLRs and symbols."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lgvsc_flow.blocks.phy.crc import CrcAppend, CrcCheck
    from lgvsc_flow.blocks.phy.decision import HardDecision
    from lgvsc_flow.blocks.phy.interleaver import Deinterleaver, Interleaver
    from lgvsc_flow.blocks.phy.ldpc.blocks import LdpcDecoder, LdpcEncoder
    from lgvsc_flow.blocks.phy.mcs import Mcs, choose_mcs
    from lgvsc_flow.blocks.phy.mux import TimeDemultiplexer, TimeMultiplexer
    from lgvsc_flow.blocks.phy.packet import Depacketizer, NoPayload, Packetizer
    from lgvsc_flow.blocks.phy.qam import QamDemodulator, QamModulator
    from lgvsc_flow.blocks.phy.repeat import BitRepeat, LlrCombine
    from lgvsc_flow.blocks.phy.source import RandomBits

__all__ = [
    "BitRepeat",
    "CrcAppend",
    "CrcCheck",
    "Deinterleaver",
    "Depacketizer",
    "HardDecision",
    "Interleaver",
    "LdpcDecoder",
    "LdpcEncoder",
    "LlrCombine",
    "Mcs",
    "NoPayload",
    "Packetizer",
    "QamDemodulator",
    "QamModulator",
    "RandomBits",
    "TimeDemultiplexer",
    "TimeMultiplexer",
    "choose_mcs",
]

_HOMES = {
    "BitRepeat": "repeat",
    "CrcAppend": "crc",
    "CrcCheck": "crc",
    "Deinterleaver": "interleaver",
    "Depacketizer": "packet",
    "HardDecision": "decision",
    "Interleaver": "interleaver",
    "LdpcDecoder": "ldpc.blocks",
    "LdpcEncoder": "ldpc.blocks",
    "LlrCombine": "repeat",
    "Mcs": "mcs",
    "NoPayload": "packet",
    "Packetizer": "packet",
    "QamDemodulator": "qam",
    "QamModulator": "qam",
    "RandomBits": "source",
    "TimeDemultiplexer": "mux",
    "TimeMultiplexer": "mux",
    "choose_mcs": "mcs",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
