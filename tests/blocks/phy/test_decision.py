import numpy as np
import pytest

from lgvsc_flow import Graph
from lgvsc_flow.blocks.channel import AwgnChannel
from lgvsc_flow.blocks.metrics import BerMeter
from lgvsc_flow.blocks.phy import HardDecision, QamDecision, QamModulator, RandomBits
from lgvsc_flow.blocks.phy.constellation import ORDERS, constellation
from lgvsc_flow.blocks.phy.qam import demodulate, modulate
from lgvsc_flow.errors import BlockError, WiringError
from lgvsc_flow.items import Received
from lgvsc_flow.testing import run_block


def received(symbols, gain=1.0, noise_variance=1.0):
    return Received(
        np.asarray(symbols, np.complex64), np.asarray(gain, np.complex64), np.asarray(noise_variance, np.float32)
    )


def test_one_iff_below_zero():
    llrs = np.array([1, -1, 0, -0.0, np.inf, -np.inf, np.nan, -1e-30], np.float32)
    (bits,) = run_block(HardDecision(), [llrs])
    assert bits.dtype == np.uint8
    assert bits.tolist() == [0, 1, 0, 0, 0, 1, 0, 1]


def test_empty_burst():
    (bits,) = run_block(HardDecision(), [np.zeros(0, np.float32)])
    assert bits.size == 0


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("gain", ["none", "one", "each"])
def test_the_nearest_point_wins(order, gain):
    """Against a search over all points in double precision, and against the signs of the LLRs."""
    rng = np.random.default_rng(order)
    n = 1003
    turn = {"none": 1.0, "one": 0.3 - 1.2j, "each": rng.normal(size=n) + 1j * rng.normal(size=n)}[gain]
    x = rng.normal(size=n) + 1j * rng.normal(size=n)
    symbols = received(x * turn, turn, 0.1)
    (bits,) = run_block(QamDecision(order=order), [symbols])
    assert bits.dtype == np.uint8
    equal = symbols.symbols.astype(complex) / symbols.gain
    distance = np.abs(equal[:, None] - constellation(order))
    nearest = np.sort(distance, axis=1)
    clear = nearest[:, 1] - nearest[:, 0] > 1e-5
    assert clear.mean() > 0.99
    decided = modulate(bits, order)
    assert np.array_equal(decided[clear], constellation(order)[distance.argmin(axis=1)][clear])
    signs = demodulate(symbols, order).reshape(n, -1) < 0
    assert np.array_equal(bits.reshape(n, -1)[clear], signs[clear])


@pytest.mark.parametrize("order", ORDERS)
def test_what_cannot_be_used_decides_for_zeros(order):
    point = constellation(order)[order - 1]
    symbols = np.array([point, np.nan, np.inf, complex(0, -np.inf), *[point] * 6])
    gain = np.array([1, 1, 1, 1, 0, np.nan, np.inf, 1, 1, 1])
    noise = np.array([0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, np.inf, np.nan, -1])
    (bits,) = run_block(QamDecision(order=order), [received(symbols, gain, noise)])
    bits = bits.reshape(10, -1)
    assert bits[0].all()
    assert not bits[1:].any()
    for i in range(4, 10):
        (one,) = run_block(QamDecision(order=order), [received([point, point], gain[i], noise[i])])
        assert not one.any()
    (scalar,) = run_block(QamDecision(order=order), [received(symbols[:4])])
    assert np.array_equal(scalar, bits[:4].ravel())


@pytest.mark.parametrize("order", ORDERS)
def test_no_symbols(order):
    for empty in (received([]), received([], [], [])):
        (bits,) = run_block(QamDecision(order=order), [empty])
        assert bits.size == 0
        assert bits.dtype == np.uint8


def test_messages():
    with pytest.raises(BlockError, match="gain has 2 values for 3 symbols; it is a scalar or one each"):
        run_block(QamDecision(), [received(np.ones(3), np.ones(2))])
    graph, source, meter = Graph(), RandomBits(n=64), BerMeter()
    graph.connect(source, QamModulator(order=16), AwgnChannel(), QamDecision(order=64), meter.received)
    graph.connect(source, meter.sent)
    with pytest.raises(WiringError, match=r"constellation is 16-QAM \(set by QamModulator.order=16\)"):
        graph.check()
