"""A block at work: its wires, its counters, and its life as a coroutine that any engine can drive."""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from inspect import isgeneratorfunction
from time import perf_counter
from typing import Any

import numpy as np

from lgvsc_flow.block import Block
from lgvsc_flow.engines.control import Control, HaltedError
from lgvsc_flow.engines.failure import batch_of, items_of, reason
from lgvsc_flow.engines.outlet import ItemError, Outlet, fitting
from lgvsc_flow.engines.wire import Wait, Wire
from lgvsc_flow.errors import BlockError
from lgvsc_flow.items import describe, size, type_name

__all__ = ["Stage"]

TURN = 16  # items that a source sends before the inline engine looks at the other blocks; large ones count as more,
LARGE_BYTES = 1 << 16  # so that what is under way stays in the cache
_END = object()
Items = tuple[Any, ...]


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
    working_since: float | None = None
    sleeping: bool = False
    closing: bool = False
    changes: list[tuple[int, dict[str, Any]]] = field(default_factory=list)
    control: Control = field(default_factory=Control)
    wake: Callable[[], None] = lambda: None
    _sizes: set[tuple[int, ...]] = field(default_factory=set)

    @property
    def label(self) -> str:
        return self.block.label

    def start(self) -> None:
        self.working_since = began = perf_counter()
        try:
            self.block.start()
        except Exception as error:
            raise BlockError(self.label, None, "", reason(error)) from error
        finally:
            self.working_since = None
            self.busy_s += perf_counter() - began

    def stop(self) -> None:
        """Take the changes that came too late for an item, so that they are recorded, and stop the block."""
        try:
            self._apply_changes()
        finally:
            self.block.stop()

    def steps(self) -> Generator[Wait, None, None]:
        """Do the block's whole work; each `Wait` that is yielded must be ready before the next step."""
        block = self.block
        if not self.inputs:
            yield from self._drain(self._call(block.work), ())
        else:
            drains = block.yields() or (len(self._outlets) != 1 and isgeneratorfunction(getattr(block, "work", None)))
            hungry = Wait(self, None)
            while not self._ended():
                ready = min([len(w.items) for w in self.inputs])
                if not ready:
                    yield hungry
                elif drains:
                    given = tuple([w.take() for w in self.inputs])
                    yield from self._drain(self._call(block.work, *given, given=given), given)
                    self.items += 1
                else:
                    wait = self._burst(ready)
                    if wait is not None:
                        yield wait
        rest = self._call(block.finish, during="in finish")
        if rest is not None:
            yield from self._drain(rest, (), "in finish")
        for outlet in self._outlets:
            self._call(outlet.close, self.items)

    @cached_property
    def _outlets(self) -> list[Outlet]:
        """The outputs in the order of the ports."""
        return [Outlet(self.block, p, self.outputs.get(p.name, [])) for p in self.block.outputs()]

    @cached_property
    def _wires(self) -> list[Wire]:
        """All that must have room before an item is sent."""
        return [w for o in self._outlets for w in o.wires]

    def _burst(self, ready: int) -> Wait | None:
        """Work through up to `ready` items, as many as every output has room for; what to wait for, if there is none.

        Room and clock are looked at once for all of them: this loop is what a small item costs.
        """
        for wire in self._wires:
            room = wire.capacity - len(wire.items)
            if room <= 0:
                return Wait(self, wire)
            ready = min(ready, room)
        block, inputs, control, given, count = self.block, self.inputs, self.control, (), 1
        outlet = self._outlets[0] if len(self._outlets) == 1 else None
        batches = block.batches()
        work = block.work_batch if batches else block.work
        only = inputs[0] if len(inputs) == 1 else None
        self.working_since = began = perf_counter()
        try:
            while ready > 0:
                if control.halted:
                    raise HaltedError
                if block._changes:
                    self._apply_changes()
                if batches:
                    count = min(ready, vars(block)["batch_size"])
                    sets = [tuple([w.take() for w in inputs]) for _ in range(count)]
                    given = sets[0]
                    self._send_batch(work(*map(list, zip(*sets, strict=True))), sets)
                    ready -= count
                    continue
                given = (only.take(),) if only is not None else tuple([w.take() for w in inputs])
                result = work(*given)
                if outlet is None:
                    self._send(result, given)
                else:
                    self.elements += outlet.check(result, given)
                    for wire in outlet.wires:
                        wire.put(result)
                self.items += 1
                ready -= 1
        except Exception as error:
            raise self._failed(error, given, batch_of(self.items, count)) from error
        finally:
            self.working_since = None
            self.busy_s += perf_counter() - began
        return None

    def _send(self, result: Any, given: Items) -> None:
        """Put on the wires what one call of a block without one output gave: a tuple, of a sink nothing."""
        if not self._outlets:
            sizes = tuple([g.size if type(g) is np.ndarray else size(g) for g in given])
            if sizes not in self._sizes:
                fitting(self.block, sizes)
                self._sizes = {sizes}
            self.elements += sum(sizes)
            return
        if not isinstance(result, tuple) or len(result) != len(self._outlets):
            raise ItemError(f"work must return a tuple of {len(self._outlets)} items.")
        self.elements += sum([o.check(item, given) for o, item in zip(self._outlets, result, strict=True)])
        for outlet, item in zip(self._outlets, result, strict=True):
            for wire in outlet.wires:
                wire.put(item)

    def _send_batch(self, results: Any, sets: list[Items]) -> None:
        if not self._outlets:
            results = [None] * len(sets)
        elif not isinstance(results, list) or len(results) != len(sets):
            got = str(len(results)) if isinstance(results, list) else type(results).__name__
            raise ValueError(f"work_batch must return a list of {len(sets)} results, one for each item; got {got}.")
        for result, given in zip(results, sets, strict=True):
            self._send((result,) if len(self._outlets) == 1 else result, given)
            self.items += 1

    def _drain(self, result: Any, given: Items, during: str = "") -> Iterator[Wait]:
        """Send what a generator gives; it is closed before the block is stopped, whatever happens."""
        source = not self.inputs
        iterator = self._call(items_of, result, given=given, during=during)
        turn, sent = Wait(self, None), 0  # always ready in a source
        only = self._outlets[0] if len(self._outlets) == 1 else None
        try:
            while not source or self.control.may_send(self.block, self.items):
                out = self._call(next, iterator, _END, given=given, during=during)
                if out is _END:
                    return
                if self._outlets:
                    outlet, item = (only, out) if only is not None else self._named(out)
                    try:
                        self.elements += outlet.check(item, given)
                    except ItemError as error:
                        raise self._failed(error, given) from error
                    outlet.sent += 1
                    for wire in outlet.wires:
                        if wire.full:
                            yield Wait(self, wire)
                        wire.put(item)
                if source:
                    self.items += 1
                    sent += 1 + (out.nbytes // LARGE_BYTES if isinstance(out, np.ndarray) else 0)
                    if sent >= TURN:
                        sent = 0
                        yield turn
        finally:
            if isinstance(iterator, Generator):
                self._close(iterator)

    def _close(self, iterator: Generator[Any, None, None]) -> None:
        """Close a generator; what goes wrong then is told beside what went wrong before."""
        self.closing, before = True, sys.exception()
        try:
            iterator.close()
        except Exception as error:
            failed = self._failed(error, (), "while it closes")
            if isinstance(before, BlockError):
                before.add_note(f"and {failed}")
            elif self.control.failure is not None:
                self.control.note(f"and {failed}")
            else:
                raise failed from error
        finally:
            self.closing = False

    def _named(self, out: Any) -> tuple[Outlet, Any]:
        """Outlet and item of what a block with several outputs yielded: a `(port, item)` pair."""
        if isinstance(out, tuple) and len(out) == 2:
            port = getattr(out[0], "port", out[0])
            for outlet in self._outlets:
                if outlet.port is port:
                    return outlet, out[1]
        kinds = ", ".join(f"{o.port.name} ({type_name(o.port.kind)})" for o in self._outlets)
        raise BlockError(self.label, self.items, "", f"work must yield (port, item) pairs for its outputs {kinds}.")

    def _call(self, function: Callable[..., Any], *arguments: Any, given: Items = (), during: str = "") -> Any:
        """One call into the block, timed; its failure is told with the items `given`."""
        if self.control.halted:
            raise HaltedError
        self.working_since = began = perf_counter()
        try:
            if self.block._changes:
                self._apply_changes()
            return function(*arguments)
        except Exception as error:
            raise self._failed(error, given, during) from error
        finally:
            self.working_since = None
            self.busy_s += perf_counter() - began

    def _apply_changes(self) -> None:
        while self.block._changes:
            changes = self.block._changes.popleft()
            self.block.apply(changes)
            self.changes.append((self.items, changes))
        for outlet in self._outlets:
            outlet.forget()

    def _ended(self) -> bool:
        """Whether all inputs have ended; False where items are still to come."""
        ended = [w for w in self.inputs if w.ended]
        if not ended or not all(w.items or w.closed for w in self.inputs):
            return False
        # An item may have come between the two looks.
        going = [w for w in self.inputs if not w.ended]
        if going:
            raise BlockError(
                self.label,
                self.items,
                "",
                f"{ended[0].label} ended after {self.items} items and {going[0].label} goes on; "
                "the streams of one block must have the same number of items.",
            )
        return True

    def _failed(self, error: Exception, given: Items, during: str = "") -> BlockError:
        """The error with what is known of it. An item is counted when it is done, so `items` is the one at work."""
        if isinstance(error, ItemError):
            return BlockError(self.label, self.items, "", str(error))
        got = ", ".join(describe(i, p.kind) for i, p in zip(given, self.block.inputs(), strict=False))
        return BlockError(self.label, self.items, got, reason(error, during))
