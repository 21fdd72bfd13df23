import pytest

import lgvsc_flow.blocks.world as world
from lgvsc_flow.blocks.world import LengthGrid, load_world_model
from lgvsc_flow.blocks.world.model import load_text_model
from lgvsc_flow.errors import ModelError


def test_length_grid() -> None:
    assert [LengthGrid(8).at_least(n) for n in (1, 8, 9, 16, 17)] == [8, 8, 16, 16, 24]
    assert [LengthGrid(8).at_most(n) for n in (7, 8, 15)] == [0, 8, 8]
    assert LengthGrid().at_least(7) == LengthGrid().at_most(7) == 7


def test_models_by_name() -> None:
    assert load_world_model("interpolator").name == "interpolator"
    with pytest.raises(ModelError, match=r"no world model is called 'sora'. Installed: interpolator"):
        load_world_model("sora")


def test_text_only_is_refused_with_what_to_do() -> None:
    with pytest.raises(ModelError, match=r"no installed world model generates video from text\. Send keyframes too"):
        load_text_model()
    with pytest.raises(ModelError, match="'interpolator' generates between keyframes only"):
        load_text_model("interpolator")


@pytest.mark.parametrize("name", world.__all__)
def test_every_public_name_imports(name: str) -> None:
    assert getattr(world, name).__name__ == name
