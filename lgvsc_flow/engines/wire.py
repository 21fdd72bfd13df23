"""A wire: the bounded queue from one output to one input, and what a stage may wait for."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lgvsc_flow.engines.stage import Stage

__all__ = ["Wait", "Wire"]


class Wire:
    """A bounded queue. One writer, one reader, so that it needs no lock of its own."""

    __slots__ = ("capacity", "closed", "finite", "items", "label", "reader", "writer")

    def __init__(self, label: str, capacity: int, *, finite: bool = False) -> None:
        self.label, self.capacity, self.finite = label, capacity, finite
        self.items: deque[Any] = deque()
        self.closed = False
        self.reader: Stage
        self.writer: Stage

    def put(self, item: Any) -> None:
        self.items.append(item)
        if self.reader.sleeping:
            self.reader.wake()

    def take(self) -> Any:
        item = self.items.popleft()
        # A writer is woken for half a wire, not for each item: a thread costs more to wake than many items.
        if self.writer.sleeping and len(self.items) <= self.capacity >> 1:
            self.writer.wake()
        return item

    def close(self) -> None:
        self.closed = True
        if self.reader.sleeping:
            self.reader.wake()

    @property
    def full(self) -> bool:
        return len(self.items) >= self.capacity

    @property
    def ended(self) -> bool:
        """Whether no item is left and none will come."""
        # `closed` first: an item that is put before the close is then always seen.
        return self.closed and not self.items


@dataclass(frozen=True)
class Wait:
    """What a stage waits for: a full wire to drain, or (`wire` None) its inputs to fill."""

    stage: Stage
    wire: Wire | None

    def ready(self) -> bool:
        if self.wire is not None:
            return not self.wire.full
        return all(w.items or w.closed for w in self.stage.inputs)

    def blockers(self) -> list[Stage]:
        """The stages that could end the wait."""
        if self.wire is not None:
            return [self.wire.reader]
        return [w.writer for w in self.stage.inputs if not w.items and not w.closed]
