"""Preference among latents, found by trying."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from lgvsc_flow.blocks.ntscc.nets import NtsccNet  # noqa: E402
from lgvsc_flow.blocks.ntscc.preference import tune_preference  # noqa: E402
from lgvsc_flow.blocks.ntscc.recipe import RECIPES  # noqa: E402


@pytest.fixture
def net():
    torch.manual_seed(0)
    net = NtsccNet(RECIPES["test"].net).eval()
    net.y_std.copy_(torch.linspace(0.5, 0.05, 32))
    return net


def batches(count):
    rng = np.random.default_rng(1)
    smooth = rng.integers(0, 256, (count, 8, 3, 8, 8)).repeat(8, 3).repeat(8, 4)
    return (0.9 * smooth + 0.1 * rng.integers(0, 256, smooth.shape)).astype(np.uint8)


def test_a_wrong_preference_is_mended_and_the_network_keeps_what_it_had(net):
    net.preference[1:8] = -2.0  # the strongest luminance latents are hardly ever sent
    before = net.preference.clone()
    tuned = tune_preference(net, batches(8), conditions=((0.005, 10.0),), passes=1)
    assert torch.equal(net.preference, before)
    assert tuned.after < tuned.before - 0.01
    again = tune_preference(net, batches(8), conditions=((0.005, 10.0),), passes=1)
    assert torch.equal(tuned.preference, again.preference)


def test_what_does_not_help_is_not_kept(net, monkeypatch):
    monkeypatch.setattr("lgvsc_flow.blocks.ntscc.preference._log_mse", lambda net, x, groups, conditions, seed: 1.0)
    tuned = tune_preference(net, batches(4), passes=1)
    assert torch.equal(tuned.preference, net.preference)


def test_too_few_batches_are_refused(net):
    with pytest.raises(ValueError, match="at least 4 batches"):
        tune_preference(net, batches(3))
