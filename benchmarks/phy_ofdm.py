"""OFDM on two slots of 14 symbols, 600 of 1024 subcarriers: both ends and channel estimation; the same in NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
from phy_parts import Part, noise, started

from lgvsc_flow.blocks.channel import TdlChannel
from lgvsc_flow.blocks.phy import ChannelEstimator, OfdmDemodulator, OfdmModulator

SLOTS = 2
FFT, CP, USED, PER_SLOT = 1024, 72, 600, 14
BINS = np.arange(-USED // 2, USED // 2)


def _sent() -> tuple[Any, np.ndarray]:
    block = started(OfdmModulator())
    return block, noise(SLOTS * block.frame_symbols, np.random.default_rng(0))


def _received() -> tuple[Any, Any, int]:
    block, x = _sent()
    return block, started(TdlChannel()).work(block.work(x)), x.size


def modulator() -> Part:
    block, x = _sent()
    return lambda: block.work(x), x.size


def modulator_numpy() -> Part:
    block, x = _sent()
    mask = ~block.grid.is_pilot

    def work() -> np.ndarray:
        slots = np.ones((SLOTS, *mask.shape), np.complex64)
        slots[:, mask] = x.reshape(SLOTS, -1)
        spectrum = np.zeros((SLOTS * PER_SLOT, FFT), np.complex64)
        spectrum[:, BINS] = slots.reshape(-1, USED)
        body = np.fft.ifft(spectrum, norm="ortho")
        return np.hstack([body[:, -CP:], body]).reshape(-1)

    return work, x.size


def demodulator() -> Part:
    _, received, count = _received()
    block = started(OfdmDemodulator())
    return lambda: block.work(received), count


def demodulator_numpy() -> Part:
    block, received, count = _received()
    mask = ~block.grid.is_pilot

    def work() -> object:
        spectrum = np.fft.fft(received.symbols.reshape(SLOTS * PER_SLOT, -1)[:, CP:], norm="ortho")
        slots = spectrum[:, BINS].reshape(SLOTS, PER_SLOT, USED)
        response = np.fft.fft(received.taps[0], FFT)[BINS]
        return slots[:, mask], np.broadcast_to(response, slots.shape)[:, mask], slots[:, ~mask]

    return work, count


def estimator(method: str) -> Part:
    _, received, count = _received()
    data, pilots = started(OfdmDemodulator()).work(received)
    block = started(ChannelEstimator(method=method))
    return lambda: block.work(data, pilots), count


def estimator_numpy() -> Part:
    """One matrix product from the pilots of a slot to all its elements."""
    block, received, count = _received()
    _, pilots = started(OfdmDemodulator()).work(received)
    is_pilot = block.grid.is_pilot
    at = int(is_pilot.sum())
    whole = noise(is_pilot.size * at, np.random.default_rng(0)).reshape(-1, at)
    seen = pilots.symbols.reshape(SLOTS, -1)
    return lambda: seen @ whole.T, count
