import numpy as np
import pytest
from scipy import stats

from lgvsc_flow.blocks.channel import GilbertElliottChannel
from lgvsc_flow.blocks.phy.qam import demodulate
from lgvsc_flow.errors import SettingError
from lgvsc_flow.testing import run_block


def lost(channel, n, seed=1, cuts=()):
    received = run_block(channel, np.split(np.ones(n, np.complex64), cuts), seed=seed)
    return np.concatenate([np.isinf(r.noise_variance) for r in received])


@pytest.mark.parametrize(("bad_rate", "mean_run"), [(0.05, 40.0), (0.4, 3.0), (0.3, 1.0)])
def test_stationary_loss_and_run_lengths(bad_rate, mean_run):
    """99.9 % each: the loss by the exact variance of a Markov chain's mean, the lengths of the runs by their mean and
    by chi-square against the geometric distribution."""
    n = 400_000
    channel = GilbertElliottChannel(bad_rate=bad_rate, mean_run=mean_run)
    bad = lost(channel, n)
    memory = 1 - channel.to_bad - channel.to_good
    spread = np.sqrt(bad_rate * (1 - bad_rate) * (1 + memory) / (1 - memory) / n)
    assert abs(bad.mean() - bad_rate) < 3.29 * spread
    assert channel.lost_count == bad.sum()
    edges = np.flatnonzero(np.diff(bad.astype(int)))
    edges = edges[1:] if bad[0] else edges
    runs = np.diff(edges)[::2]
    assert abs(runs.mean() - mean_run) <= 3.29 * np.sqrt(mean_run * (mean_run - 1) / runs.size)
    if mean_run > 1:
        classes = np.unique(stats.geom.ppf(np.linspace(0, 1, 11)[1:-1], 1 / mean_run))
        observed = np.bincount(np.searchsorted(classes, runs), minlength=classes.size + 1)
        expected = np.diff(np.r_[0, stats.geom.cdf(classes, 1 / mean_run), 1]) * runs.size
        assert stats.chisquare(observed, expected).pvalue > 1e-3


def test_losses_within_the_states():
    """Binomial within each state, 99.9 %: with loss 0.1 in good and 0.8 in bad, and of the whole."""
    channel = GilbertElliottChannel(bad_rate=0.25, mean_run=50.0, loss_in_good=0.1, loss_in_bad=0.8)
    assert channel.loss_rate == pytest.approx(0.25 * 0.8 + 0.75 * 0.1)
    together, pure = lost(channel, 300_000), lost(GilbertElliottChannel(bad_rate=0.25, mean_run=50.0), 300_000)
    for state, rate in ((True, 0.8), (False, 0.1)):
        of_state = together[pure == state]  # the same seed: the same states
        assert abs(of_state.mean() - rate) < 3.29 * np.sqrt(rate * (1 - rate) / of_state.size)


@pytest.mark.parametrize("unit", [1, 7])
def test_the_cut_into_bursts_changes_nothing(unit):
    settings = {"bad_rate": 0.3, "mean_run": 4.0, "loss_in_good": 0.1, "unit": unit}
    whole = lost(GilbertElliottChannel(**settings), 5000)
    assert np.array_equal(whole, lost(GilbertElliottChannel(**settings), 5000, cuts=[1, 2, 2, 6, 7, 8, 1000]))
    units = whole[:4998].reshape(-1, unit)
    assert (units == units[:, :1]).all()


def test_a_loss_is_an_erasure_and_the_rest_is_awgn():
    """Noise variance at 99.9 %."""
    (received,) = run_block(GilbertElliottChannel(esn0_db=5.0, bad_rate=0.5), [np.ones(50_000, np.complex64)], seed=2)
    gone = np.isinf(received.noise_variance)
    assert (received.symbols[gone] == 0).all()
    assert (demodulate(received, 4)[np.repeat(gone, 2)] == 0).all()
    assert (received.noise_variance[~gone] == np.float32(10**-0.5)).all()
    noise = received.symbols[~gone] - 1
    assert abs(np.mean(np.abs(noise) ** 2) / 10**-0.5 - 1) < 3.29 / np.sqrt(noise.size)
    assert received.noise_variance.dtype == np.float32


def test_nothing_is_lost_at_rate_0():
    assert not lost(GilbertElliottChannel(bad_rate=0.0), 1000).any()


def test_runs_that_are_too_short():
    with pytest.raises(SettingError, match=r"with bad_rate=0.9 runs cannot be as short as mean_run=2; at least 9"):
        GilbertElliottChannel(bad_rate=0.9, mean_run=2.0)
