"""The points of Gray-labelled square QAM."""

from __future__ import annotations

from functools import cache

import numpy as np

__all__ = ["ORDERS", "amplitudes", "check_order", "constellation"]

ORDERS = (4, 16, 64, 256, 1024)


def check_order(order: int) -> None:
    """Raise `ValueError` where there is no square QAM of `order` points here."""
    if order not in ORDERS:
        raise ValueError(
            f"order is one of {', '.join(map(str, ORDERS))}; got {order}. For others see UserPointsModulator."
        )


@cache
def amplitudes(order: int) -> np.ndarray:
    """float32 [sqrt(order)]: the amplitude of one dimension for each label of half the bits, first bit highest.

    A first bit 0 is positive. Scaled so that both dimensions together have unit average power.

    Raises:
        ValueError: no QAM of that order.
    """
    check_order(order)
    half = (order.bit_length() - 1) // 2
    levels = np.empty(1 << half)
    for label in range(1 << half):
        level = 0.0
        for i in range(half):  # the standard's nested form, from the last bit outwards
            bit = label >> i & 1
            level = (1 - 2 * bit) * ((1 << i) - level)
        levels[label] = level
    return (levels / np.sqrt(2 * np.mean(levels**2))).astype(np.float32)


def constellation(order: int) -> np.ndarray:
    """complex64 [order]: the point of every label; even bits of the label set I, odd bits Q.

    Raises:
        ValueError: no QAM of that order.

    Ref: 3GPP TS 38.211, clause 5.1 (QPSK, 16QAM, 64QAM, 256QAM; 1024QAM since Release 17).
    """
    check_order(order)
    half = (order.bit_length() - 1) // 2
    label = np.arange(order)
    in_phase, quadrature = np.zeros(order, int), np.zeros(order, int)
    for i in range(half):
        in_phase = in_phase << 1 | label >> (2 * half - 1 - 2 * i) & 1
        quadrature = quadrature << 1 | label >> (2 * half - 2 - 2 * i) & 1
    levels = amplitudes(order)
    return (levels[in_phase] + 1j * levels[quadrature]).astype(np.complex64)
