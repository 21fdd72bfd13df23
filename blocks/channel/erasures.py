"""Burst erasures: the two-state channel of Gilbert and Elliott."""

from __future__ import annotations

import dataclasses

import numpy as np

from lgvsc_flow import Block, In, Out, setting
from lgvsc_flow.blocks.channel.awgn import add_noise, noise_variance
from lgvsc_flow.blocks.given import burst_of
from lgvsc_flow.blocks.random_kernels import NoiseStream
from lgvsc_flow.errors import SettingError
from lgvsc_flow.items import ArrayType, Received, Symbols
from lgvsc_flow.kernels import kernel

__all__ = ["GilbertElliottChannel", "walk"]

_UNIFORMS = ArrayType("uniforms", np.dtype(np.float64), "numbers of [0, 1)")


@kernel
def _walk(bad: bool, to_bad: float, to_good: float, uniforms: np.ndarray) -> np.ndarray:
    states = np.empty(uniforms.size, np.bool_)
    for i in range(uniforms.size):
        bad = uniforms[i] >= to_good if bad else uniforms[i] < to_bad
        states[i] = bad
    return states


def walk(bad: bool, to_bad: float, to_good: float, uniforms: np.ndarray) -> np.ndarray:
    """States of a two-state Markov chain, True for bad: bool [n], one for each uniform float64 of [0, 1).

    `bad` is the state before the first; `to_bad` and `to_good` are the probabilities of leaving the other state.

    Raises:
        ValueError: no probabilities, or uniforms of another dtype or dimension.
    """
    if not 0 <= to_bad <= 1 or not 0 <= to_good <= 1:
        raise ValueError(f"to_bad and to_good are probabilities, got {to_bad} and {to_good}.")
    return _walk(bool(bad), float(to_bad), float(to_good), burst_of(uniforms, _UNIFORMS))


class GilbertElliottChannel(Block):
    """Symbols are lost in bursts: a Markov chain of a good and a bad state decides, one step for `unit` symbols.

    The chain is in the bad state for a part `bad_rate` of the time, in runs of `mean_run` units on average (their
    length is geometric): it leaves it with the probability r = 1 / mean_run and enters it with r bad_rate /
    (1 - bad_rate). In the good state a unit is lost with the probability `loss_in_good`, in the bad one with
    `loss_in_bad`; Gilbert's channel of pure bursts is 0 and 1. It goes on over the bursts of a run, and begins in its
    stationary state.

    A symbol that is not lost is y = x + n, N0 = 10^(-esn0_db / 10), gain 1. A lost one is an erasure, 0 with infinite
    noise variance: its LLRs are 0. The receiver is told which are lost.

    Ref: E. N. Gilbert, Capacity of a burst-noise channel, Bell System Technical Journal 39, 1960; E. O. Elliott,
    Estimates of error rates for codes on burst-noise channels, the same 42, 1963.
    """

    symbols = In(Symbols, "n", finite=True)
    received = Out(Received, "n")

    esn0_db: float = setting(
        10.0, ge=-100, le=100, unit="dB", doc="symbol energy over noise density of what is not lost", live=True
    )
    bad_rate: float = setting(0.05, ge=0, lt=1, doc="part of the time in the bad state")
    mean_run: float = setting(100.0, ge=1, unit="units", doc="mean length of a run in the bad state")
    loss_in_good: float = setting(0.0, ge=0, le=1, doc="probability", live=True)
    loss_in_bad: float = setting(1.0, ge=0, le=1, doc="probability", live=True)
    unit: int = setting(1, ge=1, unit="symbols", doc="lost or kept together: a packet, say")
    symbol_count: int = dataclasses.field(default=0, init=False)
    lost_count: int = dataclasses.field(default=0, init=False)

    def validate(self) -> None:
        if self.to_bad > 1:
            shortest = self.bad_rate / (1 - self.bad_rate)
            raise SettingError(
                f"{self.label}: with bad_rate={self.bad_rate:g} runs cannot be as short as mean_run={self.mean_run:g}; "
                f"at least {shortest:.4g}"
            )

    @property
    def to_good(self) -> float:
        """Probability of leaving the bad state, per unit."""
        return 1 / self.mean_run

    @property
    def to_bad(self) -> float:
        """Probability of leaving the good state, per unit."""
        return self.to_good * self.bad_rate / (1 - self.bad_rate)

    @property
    def loss_rate(self) -> float:
        """Part of the units that is lost in the long run."""
        return self.bad_rate * self.loss_in_bad + (1 - self.bad_rate) * self.loss_in_good

    def start(self) -> None:
        self.symbol_count = self.lost_count = 0
        self._chain, self._losses = self.rng.spawn(2)
        self._noise = NoiseStream(self.rng)
        self._bad = bool(self._chain.random() < self.bad_rate)
        self._lost = False  # the unit under way

    def work(self, symbols: np.ndarray) -> Received:
        symbols = burst_of(symbols, Symbols)
        used = self.symbol_count % self.unit
        new = -(-(used + symbols.size) // self.unit) - (used > 0)
        states = walk(self._bad, self.to_bad, self.to_good, self._chain.random(max(new, 0)))
        lost = self._losses.random(states.size) < np.where(states, self.loss_in_bad, self.loss_in_good)
        if states.size:
            self._bad = bool(states[-1])
        if used:
            lost = np.r_[self._lost, lost]
        if lost.size:
            self._lost = bool(lost[-1])
        lost = np.repeat(lost, self.unit)[used : used + symbols.size]
        self.symbol_count += symbols.size
        self.lost_count += int(np.count_nonzero(lost))
        variance = noise_variance(self.esn0_db)
        y = add_noise(symbols, float(variance), self._noise)
        y[lost] = 0
        return Received(y, np.array(1, np.complex64), np.where(lost, np.float32(np.inf), variance))
