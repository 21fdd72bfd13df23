"""The training-free linear analog code: the baseline that a learned code has to beat.

16 x 16 block DCT, energy classes fitted to the picture, coefficients chosen by class variance, power by the
variance^-1/4 rule (amplitude; so power per dimension goes with the deviation), LLSE at the receiver. The class
variances and the class map cross the digital link and are counted: the map at its entropy, the variances as 5-bit
logarithms. The number of classes, 1 to 8, is the one of least expected error at that rate and SNR, side paid.

Ref: Lee and Petersen, Optimal linear coding for vector channels, IEEE Trans. Communications 1976 (the amplitude rule);
Jakubczak and Katabi, SoftCast, MobiCom 2011 (its use for pictures).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from lgvsc_flow.blocks.ntscc.rate import digital_symbols
from lgvsc_flow.blocks.ntscc.transform import BLOCK, block_dct, frequency_order

HEADER_BYTES = 8
BAND_EDGES = np.array([-1, 0, 1.2, 1.8, 2.5, 3.3, 4.2, 5.2, 6.4, 8, 10, 12.5, 16, 19, 23])  # radii of the bands
BANDS = len(BAND_EDGES) - 1
VARIANCE_BITS = 5
CLASSES = (1, 2, 3, 4, 6, 8)


@dataclass(frozen=True)
class LinearResult:
    """A picture after the linear code: pixels uint8 [H, W, 3] and the channel symbols of both parts."""

    pixels: np.ndarray
    analog_symbols: int
    side_symbols: int
    classes: int

    @property
    def cbr(self) -> float:
        """Channel symbols per colour sample of the picture."""
        return (self.analog_symbols + self.side_symbols) / self.pixels.size


def linear_code(pixels: np.ndarray, cbr: float, snr_db: float, rng: np.random.Generator) -> LinearResult:
    """Send one picture with the linear code over AWGN.

    Args:
        pixels: uint8 [H, W, 3].
        cbr: channel symbols per colour sample, side information included.
        snr_db: Es/N0.

    Raises:
        ValueError: when the side information alone needs more symbols than cbr gives.
    """
    height, width = pixels.shape[:2]
    padded = np.pad(pixels, ((0, -height % BLOCK), (0, -width % BLOCK), (0, 0)), mode="edge") / 255.0 - 0.5
    rows, columns = padded.shape[0] // BLOCK, padded.shape[1] // BLOCK
    blocks = padded.reshape(rows, BLOCK, columns, BLOCK, 3).transpose(0, 2, 4, 1, 3).reshape(rows * columns, -1)
    basis = block_dct().reshape(768, 768)
    y = blocks @ basis.T
    mean = np.float32(y[:, 0].mean())
    y[:, 0] -= mean
    noise = 10 ** (-snr_db / 10)

    best = None
    for classes in CLASSES:
        labels, variance, side_bytes = _describe(y, classes)
        side = digital_symbols(side_bytes, snr_db)
        k = min(2 * (round(cbr * pixels.size) - side), y.size)
        if k < 2:
            continue
        plan = _allocate(variance[labels], k, noise)
        if best is None or plan[0] < best[0][0]:
            best = plan, side, k, len(variance)
    if best is None:
        needed = digital_symbols(_describe(y, 1)[2], snr_db)
        raise ValueError(f"side information takes {needed} symbols, CBR {cbr} gives {round(cbr * pixels.size)}")
    (_, gain, receiver), side, k, classes = best
    x = gain * y
    scale = math.sqrt(k / np.square(x).sum())
    received = x + rng.normal(0, math.sqrt(noise), y.shape) / scale
    decoded = receiver * received
    decoded[:, 0] += mean
    out = (decoded @ basis).reshape(rows, columns, 3, BLOCK, BLOCK).transpose(0, 3, 1, 4, 2)
    out = out.reshape(padded.shape)[:height, :width]
    quantised = np.clip(np.rint((out + 0.5) * 255), 0, 255).astype(np.uint8)
    return LinearResult(quantised, (k + 1) // 2, side, classes)


def _allocate(variance: np.ndarray, k: int, noise: float) -> tuple[float, np.ndarray, np.ndarray]:
    """(expected squared error, transmit gains, LLSE receiver gains), shapes as variance; unsent gains are 0."""
    chosen = np.argpartition(-variance.ravel(), k - 1)[:k]
    sent = variance.ravel()[chosen]
    gain = sent**-0.25 * math.sqrt(k / np.sqrt(sent).sum())  # mean power 1
    signal = gain * gain * sent
    error = variance.sum() - sent.sum() + (sent * noise / (signal + noise)).sum()
    transmit, receive = np.zeros(variance.size), np.zeros(variance.size)
    transmit[chosen], receive[chosen] = gain, gain * sent / (signal + noise)
    return float(error), transmit.reshape(variance.shape), receive.reshape(variance.shape)


def _describe(y: np.ndarray, classes: int) -> tuple[np.ndarray, np.ndarray, int]:
    """(label of each block, variances [classes, 768] as the receiver gets them, bytes of side information)."""
    band = _bands()
    size = np.bincount(band, minlength=3 * BANDS)
    energy = np.stack([np.bincount(band, row, minlength=size.size) for row in np.square(y)])
    used, labels = np.unique(_classify(energy, size, classes), return_inverse=True)
    mean = np.stack([energy[labels == c].mean(0) for c in range(used.size)]) / np.maximum(size, 1)
    steps = 2**VARIANCE_BITS - 1  # of 2 dB, below 64 (a block of one colour is at most 256 * 0.75)
    level = np.clip(np.rint(1.5 * np.log2(np.maximum(mean, 1e-9) / 64)), -steps, 0)
    counts = np.bincount(labels)
    entropy = -(counts * np.log2(counts / counts.sum())).sum()
    bits = entropy + used.size * 3 * BANDS * VARIANCE_BITS
    return labels, (64 * 2 ** (level / 1.5))[:, band], HEADER_BYTES + math.ceil(bits / 8)


def _bands() -> np.ndarray:
    """Band of each of the 768 coefficients: colour plane times radial band, fine at low frequencies."""
    radius = np.array([math.hypot(v, h) for v, h in frequency_order()])
    return (np.arange(3)[:, None] * BANDS + np.searchsorted(BAND_EDGES, radius)[None, :] - 1).ravel()


def _classify(energy: np.ndarray, size: np.ndarray, classes: int, rounds: int = 8) -> np.ndarray:
    """Label of each block: k-means on the likelihood of zero-mean Gaussians, begun from equal shares by energy."""
    ac = energy.sum(1) - energy[:, 0]
    labels = np.argsort(np.argsort(ac, kind="stable"), kind="stable") * classes // len(ac)
    floor = 1e-5
    for _ in range(rounds):
        cost = np.full((len(energy), classes), np.inf)
        for c in range(classes):
            members = labels == c
            if members.any():
                variance = energy[members].mean(0) / np.maximum(size, 1) + floor
                share = -2 * math.log(members.mean())
                cost[:, c] = (size * np.log(variance)).sum() + ((energy + floor * size) / variance).sum(1) + share
        labels = cost.argmin(1)
    return labels
