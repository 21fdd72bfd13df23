import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from scipy.stats import norm

from lgvsc_flow import Graph
from lgvsc_flow.blocks.channel import AwgnChannel
from lgvsc_flow.blocks.metrics import BerMeter
from lgvsc_flow.blocks.phy import (
    HardDecision,
    RandomBits,
    UserPointsDecision,
    UserPointsDemodulator,
    UserPointsModulator,
)
from lgvsc_flow.blocks.phy.constellation import constellation
from lgvsc_flow.blocks.phy.points import points_of
from lgvsc_flow.blocks.phy.points_soft import decide_points, llrs_of_points
from lgvsc_flow.blocks.phy.qam_soft import demodulate
from lgvsc_flow.errors import BlockError, SettingError, WiringError
from lgvsc_flow.items import Received
from lgvsc_flow.testing import assert_chunking_invariant, run_block

quick = settings(max_examples=30, deadline=None, derandomize=True, database=None)
PSK8 = [np.exp(2j * np.pi * (i ^ i >> 1) / 8) for i in range(8)]


def received(symbols, gain=1.0, noise_variance=1.0):
    return Received(
        np.asarray(symbols, np.complex64), np.asarray(gain, np.complex64), np.asarray(noise_variance, np.float32)
    )


def random_points(order, seed=1):
    rng = np.random.default_rng(seed)
    points = rng.normal(size=order) + 1j * rng.normal(size=order)
    return points / np.sqrt(np.mean(np.abs(points) ** 2))


def reference(y, gain, noise_variance, points, exact):
    """Brute force in double precision."""
    order = len(points)
    m = order.bit_length() - 1
    bits = np.arange(order)[:, None] >> np.arange(m)[::-1] & 1
    metric = -(np.abs(y[:, None] - gain * np.asarray(points)) ** 2) / noise_variance
    reduce = np.logaddexp.reduce if exact else np.maximum.reduce
    parts = [reduce(metric[:, bits[:, j] == 0], axis=1) - reduce(metric[:, bits[:, j] == 1], axis=1) for j in range(m)]
    return np.stack(parts, axis=1).ravel()


@pytest.mark.parametrize("order", [2, 4, 8, 32, 128])
@pytest.mark.parametrize("method", ["max-log", "exact"])
@pytest.mark.parametrize("noise_variance", [0.01, 1.0])
def test_llrs_against_brute_force(order, method, noise_variance):
    rng = np.random.default_rng(order)
    points = random_points(order)
    y = (rng.normal(size=157) + 1j * rng.normal(size=157)).astype(np.complex64)
    (got,) = run_block(UserPointsDemodulator(points=points, method=method), [received(y, 0.5 - 1j, noise_variance)])
    expected = reference(y, 0.5 - 1j, noise_variance, points, method == "exact")
    assert got.dtype == np.float32
    assert np.allclose(got, expected, rtol=1e-5, atol=2e-5 / noise_variance)


@pytest.mark.parametrize("m", range(1, 13))
def test_labels_of_every_length(m):
    """Labels are taken in stages of three bits: all of 1 to 4 stages, and bursts that are no whole vectors."""
    rng = np.random.default_rng(m)
    text = ", ".join(str(p).strip("()") for p in random_points(1 << m, m))
    points = points_of(text)
    bits = rng.integers(0, 2, 45 * m, np.uint8)
    (sent,) = run_block(UserPointsModulator(points=text), [bits])
    labels = bits.reshape(-1, m) @ (1 << np.arange(m)[::-1])
    assert np.array_equal(sent, points[labels])
    noise_variance = rng.uniform(0.003, 1, 45).astype(np.float32)
    y = (sent + (rng.normal(size=45) + 1j * rng.normal(size=45)) * np.sqrt(noise_variance / 2)).astype(np.complex64)
    double = points.astype(complex)
    for method in ("max-log", "exact"):
        block = UserPointsDemodulator(points=text, method=method)
        (got,) = run_block(block, [received(y, 1, noise_variance)])
        each = [reference(y[i : i + 1], 1, float(v), double, method == "exact") for i, v in enumerate(noise_variance)]
        expected = np.concatenate(each)
        noise = np.repeat(noise_variance, m)
        assert (np.abs(got - expected) < 1e-5 * np.abs(expected) + 1e-5 + 1e-5 / noise).all()
    (decided,) = run_block(UserPointsDecision(points=text), [received(y)])
    nearest = np.argmin(np.abs(y[:, None] - points) ** 2, axis=1)
    assert np.array_equal(decided.reshape(-1, m) @ (1 << np.arange(m)[::-1]), nearest)


