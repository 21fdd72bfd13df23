"""What leaves a block through one output: each item is compared with what the port declares, then put on its wires."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from lgvsc_flow.items import ArrayType, broken, mismatch, size
from lgvsc_flow.propagate import known_size
from lgvsc_flow.shapes import ShapeError, evaluate, solve

if TYPE_CHECKING:
    from lgvsc_flow.block import Block
    from lgvsc_flow.engines.wire import Wire
    from lgvsc_flow.ports import Out

__all__ = ["ItemError", "Outlet"]

KNOWN = 1024  # combinations of sizes that are remembered; streams of equal bursts have one


class ItemError(ValueError):
    """An item is not what its port declares; the message says how."""


class Outlet:
    """One output of a running block, and the wires that hang on it."""

    def __init__(self, block: Block, port: Out, wires: Sequence[Wire]) -> None:
        self.block, self.port, self.wires = block, port, wires
        self._dtype = port.kind.dtype if isinstance(port.kind, ArrayType) else None
        self._sized = port.shape != "*"
        self._known: set[tuple[int, ...]] = set()
        self._finite_for = port.name if port.finite else next((w.label for w in wires if w.finite), "")

    def forget(self) -> None:
        """Sizes must be worked out anew: a setting has changed."""
        self._known.clear()

    def check(self, item: Any, given: Sequence[Any]) -> int:
        """The size of an item that the block sends after it was given the items `given`.

        Raises:
            ItemError: its type, dtype, shape or values are not what the port declares.
        """
        if type(item) is np.ndarray and item.dtype is self._dtype and item.ndim == 1:
            count: int = item.size
        else:
            wrong = mismatch(item, self.port.kind)
            if wrong:
                raise ItemError(f"its output {self.port.name} sent a wrong item: {wrong}.")
            count = size(item)
        if self._sized:
            sizes = (count, *[size(g) for g in given])
            if sizes not in self._known:
                self._compare(count, sizes[1:])
        if self._finite_for:
            bad = broken(item)
            if bad:
                raise ItemError(
                    f"its output {self.port.name} sent {bad} NaN or infinite values in {count} elements; "
                    f"{self._finite_for} takes finite ones only."
                )
        return count

    def _compare(self, count: int, given: tuple[int, ...]) -> None:
        expected = self._expected(given)
        if expected is not None and expected != count:
            raise ItemError(
                f"its output {self.port.name} sent {count} elements, its shape {self.port.shape!r} says {expected}."
            )
        if len(self._known) >= KNOWN:
            self._known.clear()
        self._known.add((count, *given))

    def _expected(self, given: tuple[int, ...]) -> int | None:
        """The size that the port's shape gives for inputs of these sizes; None where it says nothing about them."""
        names: dict[str, int] = {}
        lookup = partial(known_size, self.block, names)
        try:
            for port, count in zip(self.block.inputs(), given, strict=False):
                found = solve(port.shape, count, lookup)
                if found:
                    names[found[0]] = found[1]
            return evaluate(self.port.shape, lookup)
        except ShapeError:
            return None  # the block itself says what is wrong with its input
