import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("diffusers")
torch = pytest.importorskip("torch")

from lgvsc_flow.blocks.world import generator_train  # noqa: E402
from lgvsc_flow.blocks.world.generator_data import CHANNELS, TILE  # noqa: E402
from lgvsc_flow.blocks.world.generator_net import NetSettings, load_net  # noqa: E402
from lgvsc_flow.blocks.world.generator_train import WEIGHTS, Trainer, clip_and_range  # noqa: E402
from lgvsc_flow.errors import FlowError  # noqa: E402

TINY = NetSettings((16, 16), 1)


@pytest.fixture
def tiles(tmp_path: Path) -> Path:
    """Frames that are all 20 grey levels too dark: what the network has to find."""
    rng = np.random.default_rng(0)
    pixels = rng.integers(30, 200, (6, CHANNELS, TILE, TILE)).astype(np.uint8)
    pixels[:, 10:] = pixels[:, :3] + 20
    folder = tmp_path / "tiles"
    folder.mkdir()
    (folder / "tiles.u8").write_bytes(pixels.tobytes())
    told = {"count": 6, "places": [0.5] * 6, "apart": [5], "sources": [], "seed": 0}
    (folder / "tiles.json").write_text(json.dumps(told))
    return folder


def test_a_resumed_run_is_the_whole_run(tiles: Path, tmp_path: Path) -> None:
    whole = Trainer(tiles, tmp_path / "whole", steps=6, settings=TINY, batch=2, dtype="float32")
    assert whole.run()
    part = Trainer(tiles, tmp_path / "part", steps=6, settings=TINY, batch=2, dtype="float32")
    assert not part.run(stopping=lambda: part.step == 2)
    rest = Trainer(tiles, tmp_path / "part", steps=6, resume=True, dtype="float32")
    assert rest.step == 2
    assert rest.run()
    one, two = (load_net(tmp_path / name / WEIGHTS)[0].state_dict() for name in ("whole", "part"))
    assert all(torch.equal(one[name], two[name]) for name in one)


def test_learns_what_the_interpolator_lacks(tiles: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generator_train, "_WARM", 1)
    monkeypatch.setattr(generator_train, "_RATE", 3e-3)
    trainer = Trainer(tiles, tmp_path / "run", steps=40, settings=TINY, batch=2, dtype="float32")
    trainer.run()
    judged = trainer.judge()
    assert judged["steps_1"] > judged["interpolator"] + 0.5


def test_a_folder_holds_one_run(tiles: Path, tmp_path: Path) -> None:
    with pytest.raises(FlowError, match="either --hours or --steps"):
        Trainer(tiles, tmp_path / "run")
    with pytest.raises(FlowError, match="nothing to resume"):
        Trainer(tiles, tmp_path / "run", steps=1, resume=True)
    Trainer(tiles, tmp_path / "run", steps=1, settings=TINY, batch=1).run()
    with pytest.raises(FlowError, match="go on with --resume"):
        Trainer(tiles, tmp_path / "run", steps=1, settings=TINY)


def test_frames_of_a_clip() -> None:
    assert clip_and_range("a/b.avi") == (Path("a/b.avi"), ())
    assert clip_and_range("a@b.avi@0:300") == (Path("a@b.avi"), ((0, 300),))
    with pytest.raises(FlowError, match=r"as in street.avi@0:300, got 'b.avi@9:3'"):
        clip_and_range("b.avi@9:3")
