"""Learning: every weight moves, how each run begins, and steps that diverge."""

from dataclasses import replace

import numpy as np
import pytest
from tiny_training import write_cache

torch = pytest.importorskip("torch")

from lgvsc_flow.blocks.ntscc import learning  # noqa: E402
from lgvsc_flow.blocks.ntscc.data import Crops  # noqa: E402
from lgvsc_flow.blocks.ntscc.learning import Learner, mixed_type  # noqa: E402
from lgvsc_flow.blocks.ntscc.nets import NetSettings  # noqa: E402
from lgvsc_flow.blocks.ntscc.recipe import RECIPES  # noqa: E402
from lgvsc_flow.errors import FlowError, ModelError  # noqa: E402

RECIPE = RECIPES["test"]


@pytest.fixture(scope="module")
def crops(tmp_path_factory):
    return Crops(write_cache(tmp_path_factory.mktemp("cache")), 32)


def begun(crops, recipe=RECIPE, steps=0):
    learner = Learner(recipe)
    learner.begin(crops.batch(9, number, 4, 2) for number in range(4))
    for _ in range(steps):
        learn(learner, crops)
    return learner


def learn(learner, crops, progress=0.5):
    return learner.learn(crops.batch(1, learner.step, 2, 2), progress)


def test_all_weights_learn(crops):
    learner = begun(crops)
    before = {name: p.detach().clone() for name, p in learner.net.named_parameters()}
    for _ in range(4):
        assert np.isfinite(list(learn(learner, crops).values())).all()
    still = [name for name, p in learner.net.named_parameters() if torch.equal(p, before[name])]
    assert still == []


def test_in_the_first_stage_the_large_networks_rest(crops):
    learner = begun(crops)
    before = {name: p.detach().clone() for name, p in learner.net.named_parameters()}
    for _ in range(3):
        learn(learner, crops, 0.0)
    moved = {name.split(".")[0] for name, p in learner.net.named_parameters() if not torch.equal(p, before[name])}
    assert moved == {"analysis", "synthesis", "h_a", "h_s", "prior", "gain", "f_e", "f_d"}


def test_a_state_is_all_that_it_takes_to_go_on(crops):
    unbroken = begun(crops, steps=3)
    first = begun(crops, steps=2)
    again = Learner(RECIPE)
    again.load(first.state())
    learn(again, crops)
    for name, value in unbroken.net.state_dict().items():
        assert torch.equal(again.net.state_dict()[name], value), name
        assert torch.equal(again.ema[name], unbroken.ema[name]), name


def test_a_changed_rate_holds_after_loading(crops):
    first = begun(crops, steps=1)
    again = Learner(replace(RECIPE, learning_rate=1e-5))
    again.load(first.state())
    learn(again, crops)
    assert again.optimizer.param_groups[0]["lr"] <= 1e-5


def test_begin_from_takes_the_hyperprior_and_leaves_the_rest(crops):
    first, second = begun(crops, steps=2), Learner(RECIPE)
    fresh = {name: p.clone() for name, p in second.net.state_dict().items()}
    second.begin_from(first.state())
    state = second.net.state_dict()
    assert torch.equal(state["h_s.first.weight"], first.net.state_dict()["h_s.first.weight"])
    assert torch.equal(state["g_s.first.weight"], fresh["g_s.first.weight"])
    torch.testing.assert_close(state["prior.log_gain"].diff(dim=0), torch.full((7, 4), 0.3))
    assert np.isfinite(learn(second, crops)["loss"])


def test_a_grown_run_begins_as_the_average_of_the_old(crops):
    first = begun(crops, steps=3)
    sizes = NetSettings((24, 8, 8), 4, 8, 12, 8, (12, 8, 8), (1, 2, 1), (8, 12, 8), (2, 1, 1))
    second = begun(crops, replace(RECIPE, net=sizes))
    second.grow_from(first.state() | {"settings": RECIPE.net.as_dict()})
    torch.testing.assert_close(second.net.state_dict()["h_s.first.weight"], first.ema["h_s.first.weight"])
    assert np.isfinite(learn(second, crops)["loss"])


def test_states_of_other_networks(crops):
    large = begun(crops, replace(RECIPE, net=NetSettings((24, 8, 8), 4, 8, 12, 8, (12, 8, 8), (1, 2, 1), (8, 12, 8))))
    small = begun(crops)
    state = large.state() | {"settings": large.recipe.net.as_dict()}
    with pytest.raises(ModelError, match=r"the checkpoint is of other networks than the recipe test: "):
        small.load(state)
    with pytest.raises(ModelError, match=r"it cannot be grown into the networks of the recipe test: .* does not fit"):
        small.grow_from(state)
    with pytest.raises(ModelError, match=r"its hyperprior does not fit: size mismatch"):
        small.begin_from(state)


def test_steps_that_diverge_are_skipped_then_end_the_run(crops, monkeypatch):
    learner = begun(crops, replace(RECIPE, skips_allowed=3))
    whole = learning.simulate

    def diverged(*arguments, **keywords):
        out = whole(*arguments, **keywords)
        out.mse = out.mse * np.nan
        return out

    before = {name: p.detach().clone() for name, p in learner.net.named_parameters()}
    monkeypatch.setattr(learning, "simulate", diverged)
    learn(learner, crops)
    assert np.isnan(learn(learner, crops)["loss"])
    assert (learner.skipped, learner.skipped_in_a_row) == (2, 2)
    assert all(torch.equal(p, before[name]) for name, p in learner.net.named_parameters())
    assert all(torch.isfinite(p).all() for p in learner.ema.values())
    monkeypatch.setattr(learning, "simulate", whole)
    learn(learner, crops)
    assert (learner.skipped, learner.skipped_in_a_row) == (2, 0)
    monkeypatch.setattr(learning, "simulate", diverged)
    learn(learner, crops)
    learn(learner, crops)
    with pytest.raises(FlowError) as error:
        learn(learner, crops)
    assert "no finite gradient in 3 steps in a row, up to step 5 (loss nan, " in str(error.value)
    assert "Go on from the last checkpoint with --resume --set learning_rate=0.0002, or with --dtype" in str(
        error.value
    )


def test_the_number_type(crops):
    cpu = torch.device("cpu")
    assert mixed_type("float32", cpu, RECIPE) == torch.float32
    assert mixed_type("bfloat16", cpu, RECIPE) == torch.bfloat16
    assert mixed_type("auto", cpu, replace(RECIPE, mixed_precision=False)) == torch.float32
    learner = Learner(RECIPE, dtype="float32")
    learner.begin([crops.batch(0, 0)])
    assert np.isfinite(learn(learner, crops)["loss"])
