from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("diffusers")
torch = pytest.importorskip("torch")

from lgvsc_flow.blocks.video.synthetic import scene_frame  # noqa: E402
from lgvsc_flow.blocks.world.generator import GeneratorModel  # noqa: E402
from lgvsc_flow.blocks.world.generator_net import NetSettings, build_net, save_net  # noqa: E402
from lgvsc_flow.blocks.world.interpolate import interpolate  # noqa: E402
from lgvsc_flow.errors import ModelError, SettingError  # noqa: E402
from lgvsc_flow.items import Caption, SideInfo  # noqa: E402

CAPTION = Caption(0, "a street")


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    settings = NetSettings((16, 32), 1)
    net = build_net(settings)
    torch.nn.init.normal_(net.conv_out.weight, std=0.02)
    save_net(tmp_path / "w.safetensors", net, settings)
    return tmp_path / "w.safetensors"


def test_without_weights_it_says_so() -> None:
    with pytest.raises(ModelError, match="ships no weights of the trained world model"):
        GeneratorModel().load()
    with pytest.raises(ModelError, match=r"weights gone\.safetensors of the trained world model do not exist"):
        GeneratorModel(checkpoint="gone.safetensors").check()
    with pytest.raises(SettingError, match="steps is 1 or more, got 0"):
        GeneratorModel(steps=0)


@pytest.mark.parametrize("size", [(40, 50), (7, 9)])
def test_makes_a_segment_and_repeats_it(weights: Path, size: tuple[int, int]) -> None:
    model = GeneratorModel(checkpoint=weights, steps=2)
    first, last = scene_frame(*size, 1, 0), scene_frame(*size, 1, 5)
    side = SideInfo(0, 0, 5)
    one, two = (list(model.generate(first, last, CAPTION, side, 5, np.random.default_rng(3))) for _ in range(2))
    assert [f.shape for f in one] == [(*size, 3)] * 5
    assert np.array_equal(one[0], first)
    assert all(np.array_equal(a, b) for a, b in zip(one, two, strict=True))
    plain = list(interpolate(first, last, 5))
    assert not np.array_equal(one[2], plain[2])
    assert all(not np.array_equal(a, b) for a, b in pairwise(one))


def test_holds_what_the_interpolator_holds(weights: Path) -> None:
    model = GeneratorModel(checkpoint=weights)
    first = scene_frame(32, 32, 0, 0)
    frames = list(model.generate(first, None, CAPTION, SideInfo(0, 0, 3), 3, np.random.default_rng(0)))
    assert all(np.array_equal(f, first) for f in frames)
