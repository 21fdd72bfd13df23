"""Artificial deadlocks: where branches meet again, wires of fixed size can block every stage around a loop.

A stage that waits for input waits for the writer of each empty wire; one that waits for room waits for the reader of
the full wire. The graph has no cycles, so a cycle of waits holds at least one full wire, and giving the smallest of
those more room is what lets the run go on (T. M. Parks, "Bounded Scheduling of Process Networks", 1995).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lgvsc_flow.engines.stage import Stage
from lgvsc_flow.engines.wire import Wait, Wire
from lgvsc_flow.errors import MemoryLimitError

__all__ = ["Growth", "waiting_cycle"]


def waiting_cycle(start: Stage, waits: Mapping[Stage, Wait]) -> list[Wait]:
    """The waits around a cycle through `start`, or none; `waits` holds the stages that sleep."""
    behind: dict[Stage, Stage | None] = {start: None}
    ahead = [start]
    while ahead:
        stage = ahead.pop()
        wait = waits.get(stage)
        if wait is None or wait.ready():
            continue
        for blocker in wait.blockers():
            if blocker is start:
                cycle: list[Wait] = []
                at: Stage | None = stage
                while at is not None:
                    cycle.append(waits[at])
                    at = behind[at]
                return cycle
            if blocker not in behind:
                behind[blocker] = stage
                ahead.append(blocker)
    return []


class Growth:
    """Gives full wires more room, as long as all wires together hold no more than `limit_bytes`."""

    def __init__(self, wires: Sequence[Wire], limit_bytes: int) -> None:
        self._wires, self._limit = wires, limit_bytes
        self._grown: dict[str, str] = {}

    @property
    def notes(self) -> list[str]:
        """What was grown, for the run's report."""
        return list(self._grown.values())

    def grow(self, waits: Sequence[Wait]) -> Wire:
        """Double the smallest full wire among `waits`.

        Raises:
            MemoryLimitError: the wires would hold more than the limit.
        """
        wire = min((w.wire for w in waits if w.wire is not None), key=lambda w: w.capacity)
        held, room = sum(w.nbytes for w in self._wires), wire.nbytes
        if held + room > self._limit:
            raise MemoryLimitError(
                f"{wire.label} is full with {len(wire.items)} items, and the branches that meet again behind it need "
                f"more; with twice the room the wires could hold {_mib(held + room)}, and the limit is "
                f"{_mib(self._limit)}. Let a branch hold back fewer items, or run(memory_limit_bytes=...) with more."
            )
        wire.capacity *= 2
        self._grown[wire.label] = (
            f"{wire.label} grew to {wire.capacity} items so that branches of different delay can meet again"
        )
        return wire


def _mib(count: int) -> str:
    return f"{count / 2**20:.3g} MiB"
