"""Channels on one burst, noise drawn anew each time; the shortest NumPy program that does the same in float32."""

from __future__ import annotations

import numpy as np
from phy_parts import BURST, Part, noise, started

from lgvsc_flow.blocks.channel import (
    AwgnChannel,
    GilbertElliottChannel,
    JakesChannel,
    MimoChannel,
    MimoEqualizer,
    RayleighChannel,
    RicianChannel,
    TdlChannel,
)

ONES = np.ones(BURST, np.complex64)
HALF = np.float32(0.5)


def awgn() -> Part:
    block = started(AwgnChannel(esn0_db=10.0))
    return lambda: block.work(ONES), BURST


def awgn_numpy() -> Part:
    rng = np.random.default_rng(0)
    return lambda: ONES + HALF * noise(BURST, rng), BURST


def rayleigh() -> Part:
    block = started(RayleighChannel())
    return lambda: block.work(ONES), BURST


def rayleigh_numpy() -> Part:
    rng = np.random.default_rng(0)
    return lambda: np.repeat(noise(BURST // 64, rng), 64) * ONES + HALF * noise(BURST, rng), BURST


def rician() -> Part:
    block = started(RicianChannel())
    return lambda: block.work(ONES), BURST


def rician_numpy() -> Part:
    rng = np.random.default_rng(0)
    return lambda: (np.repeat(noise(BURST // 64, rng), 64) + HALF) * ONES + HALF * noise(BURST, rng), BURST


def jakes(coherence: int) -> Part:
    block = started(JakesChannel(coherence=coherence))
    return lambda: block.work(ONES), BURST


def jakes_numpy(coherence: int) -> Part:
    rng = np.random.default_rng(0)
    turns = rng.uniform(-1e-4, 1e-4, 64)

    def work() -> np.ndarray:
        angle = (2 * np.pi * turns[:, None] * np.arange(0, BURST, coherence)).astype(np.float32)
        return np.repeat(np.exp(1j * angle).sum(axis=0), coherence) * ONES + HALF * noise(BURST, rng)

    return work, BURST


def erasures() -> Part:
    block = started(GilbertElliottChannel())
    return lambda: block.work(ONES), BURST


def erasures_numpy() -> Part:
    rng = np.random.default_rng(0)

    def work() -> np.ndarray:
        bad, lost = False, np.empty(BURST, bool)
        for i, u in enumerate(rng.random(BURST).tolist()):
            bad = u >= 0.01 if bad else u < 0.0005
            lost[i] = bad
        return np.where(lost, 0, ONES + HALF * noise(BURST, rng))

    return work, BURST


def mimo() -> Part:
    block = started(MimoChannel())
    return lambda: block.work(ONES), BURST


def mimo_numpy() -> Part:
    rng = np.random.default_rng(0)

    def work() -> np.ndarray:
        h = np.repeat(noise(4 * BURST // 128, rng).reshape(-1, 2, 2), 64, axis=0)
        return (h @ ONES.reshape(-1, 2, 1)).reshape(-1) + HALF * noise(BURST, rng)

    return work, BURST


def equalizer() -> Part:
    received, block = started(MimoChannel()).work(ONES), started(MimoEqualizer())
    return lambda: block.work(received), BURST


def equalizer_numpy() -> Part:
    received = started(MimoChannel()).work(ONES)

    def work() -> np.ndarray:
        h = received.gain
        y = received.symbols.reshape(len(h), 64, 2)
        return y @ np.linalg.inv(h.conj().transpose(0, 2, 1) @ h + 0.1 * np.eye(2)) @ h.conj().transpose(0, 2, 1)

    return work, BURST


def tdl(doppler_hz: float, coherence: int = 64) -> Part:
    block = started(TdlChannel(doppler_hz=float(doppler_hz), coherence=coherence))
    x = noise(BURST, np.random.default_rng(1))
    return lambda: block.work(x), BURST


def tdl_numpy() -> Part:
    """16 taps that stand still."""
    rng = np.random.default_rng(1)
    x, taps = noise(BURST, rng), noise(16, rng)
    return lambda: np.convolve(x, taps)[:BURST] + HALF * noise(BURST, rng), BURST
