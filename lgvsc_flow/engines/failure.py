"""How the failure of a block is told, and the failure of a result that is no stream."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from lgvsc_flow.errors import FlowError

__all__ = ["batch_of", "items_of", "reason"]


def batch_of(first: int, count: int) -> str:
    return f"in a batch of items {first} to {first + count - 1}" if count > 1 else ""


def items_of(result: Any) -> Iterator[Any]:
    if result is not None and not isinstance(result, Iterable):
        raise TypeError(f"a block that sends none or several items must yield them, or return a list; got {result!r}")
    return iter(() if result is None else result)


def reason(error: Exception, during: str = "") -> str:
    if isinstance(error, FlowError):
        return f"{error} ({during})" if during else str(error)
    return f"{error} (from {type(error).__name__}{f', {during}' if during else ''})"
