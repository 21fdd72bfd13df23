"""A flooding sum-product decoder in double precision: the yardstick for the fast decoder, not for use."""

from __future__ import annotations

import numpy as np

from lgvsc_flow.kernels import kernel

__all__ = ["sum_product"]


@kernel
def _phi(x: float) -> float:
    """-ln tanh(x / 2), its own inverse, within double precision."""
    x = min(max(x, 1e-12), 40.0)
    return -np.log(np.tanh(x / 2))


@kernel
def _flood(llrs: np.ndarray, checks: np.ndarray, bits: np.ndarray, m: int, max_iterations: int) -> np.ndarray:
    frames, n = llrs.shape
    words = np.empty((frames, n), np.uint8)
    to_check, sizes = np.empty(checks.size), np.empty(checks.size)
    to_bit = np.empty(checks.size)
    total = np.empty(n)
    sums, signs = np.empty(m), np.empty(m)
    parity = np.empty(m, np.uint8)
    for f in range(frames):
        to_bit[:] = 0
        for step in range(max_iterations + 1):
            total[:] = llrs[f]
            for e in range(checks.size):
                total[bits[e]] += to_bit[e]
            parity[:] = 0
            for e in range(checks.size):
                parity[checks[e]] ^= total[bits[e]] < 0
            if step == max_iterations or not parity.any():
                break
            sums[:], signs[:] = 0, 1
            for e in range(checks.size):
                to_check[e] = total[bits[e]] - to_bit[e]
                sizes[e] = _phi(abs(to_check[e]))
                sums[checks[e]] += sizes[e]
                if to_check[e] < 0:
                    signs[checks[e]] = -signs[checks[e]]
            for e in range(checks.size):
                own = -1.0 if to_check[e] < 0 else 1.0
                to_bit[e] = own * signs[checks[e]] * _phi(sums[checks[e]] - sizes[e])
        for i in range(n):
            words[f, i] = total[i] < 0
    return words


def sum_product(llrs: np.ndarray, parity_check: np.ndarray, max_iterations: int = 50) -> np.ndarray:
    """Decode LLRs [frames, n] with any parity-check matrix [m, n]; returns hard words, uint8 [frames, n].

    Raises:
        ValueError: the LLRs are not one row per frame, one for each column of the matrix.

    Ref: R. Gallager, Low-Density Parity-Check Codes, MIT Press 1963, chapter 4.
    """
    if llrs.ndim != 2 or parity_check.ndim != 2 or llrs.shape[1] != parity_check.shape[1]:
        raise ValueError(f"LLRs are [frames, {parity_check.shape[-1]}], got {list(llrs.shape)}.")
    checks, bits = np.nonzero(parity_check)
    return _flood(np.asarray(llrs, np.float64), checks, bits, parity_check.shape[0], max_iterations)
