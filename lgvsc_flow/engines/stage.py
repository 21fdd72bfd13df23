"""A block at work: its wires, its counters, and its life as a coroutine that any engine can drive."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from time import perf_counter
from typing import Any

from lgvsc_flow.block import Block
from lgvsc_flow.engines.control import Control, HaltedError
from lgvsc_flow.errors import BlockError, FlowError
from lgvsc_flow.items import describe, mismatch, size, type_name
from lgvsc_flow.ports import Out

__all__ = ["Stage", "Wait", "Wire"]


class Wire:
    """A bounded queue from one output to one input. One writer, one reader."""

    def __init__(self, label: str, capacity: int) -> None:
        self.label, self.capacity = label, capacity
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
        if self.writer.sleeping:
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


@dataclass(eq=False)
class Stage:
    """One block of a running graph."""

    block: Block
    inputs: list[Wire] = field(default_factory=list)
    outputs: dict[str, list[Wire]] = field(default_factory=dict)
    items: int = 0
    elements: int = 0
    busy_s: float = 0.0
    wait_in_s: float = 0.0
    wait_out_s: float = 0.0
    sleeping: bool = False
    changes: list[tuple[int, dict[str, Any]]] = field(default_factory=list)
    control: Control = field(default_factory=Control)
    wake: Callable[[], None] = lambda: None

    @property
    def label(self) -> str:
        return self.block.label

    def start(self) -> None:
        began = perf_counter()
        self.block._changes = deque()
        try:
            self.block.start()
        except Exception as error:
            raise BlockError(self.label, None, "", _reason(error)) from error
        self.busy_s += perf_counter() - began

    def stop(self) -> None:
        self.block._changes = None
        self.block.stop()

    def steps(self) -> Generator[Wait, None, None]:
        """Do the block's whole work; each `Wait` that is yielded must be ready before the next step."""
        block, work, call = self.block, self.block.work, self._call
        if not self.inputs:
            yield from self._send(call(work), ())
        else:
            hungry = Wait(self, None)
            sink, straight = not self._wires, not self._yields and len(self._wires) == 1
            while (items := self._take()) is not None:
                if not items:
                    yield hungry
                    continue
                self.items += 1
                if sink:
                    self.elements += sum(map(size, items))
                result = call(work, *items)
                if not straight:
                    yield from self._send(result, items)
                    continue
                port, wires = self._wires[0]
                self._check(port, result)
                for wire in wires:
                    if len(wire.items) >= wire.capacity:
                        yield Wait(self, wire)
                    wire.put(result)
        rest = call(block.finish)
        if rest is not None:
            yield from self._send(rest, ())
        for wires in self.outputs.values():
            for wire in wires:
                wire.close()

    @cached_property
    def _wires(self) -> list[tuple[Out, list[Wire]]]:
        """The outputs in the order of the ports, each with its wires."""
        return [(p, self.outputs.get(p.name, [])) for p in self.block.outputs()]

    @cached_property
    def _yields(self) -> bool:
        return self.block.yields()

    def _call(self, function: Callable[..., Any], *items: Any) -> Any:
        if self.control.halted:
            raise HaltedError
        while self.block._changes:
            changes = self.block._changes.popleft()
            self.block.apply(changes)
            self.changes.append((self.items - 1 if items else self.items, changes))
        began = perf_counter()
        try:
            return function(*items)
        except Exception as error:
            raise self._failed(error, items) from error
        finally:
            self.busy_s += perf_counter() - began

    def _take(self) -> tuple[Any, ...] | None:
        """One item of every input; empty where some have yet to come, None at the end of the streams."""
        inputs = self.inputs
        for wire in inputs:
            if not wire.items:
                break
        else:
            return tuple([w.take() for w in inputs])
        if not all(w.items or w.closed for w in inputs):
            return ()
        # An item may have come between the two looks.
        ended = [w for w in inputs if w.ended]
        going = [w for w in inputs if not w.ended]
        if ended and going:
            raise BlockError(
                self.label,
                self.items,
                "",
                f"{ended[0].label} ended after {self.items} items and {going[0].label} goes on; "
                "the streams of one block must have the same number of items.",
            )
        return () if going else None

    def _send(self, result: Any, items: tuple[Any, ...]) -> Iterator[Wait]:
        """Put what a call gave on the wires."""
        if self._yields or isinstance(result, Generator):
            yield from self._drain(iter(()) if result is None else iter(result), items)
        elif len(self._wires) == 1:
            yield from self._put(*self._wires[0], result)
        elif self._wires:
            if not isinstance(result, tuple) or len(result) != len(self._wires):
                raise self._failed(ValueError(f"work must return a tuple of {len(self._wires)} items"), items)
            for (port, wires), item in zip(self._wires, result, strict=True):
                yield from self._put(port, wires, item)

    def _drain(self, iterator: Iterator[Any], items: tuple[Any, ...]) -> Iterator[Wait]:
        """Send what an iterator gives; it is closed before the block is stopped, whatever happens."""
        try:
            while self.inputs or self.control.may_send(self.items):
                out = self._call(lambda *_: next(iterator, _END), *items)
                if out is _END:
                    return
                if not self.inputs:
                    self.items += 1
                if len(self._wires) == 1:
                    yield from self._put(*self._wires[0], out)
                elif self._wires:
                    port, item = _named(self, out)
                    yield from self._put(port, self.outputs.get(port.name, []), item)
                if not self.inputs and self.items % TURN == 0:
                    yield Wait(self, None)  # always ready: lets the others have their turn
        finally:
            if isinstance(iterator, Generator):
                iterator.close()

    def _put(self, port: Out, wires: list[Wire], item: Any) -> Iterator[Wait]:
        self._check(port, item)
        for wire in wires:
            if wire.full:
                yield Wait(self, wire)
            wire.put(item)

    def _check(self, port: Out, item: Any) -> None:
        wrong = mismatch(item, port.kind)
        if wrong:
            raise BlockError(self.label, self.items - 1, "", f"its output {port.name} sent a wrong item: {wrong}.")
        self.elements += size(item)

    def _failed(self, error: Exception, items: tuple[Any, ...]) -> BlockError:
        got = ", ".join(describe(i, p.kind) for i, p in zip(items, self.block.inputs(), strict=False))
        return BlockError(self.label, max(self.items - 1, 0) if items else self.items, got, _reason(error))


_END = object()
TURN = 16  # items that a source sends before the inline engine looks at the other blocks


def _named(stage: Stage, out: Any) -> tuple[Out, Any]:
    """The port and item of a `(port, item)` pair, from a block with several outputs."""
    if isinstance(out, tuple) and len(out) == 2:
        port = getattr(out[0], "port", out[0])
        if isinstance(port, Out):
            return port, out[1]
    kinds = ", ".join(f"{p.name} ({type_name(p.kind)})" for p in stage.block.outputs())
    raise BlockError(stage.label, stage.items, "", f"work must yield (port, item) pairs for its outputs {kinds}.")


def _reason(error: Exception) -> str:
    return str(error) if isinstance(error, FlowError) else f"{error} (from {type(error).__name__})"
