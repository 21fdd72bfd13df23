"""Artificial deadlocks: where branches meet again, wires of fixed size can block every stage around a loop.

A stage that waits for input waits for the writer of each empty wire; one that waits for room waits for the reader of
the full wire. The graph has no cycles, so a cycle of waits holds at least one full wire, and giving the smallest of
those more room is what lets the run go on (T. M. Parks, "Bounded Scheduling of Process Networks", 1995).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from lgvsc_flow.engines.stage import Stage
from lgvsc_flow.engines.wire import Wait, Wire
from lgvsc_flow.errors import MemoryLimitError
from lgvsc_flow.items import nbytes

__all__ = ["Growth", "waiting_cycle"]


def waiting_cycle(waits: Mapping[Stage, Wait]) -> list[Wait]:
    """The waits around a cycle of stages that sleep, or none; a depth-first search that sees each wait once."""
    blocked = {stage: wait.blockers() for stage, wait in waits.items() if not wait.ready()}
    seen: set[Stage] = set()
    for root in blocked:
        path: dict[Stage, Iterator[Stage]] = {} if root in seen else {root: iter(blocked[root])}
        while path:
            stage = next(reversed(path))
            ahead = next(path[stage], None)
            if ahead is None:
                seen.add(stage)
                del path[stage]
            elif ahead in path:
                stages = list(path)
                return [waits[s] for s in stages[stages.index(ahead) :]]
            elif ahead in blocked and ahead not in seen:
                path[ahead] = iter(blocked[ahead])
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
        held, room = _held(self._wires), _held([wire])
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


def _held(wires: Sequence[Wire]) -> int:
    """The memory of all items on the wires; one that several readers wait for is held once."""
    return sum(map(nbytes, {id(item): item for wire in wires for item in list(wire.items)}.values()))


def _mib(count: int) -> str:
    return f"{count / 2**20:.3g} MiB"
