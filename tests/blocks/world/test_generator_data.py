from pathlib import Path

import numpy as np
import pytest

from lgvsc_flow.blocks.video import VideoWriter
from lgvsc_flow.blocks.video.synthetic import TestScene
from lgvsc_flow.blocks.world.generator_data import CHANNELS, FILM_RANGES, HELD_OUT, TILE, Tiles, prepare, shots
from lgvsc_flow.errors import FlowError, MediaError
from lgvsc_flow.graph import Graph


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    graph = Graph("clip")
    graph.connect(TestScene(height=136, width=160, count=36, scenes=2), VideoWriter(path=path))
    graph.run()
    return path


def test_no_training_range_touches_what_is_held_out() -> None:
    start, stop = HELD_OUT["film"]
    assert all(b <= start or stop <= a for a, b in FILM_RANGES)


def test_shots_end_at_cuts_and_ranges(clip: Path) -> None:
    assert [len(s) for s in shots(clip)] == [18, 18]
    assert [len(s) for s in shots(clip, [(2, 10), (20, 30)])] == [8, 10]


def test_tiles_repeat_and_a_folder_is_used_once(clip: Path, tmp_path: Path) -> None:
    counts = [prepare([(clip, ())], tmp_path / name, seed=1, note=lambda text: None, most=9) for name in "ab"]
    assert counts == [9, 9]
    one, two = (Tiles(tmp_path / name) for name in "ab")
    pixels, places = one.batch(5, 3, 4)
    assert pixels.shape == (4, CHANNELS, TILE, TILE)
    assert ((places > 0) & (places < 1)).all()
    assert np.array_equal(pixels, two.batch(5, 3, 4)[0])
    assert not np.array_equal(pixels, one.batch(5, 4, 4)[0])
    with pytest.raises(FlowError, match="holds tiles already"):
        prepare([(clip, ())], tmp_path / "a")


def test_what_is_no_folder_of_tiles_is_refused(clip: Path, tmp_path: Path) -> None:
    with pytest.raises(MediaError, match="holds no tiles"):
        Tiles(tmp_path)
    with pytest.raises(MediaError, match="does not exist"):
        prepare([(tmp_path / "gone.mp4", ())], tmp_path / "x")
    prepare([(clip, ())], tmp_path / "c", note=lambda text: None, most=3)
    whole = (tmp_path / "c" / "tiles.u8").read_bytes()
    (tmp_path / "c" / "tiles.u8").write_bytes(whole[:-1])
    with pytest.raises(MediaError, match=r"are damaged .*prepare them again"):
        Tiles(tmp_path / "c")
