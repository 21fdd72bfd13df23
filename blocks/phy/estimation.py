"""Channel estimation from pilots: least squares with interpolation, and the linear estimate of least mean error."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np

from lgvsc_flow import In, Out, setting
from lgvsc_flow.blocks.given import received_of
from lgvsc_flow.blocks.phy.ofdm import OfdmSettings
from lgvsc_flow.blocks.phy.resource_grid import ResourceGrid
from lgvsc_flow.errors import SettingError
from lgvsc_flow.items import Received

__all__ = ["ChannelEstimator", "Estimate", "LmmseEstimator", "LsEstimator", "frequency_correlation", "time_correlation"]


@dataclass(frozen=True)
class Estimate:
    """Estimated gains complex64 [slots, slot_symbols, subcarriers] and their error's variance, float32 of that shape.

    The variance is E|H - H_hat|^2, of what the estimator knows of: LS counts the noise alone, not what interpolation
    leaves out.
    """

    gain: np.ndarray
    error: np.ndarray


def interpolation(known: np.ndarray, size: int) -> np.ndarray:
    """Weights float64 [size, known] of linear interpolation at 0 to size - 1; held outside the known places."""
    return np.stack([np.interp(np.arange(size), known, row) for row in np.eye(known.size)], axis=1)


class LsEstimator:
    """Least squares at the pilots, Y / X, linear interpolation in frequency and time between them.

    Interpolation in frequency follows the channel best where it arrives around time 0; `delay` in samples, the mean
    delay of the channel where it is known, is taken out before and put back behind.
    """

    def __init__(self, grid: ResourceGrid, delay: float = 0.0) -> None:
        self._turn = np.exp(-2j * np.pi * delay / grid.fft_size * np.arange(grid.subcarriers)).astype(np.complex64)
        self._places = grid.pilot_subcarriers
        self._time = interpolation(grid.pilot_times, grid.slot_symbols).astype(np.float32)
        self._frequency = interpolation(grid.pilot_subcarriers, grid.subcarriers).astype(np.float32)
        self._error = np.outer((self._time**2).sum(axis=1), (self._frequency**2).sum(axis=1))

    def __call__(self, at_pilots: np.ndarray, noise: np.ndarray) -> Estimate:
        """From gains seen at the pilots, [slots, pilot_symbols, places], and their noise variance, [slots]."""
        still = at_pilots * self._turn[self._places].conj()
        gain = self._time @ still @ self._frequency.T * self._turn
        return Estimate(gain.astype(np.complex64), (noise[:, None, None] * self._error).astype(np.float32))


class LmmseEstimator:
    """The linear estimate of least mean square error from all pilots of a slot, for a channel of stated correlation.

    E H[t, f] H*[t', f'] = time[t, t'] frequency[f, f']. H_hat = R_hp (R_pp + N0 I)^-1 H_ls, where R_pp is a Kronecker
    product: with the eigenvectors of its factors the filter is two small matrix products around a division, for every
    noise variance alike.

    Ref: O. Edfors, M. Sandell, J.-J. van de Beek, S. K. Wilson, P. O. Boerjesson, OFDM channel estimation by singular
    value decomposition, IEEE Transactions on Communications 46 (7), 1998; P. Hoeher, S. Kaiser, P. Robertson,
    Two-dimensional pilot-symbol-aided channel estimation by Wiener filtering, ICASSP 1997.
    """

    def __init__(self, grid: ResourceGrid, time: np.ndarray, frequency: np.ndarray) -> None:
        at_t, at_f = grid.pilot_times, grid.pilot_subcarriers
        time_values, time_vectors = np.linalg.eigh(time[np.ix_(at_t, at_t)])
        frequency_values, frequency_vectors = np.linalg.eigh(frequency[np.ix_(at_f, at_f)])
        self._powers = np.maximum(np.outer(time_values, frequency_values), 0)
        self._inward = time_vectors.conj().T, frequency_vectors.conj()
        self._outward = time[:, at_t] @ time_vectors, (frequency[:, at_f] @ frequency_vectors).T

    def __call__(self, at_pilots: np.ndarray, noise: np.ndarray) -> Estimate:
        """See `LsEstimator`; the mean power of the channel is 1."""
        left, right = self._outward
        weight = 1 / (self._powers + np.maximum(noise, 1e-9)[:, None, None])
        gain = left @ (self._inward[0] @ at_pilots @ self._inward[1] * weight) @ right
        error = 1 - np.abs(left) ** 2 @ weight @ np.abs(right) ** 2
        return Estimate(gain.astype(np.complex64), np.maximum(error, 0).astype(np.float32))


def frequency_correlation(subcarriers: int, spacing_hz: float, delay_s: float, spread_s: float) -> np.ndarray:
    """Correlation of subcarriers for an exponential delay profile that begins at `delay_s`, of rms `spread_s`.

    E H(f) H*(f') = exp(-j 2 pi (f - f') delay) / (1 + j 2 pi (f - f') spread): complex128 [subcarriers, subcarriers].

    Raises:
        ValueError: no subcarriers, or NaN or infinite numbers.
    """
    if subcarriers < 1 or not np.isfinite([spacing_hz * subcarriers * 1e3, delay_s, spread_s]).all():
        raise ValueError(f"{subcarriers=}, {spacing_hz=}, {delay_s=}, {spread_s=}: one or more, and finite.")
    apart = (np.arange(subcarriers)[:, None] - np.arange(subcarriers)) * spacing_hz
    return np.exp(-2j * np.pi * apart * delay_s) / (1 + 2j * np.pi * apart * spread_s)


def time_correlation(symbols: int, symbol_s: float, doppler_hz: float) -> np.ndarray:
    """Correlation of OFDM symbols for the Jakes spectrum, J0(2 pi f_D (t - t')): float64 [symbols, symbols].

    Raises:
        ValueError: no symbols, or more than 1000 turns in them.
    """
    if symbols < 1 or not 0 <= symbols * symbol_s * doppler_hz <= 1000:
        raise ValueError(
            f"{symbols=} of {symbol_s=} with {doppler_hz=}: one symbol or more, of 1000 turns together at most."
        )
    x = 2 * np.pi * doppler_hz * symbol_s * np.arange(symbols)
    points = max(64, int(2 * x[-1]) + 64)  # the mean of a periodic function: exact to rounding once it resolves cos
    values = np.cos(x[:, None] * np.sin(2 * np.pi * (np.arange(points) + 0.5) / points)).mean(axis=1)
    return values[np.abs(np.arange(symbols)[:, None] - np.arange(symbols))]


class ChannelEstimator(OfdmSettings):
    """Put the gain estimated from the pilots in place of the true one.

    `method="ls"`: least squares and linear interpolation; needs no statistics but the mean delay, `delay_s` +
    `delay_spread_s` (None: 0). `method="lmmse"`: the estimate of least mean square error for an exponential delay
    profile of rms `delay_spread_s` from `delay_s` on (None: an eighth of the cyclic prefix), with Jakes Doppler up to
    `doppler_hz`, all as assumed by the receiver. A profile that is assumed too short hurts more than one too long.

    The noise variance is taken as known, from the pilots. To that of the data is added the variance of the estimate's
    error: y = H_hat x + (H - H_hat) x + n, for symbols of energy 1. Slots are estimated one by one; the data of a slot
    with a pilot that is NaN, infinite or erased get infinite noise variance: erasures. So do data whose noise variance
    is NaN or negative.
    """

    data = In(Received, "frames * frame_symbols", ofdm="{layout}")
    pilots = In(Received, "frames * frame_pilots", pilots="{layout}")
    estimated = Out(Received, "frames * frame_symbols")

    method: str = setting("ls", choices=("ls", "lmmse"))
    delay_s: float = setting(0.0, ge=0, le=1e3, unit="s", doc="when the channel begins, as assumed")
    delay_spread_s: float | None = setting(
        None, ge=0, le=1e3, unit="s", doc="rms delay spread, as assumed; None: see above"
    )
    doppler_hz: float = setting(0.0, ge=0, unit="Hz", doc="maximum Doppler shift, as assumed; for lmmse")

    def validate(self) -> None:
        super().validate()
        if not self.pilot_symbols:
            raise SettingError(f"{self.label}: pilot_symbols=0; without pilots there is nothing to estimate from")
        turns = self.doppler_hz * (self.fft_size + self.cp) / self.sample_rate_hz
        if not turns <= 0.5:
            raise SettingError(
                f"{self.label}: doppler_hz={self.doppler_hz:g} means {turns:.3g} turns per OFDM symbol, at most 0.5"
            )

    def start(self) -> None:
        self._estimate: Any
        spread_s = self.delay_spread_s
        if self.method == "ls":
            self._estimate = LsEstimator(self.grid, (self.delay_s + (spread_s or 0)) * self.sample_rate_hz)
            return
        if spread_s is None:
            spread_s = self.cp / 8 / self.sample_rate_hz
        symbol_s = (self.fft_size + self.cp) / self.sample_rate_hz
        self._estimate = LmmseEstimator(
            self.grid,
            time_correlation(self.slot_symbols, symbol_s, self.doppler_hz),
            frequency_correlation(self.subcarriers, self.subcarrier_spacing_hz, self.delay_s, spread_s),
        )

    def work(self, data: Received, pilots: Received) -> Received:
        data, pilots, grid = received_of(data), received_of(pilots), self.grid
        slots = pilots.symbols.size // grid.pilots.size
        if (
            pilots.symbols.size % self.frame_pilots
            or data.symbols.size * self.frame_slots != slots * self.frame_symbols
        ):
            raise ValueError(
                f"{data.symbols.size} data symbols came with {pilots.symbols.size} pilots; a frame has "
                f"{self.frame_symbols} and {self.frame_pilots}. Wire data and pilots of one OfdmDemodulator."
            )
        seen = pilots.symbols.reshape(slots, grid.pilots.size)
        noise = np.broadcast_to(np.asarray(pilots.noise_variance, np.float64), pilots.symbols.shape)
        noise = noise.reshape(seen.shape)
        usable = np.isfinite(seen).all(axis=1) & np.isfinite(noise).all(axis=1) & (noise >= 0).all(axis=1)
        seen = np.where(usable[:, None], seen * grid.pilots.conj(), 0)
        mean = np.where(usable, noise.mean(axis=1), 1.0)
        found = self._estimate(seen.reshape(slots, grid.pilot_times.size, grid.pilot_subcarriers.size), mean)
        error = np.where(usable[:, None, None], found.error, np.float32(np.inf))

        def of_data(state: np.ndarray) -> np.ndarray:
            whole = np.take(state.reshape(slots, grid.is_pilot.size), grid.data_places, axis=1)
            whole = whole.reshape(-1, self.frame_slots * grid.data_per_slot)
            return whole[:, : self.frame_symbols].reshape(-1)

        known = np.where(data.noise_variance >= 0, data.noise_variance, np.float32(np.inf))
        return dataclasses.replace(data, gain=of_data(found.gain), noise_variance=known + of_data(error))
