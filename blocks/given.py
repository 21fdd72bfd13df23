"""What a block is given, in the form that kernels take: they read memory as it is, and check nothing themselves."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from lgvsc_flow.items import ArrayType, Bits, Checked, Received, Symbols, mismatch

__all__ = ["bits_of", "burst_of", "check_taps", "checked_of", "received_of"]

_VERDICTS = ArrayType("Checked.ok", np.dtype(np.bool_), "verdicts")
_C64, _F32 = np.dtype(np.complex64), np.dtype(np.float32)


def burst_of(array: np.ndarray, kind: ArrayType) -> np.ndarray:
    """The burst itself, in one piece, aligned and writable; a copy where it is not.

    Raises:
        ValueError: it is no one-dimensional array of the dtype of `kind`; the message says how to make it one.
    """
    if type(array) is np.ndarray and array.dtype == kind.dtype and array.ndim == 1 and array.flags.carray:
        return array
    wrong = mismatch(array, kind)
    if wrong:
        raise ValueError(f"{wrong}; {_remedy(array, kind)}.")
    if isinstance(array, np.ma.MaskedArray):
        raise ValueError(f"{kind.name} is a plain array, got a masked one; fill it, as in array.filled(0).")
    return np.require(array, kind.dtype, ["C", "A", "W"])


def _remedy(array: Any, kind: ArrayType) -> str:
    if not isinstance(array, np.ndarray):
        return f"convert it, as in np.array(values, np.{kind.dtype})"
    steps = [] if array.dtype == kind.dtype else [f".astype(np.{kind.dtype})"]
    steps += [] if array.ndim == 1 else [".reshape(-1)"]
    return f"convert it, as in array{''.join(steps)}"


def bits_of(array: np.ndarray) -> np.ndarray:
    """A burst of bits, as `burst_of`.

    Raises:
        ValueError: see `burst_of`; or a value is neither 0 nor 1.
    """
    bits = burst_of(array, Bits)
    if bits.size and bits.max() > 1:
        raise ValueError(f"bits are 0 or 1, got {bits.max()}; packed bytes are taken apart by np.unpackbits.")
    return bits


def received_of(received: Received) -> Received:
    """What was received, with arrays as `burst_of` has them: gain complex64 and noise variance float32, [n] or [].

    Numbers of other types are converted; one value alone counts as a scalar. What a kind of `Received` has besides is
    left as it is.

    Raises:
        ValueError: the symbols are no `Symbols`; gain or noise variance are no numbers, or neither a scalar nor one
            per symbol; there are taps that do not last for the symbols.
    """
    if not isinstance(received, Received):
        raise ValueError(f"expected Received, got {type(received).__name__}; a channel makes one of symbols.")
    symbols = burst_of(received.symbols, Symbols)
    gain = _state(received.gain, "gain", _C64, symbols.size)
    noise_variance = _state(received.noise_variance, "noise_variance", _F32, symbols.size)
    if type(received) is not Received and getattr(received, "taps", None) is not None:
        found: Any = received
        check_taps(found.taps, found.hold, found.used, symbols.size)
    if symbols is received.symbols and gain is received.gain and noise_variance is received.noise_variance:
        return received
    return dataclasses.replace(received, symbols=symbols, gain=gain, noise_variance=noise_variance)


def _state(values: Any, name: str, dtype: np.dtype[Any], n: int) -> np.ndarray:
    fits = type(values) is np.ndarray and values.dtype == dtype and values.flags.carray
    if fits and (values.ndim == 0 or (values.ndim == 1 and values.size == n != 1)):
        return np.asarray(values)
    state = np.asarray(values)
    if state.dtype.kind not in ("fiuc" if dtype == _C64 else "fiu"):
        kind = "complex or real" if dtype == _C64 else "real"
        raise ValueError(f"{name} holds {kind} numbers, got {state.dtype}; convert it, as in .astype(np.{dtype}).")
    if state.size not in (1, n) or state.ndim > 1:
        shape = f"{state.size} values" if state.ndim <= 1 else f"shape {list(state.shape)}"
        raise ValueError(f"{name} has {shape} for {n} symbols; it is a scalar or one each.")
    with np.errstate(over="ignore", invalid="ignore"):
        return np.require(state.reshape(()) if state.size == 1 else state, dtype, ["C", "A", "W"])


def checked_of(checked: Checked) -> Checked:
    """Checked bits, with arrays as `burst_of` has them.

    Raises:
        ValueError: see `bits_of`; or the verdicts are no one-dimensional array of bool.
    """
    if not isinstance(checked, Checked):
        raise ValueError(f"expected Checked, got {type(checked).__name__}; CrcCheck makes one of bits.")
    bits, ok = bits_of(checked.bits), burst_of(checked.ok, _VERDICTS)
    return checked if bits is checked.bits and ok is checked.ok else dataclasses.replace(checked, bits=bits, ok=ok)


def check_taps(taps: np.ndarray, hold: int, used: int, samples: int) -> None:
    """Raise `ValueError` where the taps of a frequency-selective channel are none, or do not last for the samples."""
    if np.ndim(taps) != 2 or np.asarray(taps).dtype.kind not in "fc" or np.shape(taps)[1] < 1:
        raise ValueError(f"taps are complex64 [rows, length], got {np.asarray(taps).dtype} {list(np.shape(taps))}.")
    if not all(isinstance(value, int | np.integer) for value in (hold, used)):
        raise ValueError(f"hold and used are numbers of samples, got {hold!r} and {used!r}.")
    if hold < 1 or used < 0 or len(taps) * hold - used < samples:
        raise ValueError(
            f"{len(taps)} rows of taps, each for hold={hold} samples of which used={used} are gone, do not last for "
            f"{samples} samples."
        )
