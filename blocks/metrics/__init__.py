"""Meters: sinks that hang on wires and measure; no other block measures itself."""

from typing import TYPE_CHECKING

from lgvsc_flow.lazy import exports

if TYPE_CHECKING:
    from lgvsc_flow.blocks.metrics.cbr import CbrLedger as CbrLedger, TextCbrLedger as TextCbrLedger
    from lgvsc_flow.blocks.metrics.constellation import ConstellationMeter as ConstellationMeter
    from lgvsc_flow.blocks.metrics.distortion import PsnrMeter as PsnrMeter, SsimMeter as SsimMeter
    from lgvsc_flow.blocks.metrics.errors import BerMeter as BerMeter, PacketMeter as PacketMeter
    from lgvsc_flow.blocks.metrics.perceptual import (
        MsSsimMeter as MsSsimMeter,
        StLpips as StLpips,
        StLpipsMeter as StLpipsMeter,
    )
    from lgvsc_flow.blocks.metrics.segments import LoggedSegment as LoggedSegment, SegmentLog as SegmentLog

__getattr__, __dir__, __all__ = exports(
    __name__,
    {
        "cbr": ["CbrLedger", "TextCbrLedger"],
        "constellation": ["ConstellationMeter"],
        "distortion": ["PsnrMeter", "SsimMeter"],
        "errors": ["BerMeter", "PacketMeter"],
        "perceptual": ["MsSsimMeter", "StLpips", "StLpipsMeter"],
        "segments": ["LoggedSegment", "SegmentLog"],
    },
)
