"""The grid of an OFDM slot: where data and pilots stand, how it becomes samples, and what a channel makes of it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np

from lgvsc_flow.blocks.given import received_of
from lgvsc_flow.blocks.phy.scrambler import Gold
from lgvsc_flow.items import Received
from lgvsc_flow.kernels import kernel

__all__ = ["ResourceGrid", "impulse_response", "known_symbols", "resource_grid"]


def known_symbols(count: int, initial: int) -> np.ndarray:
    """Known symbols of energy 1: complex64 [count].

    Raises:
        ValueError: `count` is negative.
    """
    if count < 0:
        raise ValueError(f"count is 0 or more, got {count}.")
    bits = Gold(initial).take(2 * count).reshape(-1, 2).astype(np.float32)
    return ((1 - 2 * bits) @ np.array([1, 1j]) * np.sqrt(0.5)).astype(np.complex64)


@dataclass(frozen=True)
class ResourceGrid:
    """One slot: OFDM symbols by subcarriers, where the pilots are and what they say.

    Pilots stand on a rectangle: in `pilot_symbols` OFDM symbols, spread evenly over the slot, on every
    `pilot_spacing`-th subcarrier and the last one. All slots have the same pilots, QPSK of the Gold sequence of 38.211
    with c_init 1. Data fill what is left, subcarrier by subcarrier, OFDM symbol by OFDM symbol.
    """

    fft_size: int
    cp: int
    subcarriers: int
    slot_symbols: int
    pilot_spacing: int
    pilot_symbols: int

    @cached_property
    def pilot_times(self) -> np.ndarray:
        """OFDM symbols of the slot that hold pilots: int64, increasing."""
        part = self.slot_symbols / max(self.pilot_symbols, 1)
        return ((np.arange(self.pilot_symbols) + 0.5) * part).astype(int)

    @cached_property
    def pilot_subcarriers(self) -> np.ndarray:
        """Subcarriers with pilots, counted from the lowest frequency: int64, increasing."""
        return np.unique(np.r_[0 : self.subcarriers : self.pilot_spacing, self.subcarriers - 1])

    @cached_property
    def is_pilot(self) -> np.ndarray:
        """bool [slot_symbols, subcarriers]."""
        mask = np.zeros((self.slot_symbols, self.subcarriers), bool)
        mask[np.ix_(self.pilot_times, self.pilot_subcarriers)] = True
        return mask

    @cached_property
    def pilots(self) -> np.ndarray:
        """The pilots' values: complex64 [pilot_symbols * pilots per OFDM symbol], of energy 1."""
        return known_symbols(self.pilot_symbols * self.pilot_subcarriers.size, 1)

    @cached_property
    def data_places(self) -> np.ndarray:
        """Where data stand in a slot, counted along its OFDM symbols: int64 [data_per_slot]."""
        return np.flatnonzero(~self.is_pilot)

    @cached_property
    def pilot_places(self) -> np.ndarray:
        """Where pilots stand in a slot: int64."""
        return np.flatnonzero(self.is_pilot)

    @cached_property
    def order(self) -> np.ndarray:
        """For each place of a slot, the symbol that stands there, data counted before pilots: int64."""
        return np.argsort(np.concatenate([self.data_places, self.pilot_places]))

    @property
    def data_per_slot(self) -> int:
        return self.data_places.size

    @property
    def slot_samples(self) -> int:
        return self.slot_symbols * (self.fft_size + self.cp)

    def modulate(self, grid: np.ndarray) -> np.ndarray:
        """complex64 [n, subcarriers] to samples [n * (fft_size + cp)]; unitary, so energies stay as they are.

        Subcarrier subcarriers // 2 is at the carrier's frequency.

        Raises:
            ValueError: the grid has another shape.
        """
        if grid.ndim != 2 or grid.shape[1] != self.subcarriers:
            raise ValueError(f"a grid is [OFDM symbols, subcarriers={self.subcarriers}], got {list(grid.shape)}.")
        spectrum, below = np.zeros((grid.shape[0], self.fft_size), np.complex64), self.subcarriers // 2
        spectrum[:, self.fft_size - below :] = grid[:, :below]
        spectrum[:, : self.subcarriers - below] = grid[:, below:]
        body = np.fft.ifft(spectrum, axis=1, norm="ortho")
        return np.concatenate([body[:, self.fft_size - self.cp :], body], axis=1).reshape(-1)

    def demodulate(self, samples: np.ndarray) -> np.ndarray:
        """Samples [n * (fft_size + cp)] to complex64 [n, subcarriers]; unitary.

        Raises:
            ValueError: the samples are not whole OFDM symbols.
        """
        self._count(samples.size)
        body = samples.reshape(-1, self.fft_size + self.cp)[:, self.cp :]
        return self._used(np.fft.fft(body, axis=1, norm="ortho"))

    def _count(self, samples: int) -> int:
        """OFDM symbols in so many samples."""
        symbols, rest = divmod(samples, self.fft_size + self.cp)
        if rest:
            raise ValueError(f"a burst must hold whole OFDM symbols of {self.fft_size}+{self.cp} samples.")
        return symbols

    def _used(self, spectrum: np.ndarray) -> np.ndarray:
        below = self.subcarriers // 2
        parts = [spectrum[:, self.fft_size - below :], spectrum[:, : self.subcarriers - below]]
        return np.concatenate(parts, axis=1)

    def response(self, received: Received) -> np.ndarray:
        """The true gain of each resource element: complex64 [n, subcarriers].

        It is the mean over the FFT window of the channel's frequency response: Y = H X + (noise), exact for a constant
        channel no longer than the cyclic prefix. What a channel that changes inside the window adds is interference
        between subcarriers, what a longer one adds is interference between OFDM symbols: both are in Y, not in H.

        Raises:
            ValueError: the samples are not whole OFDM symbols, or the channel's state does not fit them.
        """
        received = received_of(received)
        symbols, gain = self._count(received.symbols.size), received.gain.reshape(-1)
        taps, hold, used = impulse_response(received)
        if len(taps) == 1 and gain.size == 1:
            mean = gain * taps  # the same for every OFDM symbol
        else:
            mean = _mean_response(taps, hold, used, gain, symbols, self.fft_size, self.cp)
        folded = np.zeros((len(mean), self.fft_size), np.complex64)
        for begin in range(0, mean.shape[1], self.fft_size):  # a channel beyond the FFT aliases, as the DFT has it
            part = mean[:, begin : begin + self.fft_size]
            folded[:, : part.shape[1]] += part
        response = self._used(np.fft.fft(folded, axis=1))
        return np.broadcast_to(response, (symbols, self.subcarriers)) if len(mean) == 1 else response

    def noise(self, received: Received) -> np.ndarray:
        """Noise variance of each OFDM symbol: float32 [n]; the mean over its FFT window.

        Raises:
            ValueError: as `response`.
        """
        received = received_of(received)
        symbols, variance = self._count(received.symbols.size), received.noise_variance.reshape(-1)
        if variance.size == 1:
            return np.full(symbols, variance[0], np.float32)
        return variance.reshape(symbols, self.fft_size + self.cp)[:, self.cp :].mean(axis=1)


