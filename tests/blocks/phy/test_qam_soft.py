import os
import subprocess
import sys

import numpy as np
import pytest

from lgvsc_flow.blocks.phy.constellation import ORDERS, constellation
from lgvsc_flow.blocks.phy.qam_soft import LLR_MAX, demodulate
from lgvsc_flow.items import Received


def labels(order):
    m = order.bit_length() - 1
    return (np.arange(order)[:, None] >> np.arange(m)[::-1] & 1).astype(np.uint8)


def received(symbols, gain=1.0, noise_variance=1.0):
    return Received(
        np.asarray(symbols, np.complex64), np.asarray(gain, np.complex64), np.asarray(noise_variance, np.float32)
    )


def reference_llrs(y, gain, noise_variance, order, exact):
    """Brute force over the whole constellation in double precision."""
    points, bits = constellation(order).astype(complex), labels(order)
    metric = -(np.abs(y[:, None] - gain[:, None] * points) ** 2) / noise_variance[:, None]
    out = np.empty((y.size, bits.shape[1]))
    for j in range(bits.shape[1]):
        zero, one = metric[:, bits[:, j] == 0], metric[:, bits[:, j] == 1]
        if exact:
            out[:, j] = np.logaddexp.reduce(zero, axis=1) - np.logaddexp.reduce(one, axis=1)
        else:
            out[:, j] = zero.max(axis=1) - one.max(axis=1)
    return out.ravel()


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("method", ["max-log", "exact"])
def test_llrs_against_brute_force(order, method):
    rng = np.random.default_rng(order)
    n = 400
    y = rng.normal(size=n) + 1j * rng.normal(size=n)
    gain = rng.normal(size=n) + 1j * rng.normal(size=n)
    noise = rng.uniform(0.05, 2, n)
    got = demodulate(received(y, gain, noise), order, method)
    expected = reference_llrs(y, gain, noise, order, method == "exact")
    assert got.dtype == np.float32
    assert np.allclose(got, expected, rtol=2e-4, atol=2e-3)


@pytest.mark.parametrize("order", ORDERS[1:])
@pytest.mark.parametrize("noise_variance", [1e-3, 0.03, 1, 30])
def test_the_exact_demapper_from_little_to_much_noise(order, noise_variance):
    """Within 3e-6 of the largest metric, the rounding of float32; far symbols too."""
    rng = np.random.default_rng(order)
    y = ((rng.normal(size=600) + 1j * rng.normal(size=600)) * np.repeat([0.3, 1, 4], 200)).astype(np.complex64)
    got = demodulate(received(y, 1, noise_variance), order, "exact")
    expected = reference_llrs(y, np.ones(600), np.full(600, noise_variance), order, exact=True)
    scale = np.repeat(1 + (np.abs(y) + 1) * 4 / noise_variance, order.bit_length() - 1)
    assert np.max(np.abs(got - expected) / scale) < 3e-6


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("method", ["max-log", "exact"])
def test_the_largest_and_the_smallest_numbers(order, method):
    """Symbols of 1e37, alone or with gains that undo them, give finite LLRs of the right sign."""
    good = constellation(order)
    bits = labels(order).ravel() == 1
    for gain, noise in ((1e17, 1e30), (1e-12, 1e-30), (1e12, 0)):
        llrs = demodulate(received(good * gain, gain, noise), order, method)
        assert np.isfinite(llrs).all()
        assert np.array_equal(llrs < 0, bits)
    far = demodulate(received([-1e37 - 1e37j, 1e37 + 1e37j]), order, method).reshape(2, -1)
    assert np.isfinite(far).all()
    assert (far[0, :2] == -LLR_MAX).all()
    assert (far[1, :2] == LLR_MAX).all()


