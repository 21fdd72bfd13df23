import numpy as np
import pytest

from lgvsc_flow.blocks.phy import QamDemodulator, QamModulator
from lgvsc_flow.blocks.phy.qam import ORDERS, constellation, modulate
from lgvsc_flow.errors import BlockError, SettingError
from lgvsc_flow.items import Received
from lgvsc_flow.testing import assert_chunking_invariant, run_block


def received(symbols, gain=1.0, noise_variance=1.0):
    return Received(
        np.asarray(symbols, np.complex64), np.asarray(gain, np.complex64), np.asarray(noise_variance, np.float32)
    )


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
@pytest.mark.parametrize("symbols", [1, 15, 16, 1003])
def test_every_label_has_its_point(order, symbols):
    """Bit for bit the constellation's point, whatever else a byte holds beside its lowest bit."""
    m = order.bit_length() - 1
    bits = np.random.default_rng(1).integers(0, 2, symbols * m, np.uint8)
    labels = bits.reshape(-1, m) @ (1 << np.arange(m)[::-1])
    assert np.array_equal(modulate(bits, order), constellation(order)[labels])
    assert np.array_equal(modulate(np.repeat(bits, 2)[::2], order), constellation(order)[labels])
    assert np.array_equal(modulate(bits | 0xFE, order), constellation(order)[labels])


@pytest.mark.parametrize("order", ORDERS)
def test_the_cut_into_bursts_changes_nothing(order):
    m = order.bit_length() - 1
    bits = np.random.default_rng(2).integers(0, 2, 200 * m, np.uint8)
    assert_chunking_invariant(QamModulator(order=order), bits, unit=m)


def test_empty_bursts():
    assert run_block(QamModulator(order=64), [np.zeros(0, np.uint8)])[0].size == 0
    assert run_block(QamDemodulator(order=64), [received([], np.zeros(0), np.zeros(0))])[0].size == 0
    assert run_block(QamDemodulator(order=64), [received([])])[0].size == 0


def test_messages():
    with pytest.raises(
        BlockError, match=r"got Bits\[6\]; a burst must hold whole symbols of 4 bits. \(from ValueError"
    ):
        run_block(QamModulator(order=16), [np.zeros(6, np.uint8)])
    with pytest.raises(SettingError, match=r"QamModulator.order is one of 4, 16, 64, 256, 1024; got 8"):
        QamModulator(order=8)
    with pytest.raises(BlockError, match="gain has 2 values for 3 symbols; it is a scalar or one each"):
        run_block(QamDemodulator(order=4), [received(np.ones(3), np.ones(2))])
