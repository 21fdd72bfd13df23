"""Preparing pictures and cutting crops."""

import json

import numpy as np
import pytest
from PIL import Image

from lgvsc_flow.blocks.ntscc.data import Crops, is_photograph, prepare


@pytest.fixture
def source(tmp_path):
    rng = np.random.default_rng(0)
    folder = tmp_path / "source"
    folder.mkdir()
    smooth = rng.integers(0, 256, (20, 25, 3), np.uint8)
    picture = Image.fromarray(smooth).resize((500, 400), Image.Resampling.BICUBIC)
    noisy = np.asarray(picture) // 2 + rng.integers(0, 100, (400, 500, 3)).astype(np.uint8)
    Image.fromarray(noisy).save(folder / "a.png")
    Image.fromarray(noisy).save(folder / "astronaut.png")  # held out by name
    Image.fromarray(noisy).save(folder / "same.png")
    Image.fromarray(np.full((400, 500, 3), 90, np.uint8)).save(folder / "flat.png")
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff" + bytes(40_000))
    return folder


def test_prepare_keeps_photographs_once(source, tmp_path):
    index = prepare([source], tmp_path / "cache", sizes=(320, 200))
    assert [p["source"].rsplit("/", 1)[1] for p in index["pictures"]] == ["a.png"]
    assert [(s["height"], s["width"]) for s in index["pictures"][0]["scales"]] == [(256, 320), (160, 200)]
    assert json.loads((tmp_path / "cache" / "pictures.json").read_text()) == index
    assert np.load(tmp_path / "cache" / "pictures.npy").size == 3 * (256 * 320 + 160 * 200)


def test_batches_depend_on_seed_and_number_alone(source, tmp_path):
    prepare([source], tmp_path / "cache", sizes=(320, 200))
    crops = Crops(tmp_path / "cache", 64)
    batch = crops.batch(1, 5)
    assert batch.shape == (8, 3, 64, 64)
    assert batch.dtype == np.uint8
    assert np.array_equal(batch, Crops(tmp_path / "cache", 64).batch(1, 5))
    assert not np.array_equal(batch, crops.batch(1, 6))


def test_nothing_to_train_on(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="no photograph found under"):
        prepare([tmp_path / "empty"], tmp_path / "cache")
    with pytest.raises(FileNotFoundError, match="does not exist"):
        prepare([tmp_path / "none"], tmp_path / "cache")
    with pytest.raises(FileNotFoundError, match="run `prepare` first"):
        Crops(tmp_path)


def test_flat_art_is_no_photograph():
    assert not is_photograph(np.zeros((200, 200, 3), np.uint8))
    assert not is_photograph(np.random.default_rng(0).integers(0, 256, (100, 300, 3)).astype(np.uint8))
    assert is_photograph(np.random.default_rng(0).integers(0, 256, (200, 200, 3)).astype(np.uint8))
