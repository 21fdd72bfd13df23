"""Soft demapping and decision by a look at all points: any constellation, labelled by index.

Symbols are worked on in tiles of short arrays; exponential and logarithm are polynomials, so that every processor
gives the same bits.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from lgvsc_flow.blocks.phy.qam_exact import EXP2, FARTHEST, LN
from lgvsc_flow.blocks.phy.qam_soft import LLR_MAX

__all__ = ["decide_points", "llrs_of_points"]

TILE = 32

_MOST, _FARTHEST = np.float32(LLR_MAX), np.float32(FARTHEST)
_LOG2_E = np.float32(1.4426950408889634)
_LN_2 = np.float32(0.6931471805599453)
_LEAST_EXPONENT = np.float32(-126)
_ROUND = np.float32(1.5 * 2**23)  # a float32 this large has no fraction, and its low bits are an integer
_ZERO, _ONE, _TWO = np.float32(0), np.float32(1), np.float32(2)
_BITS_OF_ONE = np.int32(0x3F800000)
_BITS_OF_SQRT_HALF = np.int32(0x3F3504F3)
_E5, _E4, _E3, _E2, _E1, _E0 = map(np.float32, EXP2)
_L7, _L6, _L5, _L4, _L3, _L2, _L1, _L0 = map(np.float32, LN)


@njit(nogil=True, cache=True)
def _exp2(x: np.float32) -> np.float32:
    """2^x for x <= 0, 2^-126 at least."""
    x = x if x > _LEAST_EXPONENT else _LEAST_EXPONENT
    power = x + _ROUND
    x = x - (power - _ROUND)
    p = ((((_E5 * x + _E4) * x + _E3) * x + _E2) * x + _E1) * x + _E0
    return p * np.int32((np.float32(power).view(np.int32) << np.int32(23)) + _BITS_OF_ONE).view(np.float32)


@njit(nogil=True, cache=True)
def _ln(ratio: np.float32) -> np.float32:
    """ln(ratio) for ordinary positive numbers."""
    exponent = np.int32((np.float32(ratio).view(np.int32) - _BITS_OF_SQRT_HALF) >> np.int32(23))
    x = np.int32(np.float32(ratio).view(np.int32) - np.int32(exponent << np.int32(23))).view(np.float32) - _ONE
    p = ((((((_L7 * x + _L6) * x + _L5) * x + _L4) * x + _L3) * x + _L2) * x + _L1) * x + _L0
    return p * x + np.float32(exponent) * _LN_2


# Each loop over a tile is a function of its own, so that the compiler looks at it alone.
@njit(nogil=True, cache=True)
def _keep_larger(best: np.ndarray, row: np.ndarray) -> None:
    for t in range(TILE):
        best[t] = row[t] if row[t] > best[t] else best[t]


@njit(nogil=True, cache=True)
def _add_powers(total: np.ndarray, row: np.ndarray, best: np.ndarray, weight: np.ndarray) -> None:
    for t in range(TILE):
        total[t] += _exp2((row[t] - best[t]) * (weight[t] * _LOG2_E))


@njit(nogil=True, cache=True)
def _add_correction(llr: np.ndarray, above: np.ndarray, below: np.ndarray) -> None:
    for t in range(TILE):
        llr[t] += _ln(above[t] / below[t])


@njit(nogil=True, cache=True)
def _tile(metric: np.ndarray, weight: np.ndarray, bits: int, exact: bool, llrs: np.ndarray, work: np.ndarray) -> None:
    """LLRs [bits, TILE] from metrics [points, TILE], larger is nearer, which count by `weight` [TILE].

    `work` float32 [4, TILE] is scratch.
    """
    best, total = (work[0], work[1]), (work[2], work[3])
    for j in range(bits):
        shift = bits - 1 - j
        work[:2] = np.float32(-np.inf)
        work[2:] = _ZERO
        for label in range(metric.shape[0]):
            _keep_larger(best[label >> shift & 1], metric[label])
        for t in range(TILE):
            llrs[j, t] = (work[0, t] - work[1, t]) * weight[t]
        if exact:
            for label in range(metric.shape[0]):
                _add_powers(total[label >> shift & 1], metric[label], best[label >> shift & 1], weight)
            _add_correction(llrs[j], total[0], total[1])


@njit(nogil=True, cache=True)
def _clip(value: np.float32) -> np.float32:
    low = value if value > -_MOST else -_MOST
    return low if low < _MOST else _MOST


@njit(nogil=True, cache=True)
def _nearness(symbols: np.ndarray, start: int, count: int, points: np.ndarray, metric: np.ndarray) -> None:
    """2 Re(x conj(p)) - |p|^2 = |x|^2 - |x - p|^2 of a tile of symbols and every point."""
    re, im = np.zeros(TILE, np.float32), np.zeros(TILE, np.float32)
    for t in range(count):
        a, b = symbols[start + t].real, symbols[start + t].imag
        a, b = a if a > -_FARTHEST else -_FARTHEST, b if b > -_FARTHEST else -_FARTHEST
        re[t] = _TWO * (a if a < _FARTHEST else _FARTHEST)
        im[t] = _TWO * (b if b < _FARTHEST else _FARTHEST)
    for label in range(points.size):
        p, q = points[label].real, points[label].imag
        power = p * p + q * q
        for t in range(TILE):
            metric[label, t] = re[t] * p + im[t] * q - power


@njit(nogil=True, cache=True)
def llrs_of_points(symbols: np.ndarray, weights: np.ndarray, points: np.ndarray, exact: bool) -> np.ndarray:
    """LLRs float32 [n * bits] of symbols [n] with weights [n] among the points, each labelled with its index."""
    bits = 0
    while 1 << bits < points.size:
        bits += 1
    n = symbols.size
    out = np.empty(bits * n, np.float32)
    metric = np.empty((points.size, TILE), np.float32)
    weight, llrs = np.zeros(TILE, np.float32), np.empty((bits, TILE), np.float32)
    work = np.empty((4, TILE), np.float32)
    for start in range(0, n, TILE):
        count = min(TILE, n - start)
        weight[:count] = weights[start : start + count]
        _nearness(symbols, start, count, points, metric)
        _tile(metric, weight, bits, exact, llrs, work)
        for t in range(count):
            for j in range(bits):
                out[(start + t) * bits + j] = _clip(llrs[j, t])
    return out


@njit(nogil=True, cache=True)
def decide_points(symbols: np.ndarray, weights: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Bits uint8 [n * bits] of the nearest of the points, each labelled with its index; 0 where the weight is 0."""
    bits = 0
    while 1 << bits < points.size:
        bits += 1
    n = symbols.size
    out = np.empty(bits * n, np.uint8)
    metric = np.empty((points.size, TILE), np.float32)
    best, nearest = np.empty(TILE, np.float32), np.empty(TILE, np.int32)
    for start in range(0, n, TILE):
        count = min(TILE, n - start)
        _nearness(symbols, start, count, points, metric)
        best[:], nearest[:] = metric[0], 0
        for label in range(1, points.size):
            for t in range(TILE):
                nearer = metric[label, t] > best[t]
                best[t] = metric[label, t] if nearer else best[t]
                nearest[t] = np.int32(label) if nearer else nearest[t]
        for t in range(count):
            decided = nearest[t] if weights[start + t] > 0 else np.int32(0)
            for j in range(bits):
                out[(start + t) * bits + j] = decided >> (bits - 1 - j) & 1
    return out
