import numpy as np
import pytest
from scipy import stats
from scipy.special import j0

from lgvsc_flow.blocks.channel import JakesChannel
from lgvsc_flow.blocks.channel.doppler import draw_fading
from lgvsc_flow.errors import SettingError
from lgvsc_flow.testing import run_block

LAGS = [1, 3, 10, 24, 40, 77]


def ensemble(first, count, *, processes, seed, doppler=0.01, **settings):
    """Gains of many independent processes, [count, processes], drawn in parts: their tables are large."""
    rng = np.random.default_rng(seed)
    parts = [draw_fading(doppler, rng, paths=200, **settings).at(first, count) for _ in range(processes // 200)]
    return np.hstack(parts).astype(complex)


def test_autocorrelation_is_bessel():
    """E h(t) h*(t + tau) = J0(2 pi f tau) over 5000 independent processes, at two times; 99.9 % for every lag."""
    processes, doppler = 5_000, 0.01
    for first in (0, 1_000_003):
        h = ensemble(first, max(LAGS) + 1, processes=processes, seed=1, doppler=doppler, sinusoids=16)
        for lag in LAGS:
            product = h[0] * h[lag].conj()
            expected = j0(2 * np.pi * doppler * lag)
            for part, mean in ((product.real, expected), (product.imag, 0.0)):
                assert abs(part.mean() - mean) < 3.6 * part.std() / np.sqrt(processes)


def test_the_processes_are_gaussian_and_independent():
    """Envelope Rayleigh, phase uniform (Kolmogorov-Smirnov), no correlation between processes; 99.9 % each. With 64
    sinusoids the kurtosis is 2 - 1/64, which 5000 processes cannot tell from 2."""
    h = ensemble(12345, 1, processes=5000, seed=2)[0]
    assert stats.kstest(np.abs(h) ** 2, "expon").pvalue > 1e-3
    assert stats.kstest(np.angle(h) / np.pi, stats.uniform(-1, 2).cdf).pvalue > 1e-3
    assert abs(np.mean(h[1:] * h[:-1].conj())) < 2.63 / np.sqrt(4999)  # |mean|^2 n is exponential


def test_fourth_moment_is_the_stated_one():
    """E|h|^4 = 2 - 1/N, at 99.9 %; N = 8 is far enough from 2 to be told apart."""
    squared = np.abs(ensemble(77, 1, processes=20_000, seed=3, sinusoids=8)[0]) ** 4
    bound = 3.29 * squared.std() / np.sqrt(squared.size)
    assert abs(squared.mean() - (2 - 1 / 8)) < bound < 0.124


def test_the_spectrum_is_that_of_jakes():
    """Power within +-f is (2 / pi) asin(f / f_D), of a long stretch of 200 processes; the angles cover the circle in
    equal parts, so that sinusoids next to f alone decide: within 1 part in 64."""
    doppler, n = 0.05, 8192
    h = draw_fading(doppler, np.random.default_rng(4), paths=200).at(0, n)
    spectrum = np.mean(np.abs(np.fft.fft(h * np.hanning(n)[:, None], axis=0)) ** 2, axis=1)
    frequency = np.abs(np.fft.fftfreq(n))
    for part in (0.3, 0.6, 0.9, 1.02):
        within = spectrum[frequency <= part * doppler].sum() / spectrum.sum()
        assert within == pytest.approx(2 / np.pi * np.arcsin(min(part, 1)), abs=1 / 64)


def test_line_of_sight():
    fading = draw_fading(0.01, np.random.default_rng(5), paths=3, k_factor_db=60.0, los_doppler=0.7)
    h = fading.at(0, 1000)
    turned = h * np.exp(-2j * np.pi * 0.007 * np.arange(1000))[:, None]
    assert np.allclose(turned, turned[0], atol=0.01)
    assert np.allclose(np.abs(h), 1, atol=0.01)
    assert not np.allclose(turned[0, 0], turned[0, 1], atol=0.1)  # phases are drawn
    power = np.abs(ensemble(9, 1, processes=5000, seed=6, k_factor_db=3.0)[0]) ** 2
    assert abs(power.mean() - 1) < 3.29 * power.std() / np.sqrt(power.size)  # 99.9 %


@pytest.mark.parametrize("coherence", [1, 7])
def test_the_cut_into_bursts_changes_nothing(coherence):
    symbols = np.exp(1j * np.arange(3000)).astype(np.complex64)
    settings = {"doppler_hz": 500.0, "symbol_rate_hz": 1e5, "coherence": coherence}
    (whole,) = run_block(JakesChannel(**settings), [symbols], seed=9)
    parts = run_block(JakesChannel(**settings), [symbols[:1], symbols[1:5], symbols[5:5], symbols[5:]], seed=9)
    assert np.array_equal(whole.gain, np.concatenate([p.gain for p in parts]))
    assert np.array_equal(whole.symbols, np.concatenate([p.symbols for p in parts]))
    if coherence == 7:
        held = whole.gain[:2996].reshape(-1, 7)
        assert (held == held[:, :1]).all()


def test_the_stated_gain_is_the_true_one():
    """The rest of y - h x is noise of the stated variance: 99.9 %."""
    symbols = np.exp(1j * np.arange(50_000)).astype(np.complex64)
    channel = JakesChannel(esn0_db=7.0)
    (received,) = run_block(channel, [symbols], seed=3)
    noise = received.symbols - received.gain * symbols
    assert abs(np.mean(np.abs(noise) ** 2) / 10**-0.7 - 1) < 3.29 / np.sqrt(50_000)
    assert channel.symbol_count == 50_000


def test_a_gain_held_too_long():
    with pytest.raises(SettingError, match=r"JakesChannel: doppler_hz=1000 means 1 turns while .* Take a smaller"):
        JakesChannel(doppler_hz=1000.0, symbol_rate_hz=1e5, coherence=100)
