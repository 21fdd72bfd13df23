import numpy as np
import pytest

from lgvsc_flow.blocks.channel import Equalizer
from lgvsc_flow.blocks.phy.qam import demodulate
from lgvsc_flow.items import Received
from lgvsc_flow.testing import run_block


def faded(n=5000, seed=1):
    rng = np.random.default_rng(seed)
    x = (rng.choice([-1, 1], n) + 1j * rng.choice([-1, 1], n)) / np.sqrt(2)
    h = (rng.normal(size=n) + 1j * rng.normal(size=n)) / np.sqrt(2)
    noise = (rng.normal(size=n) + 1j * rng.normal(size=n)) * np.sqrt(0.05)
    y = (h * x + noise).astype(np.complex64)
    return x, Received(y, h.astype(np.complex64), np.array(0.1, np.float32))


def test_zero_forcing():
    x, received = faded()
    (out,) = run_block(Equalizer(method="zf"), [received])
    assert np.allclose(out.symbols, received.symbols / received.gain, rtol=1e-4)
    assert (out.gain == 1).all()
    assert np.allclose(out.noise_variance, 0.1 / np.abs(received.gain) ** 2, rtol=1e-4)
    normalised = np.abs(out.symbols - x) ** 2 / out.noise_variance
    assert abs(normalised.mean() - 1) < 3.29 / np.sqrt(x.size)  # 99.9 %


def test_mmse_has_the_least_error_and_states_its_bias():
    """The error of a linear estimate y w is least at w = h* / (|h|^2 + N0), and then N0 / (|h|^2 + N0) on average.

    The means of 200,000 squares are within 2 %, which is more than five times their spread (99.9999 %).
    """
    x, received = faded(200_000)
    zf, mmse = (run_block(Equalizer(method=m), [received])[0] for m in ("zf", "mmse"))
    error = np.mean(np.abs(mmse.symbols - x) ** 2)
    assert error < np.mean(np.abs(zf.symbols - x) ** 2)
    assert error == pytest.approx(np.mean(0.1 / (np.abs(received.gain) ** 2 + 0.1)), rel=0.02)
    residual = np.abs(mmse.symbols - mmse.gain * x) ** 2 / mmse.noise_variance
    assert residual.mean() == pytest.approx(1, rel=0.02)


@pytest.mark.parametrize("order", [4, 16, 256])
def test_soft_bits_do_not_depend_on_the_equalizer(order):
    _, received = faded()
    plain = demodulate(received, order)
    for method in ("zf", "mmse"):
        (out,) = run_block(Equalizer(method=method), [received])
        assert np.allclose(demodulate(out, order), plain, rtol=1e-3, atol=1e-2)


@pytest.mark.parametrize("method", ["zf", "mmse"])
def test_what_cannot_be_recovered_is_an_erasure(method):
    symbols = np.array([1, np.nan, np.inf, 1, 1, 1, 1], np.complex64)
    gain = np.array([1, 1, 1, 0, np.nan, 1, 1e-30], np.complex64)
    noise = np.array([0.1, 0.1, 0.1, 0.1, 0.1, np.inf, 0.1], np.float32)
    (out,) = run_block(Equalizer(method=method), [Received(symbols, gain, noise)])
    assert np.isfinite(out.symbols).all()
    assert not out.symbols[1:].any()
    assert np.isinf(out.noise_variance[1:]).all()
    assert np.isfinite(out.noise_variance[0])
    assert not demodulate(out, 16)[4:].any()


@pytest.mark.parametrize("method", ["zf", "mmse"])
def test_the_state_of_a_burst_stays_one(method):
    """The same as with a copy of it per symbol, to float32; and so does what a demapper makes of it."""
    rng = np.random.default_rng(2)
    y = (rng.normal(size=501) + 1j * rng.normal(size=501)).astype(np.complex64)
    one = Received(y, np.array(0.5 - 2j, np.complex64), np.array(0.3, np.float32))
    each = Received(y, np.full(501, 0.5 - 2j, np.complex64), np.full(501, 0.3, np.float32))
    burst, symbols = run_block(Equalizer(method=method), [one, each])
    assert burst.gain.shape == burst.noise_variance.shape == ()
    assert symbols.gain.shape == symbols.noise_variance.shape == (501,)
    for field in ("symbols", "gain", "noise_variance"):
        assert np.allclose(getattr(burst, field), getattr(symbols, field), rtol=1e-6)
    assert np.allclose(demodulate(burst, 16), demodulate(symbols, 16), rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("method", ["zf", "mmse"])
@pytest.mark.parametrize(
    ("symbol", "gain", "noise"), [(np.nan, 1, 0.1), (np.inf, 1, 0.1), (1, 0, 0.1), (1, np.nan, 0.1), (1, 1, np.inf)]
)
def test_an_erasure_in_a_burst_with_one_state(method, symbol, gain, noise):
    state = np.array(gain, np.complex64), np.array(noise, np.float32)
    (out,) = run_block(Equalizer(method=method), [Received(np.array([0.5, symbol], np.complex64), *state)])
    assert out.symbols[1] == 0
    assert np.isinf(out.noise_variance[1])
    assert np.isfinite(out.noise_variance[0]) == bool(np.isfinite(gain) and gain and np.isfinite(noise))


def test_scalar_state_and_empty_bursts():
    one = Received(np.ones(3, np.complex64), np.array(2, np.complex64), np.array(0.4, np.float32))
    none = Received(np.zeros(0, np.complex64), np.array(1, np.complex64), np.array(0.4, np.float32))
    out, empty = run_block(Equalizer(), [one, none])
    assert np.allclose(out.symbols, 0.5)
    assert np.allclose(out.noise_variance, 0.1)
    assert out.gain == 1
    assert empty.symbols.size == 0
