"""Exact LLRs (log-MAP) of one dimension of square QAM, as vector code.

Exponential and logarithm are polynomials, so that every processor gives the same bits.
"""

from __future__ import annotations

from collections.abc import Sequence

from lgvsc_flow.blocks.phy.constellation import amplitudes
from lgvsc_flow.blocks.simd import F32, U32, Vector

__all__ = ["FARTHEST", "exact", "exp2", "ln", "nearness"]

FARTHEST = 1e30  # of symbols: beyond it, sums would overflow

# 2^x on |x| <= 1/2, least relative error (2e-7); highest power first.
EXP2 = (0.0013400437, 0.009676042, 0.05550327, 0.24022107, 0.6931472, 1.0000001)
# ln(1 + x) / x on sqrt(1/2) - 1 <= x <= sqrt(2) - 1, least relative error (3e-7); highest power first.
LN = (-0.10156847, 0.16250989, -0.17247939, 0.198964925, -0.249696775, 0.33335206, -0.50000375, 1.0)

_ROUND = 1.5 * 2**23  # a float32 this large has no fraction, and its low bits are an integer
_LN_2 = 0.6931471805599453


def _horner(coefficients: Sequence[float], x: Vector) -> Vector:
    total = x * coefficients[0] + coefficients[1]
    for c in coefficients[2:]:
        total = total * x + c
    return total


def exp2(x: Vector) -> Vector:
    """2^x for x <= 0, 2^-126 at least."""
    x = x.maximum(-126.0)
    power = x + _ROUND
    x = x - (power - _ROUND)
    scale = ((power.to("bitcast", U32) << 23) + 0x3F800000).to("bitcast", F32)
    return _horner(EXP2, x) * scale


def ln(ratio: Vector) -> Vector:
    """ln(ratio) for ordinary positive numbers."""
    whole = ratio.to("bitcast", U32)
    exponent = (whole - 0x3F3504F3).signed_rshift(23)
    x = (whole - (exponent << 23)).to("bitcast", F32) - 1.0
    return _horner(LN, x) * x + exponent.to("sitofp", F32) * _LN_2


def nearness(x: Vector, order: int) -> list[Vector]:
    """-(x - level)^2 of every level, without its x^2, which all have: nothing large is subtracted."""
    twice = x.maximum(-FARTHEST).minimum(FARTHEST) * 2.0
    levels = [float(a) for a in amplitudes(order)]
    return [twice * level - level * level for level in levels]


def _tree(parts: list[Vector], larger: bool) -> Vector:
    while len(parts) > 1:
        pairs = zip(parts[::2], parts[1::2], strict=True)
        parts = [a.maximum(b) if larger else a + b for a, b in pairs]
    return parts[0]


def exact(x: Vector, weight: Vector, order: int) -> list[Vector]:
    """ln of the ratio of the sums of exp(-(x - level)^2 weight) over the levels of either bit value.

    The sums are taken relative to their largest term, the max-log LLR, so that none underflows.
    """
    near = nearness(x, order)
    half, scaled = len(near).bit_length() - 1, weight * (1 / _LN_2)
    llrs = []
    for j in reversed(range(half)):
        nearest, sums = [], []
        for value in (0, 1):
            those = [m for label, m in enumerate(near) if label >> j & 1 == value]
            nearest.append(_tree(those, larger=True))
            sums.append(_tree([exp2((m - nearest[-1]) * scaled) for m in those], larger=False))
        llrs.append((nearest[0] - nearest[1]) * weight + ln(sums[0] / sums[1]))
    return llrs
