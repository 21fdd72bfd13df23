"""Constellations of the user's own: any points, labelled by their place in the list."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from lgvsc_flow import Block, In, Out, setting
from lgvsc_flow.blocks.flat import FLAT
from lgvsc_flow.blocks.given import burst_of
from lgvsc_flow.blocks.phy.points_soft import MOST_POINTS, decide_points, llrs_of_points
from lgvsc_flow.blocks.phy.qam_soft import matched, state_of
from lgvsc_flow.errors import SettingError
from lgvsc_flow.items import Bits, Llrs, Received, Symbols
from lgvsc_flow.kernels import kernel

__all__ = ["UserPointsDecision", "UserPointsDemodulator", "UserPointsModulator", "points_of"]

POWER_TOLERANCE = 1e-3  # points typed with three digits pass; they are then scaled to unit power


def points_of(text: str) -> np.ndarray:
    """complex64 [order], of unit average power, from `"1+1j, -1+1j, ..."`; the label of a point is its place.

    Raises:
        ValueError: no power of two of finite, different points with unit average power. The message says what to do.
    """
    if len(text) > 64 * MOST_POINTS:
        raise ValueError(f"a constellation has at most {MOST_POINTS} points")
    parts = [part.strip() for part in text.split(",")]
    try:
        points = [complex(part.replace(" ", "")) for part in parts]
    except ValueError:
        raise ValueError("points are complex numbers with commas between them, such as '1, 1j, -1j, -1'") from None
    count = len(points)
    if count < 2 or count & (count - 1) or count > MOST_POINTS:
        raise ValueError(f"a constellation has 2, 4, 8 ... {MOST_POINTS} points, a power of two; got {count}")
    table = np.array(points)
    wrong = np.flatnonzero(~np.isfinite(table))
    if wrong.size:
        raise ValueError(f"point {wrong[0]} is {points[wrong[0]]}; points are finite")
    with np.errstate(over="ignore"):
        power = float(np.mean(table.real**2 + table.imag**2))
    if not abs(power - 1) <= POWER_TOLERANCE:
        hint = f"; divide all by {power**0.5:.7g}" if 0 < power < np.inf else ""
        raise ValueError(f"symbols have unit average power, these points have {power:.7g}{hint}")
    seen: dict[complex, int] = {}
    for i, p in enumerate(points):
        if p in seen:
            raise ValueError(f"points {seen[p]} and {i} are both {p}; no receiver could tell them apart")
        seen[p] = i
    return (table / power**0.5).astype(np.complex64)


def _eight_bits(typing: Any, bits: Any, at: Any) -> tuple[Any, Any]:
    """The number that 8 bits, a byte each, spell from place `at` on, the first the highest; nothing checks bounds."""

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, values: Any) -> ir.Value:
        data = context.make_array(signature.args[0])(context, builder, values[0]).data
        word_type = ir.IntType(64)
        word = builder.load(builder.bitcast(builder.gep(data, [values[1]]), word_type.as_pointer()), align=1)
        word = builder.and_(word, ir.Constant(word_type, 0x0101010101010101))
        # Every product of two of the ones has a place of its own, and those of the wanted bits are the highest.
        word = builder.mul(word, ir.Constant(word_type, 0x8040201008040201))
        return builder.lshr(word, ir.Constant(word_type, 56))

    return types.intp(bits, types.intp), generate


_eight: Any = intrinsic(_eight_bits)


@kernel
def _map(bits: np.ndarray, points: np.ndarray, bits_per_symbol: int) -> np.ndarray:
    n, m = bits.size // bits_per_symbol, bits_per_symbol
    symbols = np.empty(n, np.complex64)
    within = max(0, (bits.size - 8) // m + 1) if m < 8 else n  # symbols from whose first bit on there are 8
    if m <= 8:
        for i in range(within):
            symbols[i] = points[_eight(bits, i * m) >> (8 - m)]
    else:
        for i in range(within):
            symbols[i] = points[_eight(bits, i * m) >> (16 - m) << 8 | _eight(bits, i * m + m - 8)]
    for i in range(within, n):
        label = 0
        for j in range(m):
            label = label << 1 | int(bits[i * m + j] & 1)
        symbols[i] = points[label]
    return symbols


class _Points(Block):
    """What the three blocks share: the setting, and what follows from it."""

    points: str | Sequence[complex] = setting("1, -1", doc="of unit average power; the label of a point is its place")

    def validate(self) -> None:
        points = self.points
        if not isinstance(points, str):
            # As text, a constellation can stand in a graph file.
            try:
                points = ", ".join(str(complex(p)).strip("()") for p in points)
            except (TypeError, ValueError):
                raise SettingError(
                    f"{type(self).__name__}.points takes a sequence of complex numbers, or text such as '1, -1'"
                ) from None
        try:
            points_of(points)
        except ValueError as error:
            raise SettingError(f"{type(self).__name__}.points: {error}") from None
        self.points = points

    def start(self) -> None:
        self._table = points_of(str(self.points))

    @property
    def order(self) -> int:
        return str(self.points).count(",") + 1

    @property
    def bits_per_symbol(self) -> int:
        return self.order.bit_length() - 1

    @property
    def digest(self) -> str:
        """Eight hexadecimal digits that tell one constellation from another."""
        return hashlib.sha256(points_of(str(self.points)).tobytes()).hexdigest()[:8]


class UserPointsModulator(_Points):
    """Map bits to the points of a constellation of your own; the first bit of a label is the highest.

    Of a value that is neither 0 nor 1 the lowest bit counts.

    `points="1, -1"` is BPSK; a list or an array of complex numbers will do as well.
    """

    bits = In(Bits, "n")
    symbols = Out(Symbols, "n // bits_per_symbol", constellation="{order} points {digest}")

    def work(self, bits: np.ndarray) -> np.ndarray:
        bits = burst_of(bits, Bits)
        if bits.size % self.bits_per_symbol:
            raise ValueError(f"a burst must hold whole symbols of {self.bits_per_symbol} bits.")
        return _map(bits, self._table, self.bits_per_symbol)


class UserPointsDemodulator(_Points):
    """Soft bits of symbols of a constellation of your own, with the gain and the noise variance of each symbol.

    `method="max-log"` keeps the nearest point per bit value; "exact" sums over all points (log-MAP). A symbol that
    cannot be used is an erasure: its LLRs are 0. LLRs are clipped to +-1e6.
    """

    received = In(Received, "n", constellation="{order} points {digest}", response=FLAT)
    llrs = Out(Llrs, "n * bits_per_symbol")

    method: str = setting("max-log", choices=("max-log", "exact"))

    def work(self, received: Received) -> np.ndarray:
        symbols, gain, noise_variance = state_of(received)
        if not symbols.size:
            return np.empty(0, np.float32)
        return llrs_of_points(*matched(symbols, gain, noise_variance), self._table, self.method == "exact")


class UserPointsDecision(_Points):
    """Decide each symbol for the nearest point of a constellation of your own, after its gain.

    Of a symbol that cannot be used all bits are 0; of points equally near, the first wins.
    """

    received = In(Received, "n", constellation="{order} points {digest}", response=FLAT)
    bits = Out(Bits, "n * bits_per_symbol")

    def work(self, received: Received) -> np.ndarray:
        symbols, gain, noise_variance = state_of(received)
        if not symbols.size:
            return np.empty(0, np.uint8)
        return decide_points(*matched(symbols, gain, noise_variance), self._table)
