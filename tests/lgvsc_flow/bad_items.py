"""Items and arguments that are wrong in one way each, and what counts as a clear error."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from lgvsc_flow.errors import FlowError
from lgvsc_flow.items import Checked, Payload, Received

SAME, REFUSED, ANY = "same", "refused", "any"
"""What must follow: the result of the good item, bit for bit; a clear error; a clear error or a sound result."""

DENORMAL = 1e-42
SPECIAL = (np.nan, np.inf, -np.inf, 1e38, -3e38, DENORMAL, 0.0, -0.0)

# What NumPy, Numba and Python say where nobody has looked before them.
UNCLEAR = (
    "numba", "broadcast", "cannot reshape", "not enough values", "too many values", "zip()", "has no attribute",
    "unsupported operand", "invalid literal", "ufunc", "implementation", "operand", "out of bounds", "not iterable",
    "division", "ambiguous", "buffer", "iteration over", "must be real", "not supported", "cannot unpack", "Expected",
    "tuple index", "not callable", "required argument", "cannot convert", "Cannot cast", "size-1", "0-dim",
    "maximum supported", "key of type", "negative dimensions", "argument of type", "Python integer", "object too deep",
)  # fmt: skip


class Named(np.ndarray):
    """A subclass of arrays."""


def why_unclear(error: BaseException) -> str:
    """Why an error does not help a user; empty where it does."""
    text = str(error)
    if not isinstance(error, (ValueError, FlowError)):
        return f"{type(error).__name__}: {text[:300]}"
    found = [phrase for phrase in UNCLEAR if phrase in text and "the buffer is" not in text]
    if found or "\n" in text or not 12 <= len(text) <= 400:
        return f"{type(error).__name__} with {found or len(text)}: {text[:300]}"
    return ""


def layouts(good: np.ndarray) -> Iterator[tuple[str, Any, str]]:
    """The same values, otherwise in memory."""
    yield "strided", np.repeat(good, 2)[::2], SAME
    yield "reversed", good[::-1].copy()[::-1], SAME
    yield "a column", np.stack([good, good], axis=1)[:, 0], SAME
    raw = np.zeros(good.nbytes + 1, np.uint8)[1:]
    unaligned = raw[: good.nbytes].view(good.dtype)
    unaligned[:] = good
    yield "unaligned", unaligned, SAME
    locked = good.copy()
    locked.setflags(write=False)
    yield "read-only", locked, SAME
    yield "subclass", good.copy().view(Named), SAME


def others(good: np.ndarray) -> Iterator[tuple[str, Any, str]]:
    """What is no one-dimensional array of the dtype."""
    kinds = {"float64": np.float64, "int64": np.int64, "bool": bool, "object": object, "complex128": np.complex128}
    kinds |= {"float16": np.float16, "bytes": "S4", "text": "U4", "swapped": good.dtype.newbyteorder(), "int8": np.int8}
    for name, kind in kinds.items():
        values = good.real if np.dtype(kind).kind in "fiub" and good.dtype.kind == "c" else good
        if np.dtype(kind) != good.dtype:
            yield name, values.astype(kind), REFUSED
    yield "2-d", np.stack([good, good]), REFUSED
    yield "one row", good.reshape(1, -1), REFUSED
    yield "one column", good.reshape(-1, 1), REFUSED
    yield "0-d", good.reshape(-1)[:1].reshape(()), REFUSED
    yield "list", good.tolist(), REFUSED
    yield "None", None, REFUSED
    yield "a number", 1.0, REFUSED
    yield "masked", np.ma.masked_array(good), REFUSED


def values(good: np.ndarray) -> Iterator[tuple[str, Any, str]]:
    """Values that are not those of a good link, in one place and in all."""
    if good.dtype.kind in "ub":
        for value in (2, 255) if good.dtype == np.uint8 else ():
            one = good.copy()
            one[one.size // 2 :][:1] = value
            yield f"one {value}", one, ANY
            yield f"all {value}", np.full_like(good, value), ANY
        return
    for value in SPECIAL:
        one = good.copy()
        one[one.size // 2 :][:1] = value
        yield f"one {value}", one, ANY
        yield f"all {value}", np.full_like(good, value), ANY
    mixed = good.copy()
    mixed[:] = np.resize(np.array(SPECIAL, good.dtype), good.size)
    yield "mixed", mixed, ANY
    if good.dtype.kind == "c":
        for value in (np.nan, np.inf, 3e38):
            one = good.copy()
            one.imag[:1] = value
            yield f"imaginary {value}", one, ANY


def lengths(good: np.ndarray) -> Iterator[tuple[str, Any, str]]:
    yield "empty", good[:0], ANY
    for n in (1, 2, 7, good.size - 1):
        yield f"{n} elements", good[:n].copy(), ANY
    yield "one more", np.concatenate([good, good[:1]]), ANY


def arrays(good: np.ndarray) -> Iterator[tuple[str, Any, str]]:
    for ways in (layouts, others, values, lengths):
        yield from ways(good)


def records(good: Any) -> Iterator[tuple[str, Any, str]]:
    """Records with one field changed."""
    if isinstance(good, Received):
        for name, symbols, outcome in arrays(good.symbols):
            # States of another number than the symbols are a case of their own.
            whole = isinstance(symbols, np.ndarray) and symbols.ndim == 1 and type(good) is Received
            state = {
                "gain": np.resize(good.gain, symbols.size),
                "noise_variance": np.resize(good.noise_variance, symbols.size),
            } if whole and symbols.size != good.symbols.size else {}  # fmt: skip
            yield f"symbols {name}", replace(good, symbols=symbols, **state), outcome
        yield "fewer symbols than gains", replace(good, symbols=good.symbols[:-1]), ANY
        yield from _states(good)
        for name in ("taps", "hold", "used"):
            if hasattr(good, name):
                for value in (None, 0, -1, 10**9, np.zeros(3), np.zeros((1, 0)), np.zeros((0, 3), np.complex64)):
                    if not (name == "taps") ^ isinstance(value, np.ndarray) or value is None:
                        yield f"{name} {value!r}", replace(good, **{name: value}), ANY
    elif isinstance(good, Checked):
        for name, bits, outcome in arrays(good.bits):
            yield f"bits {name}", replace(good, bits=bits), outcome
        for name, ok, outcome in (*layouts(good.ok), *others(good.ok), *lengths(good.ok)):
            yield f"ok {name}", replace(good, ok=ok), outcome
    elif isinstance(good, Payload):
        for data in (None, b"", b"\0" * 5000, bytes(range(256)), bytearray(b"ab"), "text", [1]):
            yield f"data {str(data)[:20]!r}", replace(good, data=data), ANY
        for index in (-1, 2**70, None, 0.5):
            yield f"index {index}", replace(good, index=index), ANY
        return
    yield "None", None, REFUSED


def _states(good: Received) -> Iterator[tuple[str, Any, str]]:
    n = good.symbols.size
    each = {"gain": np.ones(n, np.complex64), "noise_variance": np.full(n, 0.1, np.float32)}
    for name, states in each.items():
        for what, state, outcome in (*layouts(states), *others(states), *values(states), *lengths(states)):
            number = isinstance(state, (np.ndarray, list, float)) and np.asarray(state).dtype.kind in "fiuc"
            yield f"{name} {what}", replace(good, **{name: state}), ANY if number or outcome == SAME else REFUSED
        for value in (*SPECIAL, -1.0, -DENORMAL, 1e-20, 1e20):
            state = states.dtype.type(value)
            yield f"{name} of all {value}", replace(good, **{name: np.array(state)}), ANY
            one = states.copy()
            one[n // 3 :][:1] = state
            yield f"{name} of one {value}", replace(good, **{name: one}), ANY


def variants(good: Any) -> Iterator[tuple[str, Any, str]]:
    """(what is wrong, the item, what must follow) for a good item of any kind."""
    return arrays(good) if isinstance(good, np.ndarray) else records(good)