@pytest.mark.parametrize("m", [2, 5])
def test_a_symbol_does_not_depend_on_its_neighbours(m):
    """Not by a bit, wherever it stands in a vector."""
    rng = np.random.default_rng(m)
    y, gain = (rng.normal(size=(2, 37)) + 1j * rng.normal(size=(2, 37))).astype(np.complex64)
    noise = rng.uniform(1e-4, 1, 37).astype(np.float32)
    points = random_points(1 << m)
    for block in (
        UserPointsDemodulator(points=points),
        UserPointsDemodulator(points=points, method="exact"),
        UserPointsDecision(points=points),
    ):
        whole = run_block(block, [received(y, gain, noise)])[0].reshape(37, m)
        for cut in (1, 5, 16, 36):
            parts = [received(y[s], gain[s], noise[s]) for s in (slice(cut), slice(cut, None))]
            assert np.array_equal(np.concatenate(run_block(block, parts)).reshape(37, m), whole)


def test_of_points_equally_near_the_first_wins():
    square = [(1 + 1j), (-1 + 1j), (1 - 1j), (-1 - 1j)]
    block = UserPointsDecision(points=[p / 2**0.5 for p in square])
    (bits,) = run_block(block, [received([0, -0.5, -0.5j, 1j])])
    assert bits.reshape(-1, 2).tolist() == [[0, 0], [0, 1], [1, 0], [0, 0]]


@pytest.mark.parametrize("order", [4, 16, 256])
@pytest.mark.parametrize("method", ["max-log", "exact"])
def test_the_points_of_qam_give_the_llrs_of_qam(order, method):
    rng = np.random.default_rng(2)
    y, gain = rng.normal(size=(2, 100)) + 1j * rng.normal(size=(2, 100))
    burst = received(y, gain, rng.uniform(0.1, 1, 100))
    (got,) = run_block(UserPointsDemodulator(points=constellation(order), method=method), [burst])
    assert np.allclose(got, demodulate(burst, order, method), rtol=1e-4, atol=2e-3)


@quick
@given(st.integers(1, 7), st.integers(0, 100), st.integers(0, 2**32))
def test_round_trips(m, symbols, seed):
    rng = np.random.default_rng(seed)
    grid = constellation(256)[rng.permutation(256)[: 1 << m]]
    points = grid / np.sqrt(np.mean(np.abs(grid) ** 2))
    bits = rng.integers(0, 2, m * symbols, np.uint8)
    (sent,) = run_block(UserPointsModulator(points=points), [bits])
    gain = np.exp(2j * np.pi * rng.random(symbols)) * rng.uniform(0.1, 3, symbols)
    burst = received(sent * gain, gain, 1e-4)
    for receiver in (UserPointsDemodulator(points=points), UserPointsDemodulator(points=points, method="exact")):
        assert np.array_equal(run_block(receiver, [burst])[0] < 0, bits == 1)
    (decided,) = run_block(UserPointsDecision(points=points), [burst])
    assert decided.dtype == np.uint8
    assert np.array_equal(decided, bits)


@pytest.mark.parametrize("block", [UserPointsDemodulator, UserPointsDecision])
def test_what_cannot_be_used(block):
    """Erasures: LLRs of 0, bits of 0. Empty bursts give empty ones."""
    last = PSK8[7]
    symbols = np.array([last, np.nan, np.inf, complex(0, -np.inf), *[last] * 6])
    gain = np.array([1, 1, 1, 1, 0, np.nan, np.inf, 1, 1, 1])
    noise = np.array([0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, np.inf, np.nan, -1])
    (out,) = run_block(block(points=PSK8), [received(symbols, gain, noise)])
    out = out.reshape(10, -1)
    assert out[0].all()
    assert not out[1:].any()
    for empty in (received([]), received([], [], [])):
        assert run_block(block(points=PSK8), [empty])[0].size == 0


def test_far_symbols_and_no_noise_give_finite_llrs():
    for method in ("max-log", "exact"):
        block = UserPointsDemodulator(points="1, -1", method=method)
        (llrs,) = run_block(block, [received([1e37, -1e37 + 1e37j, 1, -1], 1, [1, 1, 0, 0])])
        assert llrs.tolist() == [1e6, -1e6, 1e6, -1e6]


def test_the_cut_into_bursts_changes_nothing():
    bits = np.random.default_rng(3).integers(0, 2, 300, np.uint8)
    assert_chunking_invariant(UserPointsModulator(points=PSK8), bits, unit=3)


