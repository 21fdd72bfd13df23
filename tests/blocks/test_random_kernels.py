"""The generators against their definition, against theory, and against themselves on another processor."""

import itertools
import os
import subprocess
import sys

import numpy as np
import pytest
from scipy import stats

from lgvsc_flow.blocks.random_kernels import LANES, BitStream, NoiseStream

MASK = (1 << 64) - 1


def rotate(x, k):
    return (x << k | x >> (64 - k)) & MASK


def xoshiro(state, count):
    """xoshiro256++ in Python integers, as its authors define it."""
    s = list(map(int, state))
    for _ in range(count):
        yield (rotate((s[0] + s[3]) & MASK, 23) + s[0]) & MASK
        t = s[1] << 17 & MASK
        s[2] ^= s[0]
        s[3] ^= s[1]
        s[1] ^= s[2]
        s[0] ^= s[3]
        s[2] ^= t
        s[3] = rotate(s[3], 45)


def words_of(seed, steps):
    """The words of both streams from the seeds that they take: uint64 [steps, lanes]."""
    seeds = np.random.default_rng(seed).integers(0, 2**64, (4, LANES), np.uint64)
    lanes = [list(xoshiro(seeds[:, lane], steps)) for lane in range(LANES)]
    return np.ascontiguousarray(np.array(lanes, np.uint64).T)


def box_muller(words):
    """Complex normals of unit variance from words [steps, lanes], in double precision."""
    halves = words.view("<u4").reshape(-1, 2 * LANES).astype(np.int64)
    u, angle = (halves[:, :LANES] + 0.5) / 2**32, halves[:, LANES:]
    quadrant = ((angle << 2 & 0xFFFFFFFF) ^ 0x80000000) / 2**32 * np.pi / 2
    sign = np.where(angle >> 31 & 1, -1, 1), np.where(angle >> 30 & 1, -1, 1)
    return np.sqrt(-np.log(u)) * (sign[0] * np.cos(quadrant) + 1j * sign[1] * np.sin(quadrant))


def test_the_reference_is_xoshiro256plusplus():
    """First outputs for the state 1, 2, 3, 4, as published with other implementations."""
    assert list(xoshiro([1, 2, 3, 4], 4)) == [41943041, 58720359, 3588806011781223, 3591011842654386]


def test_bits_are_those_of_the_reference():
    words = words_of(5, 40)
    bits = BitStream(np.random.default_rng(5)).take(40 * 64 * LANES)
    octets = words.view(np.uint8).reshape(40, 1, 8 * LANES)
    assert np.array_equal(bits, (octets >> np.arange(8)[:, None] & 1).ravel())


def test_noise_is_that_of_the_reference():
    """Within 2e-6 of double precision, 17 steps of a float32 of size 1; all 4 sigma of 6.7 and more included."""
    words = words_of(6, 2000)
    noise = NoiseStream(np.random.default_rng(6)).add(np.zeros(2000 * LANES, np.complex64), 1.0)
    assert np.abs(noise - box_muller(words).ravel()).max() < 2e-6


