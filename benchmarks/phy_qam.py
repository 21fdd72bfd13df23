"""QAM on one burst: mapper, demappers, decisions; the same in NumPy and scikit-commpy."""

from __future__ import annotations

import numpy as np
from phy_parts import BURST, Part, bits, started

from lgvsc_flow.blocks.channel import AwgnChannel
from lgvsc_flow.blocks.phy import (
    HardDecision,
    QamDecision,
    QamDemodulator,
    QamModulator,
    UserPointsDemodulator,
)
from lgvsc_flow.blocks.phy.qam import constellation
from lgvsc_flow.items import Received

ESN0_DB = 15.0
FEW = 256  # symbols for those that are slow
RINGS = (4, 12)  # points of the amplitude and phase shift keying, from the inside


def _bits_per_symbol(order: int) -> int:
    return order.bit_length() - 1


def _received(order: int) -> Received:
    symbols = QamModulator(order=order).work(bits(BURST * _bits_per_symbol(order)))
    return started(AwgnChannel(esn0_db=ESN0_DB)).work(symbols)


def _points(order: int) -> np.ndarray:
    return constellation(order).astype(np.complex64)


def apsk() -> np.ndarray:
    """16 points on two rings, of unit average power: a constellation that no QAM demapper knows."""
    rings = [radius * np.exp(2j * np.pi * (np.arange(n) + 0.5) / n) for n, radius in zip(RINGS, (1, 2.57), strict=True)]
    points = np.concatenate(rings)
    return points / np.sqrt(np.mean(np.abs(points) ** 2))


def mapper(order: int) -> Part:
    block, burst = QamModulator(order=order), bits(BURST * _bits_per_symbol(order))
    return lambda: block.work(burst), BURST


def mapper_numpy(order: int) -> Part:
    m, points = _bits_per_symbol(order), _points(order)
    burst, weights = bits(BURST * m), (1 << np.arange(m)[::-1]).astype(np.uint16)
    return lambda: points[burst.reshape(-1, m) @ weights], BURST


def mapper_commpy(order: int) -> Part:
    from commpy.modulation import Modem

    modem, burst = Modem(_points(order).astype(complex), reorder_as_gray=False), bits(FEW * _bits_per_symbol(order))
    return lambda: modem.modulate(burst), FEW


def demapper(order: int, method: str) -> Part:
    block, burst = QamDemodulator(order=order, method=method), _received(order)
    return lambda: block.work(burst), BURST


def _max_log(points: np.ndarray, y: np.ndarray, variance: np.float32) -> np.ndarray:
    m = _bits_per_symbol(points.size)
    ones = (np.arange(points.size)[:, None] >> np.arange(m)[::-1] & 1).astype(bool)
    distance = np.abs(y[:, None] - points) ** 2
    llrs = [distance[:, ones[:, j]].min(1) - distance[:, ~ones[:, j]].min(1) for j in range(m)]
    return np.stack(llrs, 1).ravel() / variance


def demapper_numpy(order: int) -> Part:
    points, burst = _points(order), _received(order)
    y, variance = burst.symbols[: 16 * FEW], np.float32(10 ** (-ESN0_DB / 10))
    return lambda: _max_log(points, y, variance), y.size


def demapper_commpy(order: int) -> Part:
    """Its soft demodulation is the exact one."""
    from commpy.modulation import Modem

    modem = Modem(_points(order).astype(complex), reorder_as_gray=False)
    y = _received(order).symbols[:32].astype(complex)
    return lambda: modem.demodulate(y, "soft", 10 ** (-ESN0_DB / 10)), y.size


def points_demapper(method: str) -> Part:
    points = apsk()
    labels = np.random.default_rng(0).integers(0, points.size, BURST)
    burst = started(AwgnChannel(esn0_db=ESN0_DB)).work(points[labels].astype(np.complex64))
    block = started(UserPointsDemodulator(points=points.tolist(), method=method))
    return lambda: block.work(burst), BURST


def points_demapper_numpy() -> Part:
    points, burst = apsk().astype(np.complex64), _received(16)
    y, variance = burst.symbols[: 16 * FEW], np.float32(10 ** (-ESN0_DB / 10))
    return lambda: _max_log(points, y, variance), y.size


def decision(order: int) -> Part:
    block, burst = QamDecision(order=order), _received(order)
    return lambda: block.work(burst), BURST


def decision_numpy(order: int) -> Part:
    """Levels of both axes by rounding, then bits by a table."""
    y, side = _received(order).symbols, int(order**0.5)
    points, m = _points(order), _bits_per_symbol(order)
    step = np.sort(np.unique(points.real.round(6)))
    half, top = np.float32((step[1] - step[0]) / 2), side - 1

    def level(x: np.ndarray) -> np.ndarray:
        return np.clip(np.rint((x / half + top) / 2), 0, top).astype(np.uint16)

    table = np.empty((side, side, m), np.uint8)
    table[level(points.real), level(points.imag)] = np.arange(order)[:, None] >> np.arange(m)[::-1] & 1
    return lambda: table[level(y.real), level(y.imag)].ravel(), BURST


def signs() -> Part:
    block, llrs = HardDecision(), np.random.default_rng(0).standard_normal(BURST, np.float32)
    return lambda: block.work(llrs), BURST


def signs_numpy() -> Part:
    llrs = np.random.default_rng(0).standard_normal(BURST, np.float32)
    return lambda: (llrs < 0).view(np.uint8), BURST