@pytest.mark.parametrize(("order", "n"), [(4, 60), (16, 60), (64, 30), (256, 8), (1024, 2)])
def test_exact_llrs_against_commpy(order, n):
    """scikit-commpy sums over all points of the constellation that it is given; its LLR is ln P(1)/P(0)."""
    modulation = pytest.importorskip("commpy.modulation")
    m = order.bit_length() - 1
    modem = modulation.Modem(constellation(order).astype(complex), reorder_as_gray=False)
    rng = np.random.default_rng(7)
    y = rng.normal(size=n) + 1j * rng.normal(size=n)
    theirs = modem.demodulate(y, "soft", noise_var=0.3)
    ours = demodulate(received(y, 1, 0.3), order, "exact")
    assert theirs.size == ours.size == n * m
    assert np.allclose(-theirs, ours, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("order", ORDERS)
def test_max_log_is_within_its_bound(order):
    """Each of the two sums has at most order / 2 terms, so max-log is off by at most ln(order / 2) either way."""
    rng = np.random.default_rng(3)
    y = rng.normal(size=2000) + 1j * rng.normal(size=2000)
    off = demodulate(received(y, 1, 0.4), order, "exact") - demodulate(received(y, 1, 0.4), order)
    assert np.abs(off).max() <= np.log(order / 2) + 1e-3


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("method", ["max-log", "exact"])
def test_what_cannot_be_used_is_an_erasure(order, method):
    good = constellation(order)[order - 1]
    symbols = np.array([good, np.nan, np.inf, complex(0, -np.inf), good, good, good, good, good, good])
    gain = np.array([1, 1, 1, 1, 0, np.nan, np.inf, 1, 1, 1])
    noise = np.array([0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, np.inf, np.nan, -1])
    llrs = demodulate(received(symbols, gain, noise), order, method).reshape(10, -1)
    assert np.abs(llrs[0]).min() > 0
    assert not llrs[1:].any()


def test_no_noise_gives_large_finite_llrs():
    for order in ORDERS:
        for method in ("max-log", "exact"):
            llrs = demodulate(received(constellation(order), 1, 0), order, method)
            assert np.isfinite(llrs).all()
            assert np.abs(llrs).max() <= LLR_MAX
            assert np.array_equal(llrs < 0, labels(order).ravel() == 1)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("n", [1, 7, 8, 9, 250])
def test_the_state_of_a_burst_and_of_each_symbol(order, n):
    """One gain and noise variance give what a copy of them per symbol gives, mixed or not; every length ends right."""
    rng = np.random.default_rng(n)
    y, gain = rng.normal(size=n) + 1j * rng.normal(size=n), 0.4 - 0.7j
    burst = demodulate(received(y, gain, 0.2), order)
    expected = reference_llrs(y.astype(np.complex64), np.full(n, gain), np.full(n, 0.2), order, exact=False)
    assert np.allclose(burst, expected, rtol=2e-4, atol=2e-3)
    for g, v in ((np.full(n, gain), 0.2), (gain, np.full(n, 0.2)), (np.full(n, gain), np.full(n, 0.2))):
        assert np.allclose(demodulate(received(y, g, v), order), burst, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("order", ORDERS)
def test_erasures_in_a_burst_with_one_state(order):
    good = constellation(order)[order - 1]
    llrs = demodulate(received([good, np.nan, np.inf, complex(0, -np.inf), good] * 5), order).reshape(25, -1)
    erased = np.tile([False, True, True, True, False], 5)
    assert not llrs[erased].any()
    assert np.abs(llrs[~erased]).min() > 0
    for gain, noise in ((0, 1), (np.nan, 1), (np.inf, 1), (1, np.inf), (1, np.nan), (1, -1)):
        assert not demodulate(received([good] * 20, gain, noise), order).any()


CODE = """
import hashlib, numpy as np
from lgvsc_flow.blocks.phy.constellation import ORDERS
from lgvsc_flow.blocks.phy.decision import decide_symbols
from lgvsc_flow.blocks.phy.points_soft import decide_points, llrs_of_points
from lgvsc_flow.blocks.phy.qam_soft import demodulate
from lgvsc_flow.items import Received
rng = np.random.default_rng(7)
y, h = rng.normal(size=(2, 2002)).astype(np.float32).view(np.complex64)
digest = hashlib.sha256()
for order in ORDERS:
    for gain, noise in ((h, np.float32(0.1)), (h[:1], np.float32(0.1))):
        received = Received(y, gain, np.array(noise))
        digest.update(demodulate(received, order).tobytes() + demodulate(received, order, "exact").tobytes())
        digest.update(decide_symbols(received, order).tobytes())
weights = np.abs(h)
for count in (2, 16, 128):
    points = rng.normal(size=2 * count).astype(np.float32).view(np.complex64)
    for exact in (False, True):
        digest.update(llrs_of_points(y, weights, points, exact).tobytes())
    digest.update(decide_points(y, weights, points).tobytes())
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
