"""Soft demapping and decision by a look at all points: any constellation, labelled by index."""

from __future__ import annotations

import numpy as np

from lgvsc_flow.blocks.given import burst_of
from lgvsc_flow.blocks.phy.points_stages import (
    LLRS,
    MOST_POINTS,
    POINT,
    STEP,
    TABLE,
    exact_stage,
    load_symbols,
    max_log_stage,
    nearest_stage,
    store_bits,
    store_llrs,
)
from lgvsc_flow.blocks.simd import LANES
from lgvsc_flow.items import ArrayType, Symbols
from lgvsc_flow.kernels import kernel

__all__ = ["MOST_POINTS", "decide_points", "llrs_of_points"]

_WEIGHTS = ArrayType("weights", np.dtype(np.float32), "one per symbol")


@kernel
def _prepare(points: np.ndarray) -> tuple[int, np.ndarray, np.ndarray]:
    """The bits of a label, the points as the stages take them, and scratch memory."""
    bits = 0
    while 1 << bits < points.size:
        bits += 1
    table = np.empty((points.size, POINT), np.float32)
    for label in range(points.size):
        p, q = points[label].real, points[label].imag
        table[label, 0], table[label, 1], table[label, 2] = p, q, p * p + q * q
    return bits, table, np.empty((TABLE + 2 * max(1, points.size >> STEP), LANES), np.float32)


@kernel
def _take(rows: np.ndarray, symbols: np.ndarray, weights: np.ndarray, start: int) -> int:
    """Load 16 symbols, or what is left of them with weights of 0; how many there were."""
    count = min(LANES, symbols.size - start)
    if count == LANES:
        load_symbols(rows, symbols, weights, start, 0, 0)
    else:
        few, few_weights = np.zeros(LANES, np.complex64), np.zeros(LANES, np.float32)
        few[:count], few_weights[:count] = symbols[start:], weights[start:]
        load_symbols(rows, few, few_weights, 0, 0, 0)
    return count


@kernel
def _soften(symbols: np.ndarray, weights: np.ndarray, points: np.ndarray, exact: bool) -> np.ndarray:
    bits, table, rows = _prepare(points)
    n = symbols.size
    out = np.empty(bits * n, np.float32)
    for start in range(0, n, LANES):
        count = _take(rows, symbols, weights, start)
        done = 0
        while done < bits:
            left = bits - done
            high, first = 1 << max(left - STEP, 0), int(done == 0)
            which = first if left > STEP else 2 * left + first
            if exact:
                exact_stage(rows, table, weights, high, LLRS + done, which)
            else:
                max_log_stage(rows, table, weights, high, LLRS + done, which)
            done += STEP
        if count == LANES:
            store_llrs(rows, out, weights, start, 0, bits - 1)
        else:
            few = np.empty(LANES * bits, np.float32)
            store_llrs(rows, few, weights, 0, 0, bits - 1)
            out[start * bits :] = few[: count * bits]
    return out


@kernel
def _decide(symbols: np.ndarray, weights: np.ndarray, points: np.ndarray) -> np.ndarray:
    bits, table, rows = _prepare(points)
    n = symbols.size
    out = np.empty(bits * n, np.uint8)
    step = min(bits, STEP)
    for start in range(0, n, LANES):
        count = _take(rows, symbols, weights, start)
        nearest_stage(rows, table, weights, points.size >> step, 0, step - 1)
        if count == LANES:
            store_bits(rows, out, weights, start, 0, bits - 1)
        else:
            few = np.empty(LANES * bits, np.uint8)
            store_bits(rows, few, weights, 0, 0, bits - 1)
            out[start * bits :] = few[: count * bits]
    return out


def _checked(symbols: np.ndarray, weights: np.ndarray, points: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What the kernels take, which read memory as it is."""
    symbols, weights, points = burst_of(symbols, Symbols), burst_of(weights, _WEIGHTS), burst_of(points, Symbols)
    if weights.size != symbols.size:
        raise ValueError(f"every symbol has a weight, got {weights.size} for {symbols.size} symbols.")
    if not 2 <= points.size <= MOST_POINTS or points.size & (points.size - 1):
        raise ValueError(f"a constellation has 2, 4, 8 ... {MOST_POINTS} points, a power of two; got {points.size}.")
    return symbols, weights, points


def llrs_of_points(symbols: np.ndarray, weights: np.ndarray, points: np.ndarray, exact: bool = False) -> np.ndarray:
    """LLRs float32 [n * bits] of symbols complex64 [n] behind gain 1, with weights float32 [n]: 1 / noise variance.

    `points` is complex64 [2^bits], each labelled with its index. Max-log, or exact (log-MAP); clipped to +-1e6.

    Raises:
        ValueError: an array of another dtype or size; no power of two of points, 4096 at most.
    """
    return _soften(*_checked(symbols, weights, points), exact)


def decide_points(symbols: np.ndarray, weights: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Bits uint8 [n * bits] of the nearest of the points, of several the first; 0 where the weight is 0.

    Arguments and errors as for `llrs_of_points`.
    """
    return _decide(*_checked(symbols, weights, points))