@lru_cache(maxsize=64)
def resource_grid(*settings: int) -> ResourceGrid:
    """The grid of these settings, in the order of its fields; made once."""
    return ResourceGrid(*settings)


def impulse_response(received: Received) -> tuple[np.ndarray, int, int]:
    """`taps`, `hold` and `used` of what came through a frequency-selective channel; one tap 1 for a flat one.

    Such a channel sends a `Received` with these three attributes; their meaning is told at
    `lgvsc_flow.blocks.channel.Dispersed`.

    Raises:
        ValueError: the taps do not last for the samples, or are none; the arrays are not those of a `Received`.
    """
    received = received_of(received)
    taps = getattr(received, "taps", None)
    if taps is None:
        return np.ones((1, 1), np.complex64), max(received.symbols.size, 1), 0
    found: Any = received
    return np.ascontiguousarray(taps, np.complex64), int(found.hold), int(found.used)


@kernel
def _mean_response(
    taps: np.ndarray, hold: int, used: int, gain: np.ndarray, symbols: int, fft_size: int, cp: int
) -> np.ndarray:
    """Mean over each FFT window of gain times taps: complex64 [symbols, length]."""
    mean = np.zeros((symbols, taps.shape[1]), np.complex64)
    many = gain.size > 1
    for m in range(symbols):
        begin = m * (fft_size + cp) + cp
        stop = begin + fft_size
        while begin < stop:
            row = (used + begin) // hold
            end = min(stop, (row + 1) * hold - used)
            weight = 0j
            if many:
                for i in range(begin, end):
                    weight += gain[i]
            else:
                weight = (end - begin) * complex(gain[0])
            weight /= fft_size
            for tap in range(taps.shape[1]):
                mean[m, tap] += weight * taps[row, tap]
            begin = end
    return mean
