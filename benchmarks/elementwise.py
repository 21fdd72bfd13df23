"""Nine light element-wise blocks as a user of the toolkit writes them: a kernel, and a thin class around it.

The chain is GNU Radio's multiply_const_cc, add_const_cc, rotator_cc, conjugate_cc, multiply_const_cc, add_const_cc,
complex_to_mag_squared, multiply_const_ff, add_const_ff; `nine()` gives it with the constants of the peer's script.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from lgvsc_flow import Block, In, Out, setting
from lgvsc_flow.items import ArrayType
from lgvsc_flow.kernels import kernel

__all__ = ["AnySink", "Bursts", "expected", "nine"]

Samples = ArrayType("Samples", np.dtype(np.complex64), "complex baseband samples of any power")
Reals = ArrayType("Reals", np.dtype(np.float32), "real samples")


@kernel
def multiply(x: np.ndarray, factor: np.generic) -> np.ndarray:
    y = np.empty_like(x)
    for i in range(x.size):
        y[i] = x[i] * factor
    return y


@kernel
def add(x: np.ndarray, constant: np.generic) -> np.ndarray:
    y = np.empty_like(x)
    for i in range(x.size):
        y[i] = x[i] + constant
    return y


@kernel
def rotate(x: np.ndarray, steps: np.ndarray, phase: np.complex64) -> np.ndarray:
    y = np.empty_like(x)
    for i in range(x.size):
        y[i] = x[i] * (steps[i] * phase)
    return y


@kernel
def conjugate(x: np.ndarray) -> np.ndarray:
    y = np.empty_like(x)
    for i in range(x.size):
        y[i] = x[i].conjugate()
    return y


@kernel
def power(x: np.ndarray) -> np.ndarray:
    y = np.empty(x.size, np.float32)
    for i in range(x.size):
        y[i] = x[i].real * x[i].real + x[i].imag * x[i].imag
    return y


class Bursts(Block):
    """The same `distinct` bursts of `n` samples over and over, from memory."""

    samples = Out(Samples, "n")

    n: int = setting(16384, ge=1, doc="samples per burst")
    count: int = setting(1, ge=0, doc="bursts to send")
    distinct: int = setting(4, ge=1, doc="different bursts")

    def start(self) -> None:
        rng = np.random.default_rng(1)
        dims = rng.standard_normal((self.distinct, 2 * self.n), np.float32)
        self._bursts = list(dims.view(np.complex64))

    def work(self) -> Iterator[np.ndarray]:
        for i in range(self.count):
            yield self._bursts[i % self.distinct]


class MultiplyConst(Block):
    """Multiply by a constant."""

    samples = In(Samples, "n")
    scaled = Out(Samples, "n")

    re: float = setting(1.0, doc="real part")
    im: float = setting(0.0, doc="imaginary part")

    def start(self) -> None:
        self._factor = np.complex64(complex(self.re, self.im))

    def work(self, samples: np.ndarray) -> np.ndarray:
        return multiply(samples, self._factor)


class AddConst(Block):
    """Add a constant."""

    samples = In(Samples, "n")
    shifted = Out(Samples, "n")

    re: float = setting(0.0, doc="real part")
    im: float = setting(0.0, doc="imaginary part")

    def start(self) -> None:
        self._constant = np.complex64(complex(self.re, self.im))

    def work(self, samples: np.ndarray) -> np.ndarray:
        return add(samples, self._constant)


class Rotate(Block):
    """Turn sample number i of the stream by `step_rad` * i."""

    samples = In(Samples, "n")
    turned = Out(Samples, "n")

    step_rad: float = setting(0.01, unit="rad", doc="angle per sample")

    def start(self) -> None:
        self._sent, self._steps = 0, np.empty(0, np.complex64)

    def work(self, samples: np.ndarray) -> np.ndarray:
        if samples.size > self._steps.size:
            self._steps = np.exp(1j * self.step_rad * np.arange(samples.size)).astype(np.complex64)
        phase = np.complex64(np.exp(1j * self.step_rad * self._sent))
        self._sent += samples.size
        return rotate(samples, self._steps, phase)


class Conjugate(Block):
    """The complex conjugate."""

    samples = In(Samples, "n")
    conjugates = Out(Samples, "n")

    def work(self, samples: np.ndarray) -> np.ndarray:
        return conjugate(samples)


class MagnitudeSquared(Block):
    """The squared magnitude."""

    samples = In(Samples, "n")
    powers = Out(Reals, "n")

    def work(self, samples: np.ndarray) -> np.ndarray:
        return power(samples)


class MultiplyReal(Block):
    """Multiply real samples by a constant."""

    samples = In(Reals, "n")
    scaled = Out(Reals, "n")

    factor: float = setting(1.0, doc="the constant")

    def work(self, samples: np.ndarray) -> np.ndarray:
        return multiply(samples, np.float32(self.factor))


class AddReal(Block):
    """Add a constant to real samples."""

    samples = In(Reals, "n")
    shifted = Out(Reals, "n")

    constant: float = setting(0.0, doc="the constant")

    def work(self, samples: np.ndarray) -> np.ndarray:
        return add(samples, np.float32(self.constant))


class AnySink(Block):
    """Take real samples and drop them; keeps the last burst."""

    samples = In(Reals)

    last: np.ndarray | None = None

    def work(self, samples: np.ndarray) -> None:
        self.last = samples


def nine() -> list[Block]:
    """The chain, without source and sink."""
    return [
        MultiplyConst(re=0.5, im=0.1),
        AddConst(re=0.1, im=-0.2),
        Rotate(step_rad=0.01),
        Conjugate(),
        MultiplyConst(re=1.5, im=-0.1),
        AddConst(re=-0.1, im=0.3),
        MagnitudeSquared(),
        MultiplyReal(factor=0.25),
        AddReal(constant=1.0),
    ]


def expected(samples: np.ndarray, first: int) -> np.ndarray:
    """What the chain makes of samples number `first` on, in double precision."""
    turned = (samples.astype(complex) * (0.5 + 0.1j) + (0.1 - 0.2j)) * np.exp(0.01j * (first + np.arange(samples.size)))
    return np.abs(turned.conj() * (1.5 - 0.1j) + (-0.1 + 0.3j)) ** 2 * 0.25 + 1.0
