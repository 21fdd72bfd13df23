"""A tap on a wire: keeps the last items that passed, for plots, tests and reports."""

from __future__ import annotations

from collections import deque
from typing import Any

from lgvsc_flow.block import Block, setting
from lgvsc_flow.items import AnyItem
from lgvsc_flow.ports import In

__all__ = ["Probe"]


class Probe(Block):
    """Keep the last `keep` items of a wire, of any type; `count` counts them all.

    The items are not copied: memory holds `keep` of them, and a block must not change an item that it has sent.
    """

    item = In(AnyItem)

    keep: int | None = setting(100, ge=0, unit="items", doc="None keeps all")

    count = 0

    def validate(self) -> None:
        self._items: deque[Any] = deque(maxlen=self.keep)

    def start(self) -> None:
        self.count = 0
        self._items = deque(maxlen=self.keep)

    def work(self, item: Any) -> None:
        self._items.append(item)
        self.count += 1

    @property
    def items(self) -> list[Any]:
        """The items kept, in order."""
        return list(self._items)
