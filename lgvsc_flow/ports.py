"""Ports: the typed ends of wires, declared in a block's class and bound to its instances."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any, overload

from lgvsc_flow.items import ArrayType, ItemType, Received

if TYPE_CHECKING:
    from lgvsc_flow.block import Block

__all__ = ["BoundPort", "Demand", "In", "Out", "Port"]


@dataclass(frozen=True)
class Demand:
    """A trait that an input takes, with its own words for the mismatch: `{found}` is what arrives."""

    value: str
    message: str


def _ratio(rate: str) -> Fraction | None:
    """Items per call; None for `many`."""
    try:
        ratio = None if rate == "many" else Fraction(rate)
    except (ValueError, ZeroDivisionError):
        ratio = Fraction(0)
    if ratio is not None and ratio <= 0:
        raise ValueError(f"rate is 'many' or a positive fraction such as '1', '4' or '1/3', not {rate!r}")
    return ratio


class Port:
    """One typed end of a block: item type, shape, rate and traits.

    `shape` is an expression over the block's settings and over names bound by its other ports: `"n"`,
    `"n // bits_per_symbol"`, `"*"` for any. `rate` is the number of items that an output sends per call of `work`:
    `"1"`, a fraction such as `"1/3"` (one item every third call) or `"4"`, or `"many"`, zero or more.
    A `finite` port forbids NaN and infinite values; what is sent is looked through while the graph runs.
    Traits are strings that may name settings in braces: an output sets them, an input demands them.
    """

    def __init__(
        self, kind: ItemType, shape: str = "*", *, rate: str = "1", finite: bool = False, **traits: str | Demand
    ) -> None:
        if finite and not (isinstance(kind, ArrayType) or issubclass(kind, Received)):
            raise ValueError(f"finite=True is for arrays and Received, not for {kind.__name__}")
        self.ratio, self.finite = _ratio(rate), finite
        self.kind, self.shape, self.rate, self.traits = kind, shape, rate, traits
        self.name = ""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    @overload
    def __get__(self, block: None, owner: type) -> Port: ...
    @overload
    def __get__(self, block: Block, owner: type) -> BoundPort: ...
    def __get__(self, block: Block | None, owner: type) -> Port | BoundPort:
        return self if block is None else BoundPort(block, self)

    def __set__(self, block: Block, value: Any) -> None:
        raise AttributeError(f"port {self.name} cannot be assigned; wire it with graph.connect")


class In(Port):
    """An input port; it has exactly one writer."""


class Out(Port):
    """An output port; any number of inputs may read it."""


@dataclass(frozen=True)
class BoundPort:
    """A port of one block, as in `meter.received`."""

    block: Block
    port: Port

    def __str__(self) -> str:
        return f"{self.block.label}.{self.port.name}"
