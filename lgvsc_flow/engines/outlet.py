"""What leaves a block through one output: each item is compared with what the port declares, then put on its wires."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from lgvsc_flow.items import ArrayType, broken, mismatch, size
from lgvsc_flow.propagate import bind, known_size
from lgvsc_flow.shapes import ShapeError, evaluate

if TYPE_CHECKING:
    from lgvsc_flow.block import Block
    from lgvsc_flow.engines.wire import Wire
    from lgvsc_flow.ports import Out

__all__ = ["ItemError", "Outlet", "fitting"]

_ARRAY = np.ndarray
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
        self.sent = 0
        self._finite_for = port.name if port.finite else next((w.label for w in wires if w.finite), "")

    def forget(self) -> None:
        """Sizes must be worked out anew: a setting has changed."""
        self._known.clear()

    def check(self, item: Any, given: Sequence[Any]) -> int:
        """The size of an item that the block sends after it was given the items `given`.

        Raises:
            ItemError: its type, dtype, shape or values are not what the port declares.
        """
        if type(item) is _ARRAY and item.dtype is self._dtype and item.ndim == 1:
            count: int = item.size
        else:
            wrong = mismatch(item, self.port.kind)
            if wrong:
                raise ItemError(f"its output {self.port.name} sent a wrong item: {wrong}.")
            count = size(item)
        if self._sized:
            sizes = (count, *[g.size if type(g) is _ARRAY else size(g) for g in given])
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

    def close(self, calls: int) -> None:
        """End the wires, after so many calls.

        Raises:
            ItemError: a block that yields has not sent as many items as its port says, but for a last part of a round.
        """
        ratio = self.port.ratio if self.block.yields() and self.block.inputs() else None
        if ratio is not None and abs(self.sent - calls * ratio) >= max(Fraction(1), ratio):
            raise ItemError(
                f"its output {self.port.name} says rate {self.port.rate!r}, but it sent {self.sent} items for {calls} "
                "calls."
            )
        for wire in self.wires:
            wire.close()

    def _compare(self, count: int, given: tuple[int, ...]) -> None:
        dims = fitting(self.block, given)
        try:
            expected = evaluate(self.port.shape, partial(known_size, self.block, dims))
        except ShapeError as error:
            raise ItemError(
                f"the size {self.port.shape} of its output {self.port.name} does not come out: {error}."
            ) from None
        if expected is not None and expected != count:
            raise ItemError(
                f"its output {self.port.name} sent {count} elements, its shape {self.port.shape!r} says {expected}."
            )
        if len(self._known) >= KNOWN:
            self._known.clear()
        self._known.add((count, *given))


def fitting(block: Block, given: Sequence[int]) -> dict[str, int]:
    """Values of the names in the inputs' shapes, for items of these sizes.

    Raises:
        ItemError: a size does not fit the shape of its input.
    """
    ports = block.inputs()[: len(given)]
    dims, problems = bind(block, list(zip(ports, given, strict=True)))
    if problems:
        number, problem = problems[0]
        raise ItemError(f"it was given on {ports[number].name}: {problem}.")
    return dims
