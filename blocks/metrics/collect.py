"""Sinks that keep what arrives, for tests and reports; one per item type."""

from __future__ import annotations

from typing import Any

from lgvsc_flow.block import Block, setting
from lgvsc_flow.items import (
    Bits,
    Caption,
    Frame,
    Keyframe,
    Payload,
    Received,
    Record,
    Segment,
    SideInfo,
    Symbols,
)
from lgvsc_flow.ports import In

__all__ = [
    "Collect",
    "CollectBits",
    "CollectCaptions",
    "CollectFrames",
    "CollectKeyframes",
    "CollectPayloads",
    "CollectReceived",
    "CollectSegments",
    "CollectSideInfo",
    "CollectSymbols",
]


class _Collector(Block):
    """Keep the first `limit` items; `count` counts them all."""

    limit: int = setting(4096, ge=0, unit="items", doc="items kept; later ones are only counted")

    count = 0

    def start(self) -> None:
        self.count = 0
        self._items: list[Any] = []

    def work(self, item: Any) -> None:
        if self.count < self.limit:
            self._items.append(item)
        self.count += 1

    @property
    def items(self) -> list[Any]:
        """The items kept, in order."""
        return list(getattr(self, "_items", ()))


class Collect(_Collector):
    """Keep record items of any type."""

    item = In(Record)


class CollectBits(_Collector):
    """Keep bursts of bits."""

    bits = In(Bits)


class CollectSymbols(_Collector):
    """Keep bursts of symbols."""

    symbols = In(Symbols)


class CollectReceived(_Collector):
    """Keep received bursts."""

    received = In(Received)


class CollectFrames(_Collector):
    """Keep frames; mind `limit`, a frame is large."""

    frames = In(Frame)


class CollectSegments(_Collector):
    """Keep segments with their frames; mind `limit`."""

    segments = In(Segment)


class CollectKeyframes(_Collector):
    """Keep keyframes."""

    keyframes = In(Keyframe)


class CollectCaptions(_Collector):
    """Keep captions."""

    captions = In(Caption)


class CollectSideInfo(_Collector):
    """Keep side information."""

    side = In(SideInfo)


class CollectPayloads(_Collector):
    """Keep payloads."""

    payloads = In(Payload)
