"""Recipes: their numbers, their draws, and how they are changed."""

from dataclasses import replace

import pytest

torch = pytest.importorskip("torch")

from lgvsc_flow.blocks.ntscc.nets import NetSettings  # noqa: E402
from lgvsc_flow.blocks.ntscc.recipe import RECIPES, Recipe, changed, recipe_from  # noqa: E402
from lgvsc_flow.errors import SettingError  # noqa: E402

TEST = RECIPES["test"]


def test_the_rate_is_constant_or_falls():
    constant, falling = replace(TEST, constant=True), replace(TEST, constant=False)
    assert constant.rate(0, 0.0) == 0.5
    assert constant.rate(10**6, 0.9) == 1.0
    assert falling.rate(10**6, 0.5) == pytest.approx(0.5)
    assert falling.rate(10**6, 1.0) == 0.002


def test_half_of_the_draws_come_from_the_narrow_ranges():
    recipe = replace(TEST, focus_cbr=(0.03, 0.031), focus_snr_db=(10.0, 10.1), groups=1)
    draws = [recipe.draws(step)[0] for step in range(400)]
    narrow = sum(0.03 <= d.cbr <= 0.031 and 10.0 <= d.snr_db <= 10.1 for d in draws)
    assert 150 < narrow < 250  # binomial with p = 0.5: 1 in a million outside


def test_the_paper_s_recipe():
    paper = RECIPES["paper"]
    assert (paper.learning_rate, paper.pictures_per_step, paper.epochs) == (1e-4, 64, 100)


def test_numbers_are_changed_by_name():
    recipe = changed(TEST, ["learning_rate=5e-4", "constant=true", "cbr=0.02,0.05", "seed=7"])
    assert (recipe.learning_rate, recipe.constant, recipe.cbr, recipe.seed) == (5e-4, True, (0.02, 0.05), 7)
    assert changed(recipe, ["constant=false"]).constant is False


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("learning_rat=1", "a recipe has no number 'learning_rat' to set as NAME=VALUE; did you mean learning_rate?"),
        ("seed", "a recipe has no number 'seed' to set as NAME=VALUE"),
        ("net=3", "a recipe has no number 'net'"),
        ("xyz=3", "there are constant, groups, "),
        ("seed=1.5", "seed takes int"),
        ("constant=1", "constant takes bool"),
        ("learning_rate=nan", "learning_rate takes float"),
        ("cbr=0.1", "cbr takes two numbers, as in 0.01,0.1"),
        ("cbr=0.1,0.01", "cbr must be two rising numbers from 0.0001 to 1.0, got 0.1, 0.01"),
        ("crop=100", "crop must be a multiple of 16, at least 32, got 100"),
        ("groups=0", "groups must be at least 1, got 0"),
        ("focus=2", "focus must be 0 to 1, got 2"),
        ("seed=-1", "seed must be 0 or more, got -1"),
    ],
)
def test_what_cannot_be_changed_so(assignment, message):
    with pytest.raises(SettingError) as error:
        changed(TEST, [assignment])
    assert message in str(error.value)


@pytest.mark.parametrize("name", ["hours", "steps", "epochs"])
def test_a_run_has_a_length(name):
    with pytest.raises(SettingError, match=f"{name} must be above 0"):
        Recipe(**{name: 0})


def test_a_checkpoint_s_recipe_of_before_later_numbers_is_read():
    raw = {"hours": 1000.0, "steps": None, "constant": True, "crop": 128, "cbr": [0.01, 0.1], "net": None}
    recipe = recipe_from(raw, NetSettings().as_dict())
    assert (recipe.hours, recipe.constant, recipe.cbr, recipe.net) == (1000.0, True, (0.01, 0.1), NetSettings())
    assert recipe_from(TEST.as_dict(), TEST.net.as_dict()) == TEST
    with pytest.raises(ValueError, match="its recipe holds depth, which this version does not know"):
        recipe_from(raw | {"depth": 3}, {})
    with pytest.raises(ValueError, match=r"its networks' sizes do not fit this version: .*depth"):
        recipe_from(raw, {"depth": 3})
