"""Which latents are sent, and with how much power."""

import numpy as np
import pytest
import torch

from lgvsc_flow.blocks.ntscc.allocation import STEPS_PER_NEPER, burst_order, linear_power, select


@pytest.mark.parametrize("k", [1, 2, 3, 10, 997, 4096])
def test_burst_order_is_a_permutation(k):
    assert sorted(burst_order(k)) == list(range(k))


def test_neighbours_are_spread_over_the_burst():
    order = burst_order(1000)
    place = np.argsort(order)
    assert np.abs(np.diff(place)).min() > 100


def test_select_takes_exactly_the_k_largest():
    log_sigma = torch.from_numpy(np.random.default_rng(0).normal(size=(1, 4, 5, 6)))
    chosen = select(log_sigma, 40)
    assert chosen.unique().numel() == 40
    left = np.setdiff1d(np.arange(120), chosen.numpy())
    assert log_sigma.flatten()[chosen].min() >= log_sigma.flatten()[left].max() - 1 / 32


def test_select_breaks_ties_by_index_and_ignores_rounding():
    equal = torch.zeros(1, 2, 4, 4, dtype=torch.float64)
    jitter = equal + 1e-9 * torch.randn(equal.shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    assert sorted(select(equal, 8).tolist()) == list(range(8))
    assert select(equal, 8).tolist() == select(jitter, 8).tolist()


def test_select_refuses_more_than_there_are():
    with pytest.raises(ValueError, match="cannot send 5 of 4 latents"):
        select(torch.zeros(4), 5)


@pytest.mark.parametrize("noise", [1.6, 0.1])
def test_linear_power_is_optimal(noise):
    """No small transfer of power between two dimensions lowers the squared error."""
    sigma = torch.tensor(np.random.default_rng(1).lognormal(size=50))
    power = linear_power(sigma, noise)
    assert power.mean().item() == pytest.approx(1)
    slope = sigma.square() / noise / (1 + power / noise) ** 2  # fall of the error per power
    active = power > 0
    assert slope[active].std() / slope[active].mean() < 1e-6
    assert not (~active).any() or slope[~active].max() <= slope[active].mean()


def test_selection_is_that_of_a_stable_sort():
    rng = np.random.default_rng(5)
    for size, spread in ((1, 1.0), (40, 0.05), (999, 0.3), (5000, 3.0)):
        values = torch.from_numpy(rng.normal(0, spread, size))
        order = np.argsort(-np.rint(values.numpy() * STEPS_PER_NEPER), kind="stable")
        for k in {0, 1, size // 3, size - 1, size}:
            assert sorted(select(values, k).tolist()) == sorted(order[:k].tolist())
