import numpy as np
import pytest
from scipy import stats

from lgvsc_flow.blocks.channel import RayleighChannel
from lgvsc_flow.errors import SettingError
from lgvsc_flow.testing import run_block


def test_gains_are_complex_gaussian_and_constant_in_blocks():
    """|h|^2 is exponential of mean 1, the phase uniform: Kolmogorov-Smirnov at 99.9 %."""
    channel = RayleighChannel(esn0_db=30.0, coherence=5)
    (received,) = run_block(channel, [np.ones(100_003, np.complex64)], seed=2)
    assert channel.symbol_count == 100_003
    assert received.gain.size == received.symbols.size == 100_003
    blocks = received.gain[:100_000].reshape(-1, 5)
    assert (blocks == blocks[:, :1]).all()
    assert np.unique(blocks[:, 0]).size == 20_000
    assert stats.kstest(np.abs(blocks[:, 0]) ** 2, "expon").pvalue > 1e-3
    assert stats.kstest(np.angle(blocks[:, 0]) / np.pi, stats.uniform(-1, 2).cdf).pvalue > 1e-3
    assert np.abs(np.mean(blocks[1:, 0] * blocks[:-1, 0].conj())) < 3.29 / np.sqrt(20_000)


def test_the_stated_gain_is_the_true_one():
    """What is left is Gaussian noise of the stated variance: 99.9 % each."""
    symbols = np.exp(1j * np.arange(50_000)).astype(np.complex64)
    (received,) = run_block(RayleighChannel(esn0_db=7.0, coherence=64), [symbols], seed=3)
    noise = received.symbols - received.gain * symbols
    variance = 10**-0.7
    assert received.noise_variance == pytest.approx(variance, rel=1e-6)
    assert abs(np.mean(np.abs(noise) ** 2) / variance - 1) < 3.29 / np.sqrt(50_000)
    assert stats.kstest(noise.real / np.sqrt(variance / 2), "norm").pvalue > 1e-3


def test_each_burst_begins_a_new_block():
    symbols = np.ones(10, np.complex64)
    received = run_block(RayleighChannel(coherence=64), [symbols, symbols, symbols[:0]], seed=1)
    assert received[0].gain[0] != received[1].gain[0]
    assert received[2].symbols.size == received[2].gain.size == 0


def test_coherence_has_a_range():
    with pytest.raises(SettingError, match=r"RayleighChannel.coherence must be >= 1 symbols, got 0"):
        RayleighChannel(coherence=0)