@pytest.mark.parametrize("unit", [1, LANES])
def test_cuts_change_nothing(unit):
    rng = np.random.default_rng(0)
    symbols = rng.normal(size=40_000).astype(np.float32).view(np.complex64)
    whole_bits, whole = BitStream(np.random.default_rng(1)).take(20_000), NoiseStream(np.random.default_rng(1))
    noisy = whole.add(symbols, 0.3)
    bits, noise = BitStream(np.random.default_rng(1)), NoiseStream(np.random.default_rng(1))
    cuts = np.r_[0, np.sort(rng.choice(20_000 // unit, 300)) * unit, 20_000]
    parts = list(itertools.pairwise(cuts))
    assert any(a == b for a, b in parts)
    assert np.array_equal(np.concatenate([bits.take(b - a) for a, b in parts]), whole_bits)
    assert np.array_equal(np.concatenate([noise.add(symbols[a:b], 0.3) for a, b in parts]), noisy)


def test_the_variance_may_change_within_a_step():
    noise, unit = (NoiseStream(np.random.default_rng(1)) for _ in range(2))
    zeros = np.zeros(50, np.complex64)
    parts = [noise.add(zeros[:7], 4.0), noise.add(zeros[:2], 0.0), noise.add(zeros[:41], 1.0)]
    scale = np.r_[np.full(7, 2), np.zeros(2), np.ones(41)]
    assert np.array_equal(np.concatenate(parts), (unit.add(zeros, 1.0) * scale).astype(np.complex64))


def test_symbols_of_any_layout():
    symbols = np.arange(200, dtype=np.complex64)
    ahead = NoiseStream(np.random.default_rng(1)).add(np.ascontiguousarray(symbols[::-2]), 1.0)
    assert np.array_equal(NoiseStream(np.random.default_rng(1)).add(symbols[::-2], 1.0), ahead)


def test_a_million_bits_are_fair_and_independent():
    """Ones, and the agreement of bits at distances 1 to 2048: each within 4.5 sigma; 2049 tests, 98.6 % together."""
    bits = 1.0 - 2 * BitStream(np.random.default_rng(2)).take(1 << 20)
    assert abs(bits.sum()) < 4.5 * 1024
    spectrum = np.fft.rfft(bits, 1 << 21)
    agreement = np.fft.irfft(np.abs(spectrum) ** 2)[1:2049]
    assert np.abs(agreement).max() < 4.5 * 1024


def test_octets_are_uniform():
    """Chi-squared of all 256 octets of neighbouring bits, at 99.9 %."""
    octets = np.packbits(BitStream(np.random.default_rng(3)).take(1 << 22))
    assert stats.chisquare(np.bincount(octets, minlength=256)).pvalue > 1e-3


@pytest.fixture(scope="module")
def noise():
    """5 million complex values, 10 million normals of variance 1."""
    return NoiseStream(np.random.default_rng(4)).add(np.zeros(5_000_000, np.complex64), 2.0)


def test_ten_million_values_follow_the_normal_law(noise):
    """Kolmogorov-Smirnov over all 10 million at 99.9 %: the distance stays below 1.95 / sqrt(n) = 6.2e-4."""
    values = np.sort(noise.view(np.float32)).astype(float)
    law = stats.norm.cdf(values)
    ranks = np.arange(values.size + 1) / values.size
    assert max((ranks[1:] - law).max(), (law - ranks[:-1]).max()) < 1.95 / np.sqrt(values.size)


def test_moments(noise):
    """Mean, variance, skewness and kurtosis of both dimensions, each at 99.9 %."""
    for part in (noise.real.astype(float), noise.imag.astype(float)):
        n = part.size
        assert abs(part.mean()) < 3.29 / np.sqrt(n)
        assert abs(np.mean(part**2) - 1) < 3.29 * np.sqrt(2 / n)
        assert abs(np.mean(part**3)) < 3.29 * np.sqrt(15 / n)
        assert abs(np.mean(part**4) - 3) < 3.29 * np.sqrt(96 / n)


def test_dimensions_and_neighbours_are_independent(noise):
    """Correlations of values and of squares: between the dimensions, and at lags 1 to 64. 4.5 sigma each, 258 tests."""
    n = noise.size
    assert abs(np.mean(noise.real.astype(float) * noise.imag)) < 4.5 / np.sqrt(n)
    assert abs(np.mean((noise.real.astype(float) ** 2 - 1) * (noise.imag**2 - 1))) < 4.5 * 2 / np.sqrt(n)
    power = np.abs(noise.astype(complex)) ** 2 / 2 - 1
    for lag in range(1, 65):
        correlation = np.vdot(noise[:-lag], noise[lag:]) / (2 * n)
        assert max(abs(correlation.real), abs(correlation.imag)) < 4.5 / np.sqrt(2 * n)
        assert abs(np.dot(power[:-lag], power[lag:]) / n) < 4.5 / np.sqrt(n)


def test_tails_beyond_five_and_a_half_sigma():
    """Counts of 200 million values beyond 4.5, 5, 5.5 and 6 sigma, against the Poisson law; 99.9 % each.

    Beyond 5.5 sigma 7.6 are expected and beyond 6 sigma 0.4: none of them would be a generator that is cut off."""
    stream, zeros = NoiseStream(np.random.default_rng(9)), np.zeros(500_000, np.complex64)
    limits, counts = (4.5, 5.0, 5.5, 6.0), np.zeros(4, int)
    for _ in range(200):
        size = np.abs(stream.add(zeros, 2.0).view(np.float32))
        beyond = size[size > limits[0]]
        counts += [int(np.count_nonzero(beyond > limit)) for limit in limits]
    for limit, count in zip(limits, counts, strict=True):
        low, high = stats.poisson.interval(0.999, 2e8 * 2 * stats.norm.sf(limit))
        assert low <= count <= high
    assert counts[2] > 0


def test_the_largest_value_is_beyond_six_and_a_half_sigma():
    """The smallest uniform of 32 bits, put in by hand: the radius is that of 2^-33."""
    stream = NoiseStream(np.random.default_rng(0))
    stream._state[64:80], stream._state[80] = 0, 0
    (first, *_) = stream.add(np.zeros(1, np.complex64), 2.0)
    assert abs(first) == pytest.approx(np.sqrt(2 * 33 * np.log(2)), rel=1e-6)


CODE = """
import hashlib, numpy as np
from lgvsc_flow.blocks.random_kernels import BitStream, NoiseStream
rng = np.random.default_rng(7)
digest = hashlib.sha256(BitStream(rng).take(100_003).tobytes())
digest.update(NoiseStream(rng).add(np.ones(100_003, np.complex64), 0.1).tobytes())
print(digest.hexdigest())
"""


def test_every_processor_gives_the_same_bits():
    """Compiled for the oldest x86-64 and for this one."""
    digests = []
    for changes in ({}, {"NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": ""}):
        done = subprocess.run(
            [sys.executable, "-c", CODE], env={**os.environ, **changes}, capture_output=True, text=True, check=True
        )
        digests.append(done.stdout)
    assert digests[0] == digests[1]
