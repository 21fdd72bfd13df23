"""OFDM with a cyclic prefix and pilots: symbols onto a grid of resource elements, the grid into samples, and back."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
from numba import njit

from lgvsc_flow import Block, In, Out, setting
from lgvsc_flow.blocks.phy.scrambler import Gold
from lgvsc_flow.errors import SettingError
from lgvsc_flow.items import Received, Symbols

__all__ = ["OfdmDemodulator", "OfdmModulator", "OfdmSettings", "ResourceGrid", "nr_numerology"]


def _qpsk(count: int, initial: int) -> np.ndarray:
    """Known symbols of energy 1: complex64 [count]."""
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
        return _qpsk(self.pilot_symbols * self.pilot_subcarriers.size, 1)

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
        """
        spectrum, below = np.zeros((grid.shape[0], self.fft_size), np.complex64), self.subcarriers // 2
        spectrum[:, self.fft_size - below :] = grid[:, :below]
        spectrum[:, : self.subcarriers - below] = grid[:, below:]
        body = np.fft.ifft(spectrum, axis=1, norm="ortho")
        return np.concatenate([body[:, self.fft_size - self.cp :], body], axis=1).reshape(-1)

    def demodulate(self, samples: np.ndarray) -> np.ndarray:
        """Samples [n * (fft_size + cp)] to complex64 [n, subcarriers]; unitary."""
        body = samples.reshape(-1, self.fft_size + self.cp)[:, self.cp :]
        return self._used(np.fft.fft(body, axis=1, norm="ortho"))

    def _used(self, spectrum: np.ndarray) -> np.ndarray:
        below = self.subcarriers // 2
        parts = [spectrum[:, self.fft_size - below :], spectrum[:, : self.subcarriers - below]]
        return np.concatenate(parts, axis=1)

    def response(self, received: Received) -> np.ndarray:
        """The true gain of each resource element: complex64 [n, subcarriers].

        It is the mean over the FFT window of the channel's frequency response: Y = H X + (noise), exact for a constant
        channel no longer than the cyclic prefix. What a channel that changes inside the window adds is interference
        between subcarriers, what a longer one adds is interference between OFDM symbols: both are in Y, not in H.
        """
        gain = np.ascontiguousarray(received.gain, np.complex64).reshape(-1)
        taps, hold, used = impulse_response(received)
        symbols = received.symbols.size // (self.fft_size + self.cp)
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
        """Noise variance of each OFDM symbol: float32 [n]; the mean over its FFT window."""
        variance = np.asarray(received.noise_variance, np.float32).reshape(-1)
        symbols = received.symbols.size // (self.fft_size + self.cp)
        if variance.size == 1:
            return np.full(symbols, variance[0], np.float32)
        return variance.reshape(symbols, -1)[:, self.cp :].mean(axis=1)


@lru_cache(maxsize=64)
def _grid(*settings: int) -> ResourceGrid:
    return ResourceGrid(*settings)


def impulse_response(received: Received) -> tuple[np.ndarray, int, int]:
    """`taps`, `hold` and `used` of what came through a frequency-selective channel; one tap 1 for a flat one.

    Such a channel sends a `Received` with these three attributes; their meaning is told at
    `lgvsc_flow.blocks.channel.Dispersed`.
    """
    taps = getattr(received, "taps", None)
    if taps is None:
        return np.ones((1, 1), np.complex64), max(received.symbols.size, 1), 0
    found: Any = received
    return np.ascontiguousarray(taps, np.complex64), int(found.hold), int(found.used)


@njit(nogil=True, cache=True)
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


