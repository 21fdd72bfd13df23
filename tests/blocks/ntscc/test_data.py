"""Preparing pictures and cutting crops from the cache."""

import json

import numpy as np
import pytest
from PIL import Image
from tiny_training import write_cache

from lgvsc_flow.blocks.ntscc.data import Crops, prepare
from lgvsc_flow.errors import FlowError, MediaError


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
    said = []
    index = prepare([source], tmp_path / "cache", sizes=(320, 200), note=said.append)
    assert [p["source"].rsplit("/", 1)[1] for p in index["pictures"]] == ["a.png"]
    assert said == [index["pictures"][0]["source"]]
    assert [(s["height"], s["width"]) for s in index["pictures"][0]["scales"]] == [(256, 320), (160, 200)]
    assert json.loads((tmp_path / "cache" / "pictures.json").read_text()) == index
    assert np.load(tmp_path / "cache" / "pictures.npy").size == 3 * (256 * 320 + 160 * 200)
    assert sorted(p.name for p in (tmp_path / "cache").iterdir()) == ["pictures.json", "pictures.npy"]


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
    with pytest.raises(MediaError, match="no photograph found under"):
        prepare([tmp_path / "empty"], tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []
    with pytest.raises(MediaError, match="does not exist"):
        prepare([tmp_path / "none"], tmp_path / "cache")
    with pytest.raises(MediaError, match=r"holds no pictures.json; make it anew with: lgvsc-flow train pictures"):
        Crops(tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(FlowError, match=r"the pictures cannot be written to .*: (File exists|Not a directory)"):
        prepare([tmp_path / "empty"], tmp_path / "file")


def test_a_damaged_cache(tmp_path):
    folder = write_cache(tmp_path / "cache")
    assert len(Crops(folder, 32)) == 3
    with pytest.raises(MediaError, match="holds no picture of at least 128 x 128 pixels, the size of a crop"):
        Crops(folder, 128)
    whole = (folder / "pictures.npy").read_bytes()
    (folder / "pictures.npy").write_bytes(whole[:5000])
    with pytest.raises(MediaError, match=r"the prepared pictures in .* are damaged \(.*\); make it anew with"):
        Crops(folder, 32)
    np.save(folder / "pictures.npy", np.zeros(100, np.uint8))
    with pytest.raises(MediaError, match=r"damaged \(pictures.npy holds \(100,\), pictures.json speaks of 46080 bytes"):
        Crops(folder, 32)
    (folder / "pictures.json").write_text("{")
    with pytest.raises(MediaError, match="are damaged"):
        Crops(folder, 32)
