import numpy as np
import pytest
from scipy import stats

from lgvsc_flow import Block, Graph, In, Out
from lgvsc_flow.blocks.channel import AwgnChannel
from lgvsc_flow.blocks.phy import RandomBits
from lgvsc_flow.errors import BlockError, SettingError
from lgvsc_flow.items import Bits, Symbols
from lgvsc_flow.testing import run_block


class Broken(Block):
    """Symbols of which one is NaN."""

    bits = In(Bits, "n")
    symbols = Out(Symbols, "n")

    def work(self, bits: np.ndarray) -> np.ndarray:
        return np.where(np.arange(bits.size) == 3, np.nan, 1).astype(np.complex64)


@pytest.mark.parametrize("esn0_db", [-3.0, 10.0])
def test_noise_is_complex_gaussian_of_the_stated_variance(esn0_db):
    """Kolmogorov-Smirnov on both dimensions, variance and their correlation; each at 99.9 %."""
    n = 200_000
    (received,) = run_block(AwgnChannel(esn0_db=esn0_db), [np.ones(n, np.complex64)], seed=3)
    noise = received.symbols - 1
    variance = 10 ** (-esn0_db / 10)
    assert received.noise_variance == pytest.approx(variance, rel=1e-6)
    assert received.gain == 1
    for part in (noise.real, noise.imag):
        assert stats.kstest(part / np.sqrt(variance / 2), "norm").pvalue > 1e-3
    power = np.mean(np.abs(noise.astype(complex)) ** 2)
    assert abs(power / variance - 1) < 3.29 / np.sqrt(n)
    assert abs(np.mean(noise.real * noise.imag)) / (variance / 2) < 3.29 / np.sqrt(n)
    assert abs(np.mean(noise[1:] * noise[:-1].conj())) / variance < 3.29 / np.sqrt(n)


def test_the_tail_is_there():
    """Beyond 4.5 sigma: 6.8e-6 of the values, 27 expected of 4 million; 99.9 % bounds of a Poisson count."""
    (received,) = run_block(AwgnChannel(esn0_db=0.0), [np.zeros(2_000_000, np.complex64)], seed=1)
    beyond = np.count_nonzero(np.abs(received.symbols.view(np.float32)) > 4.5 * np.sqrt(0.5))
    low, high = stats.poisson.interval(0.999, 4e6 * 2 * stats.norm.sf(4.5))
    assert low <= beyond <= high


def test_the_seed_decides_and_the_symbols_are_counted():
    symbols = np.ones(100, np.complex64)
    channel = AwgnChannel(esn0_db=0.0)
    first = run_block(channel, [symbols, symbols[:30], symbols[:0]], seed=1)
    assert channel.symbol_count == 130
    again = run_block(channel, [symbols], seed=1)
    assert channel.symbol_count == 100
    other = run_block(AwgnChannel(esn0_db=0.0), [symbols], seed=2)
    assert np.array_equal(first[0].symbols, again[0].symbols)
    assert not np.array_equal(first[0].symbols, other[0].symbols)
    assert [r.symbols.size for r in first] == [100, 30, 0]
    assert first[0].symbols.dtype == np.complex64
    assert np.array_equal(symbols, np.ones(100))


def test_the_cut_into_bursts_changes_nothing():
    symbols = np.exp(1j * np.arange(1000)).astype(np.complex64)
    (whole,) = run_block(AwgnChannel(esn0_db=3.0), [symbols], seed=1)
    parts = run_block(AwgnChannel(esn0_db=3.0), [symbols[:1], symbols[1:18], symbols[18:18], symbols[18:]], seed=1)
    assert np.array_equal(np.concatenate([p.symbols for p in parts]), whole.symbols)


def test_symbols_are_finite():
    graph, source = Graph(), RandomBits(n=8)
    graph.connect(source, Broken(), AwgnChannel())
    with pytest.raises(BlockError, match=r"sent 1 NaN or infinite values in 8 elements; .*AwgnChannel.symbols"):
        graph.run(engine="inline")


def test_esn0_has_a_range():
    with pytest.raises(SettingError, match=r"AwgnChannel.esn0_db must be <= 100 dB, got 101"):
        AwgnChannel(esn0_db=101)
    with pytest.raises(SettingError, match=r"AwgnChannel.esn0_db is NaN"):
        AwgnChannel(esn0_db=float("nan"))