def nr_numerology(mu: int, resource_blocks: int) -> dict[str, Any]:
    """Settings of an OFDM block like those of 5G NR: 12 subcarriers a resource block, 15 kHz * 2^mu apart.

    The FFT is the smallest power of two that leaves 15 % of it empty, the prefix the normal one of its size. The
    longer prefix that NR has twice a millisecond, for its frames to come out even, is not there.

    Ref: 3GPP TS 38.211, clauses 4.2 (numerology), 4.4.4 (resource blocks), 5.3.1 (cyclic prefix).

    Raises:
        ValueError: `mu` is not 0 to 4 or `resource_blocks` not 1 to 275.
    """
    if not 0 <= mu <= 4 or not 1 <= resource_blocks <= 275:
        raise ValueError(f"mu is 0 to 4 and resource_blocks 1 to 275, got {mu} and {resource_blocks}")
    subcarriers = 12 * resource_blocks
    fft_size = max(128, 1 << math.ceil(math.log2(subcarriers / 0.85)))
    return {
        "fft_size": fft_size,
        "cp": 144 * fft_size // 2048,
        "subcarriers": subcarriers,
        "subcarrier_spacing_hz": 15e3 * 2**mu,
        "slot_symbols": 14,
    }


class OfdmSettings(Block):
    """What both ends of an OFDM link must agree on; `OfdmDemodulator(**modulator.settings)` does.

    A *frame* is what one burst holds a whole number of: one slot, or with `frame_data` as many slots as it takes for
    so many data symbols, the rest filled with known symbols.
    """

    fft_size: int = setting(1024, ge=8, le=65536, unit="samples")
    cp: int = setting(72, ge=0, unit="samples", doc="cyclic prefix; at least the channel's longest delay")
    subcarriers: int = setting(600, ge=1, doc="of the fft_size, those around the carrier are used")
    subcarrier_spacing_hz: float = setting(15e3, gt=0, unit="Hz")
    slot_symbols: int = setting(14, ge=1, le=1024, unit="OFDM symbols", doc="length of a slot")
    pilot_spacing: int = setting(6, ge=1, unit="subcarriers", doc="from one pilot to the next")
    pilot_symbols: int = setting(2, ge=0, unit="OFDM symbols", doc="of a slot that hold pilots; 0: none")
    frame_data: int | None = setting(None, ge=1, unit="symbols", doc="data symbols of a frame; None: one slot's")

    def validate(self) -> None:
        if self.subcarriers > self.fft_size:
            raise SettingError(f"{self.label}: subcarriers={self.subcarriers} do not fit fft_size={self.fft_size}")
        if self.cp > self.fft_size:
            raise SettingError(f"{self.label}: cp={self.cp} is longer than fft_size={self.fft_size}")
        if self.pilot_symbols > self.slot_symbols:
            raise SettingError(
                f"{self.label}: pilot_symbols={self.pilot_symbols} of a slot of slot_symbols={self.slot_symbols}"
            )
        if not self.grid.data_per_slot:
            raise SettingError(f"{self.label}: pilots fill the slot, no data fit. Take a larger pilot_spacing.")

    @property
    def grid(self) -> ResourceGrid:
        """The slot that follows from the settings."""
        return _grid(
            self.fft_size, self.cp, self.subcarriers, self.slot_symbols, self.pilot_spacing, self.pilot_symbols
        )

    @property
    def sample_rate_hz(self) -> float:
        """Samples per second."""
        return self.fft_size * self.subcarrier_spacing_hz

    @property
    def frame_slots(self) -> int:
        """Slots of a frame."""
        return -(-self.frame_symbols // self.grid.data_per_slot)

    @property
    def frame_symbols(self) -> int:
        """Data symbols of a frame."""
        return self.frame_data or self.grid.data_per_slot

    @property
    def frame_samples(self) -> int:
        """Samples of a frame."""
        return self.frame_slots * self.grid.slot_samples

    @property
    def frame_pilots(self) -> int:
        """Pilots of a frame."""
        return self.frame_slots * self.grid.pilots.size

    @property
    def layout(self) -> str:
        """The settings that both ends must share, as the trait `ofdm` says them."""
        return (
            f"{self.subcarriers} of {self.fft_size}+{self.cp}, pilots in {self.pilot_symbols} of {self.slot_symbols} "
            f"every {self.pilot_spacing}, frames of {self.frame_symbols}"
        )


class OfdmModulator(OfdmSettings):
    """Symbols to OFDM samples, with pilots and a cyclic prefix.

    Normalisation: the transform is unitary and a resource element has the energy of its symbol, 1 on average. So
    `esn0_db` of the channel behind is Es/N0 of a resource element, and the samples have the power
    subcarriers / fft_size. The energy of pilots and prefix is not counted in Es.

    Ref: 3GPP TS 38.211, clause 5.3.1.
    """

    symbols = In(Symbols, "frames * frame_symbols", finite=True)
    samples = Out(Symbols, "frames * frame_samples", ofdm="{layout}", sample_rate="{sample_rate_hz:.10g} Hz")

    def start(self) -> None:
        empty = self.frame_slots * self.grid.data_per_slot - self.frame_symbols
        self._filler = _qpsk(empty, 2)

    def work(self, symbols: np.ndarray) -> np.ndarray:
        if symbols.size % self.frame_symbols:
            raise ValueError(f"a burst must hold whole frames of {self.frame_symbols} symbols.")
        frames, grid = symbols.size // self.frame_symbols, self.grid
        filler = np.broadcast_to(self._filler, (frames, self._filler.size))
        data = np.concatenate([symbols.reshape(frames, self.frame_symbols), filler], axis=1)
        count = frames * self.frame_slots
        pilots = np.broadcast_to(grid.pilots, (count, grid.pilots.size))
        slots = np.concatenate([data.reshape(count, grid.data_per_slot), pilots], axis=1)
        return grid.modulate(np.take(slots, grid.order, axis=1).reshape(-1, self.subcarriers))


class OfdmDemodulator(OfdmSettings):
    """OFDM samples to the resource elements of data and of pilots, each with its *true* gain and noise variance.

    `data` goes to an `Equalizer` and a demapper: a genie's receiver, that knows the channel. For one that has to
    learn it, wire both outputs to a `ChannelEstimator`. Behind a flat channel the gain is the channel's own, averaged
    over the FFT window; behind a frequency-selective one its frequency response (see `ResourceGrid.response`).

    The FFT window begins where the prefix ends, and a burst begins with a prefix: timing is given.
    """

    received = In(Received, "frames * frame_samples", ofdm="{layout}", sample_rate="{sample_rate_hz:.10g} Hz")
    data = Out(Received, "frames * frame_symbols", ofdm="{layout}", response="flat")
    pilots = Out(Received, "frames * frame_pilots", pilots="{layout}", response="flat")

    def work(self, received: Received) -> tuple[Received, Received]:
        size, grid = received.symbols.size, self.grid
        if size % self.frame_samples:
            raise ValueError(f"a burst must hold whole frames of {self.frame_samples} samples.")
        for what in ("gain", "noise_variance"):
            given = np.size(getattr(received, what))
            if given not in (1, size):
                raise ValueError(f"{what} has {given} values for {size} samples; it is a scalar or one each.")
        slots, frames = size // grid.slot_samples, size // self.frame_samples
        shape = (slots, grid.is_pilot.size)
        y = grid.demodulate(received.symbols).reshape(shape)
        gain = grid.response(received).reshape(shape)
        noise = np.broadcast_to(grid.noise(received)[:, None], (slots * grid.slot_symbols, grid.subcarriers))
        noise = noise.reshape(shape)

        def data(state: np.ndarray) -> np.ndarray:
            whole = np.take(state, grid.data_places, axis=1).reshape(frames, self.frame_slots * grid.data_per_slot)
            return whole[:, : self.frame_symbols].reshape(-1)

        def pilots(state: np.ndarray) -> np.ndarray:
            return np.take(state, grid.pilot_places, axis=1).reshape(-1)

        return Received(data(y), data(gain), data(noise)), Received(pilots(y), pilots(gain), pilots(noise))
