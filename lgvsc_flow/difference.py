"""Where two items differ first: for messages of failed comparisons."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np

from lgvsc_flow.items import describe

__all__ = ["fingerprint", "first_difference", "short"]

SHOWN = 60  # characters of a value in a message


def first_difference(
    a: Any, b: Any, *, rtol: float | None = None, atol: float = 0.0, where: str = ""
) -> tuple[str, str, str] | None:
    """Where two items (or lists or dicts of them) differ first, and what each has there; None where they are the same.

    Arrays are compared by dtype, shape and bytes, records field by field, and a NaN equals the same NaN. With `rtol`,
    floating and complex numbers may lie apart as in `numpy.isclose`; NaNs and infinities must still agree.
    """
    if isinstance(a, np.ndarray | np.generic) and isinstance(b, np.ndarray | np.generic):
        return _arrays(np.asarray(a), np.asarray(b), rtol, atol, where)
    if type(a) is not type(b):
        return where, _told(a), _told(b)
    if is_dataclass(a) and not isinstance(a, type):
        for field in fields(a):
            name = f"{where}.{field.name}" if where else field.name
            found = first_difference(getattr(a, field.name), getattr(b, field.name), rtol=rtol, atol=atol, where=name)
            if found:
                return found
        return None
    if isinstance(a, dict):
        if list(a) != list(b):
            return where, f"the keys {short(list(a))}", f"the keys {short(list(b))}"
        pairs = [(f"{where}[{key!r}]" if where else str(key), a[key], b[key]) for key in a]
    elif isinstance(a, list | tuple):
        pairs = [(f"{where}[{n}]" if where else f"item {n}", x, y) for n, (x, y) in enumerate(zip(a, b, strict=False))]
    else:
        return None if _scalars(a, b, rtol, atol) else (where, _told(a), _told(b))
    for name, x, y in pairs:
        found = first_difference(x, y, rtol=rtol, atol=atol, where=name)
        if found:
            return found
    return None if len(a) == len(b) else (where, f"{len(a)} items", f"{len(b)} items")


def _arrays(a: np.ndarray, b: np.ndarray, rtol: float | None, atol: float, where: str) -> tuple[str, str, str] | None:
    if a.dtype != b.dtype or a.shape != b.shape:
        return where, describe(a), describe(b)
    if a.dtype.hasobject:
        return first_difference(a.tolist(), b.tolist(), rtol=rtol, atol=atol, where=where)
    if rtol is not None and a.dtype.kind in "fc":
        differs = ~np.isclose(b, a, rtol=rtol, atol=atol, equal_nan=True).reshape(-1)
    else:
        raw = [np.frombuffer(x.tobytes(), np.uint8).reshape(x.size, x.itemsize) for x in (a, b)]
        differs = (raw[0] != raw[1]).any(axis=1)
    if not differs.any():
        return None
    at = int(differs.argmax())
    place = ", ".join(map(str, np.unravel_index(at, a.shape))) if a.ndim else ""
    element = f"{where}, element {place}" if where and place else f"element {place}" if place else where
    one, other = repr(a.reshape(-1)[at].item()), repr(b.reshape(-1)[at].item())
    if one == other:  # NaNs of different bits
        one, other = (f"{v} ({x.reshape(-1)[at].tobytes().hex()})" for v, x in ((one, a), (other, b)))
    return element, one, other


def _scalars(a: Any, b: Any, rtol: float | None, atol: float) -> bool:
    if isinstance(a, float | complex):
        if rtol is not None:
            return bool(np.isclose(b, a, rtol=rtol, atol=atol, equal_nan=True))
        return bool(np.asarray(a).tobytes() == np.asarray(b).tobytes() or (a != a and b != b))
    return bool(a == b)


def _told(value: Any) -> str:
    is_item = isinstance(value, np.ndarray) or is_dataclass(value)
    text = describe(value) if is_item else repr(value)
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 3]}..."


def short(values: Sequence[Any]) -> str:
    """The first values, with commas."""
    text = ", ".join(map(str, values[:12]))
    return f"{text}, ..." if len(values) > 12 else text


def fingerprint(item: Any) -> int:
    """A number that changes with the arrays of an item, also with those inside records and tuples."""
    if isinstance(item, np.ndarray):
        return zlib.crc32(item.tobytes())
    parts = item if isinstance(item, tuple | list) else vars(item).values() if is_dataclass(item) else ()
    return hash(tuple(map(fingerprint, parts)))
