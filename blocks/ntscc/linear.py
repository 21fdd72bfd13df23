"""The training-free linear analog code: the baseline that a learned code has to beat.

16 x 16 block DCT, energy classes fitted to the picture, coefficients chosen by class variance, power by the
variance^-1/4 rule (amplitude; so power per dimension goes with the deviation), LLSE at the receiver. The class
variances and the class map cross the digital link and are counted: the map at its entropy, the variances as 5-bit
logarithms. The number of classes, 1 to 8, is the one of least expected error at that rate and SNR, side paid.
A plainer form, `classes="energy"`, always has eight classes of blocks by their energy and describes them by 8-bit
logarithms in 24 bands: what such codes usually are.

Ref: Lee and Petersen, Optimal linear coding for vector channels, IEEE Trans. Communications 1976 (the amplitude rule);
Jakubczak and Katabi, SoftCast, MobiCom 2011 (its use for pictures).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import numpy as np

from lgvsc_flow.blocks.ntscc.rate import digital_symbols
from lgvsc_flow.blocks.ntscc.transform import BLOCK, block_dct, frequency_order

HEADER_BYTES = 8
BAND_EDGES = np.array([-1, 0, 1.2, 1.8, 2.5, 3.3, 4.2, 5.2, 6.4, 8, 10, 12.5, 16, 19, 23])  # radii of the bands
BANDS = len(BAND_EDGES) - 1
VARIANCE_BITS = 5
CLASSES = (1, 2, 3, 4, 6, 8)
ENERGY_EDGES = np.array([-1, 0, 1.2, 2.5, 4.2, 6.4, 10, 14.5, 23])  # of the eight bands per colour in the plainer form
ENERGY_CLASSES, ENERGY_BITS = 8, 8


@dataclass(frozen=True)
class LinearResult:
    """A picture after the linear code: pixels uint8 [H, W, 3] and the channel symbols of both parts."""

    pixels: np.ndarray
    analog_symbols: int
    side_symbols: int
    classes: int
    side_bytes: int = 0

    @property
    def cbr(self) -> float:
        """Channel symbols per colour sample of the picture."""
        return (self.analog_symbols + self.side_symbols) / self.pixels.size


class _Described(NamedTuple):
    """The label of each block, variances [classes, 768] as the receiver gets them, bytes of side information."""

    labels: np.ndarray
    variance: np.ndarray
    side_bytes: int


class _Plan(NamedTuple):
    """What is sent at one rate and design SNR: transmit gains [blocks, 768], 0 where nothing is sent."""

    gain: np.ndarray
    described: _Described
    k: int
    side_symbols: int


@dataclass
class LinearPicture:
    """A picture in the transform domain, to be sent at several rates and SNRs.

    Args:
        pixels: uint8 [H, W, 3].
    """

    pixels: np.ndarray
    _described: dict[int, _Described] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        pixels = self.pixels
        height, width = pixels.shape[:2]
        padded = np.pad(pixels, ((0, -height % BLOCK), (0, -width % BLOCK), (0, 0)), mode="edge") / 255.0 - 0.5
        self._rows, self._columns = padded.shape[0] // BLOCK, padded.shape[1] // BLOCK
        blocks = padded.reshape(self._rows, BLOCK, self._columns, BLOCK, 3).transpose(0, 2, 4, 1, 3)
        self._basis = block_dct().reshape(768, 768)
        self._y = blocks.reshape(self._rows * self._columns, -1) @ self._basis.T
        self._mean = np.float32(self._y[:, 0].mean())
        self._y[:, 0] -= self._mean

    def send(
        self,
        cbr: float,
        snr_db: float,
        rng: np.random.Generator,
        *,
        true_snr_db: float | None = None,
        link_db: float | None = None,
        classes: Literal["fitted", "energy"] = "fitted",
    ) -> LinearResult:
        """Send the picture over AWGN, the side information unharmed.

        Args:
            cbr: channel symbols per colour sample, side information included.
            snr_db: Es/N0 that the encoder plans for.
            true_snr_db: Es/N0 of the channel, known to the receiver; None for `snr_db`.
            link_db: Es/N0 that the digital link is planned for; None for `snr_db`.
            classes: classes fitted to the picture, as many as pay; or eight by energy.

        Raises:
            ValueError: when the side information alone needs more symbols than cbr gives.
        """
        link_db = snr_db if link_db is None else link_db
        plan = self._plan(cbr, snr_db, link_db, (0,) if classes == "energy" else CLASSES)
        noise = 10 ** (-(snr_db if true_snr_db is None else true_snr_db) / 10)
        x = plan.gain * self._y
        scale = math.sqrt(plan.k / np.square(x).sum())
        received = x + rng.normal(0, math.sqrt(noise), x.shape) / scale
        sent = plan.described.variance[plan.described.labels]
        decoded = plan.gain * sent / (plan.gain**2 * sent + noise) * received
        decoded[:, 0] += self._mean
        out = (decoded @ self._basis).reshape(self._rows, self._columns, 3, BLOCK, BLOCK).transpose(0, 3, 1, 4, 2)
        out = out.reshape(self._rows * BLOCK, self._columns * BLOCK, 3)[: self.pixels.shape[0], : self.pixels.shape[1]]
        quantised = np.clip(np.rint((out + 0.5) * 255), 0, 255).astype(np.uint8)
        symbols, described = (plan.k + 1) // 2, plan.described
        return LinearResult(quantised, symbols, plan.side_symbols, len(described.variance), described.side_bytes)

    def _plan(self, cbr: float, snr_db: float, link_db: float, choices: tuple[int, ...]) -> _Plan:
        noise = 10 ** (-snr_db / 10)
        best = None
        for count in choices:
            described = self._describe(count)
            side = digital_symbols(described.side_bytes, link_db)
            k = min(2 * (round(cbr * self.pixels.size) - side), self._y.size)
            if k < 2:
                continue
            error = _expected_error(described, k, noise)
            if best is None or error < best[0]:
                best = error, described, k, side
        if best is None:
            needed = digital_symbols(self._describe(choices[0]).side_bytes, link_db)
            given = round(cbr * self.pixels.size)
            raise ValueError(f"side information takes {needed} symbols, CBR {cbr} gives {given}")
        _, described, k, side = best
        return _Plan(_gains(described.variance[described.labels], k), described, k, side)

    def _describe(self, count: int) -> _Described:
        """By a number of fitted classes, or by energy where it is 0."""
        if count not in self._described:
            self._described[count] = _describe(self._y, count) if count else _describe_energy(self._y)
        return self._described[count]


def linear_code(pixels: np.ndarray, cbr: float, snr_db: float, rng: np.random.Generator) -> LinearResult:
    """Send one picture with the linear code over AWGN; see `LinearPicture.send`."""
    return LinearPicture(pixels).send(cbr, snr_db, rng)


def _gains(variance: np.ndarray, k: int) -> np.ndarray:
    """Transmit gains of mean power 1 for the k largest variances, shape as variance; 0 where nothing is sent."""
    chosen = np.argpartition(-variance.ravel(), k - 1)[:k]
    sent = variance.ravel()[chosen]
    transmit = np.zeros(variance.size)
    transmit[chosen] = sent**-0.25 * math.sqrt(k / np.sqrt(sent).sum())
    return transmit.reshape(variance.shape)


def _expected_error(described: _Described, k: int, noise: float) -> float:
    """Squared error of `_gains` and an LLSE receiver, if the variances are true."""
    counts = np.bincount(described.labels).repeat(described.variance.shape[1])
    values = described.variance.ravel()
    order = np.argsort(-values, kind="stable")
    values, counts = values[order], counts[order]
    sent = np.clip(k - (np.cumsum(counts) - counts), 0, counts)
    signal = np.sqrt(values) * k / (sent * np.sqrt(values)).sum()
    return float((counts * values).sum() - (sent * values * signal / (signal + noise)).sum())


def _describe(y: np.ndarray, classes: int) -> _Described:
    """By classes fitted to the picture."""
    band = _bands(BAND_EDGES)
    size = np.bincount(band, minlength=3 * BANDS)
    energy = np.stack([np.bincount(band, row, minlength=size.size) for row in np.square(y)])
    used, labels = np.unique(_classify(energy, size, classes), return_inverse=True)
    mean = np.stack([energy[labels == c].mean(0) for c in range(used.size)]) / np.maximum(size, 1)
    steps = 2**VARIANCE_BITS - 1  # of 2 dB, below 64 (a block of one colour is at most 256 * 0.75)
    level = np.clip(np.rint(1.5 * np.log2(np.maximum(mean, 1e-9) / 64)), -steps, 0)
    counts = np.bincount(labels)
    entropy = -(counts * np.log2(counts / counts.sum())).sum()
    bits = entropy + used.size * 3 * BANDS * VARIANCE_BITS
    return _Described(labels, (64 * 2 ** (level / 1.5))[:, band], HEADER_BYTES + math.ceil(bits / 8))


def _describe_energy(y: np.ndarray) -> _Described:
    """By eight classes of the blocks' energy without their mean: Lloyd's quantiser of its logarithm."""
    band = _bands(ENERGY_EDGES)
    size = np.bincount(band)
    energy = np.stack([np.bincount(band, row, minlength=size.size) for row in np.square(y)])
    level = np.log(energy.sum(1) - energy[:, 0] + 1e-6)
    centres = np.quantile(level, (np.arange(ENERGY_CLASSES) + 0.5) / ENERGY_CLASSES)
    for _ in range(20):
        labels = np.abs(level[:, None] - centres).argmin(1)
        centres = np.array([level[labels == c].mean() if (labels == c).any() else centres[c] for c in range(8)])
    used, labels, counts = np.unique(labels, return_inverse=True, return_counts=True)
    mean = np.stack([energy[labels == c].mean(0) for c in range(used.size)]) / size
    logarithm = np.rint(8 * np.log2(np.maximum(mean, 1e-9) / 64)).clip(1 - 2**ENERGY_BITS, 0)
    entropy = -(counts * np.log2(counts / counts.sum())).sum()
    side_bytes = HEADER_BYTES + math.ceil((entropy + ENERGY_CLASSES * size.size * ENERGY_BITS) / 8)
    return _Described(labels, (64 * 2 ** (logarithm / 8))[:, band], side_bytes)


def _bands(edges: np.ndarray) -> np.ndarray:
    """Band of each of the 768 coefficients: colour plane times radial band, fine at low frequencies."""
    radius = np.array([math.hypot(v, h) for v, h in frequency_order()])
    return (np.arange(3)[:, None] * (len(edges) - 1) + np.searchsorted(edges, radius)[None, :] - 1).ravel()


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
