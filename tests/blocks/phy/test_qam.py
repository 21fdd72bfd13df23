import numpy as np
import pytest

from lgvsc_flow.blocks.phy import QamDemodulator, QamModulator
from lgvsc_flow.blocks.phy.qam import LLR_MAX, ORDERS, constellation, demodulate, modulate
from lgvsc_flow.errors import BlockError, SettingError
from lgvsc_flow.items import Received
from lgvsc_flow.testing import run_block


def standard_point(bits):
    """3GPP TS 38.211, clause 5.1, written out: the formulas of 5.1.3 to 5.1.6."""
    s = [1 - 2 * int(b) for b in bits]
    match len(bits):
        case 2:
            return (s[0] + 1j * s[1]) / np.sqrt(2)
        case 4:
            return (s[0] * (2 - s[2]) + 1j * s[1] * (2 - s[3])) / np.sqrt(10)
        case 6:
            return (s[0] * (4 - s[2] * (2 - s[4])) + 1j * s[1] * (4 - s[3] * (2 - s[5]))) / np.sqrt(42)
        case _:
            i = s[0] * (8 - s[2] * (4 - s[4] * (2 - s[6])))
            q = s[1] * (8 - s[3] * (4 - s[5] * (2 - s[7])))
            return (i + 1j * q) / np.sqrt(170)


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
def test_constellation_is_the_standards(order):
    points = constellation(order)
    assert np.allclose(points, [standard_point(b) for b in labels(order)], atol=1e-6)
    assert np.mean(np.abs(points.astype(complex)) ** 2) == pytest.approx(1, abs=1e-6)
    assert np.allclose(modulate(labels(order).ravel(), order), points)


@pytest.mark.parametrize("order", ORDERS)
def test_neighbours_differ_in_one_bit(order):
    points = constellation(order).astype(complex)
    distance = np.abs(points[:, None] - points)
    nearest = np.isclose(distance, distance[distance > 0].min(), rtol=1e-3)
    wrong = (labels(order)[:, None, :] != labels(order)[None, :, :]).sum(-1)
    assert (wrong[nearest] == 1).all()


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


@pytest.mark.parametrize("order", [16, 64])
def test_exact_llrs_against_commpy(order):
    """scikit-commpy sums over all points of the constellation that it is given; its LLR is ln P(1)/P(0)."""
    modulation = pytest.importorskip("commpy.modulation")
    m = order.bit_length() - 1
    modem = modulation.Modem(constellation(order).astype(complex), reorder_as_gray=False)
    rng = np.random.default_rng(7)
    y = rng.normal(size=60) + 1j * rng.normal(size=60)
    theirs = modem.demodulate(y, "soft", noise_var=0.3)
    ours = demodulate(received(y, 1, 0.3), order, "exact")
    assert theirs.size == ours.size == 60 * m
    assert np.allclose(-theirs, ours, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("order", ORDERS)
def test_max_log_is_within_its_bound(order):
    """Each of the two sums has at most order / 2 terms, so max-log is off by at most ln(order / 2) either way."""
    rng = np.random.default_rng(3)
    y = rng.normal(size=2000) + 1j * rng.normal(size=2000)
    off = demodulate(received(y, 1, 0.4), order, "exact") - demodulate(received(y, 1, 0.4), order)
    assert np.abs(off).max() <= np.log(order / 2) + 1e-3


@pytest.mark.parametrize("order", ORDERS)
def test_round_trip_through_any_gain(order):
    rng = np.random.default_rng(5)
    m = order.bit_length() - 1
    bits = rng.integers(0, 2, 600 * m, dtype=np.uint8)
    (symbols,) = run_block(QamModulator(order=order), [bits])
    gain = np.exp(2j * np.pi * rng.random(600)) * rng.uniform(0.1, 3, 600)
    for method in ("max-log", "exact"):
        (llrs,) = run_block(QamDemodulator(order=order, method=method), [[received(symbols * gain, gain, 1e-4)]][0])
        assert np.array_equal(llrs < 0, bits == 1)


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


def test_empty_bursts():
    assert run_block(QamModulator(order=64), [np.zeros(0, np.uint8)])[0].size == 0
    assert run_block(QamDemodulator(order=64), [received([], np.zeros(0), np.zeros(0))])[0].size == 0
    assert run_block(QamDemodulator(order=64), [received([])])[0].size == 0


def test_messages():
    with pytest.raises(
        BlockError, match=r"got Bits\[6\]; a burst must hold whole symbols of 4 bits. \(from ValueError"
    ):
        run_block(QamModulator(order=16), [np.zeros(6, np.uint8)])
    with pytest.raises(SettingError, match=r"QamModulator.order is one of 4, 16, 64, 256; got 8"):
        QamModulator(order=8)
    with pytest.raises(BlockError, match="gain has 2 values for 3 symbols; it is a scalar or one each"):
        run_block(QamDemodulator(order=4), [received(np.ones(3), np.ones(2))])
