"""What a receiver's front end does to its samples: carrier frequency offset, phase noise, I/Q imbalance.

Each takes what a channel sent and passes it on with the channel's state as it now is: the equation y = gain x + n of
`Received` (and that of `Dispersed`) goes on to hold. Powers do not change: a rotation has none, and the I/Q imbalance
is scaled so that |mu|^2 + |nu|^2 = 1.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from lgvsc_flow import Block, In, Out, setting
from lgvsc_flow.blocks.channel.doppler import Fading
from lgvsc_flow.blocks.given import burst_of, received_of
from lgvsc_flow.errors import SettingError
from lgvsc_flow.items import Received, Symbols
from lgvsc_flow.ports import Demand

__all__ = [
    "CarrierFrequencyOffset",
    "IqImbalance",
    "PhaseNoise",
    "image_rejection_db",
    "imbalance",
    "rotation",
    "turned",
]

ONE_ANTENNA = Demand("1", "the signal is that of {found} antennas (sent by x received by); MimoEqualizer goes before.")


def rotation(turns: float, phase: float, first: int, count: int) -> np.ndarray:
    """exp(j 2 pi (phase + turns i)) for i from `first` on: complex64 [count]; the same bits however it is cut."""
    return Fading(np.full((1, 1), turns), np.full((1, 1), phase), np.ones((1, 1))).at(first, count)[:, 0]


def turned(received: Received, factor: np.ndarray) -> Received:
    """What was received, multiplied sample by sample; complex64 [n], of magnitude 1.

    Raises:
        ValueError: the arrays are not those of a `Received`, or there is not one factor for each sample.
    """
    received, factor = received_of(received), burst_of(factor, Symbols)
    if factor.size != received.symbols.size:
        raise ValueError(
            f"{received.symbols.size} samples are multiplied by {factor.size} factors; one each is needed."
        )
    return dataclasses.replace(received, symbols=received.symbols * factor, gain=received.gain * factor)


def imbalance(amplitude_db: float, phase_deg: float) -> tuple[complex, complex]:
    """mu and nu of y' = mu y + nu y*, |mu|^2 + |nu|^2 = 1.

    The in-phase branch is y's own; the quadrature branch has the amplitude g, 20 lg g = amplitude_db, and is
    `phase_deg` off the right angle: mu = c (1 + g e^-j phase), nu = c (1 - g e^j phase), c = (2 (1 + g^2))^-1/2.

    Raises:
        ValueError: amplitude_db is not -300 to 300, or phase_deg not finite.

    Ref: M. Valkama, M. Renfors, V. Koivunen, Advanced methods for I/Q imbalance compensation in communication
    receivers, IEEE Transactions on Signal Processing 49 (10), 2001.
    """
    if not abs(amplitude_db) <= 300 or not abs(phase_deg) < np.inf:
        raise ValueError(f"amplitude_db is -300 to 300 and phase_deg finite, got {amplitude_db} and {phase_deg}.")
    g, phase = 10.0 ** (amplitude_db / 20), np.deg2rad(phase_deg)
    scale = 1 / np.sqrt(2 * (1 + g * g))
    return complex(scale * (1 + g * np.exp(-1j * phase))), complex(scale * (1 - g * np.exp(1j * phase)))


def image_rejection_db(amplitude_db: float, phase_deg: float) -> float:
    """10 lg |mu|^2 / |nu|^2 = 10 lg (1 + g^2 + 2 g cos phase) / (1 + g^2 - 2 g cos phase); inf without imbalance."""
    mu, nu = imbalance(amplitude_db, phase_deg)
    return float("inf") if nu == 0 else float(20 * np.log10(abs(mu) / abs(nu)))


def _check(label: str, name: str, frequency_hz: float, sample_rate_hz: float) -> None:
    if not abs(frequency_hz) <= 1e6 * sample_rate_hz < np.inf:
        raise SettingError(
            f"{label}: {name}={frequency_hz:g} at sample_rate_hz={sample_rate_hz:g}; at most a million times the "
            "sample rate, and both finite. Are both in Hz?"
        )


class CarrierFrequencyOffset(Block):
    """Turn sample i by 2 pi offset_hz i / sample_rate_hz, i from 0 over all bursts of a run.

    The gain turns with the samples: it is the true one. A receiver that is to find the offset itself takes the gain
    from pilots (`ChannelEstimator`). When the offset changes in a running graph, the phase goes on without a jump.
    """

    received = In(Received, "n", antennas=ONE_ANTENNA, sample_rate="{sample_rate_hz:.10g} Hz")
    turned = Out(Received, "n", sample_rate="{sample_rate_hz:.10g} Hz")

    offset_hz: float = setting(0.0, unit="Hz", doc="carrier of the transmitter minus that of the receiver", live=True)
    sample_rate_hz: float = setting(15.36e6, gt=0, unit="Hz")
    sample_count: int = dataclasses.field(default=0, init=False)
    _origin: int = dataclasses.field(default=0, init=False)
    _phase: float = dataclasses.field(default=0.0, init=False)

    def validate(self) -> None:
        _check(self.label, "offset_hz", self.offset_hz, self.sample_rate_hz)

    def start(self) -> None:
        self.sample_count, self._origin, self._phase = 0, 0, 0.0

    def apply(self, changes: dict[str, Any]) -> None:
        self._phase += self.offset_hz / self.sample_rate_hz * (self.sample_count - self._origin)
        self._origin = self.sample_count
        super().apply(changes)

    def work(self, received: Received) -> Received:
        received = received_of(received)
        first, count = self.sample_count - self._origin, received.symbols.size
        self.sample_count += count
        return turned(received, rotation(self.offset_hz / self.sample_rate_hz, self._phase, first, count))


class PhaseNoise(Block):
    """Turn the samples by the phase of a free-running oscillator: a random walk, in one piece over all bursts.

    The steps are Gaussian of variance 2 pi linewidth_hz / sample_rate_hz, so E(phase(t) - phase(0))^2 = 2 pi
    linewidth_hz t, and the carrier's spectrum is a Lorentzian, linewidth_hz wide between its half-power points. The
    phase begins at 0. The gain turns with the samples: it is the true one, see `CarrierFrequencyOffset`.

    Ref: A. Demir, A. Mehrotra, J. Roychowdhury, Phase noise in oscillators: a unifying theory and numerical methods
    for characterization, IEEE Transactions on Circuits and Systems I 47 (5), 2000.
    """

    received = In(Received, "n", antennas=ONE_ANTENNA, sample_rate="{sample_rate_hz:.10g} Hz")
    turned = Out(Received, "n", sample_rate="{sample_rate_hz:.10g} Hz")

    linewidth_hz: float = setting(100.0, ge=0, unit="Hz", doc="full width at half power", live=True)
    sample_rate_hz: float = setting(15.36e6, gt=0, unit="Hz")

    def validate(self) -> None:
        _check(self.label, "linewidth_hz", self.linewidth_hz, self.sample_rate_hz)

    def start(self) -> None:
        self._phase = 0.0

    def work(self, received: Received) -> Received:
        received = received_of(received)
        steps = self.rng.standard_normal(received.symbols.size)
        steps *= np.sqrt(2 * np.pi * self.linewidth_hz / self.sample_rate_hz)
        phase = np.cumsum(np.concatenate([[self._phase], steps]))
        self._phase = float(phase[-1])
        return turned(received, np.exp(1j * phase[1:]).astype(np.complex64))


class IqImbalance(Block):
    """y' = mu y + nu y*, a quadrature branch that is too strong by `amplitude_db` and `phase_deg` off; see `imbalance`.

    The image nu y* is told as noise, which it is for a receiver that does not undo it: the gain becomes mu gain, the
    noise variance N0 + |nu|^2 |gain|^2, for symbols of unit power. (What is behind is no longer circular: I and Q
    are correlated. Noise of other than the stated distribution makes LLRs worse than they could be.)
    """

    received = In(Received, "n", antennas=ONE_ANTENNA)
    imbalanced = Out(Received, "n")

    amplitude_db: float = setting(0.5, ge=-20, le=20, unit="dB", doc="quadrature over in-phase amplitude", live=True)
    phase_deg: float = setting(2.0, ge=-90, le=90, unit="degrees", doc="off the right angle", live=True)

    @property
    def image_rejection_db(self) -> float:
        """Power of the signal over that of its image."""
        return image_rejection_db(self.amplitude_db, self.phase_deg)

    def work(self, received: Received) -> Received:
        received = received_of(received)
        mu, nu = (np.complex64(v) for v in imbalance(self.amplitude_db, self.phase_deg))
        image = np.float32(abs(nu) ** 2) * np.abs(received.gain) ** 2 * np.float32(getattr(received, "power", 1.0))
        return dataclasses.replace(
            received,
            symbols=mu * received.symbols + nu * received.symbols.conj(),
            gain=mu * received.gain,
            noise_variance=(received.noise_variance + image).astype(np.float32),
        )
