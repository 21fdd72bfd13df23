"""Crops straight from a folder of photographs."""

import numpy as np
import pytest
from PIL import Image
from tiny_training import rough, write_cache, write_photographs

from lgvsc_flow.blocks.ntscc.data import Crops
from lgvsc_flow.blocks.ntscc.folder import Ahead, FolderCrops, open_pictures
from lgvsc_flow.errors import MediaError


def test_a_folder_is_a_cache_or_photographs(tmp_path):
    assert isinstance(open_pictures(write_cache(tmp_path / "cache"), 32), Crops)
    assert isinstance(open_pictures(write_photographs(tmp_path / "p"), 32), FolderCrops)
    with pytest.raises(MediaError, match=r"--data .*none does not exist; it takes a folder of photographs"):
        open_pictures(tmp_path / "none", 32)
    with pytest.raises(MediaError, match="is a file, not a folder"):
        open_pictures(tmp_path / "p" / "0.jpg", 32)


def test_batches_depend_on_seed_number_and_files_alone(tmp_path):
    write_photographs(tmp_path / "in" / "deep", 4)
    crops = FolderCrops(tmp_path, 64, (120, 80))
    assert len(crops) == 4
    batch = crops.batch(1, 5, 3, 2)
    assert batch.shape == (6, 3, 64, 64)
    assert batch.dtype == np.uint8
    assert np.array_equal(batch, FolderCrops(tmp_path, 64, (120, 80)).batch(1, 5, 3, 2))
    assert not np.array_equal(batch, crops.batch(1, 6, 3, 2))


def test_pictures_are_drawn_at_several_sizes(tmp_path):
    write_photographs(tmp_path, 1, (300, 400))
    crops = FolderCrops(tmp_path, 64, (300, 200, 100))
    rng = np.random.default_rng(0)
    assert {crops._drawn(rng).shape for _ in range(40)} == {(225, 300, 3), (150, 200, 3), (75, 100, 3)}
    assert next(crops.pictures(1, 250)).shape == (150, 200, 3)


def test_files_of_no_use_are_passed_over(tmp_path):
    write_photographs(tmp_path, 2)
    (tmp_path / "half.jpg").write_bytes((tmp_path / "0.jpg").read_bytes()[:2000])
    Image.fromarray(np.full((150, 200, 3), 90, np.uint8)).save(tmp_path / "flat.png")
    Image.fromarray(rough(30, 200)).save(tmp_path / "narrow.png")
    Image.fromarray(np.dstack([rough(150, 200), np.zeros((150, 200), np.uint8)])).save(tmp_path / "clear.png")
    crops = FolderCrops(tmp_path, 64)
    assert len(crops) == 6
    assert len(list(crops.pictures(6, 512))) == 2
    assert crops.batch(0, 0, 12, 1).std(axis=(1, 2, 3)).min() > 4


def test_nothing_to_train_on(tmp_path):
    with pytest.raises(MediaError, match=r"holds no photograph \(.jpg, .jpeg, .png, .webp\)$"):
        FolderCrops(tmp_path)
    (tmp_path / "film.mp4").touch()
    with pytest.raises(MediaError, match=r"it holds 1 videos: lgvsc-flow train pictures .* --out DIR prepares their"):
        FolderCrops(tmp_path)
    (tmp_path / "astronaut.png").touch()
    with pytest.raises(MediaError, match="; 1 are held out for measuring by their names; it holds 1 videos"):
        FolderCrops(tmp_path)
    write_photographs(tmp_path / "small", 2, (100, 100))
    with pytest.raises(MediaError, match="none of 2 pictures looked at is a photograph that can be read and has at l"):
        FolderCrops(tmp_path, 128)


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_batches_cut_ahead_are_the_same(workers):
    cut = []

    def one(number):
        cut.append(number)
        return np.full(1, number)

    ahead = Ahead(one, workers)
    assert [int(ahead.take(n)[0]) for n in (5, 6, 7, 8)] == [5, 6, 7, 8]
    assert [int(ahead.take(n)[0]) for n in (20, 21)] == [20, 21]
    ahead.close()
    assert max(cut) <= 21 + workers


def test_an_error_of_a_batch_cut_ahead_is_raised_when_it_is_taken():
    def one(number):
        if number == 2:
            raise MediaError("gone")
        return np.zeros(1)

    ahead = Ahead(one, 2)
    ahead.take(0)
    ahead.take(1)
    with pytest.raises(MediaError, match="gone"):
        ahead.take(2)
    ahead.close()
