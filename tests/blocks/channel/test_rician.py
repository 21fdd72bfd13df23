import numpy as np
import pytest
from scipy import stats

from lgvsc_flow.blocks.channel import RicianChannel
from lgvsc_flow.errors import SettingError
from lgvsc_flow.testing import run_block


@pytest.mark.parametrize("k_factor_db", [-10.0, 0.0, 10.0])
def test_envelope_and_k_factor(k_factor_db):
    """|h| is Rice distributed (Kolmogorov-Smirnov), E|h|^2 = 1, and the K factor of the sample moments is the stated
    one, each at 99.9 %; spread of the moments by the exact variances of a Rice power."""
    n, k = 200_000, 10 ** (k_factor_db / 10)
    channel = RicianChannel(k_factor_db=k_factor_db, coherence=1)
    (received,) = run_block(channel, [np.ones(n, np.complex64)], seed=4)
    h = received.gain.astype(complex)
    sigma = np.sqrt(1 / (2 * (k + 1)))
    assert stats.kstest(np.abs(h), stats.rice(np.sqrt(2 * k), scale=sigma).cdf).pvalue > 1e-3
    power_variance = (1 + 2 * k) / (1 + k) ** 2
    assert abs(np.mean(np.abs(h) ** 2) - 1) < 3.29 * np.sqrt(power_variance / n)
    assert abs(np.mean(h) - np.sqrt(k / (k + 1))) < 3.72 * np.sqrt(1 / (k + 1) / n)  # a complex mean: Rayleigh tail
    scattered = np.var(h)
    assert abs(scattered * (k + 1) - 1) < 3.29 / np.sqrt(n)


def test_blocks_noise_and_state():
    symbols = np.exp(1j * np.arange(50_000)).astype(np.complex64)
    channel = RicianChannel(esn0_db=7.0, coherence=5)
    received, short = run_block(channel, [symbols, symbols[:3]], seed=2)
    assert channel.symbol_count == 50_003
    blocks = received.gain.reshape(-1, 5)
    assert (blocks == blocks[:, :1]).all()
    assert np.unique(blocks[:, 0]).size == 10_000
    assert short.gain[0] not in received.gain
    noise = received.symbols - received.gain * symbols
    assert received.noise_variance == pytest.approx(10**-0.7, rel=1e-6)
    assert abs(np.mean(np.abs(noise) ** 2) / 10**-0.7 - 1) < 3.29 / np.sqrt(50_000)  # 99.9 %


def test_k_has_a_range():
    with pytest.raises(SettingError, match=r"RicianChannel.k_factor_db must be <= 60 dB, got 61"):
        RicianChannel(k_factor_db=61)
