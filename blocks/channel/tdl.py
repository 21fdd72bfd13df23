"""Tapped delay lines: the frequency-selective channels TDL-A to TDL-E of 3GPP TR 38.901."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from lgvsc_flow import Block, In, Out, setting
from lgvsc_flow.blocks.channel.awgn import add_noise, noise_variance
from lgvsc_flow.blocks.channel.dispersed import Dispersed, disperse
from lgvsc_flow.blocks.channel.doppler import check_hold, draw_fading
from lgvsc_flow.blocks.given import burst_of
from lgvsc_flow.blocks.random_kernels import NoiseStream
from lgvsc_flow.errors import SettingError
from lgvsc_flow.items import Symbols
from lgvsc_flow.kernels import kernel

__all__ = ["PROFILES", "Profile", "TdlChannel", "pulses"]

LOS_DOPPLER = 0.7  # Doppler shift of the line of sight over the maximum (clause 7.7.2)
MAX_TAPS = 4096


@dataclass(frozen=True)
class Profile:
    """A power delay profile: delays in units of the rms delay spread, powers in dB, one of each per path.

    With `los` the first entry is the line of sight, which does not fade; the second has the same delay.
    """

    delays: tuple[float, ...]
    powers_db: tuple[float, ...]
    los: bool = False

    @cached_property
    def powers(self) -> np.ndarray:
        """Linear powers, scaled to the sum 1."""
        linear = 10.0 ** (np.array(self.powers_db) / 10)
        return linear / linear.sum()

    @property
    def rms_delay(self) -> float:
        """The rms delay spread, in the units of `delays`: close to 1, the tables are rounded."""
        delays = np.array(self.delays)
        return float(np.sqrt(self.powers @ delays**2 - (self.powers @ delays) ** 2))


# fmt: off
PROFILES = {  # TR 38.901 V16.1.0, tables 7.7.2-1 to 7.7.2-5
    "TDL-A": Profile(
        (0.0, 0.3819, 0.4025, 0.5868, 0.4610, 0.5375, 0.6708, 0.5750, 0.7618, 1.5375, 1.8978, 2.2242,
         2.1718, 2.4942, 2.5119, 3.0582, 4.0810, 4.4579, 4.5695, 4.7966, 5.0066, 5.3043, 9.6586),
        (-13.4, 0.0, -2.2, -4.0, -6.0, -8.2, -9.9, -10.5, -7.5, -15.9, -6.6, -16.7,
         -12.4, -15.2, -10.8, -11.3, -12.7, -16.2, -18.3, -18.9, -16.6, -19.9, -29.7),
    ),
    "TDL-B": Profile(
        (0.0, 0.1072, 0.2155, 0.2095, 0.2870, 0.2986, 0.3752, 0.5055, 0.3681, 0.3697, 0.5700, 0.5283,
         1.1021, 1.2756, 1.5474, 1.7842, 2.0169, 2.8294, 3.0219, 3.6187, 4.1067, 4.2790, 4.7834),
        (0.0, -2.2, -4.0, -3.2, -9.8, -1.2, -3.4, -5.2, -7.6, -3.0, -8.9, -9.0,
         -4.8, -5.7, -7.5, -1.9, -7.6, -12.2, -9.8, -11.4, -14.9, -9.2, -11.3),
    ),
    "TDL-C": Profile(
        (0.0, 0.2099, 0.2219, 0.2329, 0.2176, 0.6366, 0.6448, 0.6560, 0.6584, 0.7935, 0.8213, 0.9336,
         1.2285, 1.3083, 2.1704, 2.7105, 4.2589, 4.6003, 5.4902, 5.6077, 6.3065, 6.6374, 7.0427, 8.6523),
        (-4.4, -1.2, -3.5, -5.2, -2.5, 0.0, -2.2, -3.9, -7.4, -7.1, -10.7, -11.1,
         -5.1, -6.8, -8.7, -13.2, -13.9, -13.9, -15.8, -17.1, -16.0, -15.7, -21.6, -22.8),
    ),
    "TDL-D": Profile(
        (0.0, 0.0, 0.035, 0.612, 1.363, 1.405, 1.804, 2.596, 1.775, 4.042, 7.937, 9.424, 9.708, 12.525),
        (-0.2, -13.5, -18.8, -21.0, -22.8, -17.9, -20.1, -21.9, -22.9, -27.8, -23.6, -24.8, -30.0, -27.7),
        los=True,
    ),
    "TDL-E": Profile(
        (0.0, 0.0, 0.5133, 0.5440, 0.5630, 0.5440, 0.7112, 1.9092, 1.9293, 1.9589, 2.6426, 3.7136,
         5.4524, 12.0034, 20.6519),
        (-0.03, -22.03, -15.8, -18.1, -19.8, -22.9, -22.4, -18.6, -20.8, -22.6, -22.3, -25.6,
         -20.2, -29.8, -29.2),
        los=True,
    ),
}
# fmt: on


def pulses(delays: np.ndarray, lead: int) -> np.ndarray:
    """What each path adds to the sampled impulse response: float32 [paths, length].

    `delays` are in samples. With `lead` 0 a path is moved to the nearest sample. With a lead it keeps its own delay:
    a band-limited path, sin(pi t) / (pi t), cut off `lead` samples away on both sides under a Hann window, and the
    whole channel comes `lead` samples later. Its frequency response is 1 and of linear phase, within 2 %, up to
    0.5 - 1 / lead of the sample rate; towards 0.5 it falls for delays between samples.

    Raises:
        ValueError: no delays, one that is not 0 to MAX_TAPS, or a negative lead.
    """
    delays = np.asarray(delays, np.float64)
    if delays.ndim != 1 or not delays.size or not ((delays >= 0) & (delays <= MAX_TAPS)).all() or lead < 0:
        raise ValueError(f"delays are 0 to {MAX_TAPS} samples, one for each path, and lead is 0 or more, got {lead=}.")
    if lead == 0:
        places = np.floor(delays + 0.5).astype(int)
        return (places[:, None] == np.arange(places.max() + 1)).astype(np.float32)
    offset = np.arange(int(np.ceil(delays.max())) + 2 * lead + 1) - lead - delays[:, None]
    window = np.where(np.abs(offset) < lead + 1, np.cos(np.pi * offset / (2 * lead + 2)) ** 2, 0)
    return (np.sinc(offset) * window).astype(np.float32)


@kernel
def _mix(gains: np.ndarray, shape: np.ndarray) -> np.ndarray:
    """Path gains [rows, paths] to taps [rows, length]; each row by itself, in the order of the paths."""
    taps = np.zeros((gains.shape[0], shape.shape[1]), np.complex64)
    for path in range(shape.shape[0]):
        for place in range(shape.shape[1]):
            weight = shape[path, place]
            if weight != 0:
                for row in range(gains.shape[0]):
                    taps[row, place] += gains[row, path] * weight
    return taps


class TdlChannel(Block):
    """y[i] = sum_l h_l[i] x[i - l] + n[i], the power delay profiles TDL-A to TDL-E with Jakes Doppler on each path.

    Normalisation: the paths' powers sum to 1, so E|H(f)|^2 = 1; E sum_l |h_l|^2 = 1 too with lead=0 (with a lead it is
    less by what `pulses` says of the band's edge). `esn0_db` is the *average* Es/N0 of a sample,
    N0 = 10^(-esn0_db / 10); behind unitary OFDM it is that of a resource element. Paths are independent; the line of
    sight of TDL-D and TDL-E is steady but for its Doppler shift of 0.7 doppler_hz and a phase drawn once a run.

    `fading="jakes"`: one realisation per run, going on in time, the taps held over `coherence` samples; with
    doppler_hz=0 it stands still. `fading="block"`: each burst meets a new realisation, constant over the burst,
    exactly Gaussian. In both the convolution goes on over the bursts, and with "jakes" the same stream cut into other
    bursts gives the same samples. As many samples come out as go in: the echo of the last ones (up to `max_delay`) is
    not sent.

    `lead` says how delays between samples are treated, see `pulses`: 0 moves them to the nearest sample, which is
    coarse where delay_spread_s * sample_rate_hz is small (`rms_delay_s` gives what is left of the delay spread).

    The stream behind is `Dispersed`: it holds the taps, from which `OfdmDemodulator` makes the true gain of each
    resource element. The trait `response` says that it is not for a one-tap equalizer.

    Ref: 3GPP TR 38.901, clauses 7.7.2 (profiles) and 7.7.3 (scaling of delays).
    """

    symbols = In(Symbols, "n", finite=True, sample_rate="{sample_rate_hz:.10g} Hz")
    received = Out(Dispersed, "n", response="dispersive", sample_rate="{sample_rate_hz:.10g} Hz")

    esn0_db: float = setting(
        10.0, ge=-100, le=100, unit="dB", doc="average symbol energy over noise density", live=True
    )
    profile: str = setting("TDL-A", choices=tuple(PROFILES))
    delay_spread_s: float = setting(100e-9, ge=0, le=1e-3, unit="s", doc="rms delay spread that delays are scaled to")
    sample_rate_hz: float = setting(15.36e6, gt=0, unit="Hz", doc="samples per second")
    doppler_hz: float = setting(0.0, ge=0, unit="Hz", doc="maximum Doppler shift: speed over wavelength")
    fading: str = setting("jakes", choices=("jakes", "block"))
    coherence: int = setting(64, ge=1, unit="samples", doc="the taps are held for these")
    lead: int = setting(0, ge=0, le=64, unit="samples", doc="half length of the interpolation between samples; 0: none")
    sinusoids: int = setting(64, ge=8, le=1024, doc="per path; more is closer to Gaussian")
    symbol_count: int = dataclasses.field(default=0, init=False)

    def validate(self) -> None:
        check_hold(self.label, self.doppler_hz, self.coherence, self.sample_rate_hz)
        longest = max(PROFILES[self.profile].delays) * self.delay_spread_s * self.sample_rate_hz + 2 * self.lead + 2
        if longest > MAX_TAPS:
            raise SettingError(
                f"{self.label}: delay_spread_s={self.delay_spread_s:g} at sample_rate_hz={self.sample_rate_hz:g} "
                f"makes {longest:.6g} taps, at most {MAX_TAPS}. Is the delay spread in seconds?"
            )

    @property
    def pulses(self) -> np.ndarray:
        """float32 [paths, length]: see the function of that name."""
        scale = self.delay_spread_s * self.sample_rate_hz
        return pulses(np.array(PROFILES[self.profile].delays) * scale, self.lead)

    @property
    def max_delay(self) -> int:
        """The last tap, in samples: an OFDM symbol is free of the one before where its cyclic prefix is as long."""
        return self.pulses.shape[1] - 1

    @property
    def tap_powers(self) -> np.ndarray:
        """E|h_l|^2: float64 [max_delay + 1]."""
        return PROFILES[self.profile].powers @ self.pulses.astype(np.float64) ** 2

    @property
    def rms_delay_s(self) -> float:
        """The rms delay spread as simulated, in seconds: that of the moved paths with lead=0, else the profile's."""
        if self.lead:
            return self.delay_spread_s * PROFILES[self.profile].rms_delay
        power, place = self.tap_powers, np.arange(self.max_delay + 1)
        return float(np.sqrt(power @ place**2 - (power @ place) ** 2)) / self.sample_rate_hz

    def start(self) -> None:
        self.symbol_count, self._noise = 0, NoiseStream(self.rng)
        profile = PROFILES[self.profile]
        self._los = profile.los
        self._shape = (np.sqrt(profile.powers)[:, None] * self.pulses).astype(np.float32)
        self._history = np.zeros(self._shape.shape[1] - 1, np.complex64)
        turns = self.doppler_hz * self.coherence / self.sample_rate_hz
        scattered = profile.powers.size - profile.los
        self._turns = turns
        self._fading = draw_fading(turns, self.rng, paths=scattered, sinusoids=self.sinusoids)
        self._los_phase = self.rng.uniform(0, 1)
        self._still = self._mixed(self._fading.at(0, 1), np.array([self._los_phase]))

    def work(self, symbols: np.ndarray) -> Dispersed:
        symbols = burst_of(symbols, Symbols)
        taps, hold, used = self._taps(symbols.size)
        self.symbol_count += symbols.size
        clean, self._history = disperse(symbols, self._history, taps, hold, used)
        variance = noise_variance(self.esn0_db)
        noisy = add_noise(clean, float(variance), self._noise)
        return Dispersed(noisy, np.array(1, np.complex64), np.array(variance), taps, hold, used)

    def _taps(self, n: int) -> tuple[np.ndarray, int, int]:
        """Taps, hold and used samples of the next n samples; see `Dispersed`."""
        if self.fading == "block":
            paths = self._shape.shape[0] - self._los
            gains = self.rng.standard_normal((1, 2 * paths), dtype=np.float32).view(np.complex64)
            gains *= np.float32(np.sqrt(0.5))
            return self._mixed(gains, np.array([self.rng.uniform(0, 1)])), max(n, 1), 0
        if self._turns == 0:
            return self._still, max(n, 1), 0
        first, used = divmod(self.symbol_count, self.coherence)
        count = max(-(-(used + n) // self.coherence), 1)
        phase = self._los_phase + LOS_DOPPLER * self._turns * np.arange(first, first + count)
        return self._mixed(self._fading.at(first, count), phase), self.coherence, used

    def _mixed(self, gains: np.ndarray, los_turns: np.ndarray) -> np.ndarray:
        """Path gains [rows, paths] to taps [rows, length]; the line of sight joins where there is one."""
        if self._los:
            steady = np.exp(2j * np.pi * los_turns[:, None]).astype(np.complex64)
            gains = np.hstack([steady, gains])
        return _mix(gains, self._shape)
