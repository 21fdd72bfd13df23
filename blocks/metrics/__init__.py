"""Meters: sinks that hang on wires and measure; no other block measures itself."""

from typing import TYPE_CHECKING

from lgvsc_flow.lazy import exports

if TYPE_CHECKING:
    from lgvsc_flow.blocks.metrics.cbr import CbrLedger, TextCbrLedger
    from lgvsc_flow.blocks.metrics.constellation import ConstellationMeter
    from lgvsc_flow.blocks.metrics.distortion import PsnrMeter, SsimMeter
    from lgvsc_flow.blocks.metrics.errors import BerMeter, PacketMeter
    from lgvsc_flow.blocks.metrics.segments import LoggedSegment, SegmentLog

__getattr__, __dir__, __all__ = exports(
    __name__,
    {
        "cbr": ["CbrLedger", "TextCbrLedger"],
        "constellation": ["ConstellationMeter"],
        "distortion": ["PsnrMeter", "SsimMeter"],
        "errors": ["BerMeter", "PacketMeter"],
        "segments": ["LoggedSegment", "SegmentLog"],
    },
)
