"""Meters: sinks that hang on wires and measure; no other block measures itself."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lgvsc_flow.blocks.metrics.cbr import CbrLedger, TextCbrLedger
    from lgvsc_flow.blocks.metrics.constellation import ConstellationMeter
    from lgvsc_flow.blocks.metrics.distortion import PsnrMeter, SsimMeter
    from lgvsc_flow.blocks.metrics.errors import BerMeter, PacketMeter
    from lgvsc_flow.blocks.metrics.segments import LoggedSegment, SegmentLog

__all__ = [
    "BerMeter",
    "CbrLedger",
    "ConstellationMeter",
    "LoggedSegment",
    "PacketMeter",
    "PsnrMeter",
    "SegmentLog",
    "SsimMeter",
    "TextCbrLedger",
]

_HOMES = {
    "cbr": ("CbrLedger", "TextCbrLedger"),
    "constellation": ("ConstellationMeter",),
    "distortion": ("PsnrMeter", "SsimMeter"),
    "errors": ("BerMeter", "PacketMeter"),
    "segments": ("LoggedSegment", "SegmentLog"),
}
_MODULES = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