@pytest.mark.parametrize("decision", ["soft", "hard"])
def test_bpsk_over_awgn_is_theory(decision):
    """BER = Q(sqrt(2 Es/N0)), 99 % interval."""
    source, meter = RandomBits(n=20000, count=20), BerMeter()
    graph = Graph("BPSK", seed=3)
    receiver = [UserPointsDemodulator(), HardDecision()] if decision == "soft" else [UserPointsDecision()]
    graph.connect(source, UserPointsModulator(), AwgnChannel(esn0_db=4.0), *receiver, meter.received)
    graph.connect(source, meter.sent)
    graph.run()
    low, high = meter.interval(0.99)
    assert low < norm.sf(np.sqrt(2 * 10**0.4)) < high
    assert meter.bits == 400000


def test_points_as_text_stay_what_they_are():
    points = random_points(16)
    block = UserPointsModulator(points=points)
    assert isinstance(block.points, str)
    assert np.array_equal(points_of(block.points), points_of(UserPointsModulator(points=block.points).points))
    assert np.allclose(points_of(block.points), points)
    assert (block.order, block.bits_per_symbol) == (16, 4)
    assert np.array_equal(
        points_of("0.707+0.707j, -0.707 + 0.707j, 0.707-0.707j, -0.707-0.707j"),
        points_of("0.70710678+0.70710678j, -0.70710678+0.70710678j, 0.70710678-0.70710678j, -0.70710678-0.70710678j"),
    )


def test_points_go_through_a_graph_file(tmp_path):
    graph = Graph("points")
    graph.connect(
        RandomBits(n=300), UserPointsModulator(points=PSK8), AwgnChannel(), UserPointsDemodulator(points=PSK8)
    )
    graph.connect(graph["UserPointsDemodulator"], HardDecision())
    graph.save(tmp_path / "points.yaml")
    again = Graph.load(tmp_path / "points.yaml")
    assert np.array_equal(
        points_of(again["UserPointsModulator"].points), points_of(graph["UserPointsModulator"].points)
    )


def test_two_constellations_clash():
    graph = Graph()
    graph.connect(
        RandomBits(n=300), UserPointsModulator(points=PSK8), AwgnChannel(), UserPointsDecision(points=PSK8[::-1])
    )
    meter = BerMeter()
    graph.connect(graph["UserPointsDecision"], meter.received)
    graph.connect(graph["RandomBits"], meter.sent)
    with pytest.raises(WiringError, match=r"constellation is 8 points \w{8} \(set by UserPointsModulator.order=8"):
        graph.check()


@pytest.mark.parametrize(
    ("points", "message"),
    [
        ([1, -1, 1j], "a power of two; got 3"),
        ([1], "a power of two; got 1"),
        ([3, 1, -1, -3], "symbols have unit average power, these points have 5; divide all by 2.236068"),
        ([0, 0], "these points have 0$"),
        ([1e200, -1e200], "unit average power"),
        ([1, -1, 1, 1j], "points 0 and 2 are both"),
        ([1, float("nan")], r"point 1 is \(nan\+0j\); points are finite"),
        ("1, x", "points are complex numbers with commas between them"),
        ("", "points are complex numbers with commas between them"),
        (7, "takes a sequence of complex numbers, or text such as '1, -1'"),
        (["a"], "takes a sequence of complex numbers"),
        ([1j] * 8192, "a power of two; got 8192"),
    ],
)
def test_points_that_are_none(points, message):
    with pytest.raises(SettingError, match=message):
        UserPointsModulator(points=points)


def test_bits_that_do_not_fill_symbols():
    with pytest.raises(BlockError, match=r"got Bits\[4\]; a burst must hold whole symbols of 3 bits"):
        run_block(UserPointsModulator(points=PSK8), [np.zeros(4, np.uint8)])


def test_kernels_are_given_what_they_take():
    y, weights, points = np.zeros(3, np.complex64), np.ones(3, np.float32), np.array([1, -1], np.complex64)
    for function in (llrs_of_points, decide_points):
        assert function(y[::-1], weights, points).size == 3
        for wrong, message in (
            ((y.astype(complex), weights, points), "complex128"),
            ((y, weights.astype(float), points), "float64"),
            ((y, weights[:2], points), "every symbol has a weight, got 2 for 3 symbols"),
            ((y, weights, np.ones(3, np.complex64)), "a power of two; got 3"),
            ((y, weights, np.ones(8192, np.complex64)), "a power of two; got 8192"),
        ):
            with pytest.raises(ValueError, match=message):
                function(*wrong)
    block = UserPointsModulator()
    block.start()
    with pytest.raises(ValueError, match=r"\.astype\(np\.uint8\)"):
        block.work(np.zeros(4, np.int64))
    assert block.work(np.array([2, 3], np.uint8)).tolist() == [1, -1]
