"""Closed forms of the bit error rate of uncoded Gray-labelled QAM over the channels that have one.

A square constellation is two amplitudes, each of which is decided by itself: its bit error rate is a weighted sum of
Q((2 i + 1) d sqrt(2 g)), d half the distance of two levels and g = Es/N0. Fading averages each term over g, which by
Craig's form Q(x) = 1/pi int_0^(pi/2) exp(-x^2 / (2 sin^2 t)) dt asks for the moment generating function of g alone.

Ref: K. Cho and D. Yoon, On the general BER expression of one- and two-dimensional amplitude modulations, IEEE
Transactions on Communications 50 (7), 2002 (AWGN). M. Simon and M.-S. Alouini, Digital Communication over Fading
Channels, 2nd ed., 2005, section 8.2 (fading).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache

import numpy as np

from lgvsc_flow.blocks.channel import (
    GilbertElliottChannel,
    JakesChannel,
    MimoChannel,
    RayleighChannel as Rayleigh,
    RicianChannel,
    TdlChannel,
)
from lgvsc_flow.blocks.channel.awgn import AwgnChannel
from lgvsc_flow.blocks.channel.tdl import PROFILES
from lgvsc_flow.graphs.channels import OFDM_SYMBOL, Channel

__all__ = ["awgn_ber", "fading_ber", "rician_mgf", "theory"]

_NODES = 256  # of the rule for Craig's integral, which is periodic and even: the error is below rounding
PREFIX = 72  # samples of the cyclic prefix of OFDM's defaults


@lru_cache(maxsize=16)
def _terms(order: int) -> tuple[tuple[float, float], ...]:
    """(weight, amplitude a) of the terms Q(a sqrt(Es/N0)) of the mean over all bits of one amplitude."""
    levels = math.isqrt(order)
    bits = levels.bit_length() - 1
    weights = dict.fromkeys(range(levels), 0.0)
    for k in range(1, bits + 1):
        for i in range(levels - (levels >> k)):
            step = i * (1 << (k - 1)) // levels
            nearest = math.floor(i * (1 << (k - 1)) / levels + 0.5)
            weights[i] += (-1) ** step * ((1 << (k - 1)) - nearest) * 2 / levels / bits
    half = math.sqrt(1.5 / (order - 1))
    return tuple((w, (2 * i + 1) * half * math.sqrt(2)) for i, w in weights.items() if w)


def awgn_ber(order: int, esn0_db: float) -> float:
    """The bit error rate of nearest-point decisions over AWGN."""
    esn0 = 10 ** (esn0_db / 10)
    return sum(w * 0.5 * math.erfc(a * math.sqrt(esn0 / 2)) for w, a in _terms(order))


def fading_ber(order: int, mgf: Callable[[np.ndarray], np.ndarray]) -> float:
    """The bit error rate over fading that the receiver knows: `mgf(s)` is E exp(s g) of the Es/N0 g, for s <= 0."""
    sine = np.sin((np.arange(_NODES) + 0.5) * np.pi / (2 * _NODES)) ** 2
    return float(sum(w * np.mean(mgf(-(a * a) / (2 * sine))) / 2 for w, a in _terms(order)))


def rician_mgf(esn0_db: float, k: float, branches: int = 1) -> Callable[[np.ndarray], np.ndarray]:
    """Of Rician fading, K = `k` (0: Rayleigh), its mean Es/N0; or of the sum of several independent such branches."""
    mean = 10 ** (esn0_db / 10)

    def mgf(s: np.ndarray) -> np.ndarray:
        loss = 1 + k - s * mean
        found: np.ndarray = ((1 + k) / loss * np.exp(k * s * mean / loss)) ** branches
        return found

    return mgf


def theory(order: int, channel: Channel) -> Callable[[float], float] | None:
    """Uncoded bit error rate as a function of Es/N0 in dB; None where there is no closed form.

    There is one where the receiver knows the channel: AWGN, flat Rayleigh and Rician fading, Jakes fading (its long-run
    mean), TDL within the cyclic prefix and without Doppler, Gilbert-Elliott erasures, MIMO behind zero forcing.
    """
    block = channel.block(0.0)
    if channel.impairments or channel.receiver not in (None, "genie"):
        return None
    inside_ofdm = channel.receiver is not None
    if inside_ofdm and isinstance(block, GilbertElliottChannel):
        return None  # a lost sample is a lost OFDM symbol
    if inside_ofdm and isinstance(block, Rayleigh | RicianChannel) and block.coherence % OFDM_SYMBOL:
        return None  # the gain changes within OFDM symbols
    k = branches = None
    loss_db = 0.0
    if isinstance(block, GilbertElliottChannel):
        lost = block.loss_rate
        return lambda esn0_db: lost / 2 + (1 - lost) * awgn_ber(order, esn0_db)
    if isinstance(block, AwgnChannel):
        return lambda esn0_db: awgn_ber(order, esn0_db)
    if isinstance(block, Rayleigh):
        k = 0.0
    elif isinstance(block, RicianChannel):
        k = 10 ** (block.k_factor_db / 10)
    elif isinstance(block, JakesChannel) and block.doppler_hz > 0:
        k = 0.0 if block.k_factor_db is None else 10 ** (block.k_factor_db / 10)
    elif isinstance(block, TdlChannel) and block.fading == "block" and block.max_delay <= PREFIX:
        profile = PROFILES[block.profile]
        k = float(profile.powers[0] / profile.powers[1:].sum()) if profile.los and not block.lead else 0.0
        k = None if block.lead else k
    elif isinstance(block, MimoChannel) and channel.method == "zf":
        k, branches = 0.0, block.receivers - block.transmitters + 1
        loss_db = 10 * math.log10(block.transmitters)
    if k is None:
        return None
    fading, streams = k, branches or 1
    return lambda esn0_db: fading_ber(order, rician_mgf(esn0_db - loss_db, fading, streams))
