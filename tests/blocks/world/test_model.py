from importlib.util import find_spec
from typing import Any

import pytest

import lgvsc_flow.blocks.world as world
from lgvsc_flow.blocks.world import LengthGrid, WorldModel, load_world_model
from lgvsc_flow.blocks.world.model import MODELS, load_text_model, model_settings, world_model_class
from lgvsc_flow.errors import ModelError, SettingError


def test_length_grid() -> None:
    assert [LengthGrid(8).at_least(n) for n in (1, 8, 9, 16, 17)] == [8, 8, 16, 16, 24]
    assert [LengthGrid(8).at_most(n) for n in (7, 8, 15)] == [0, 8, 8]
    assert LengthGrid().at_least(7) == LengthGrid().at_most(7) == 7


def test_models_by_name() -> None:
    assert load_world_model("interpolator").name == "interpolator"
    with pytest.raises(ModelError, match=r"^no world model is called 'sora'; there are interpolator, generator, ltx, "):
        load_world_model("sora")
    with pytest.raises(ModelError, match=r"^no world model is called 'wan-vaec'; did you mean wan-vace\? there are "):
        load_world_model("wan-vaec")


@pytest.mark.parametrize("name", list(MODELS))
def test_every_name_is_a_model(name: str) -> None:
    if find_spec(MODELS[name].partition(":")[0]) is None:
        pytest.skip("not there yet")
    assert issubclass(world_model_class(name), WorldModel)


class Sized(WorldModel):
    """A model with settings."""

    name = "sized"

    def __init__(self, checkpoint: str, steps: int = 8, dtype: str = "auto") -> None:
        if steps < 1:
            raise SettingError(f"steps is at least 1, got {steps}")
        self.steps = steps

    def generate(self, *args: Any) -> list[Any]:
        return []


def test_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(MODELS, "sized", f"{__name__}:Sized")  # type: ignore[arg-type]
    built = load_world_model("sized", checkpoint="here", steps=3)
    assert isinstance(built, Sized)
    assert built.steps == 3
    assert model_settings("sized", {"steps": 3}) == {"checkpoint": None, "steps": 3, "dtype": "auto"}
    with pytest.raises(
        SettingError, match=r"^the world model sized has no setting 'step'; did you mean steps\? it has "
    ):
        load_world_model("sized", step=3)
    with pytest.raises(SettingError, match=r"^the world model sized cannot be built: .*'checkpoint'"):
        load_world_model("sized", steps=3)
    with pytest.raises(SettingError, match=r"^steps is at least 1, got 0$"):
        load_world_model("sized", checkpoint="here", steps=0)
    with pytest.raises(SettingError, match=r"^the world model interpolator has no setting 'steps'; it has none$"):
        load_world_model("interpolator", steps=3)


def test_text_only_is_refused_with_what_to_do() -> None:
    advice = r"Name one that can \(ltx or wan-vace, with a checkpoint\), send keyframes too \(scheme skem-dsa or "
    with pytest.raises(ModelError, match=rf"captions alone, and none is named\. {advice}"):
        load_text_model()
    with pytest.raises(ModelError, match=rf"'interpolator' generates between keyframes only\. {advice}"):
        load_text_model("interpolator")


@pytest.mark.parametrize("name", world.__all__)
def test_every_public_name_imports(name: str) -> None:
    assert getattr(world, name).__name__ == name
