"""Fading that goes on in time: Clarke's isotropic scattering (the Jakes spectrum) as a sum of sinusoids.

h(t) = N^(-1/2) sum_n exp(j 2 pi (f_D t cos a_n + p_n)), a_n = (2 pi n + u_n) / N, with u_n uniform over +-pi and p_n
over a turn, all independent (the statistical model of Xiao, Zheng and Beaulieu). Over the draws, for every N:
E h = 0, E|h|^2 = 1, E h(t) h*(t + tau) = J0(2 pi f_D tau), processes of different paths are independent; and
E|h|^4 = 2 - 1/N, that of a complex Gaussian in the limit. In time, the mean of |h|^2 of *one* draw tends to 1 too.

Ref: C. Xiao, Y. R. Zheng, N. C. Beaulieu, Novel sum-of-sinusoids simulation models for Rayleigh and Rician fading
channels, IEEE Transactions on Wireless Communications 5 (12), 2006. R. H. Clarke, A statistical theory of mobile-radio
reception, Bell System Technical Journal 47, 1968.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from lgvsc_flow import Block, In, Out, setting
from lgvsc_flow.blocks.channel.awgn import add_noise, noise_variance
from lgvsc_flow.blocks.channel.rician import split_power
from lgvsc_flow.blocks.given import burst_of
from lgvsc_flow.blocks.random_kernels import NoiseStream
from lgvsc_flow.errors import SettingError
from lgvsc_flow.items import Received, Symbols
from lgvsc_flow.kernels import kernel

__all__ = ["Fading", "JakesChannel", "check_hold", "draw_fading"]

_ANCHOR = 256  # phasors are set anew at multiples of these steps: no drift, and the same bits however time is cut


@dataclass(frozen=True)
class Fading:
    """Fading processes, a function of time alone: float64 [paths, N] turns per step, phases in turns, amplitudes.

    Raises:
        ValueError: the three are not of one such shape.
    """

    turns: np.ndarray
    phases: np.ndarray
    amplitudes: np.ndarray

    def __post_init__(self) -> None:
        parts = {"turns": self.turns, "phases": self.phases, "amplitudes": self.amplitudes}
        if self.turns.ndim != 2 or any(p.shape != self.turns.shape or p.dtype != np.float64 for p in parts.values()):
            found = ", ".join(f"{name} {part.dtype} {list(part.shape)}" for name, part in parts.items())
            raise ValueError(f"fading takes turns, phases and amplitudes, each float64 [paths, N]; got {found}.")

    def at(self, first: int, count: int) -> np.ndarray:
        """Gains of the steps `first` to `first + count`: complex64 [count, paths]; before `first` 0 they go on too.

        Raises:
            ValueError: `count` is negative.
        """
        if count < 0:
            raise ValueError(f"count is 0 or more, got {count}.")
        return _sum_of_sinusoids(first, count, self.turns, self.phases, self.amplitudes, *self._tables)

    @cached_property
    def _tables(self) -> tuple[np.ndarray, np.ndarray]:
        """How far each sinusoid turns in the steps behind an anchor: float32 [paths, N, _ANCHOR], cosine and sine."""
        angle = 2 * np.pi * self.turns[:, :, None] * np.arange(_ANCHOR)
        return np.cos(angle).astype(np.float32), np.sin(angle).astype(np.float32)


def draw_fading(
    doppler: float,
    rng: np.random.Generator,
    *,
    paths: int = 1,
    sinusoids: int = 64,
    k_factor_db: float | None = None,
    los_doppler: float = 0.7,
) -> Fading:
    """Draw independent processes with E|h|^2 = 1.

    Args:
        doppler: maximum Doppler shift f_D in turns per step.
        rng: where the angles and phases come from.
        paths: number of processes.
        sinusoids: N per process.
        k_factor_db: power of a line of sight over the scattered paths, in every process; None: no line of sight.
        los_doppler: its Doppler shift over f_D, the cosine of the angle to the direction of movement.

    Raises:
        ValueError: no paths, no sinusoids, or a Doppler shift that is NaN or infinite.
    """
    if paths < 1 or sinusoids < 1 or not np.isfinite([doppler, los_doppler]).all():
        raise ValueError(
            f"paths and sinusoids are 1 or more, doppler and los_doppler finite; got {paths}, {sinusoids}, {doppler} "
            f"and {los_doppler}."
        )
    angle = (2 * np.pi * np.arange(sinusoids) + rng.uniform(-np.pi, np.pi, (paths, sinusoids))) / sinusoids
    phases = rng.uniform(0, 1, (paths, sinusoids))
    turns = doppler * np.cos(angle)
    amplitudes = np.full((paths, sinusoids), sinusoids**-0.5)
    if k_factor_db is not None:
        steady, scattered = split_power(k_factor_db)
        turns = np.hstack([turns, np.full((paths, 1), doppler * los_doppler)])
        phases = np.hstack([phases, rng.uniform(0, 1, (paths, 1))])
        amplitudes = np.hstack([float(scattered) * amplitudes, np.full((paths, 1), float(steady))])
    return Fading(turns, phases, amplitudes)


@kernel
def _turned(turns: np.ndarray, phases: np.ndarray, amplitudes: np.ndarray, step: int) -> tuple[np.ndarray, np.ndarray]:
    """Every sinusoid at one step: float32 [paths, N], real and imaginary parts."""
    re, im = np.empty(turns.shape, np.float32), np.empty(turns.shape, np.float32)
    for p in range(turns.shape[0]):
        for s in range(turns.shape[1]):
            turn = turns[p, s] * step + phases[p, s]
            angle = 2 * np.pi * (turn - np.floor(turn))
            re[p, s], im[p, s] = amplitudes[p, s] * np.cos(angle), amplitudes[p, s] * np.sin(angle)
    return re, im


@kernel
def _sum_of_sinusoids(
    first: int,
    count: int,
    turns: np.ndarray,
    phases: np.ndarray,
    amplitudes: np.ndarray,
    table_re: np.ndarray,
    table_im: np.ndarray,
) -> np.ndarray:
    paths, sinusoids = turns.shape
    gains = np.empty((count, paths), np.complex64)
    re, im = np.empty(_ANCHOR, np.float32), np.empty(_ANCHOR, np.float32)
    anchor = first // _ANCHOR * _ANCHOR
    while anchor < first + count:
        low, high = max(first - anchor, 0), min(first + count - anchor, _ANCHOR)
        begin_re, begin_im = _turned(turns, phases, amplitudes, anchor)
        for p in range(paths):
            re[:] = 0
            im[:] = 0
            for s in range(sinusoids):
                z_re, z_im = begin_re[p, s], begin_im[p, s]
                w_re, w_im = table_re[p, s], table_im[p, s]
                for i in range(high):
                    re[i] += z_re * w_re[i] - z_im * w_im[i]
                    im[i] += z_re * w_im[i] + z_im * w_re[i]
            for i in range(low, high):
                gains[anchor + i - first, p] = complex(re[i], im[i])
        anchor += _ANCHOR
    return gains


def check_hold(label: str, doppler_hz: float, coherence: int, rate_hz: float) -> None:
    """Raise `SettingError` where the fading turns by more than half a turn while the gain is held."""
    turns = doppler_hz * coherence / rate_hz
    if not turns <= 0.5:
        raise SettingError(
            f"{label}: doppler_hz={doppler_hz:g} means {turns:.3g} turns while the gain is held for "
            f"coherence={coherence} at {rate_hz:g} Hz; at most 0.5. Take a smaller coherence."
        )


class JakesChannel(Block):
    """y = h(t) x + n, flat fading with the Jakes Doppler spectrum, in one piece over all bursts of a run.

    E|h|^2 = 1, E h(t) h*(t + tau) = J0(2 pi doppler_hz tau); see the module for the model. With `k_factor_db` there is
    a line of sight besides: K / (K + 1) of the power, at the Doppler shift `los_doppler * doppler_hz`, its phase drawn
    once a run. The gain is held over `coherence` symbols (1: each symbol has its own). `esn0_db` is the *average*
    Es/N0, N0 = 10^(-esn0_db / 10). The receiver is given h of every symbol.

    The same stream cut into other bursts meets the same fading.
    """

    symbols = In(Symbols, "n", finite=True, sample_rate="{symbol_rate_hz:.10g} Hz")
    received = Out(Received, "n", sample_rate="{symbol_rate_hz:.10g} Hz")

    esn0_db: float = setting(
        10.0, ge=-100, le=100, unit="dB", doc="average symbol energy over noise density", live=True
    )
    doppler_hz: float = setting(100.0, ge=0, unit="Hz", doc="maximum Doppler shift: speed over wavelength")
    symbol_rate_hz: float = setting(1e6, gt=0, unit="Hz", doc="symbols per second; inside OFDM, samples")
    coherence: int = setting(1, ge=1, unit="symbols", doc="the gain is held for these")
    k_factor_db: float | None = setting(None, ge=-60, le=60, unit="dB", doc="line of sight over scattered; None: none")
    los_doppler: float = setting(0.7, ge=-1, le=1, doc="Doppler shift of the line of sight over doppler_hz")
    sinusoids: int = setting(64, ge=8, le=1024, doc="per process; more is closer to Gaussian")
    symbol_count: int = dataclasses.field(default=0, init=False)

    def validate(self) -> None:
        check_hold(self.label, self.doppler_hz, self.coherence, self.symbol_rate_hz)

    def start(self) -> None:
        self.symbol_count, self._noise = 0, NoiseStream(self.rng)
        self._fading = draw_fading(
            self.doppler_hz * self.coherence / self.symbol_rate_hz,
            self.rng,
            sinusoids=self.sinusoids,
            k_factor_db=self.k_factor_db,
            los_doppler=self.los_doppler,
        )

    def work(self, symbols: np.ndarray) -> Received:
        symbols = burst_of(symbols, Symbols)
        first, used = divmod(self.symbol_count, self.coherence)
        held = self._fading.at(first, -(-(used + symbols.size) // self.coherence))[:, 0]
        gain = np.repeat(held, self.coherence)[used : used + symbols.size] if self.coherence > 1 else held
        self.symbol_count += symbols.size
        variance = noise_variance(self.esn0_db)
        return Received(add_noise(gain * symbols, float(variance), self._noise), gain, np.array(variance))
