from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lgvsc_flow.blocks.world import InterpolatorModel, TextWorldModel, WorldModel
from lgvsc_flow.errors import BlockError, SettingError
from lgvsc_flow.items import Caption
from lgvsc_flow.testing import run_block

SIZE: dict[str, Any] = {"height": 4, "width": 4, "num_frames": 10}


class Grey(WorldModel):
    """Makes frames whose grey is the length of the caption."""

    name = "grey"
    from_text = True

    def generate(
        self, first: Any, last: Any, caption: Caption, side: Any, num_frames: int, rng: Any
    ) -> list[np.ndarray]:
        assert first is None
        assert last is None
        return [np.full((4, 4, 3), len(caption.text or ""), np.uint8)] * num_frames


def captions() -> list[Caption]:
    return [Caption(0, "a"), Caption(1, None, lost=True), Caption(2, "ccc"), Caption(3, "dddd")]


def test_refuses_without_a_model_and_says_what_to_do() -> None:
    with pytest.raises(SettingError, match=r"^TextWorldModel: Text-only needs a world model that generates from capt"):
        TextWorldModel(model="", **SIZE)
    with pytest.raises(SettingError, match=r"'interpolator' generates between keyframes only"):
        TextWorldModel(model="interpolator", **SIZE)
    with pytest.raises(SettingError, match="must generate from text"):
        TextWorldModel(model=InterpolatorModel(), **SIZE)


def test_without_weights_it_says_how_to_get_them(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LGVSC_FLOW_MODELS", str(tmp_path))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    block = TextWorldModel(**SIZE)
    assert block.generator == "ltx"
    with pytest.raises(BlockError, match=r"model ltx-0\.9\.5 is missing: .* hf download Lightricks/LTX-Video"):
        run_block(block, captions())


def test_captions_share_the_video_and_a_lost_one_holds_the_picture() -> None:
    block = TextWorldModel(model=Grey(), **SIZE)
    frames = run_block(block, captions())
    assert [int(f.pixels[0, 0, 0]) for f in frames] == [1, 1, 1, 1, 1, 1, 3, 3, 3, 4]
    assert [f.index for f in frames] == list(range(10))
    assert block.concealed == {"lost captions": 1}
