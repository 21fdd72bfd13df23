"""OFDM with a cyclic prefix and pilots: symbols into samples, and back."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from lgvsc_flow import Block, In, Out, setting
from lgvsc_flow.blocks.given import burst_of, received_of
from lgvsc_flow.blocks.phy.resource_grid import ResourceGrid, known_symbols, resource_grid
from lgvsc_flow.errors import SettingError
from lgvsc_flow.items import Received, Symbols

__all__ = ["OfdmDemodulator", "OfdmModulator", "OfdmSettings", "nr_numerology"]


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
    subcarrier_spacing_hz: float = setting(15e3, gt=0, le=1e12, unit="Hz")
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
        return resource_grid(
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
        self._filler = known_symbols(empty, 2)

    def work(self, symbols: np.ndarray) -> np.ndarray:
        symbols = burst_of(symbols, Symbols)
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

    A sample that is NaN or infinite makes all elements of its OFDM symbol NaN: demappers take these for erasures.

    The FFT window begins where the prefix ends, and a burst begins with a prefix: timing is given.
    """

    received = In(Received, "frames * frame_samples", ofdm="{layout}", sample_rate="{sample_rate_hz:.10g} Hz")
    data = Out(Received, "frames * frame_symbols", ofdm="{layout}", response="flat")
    pilots = Out(Received, "frames * frame_pilots", pilots="{layout}", response="flat")

    def work(self, received: Received) -> tuple[Received, Received]:
        received, grid = received_of(received), self.grid
        size = received.symbols.size
        if size % self.frame_samples:
            raise ValueError(f"a burst must hold whole frames of {self.frame_samples} samples.")
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
