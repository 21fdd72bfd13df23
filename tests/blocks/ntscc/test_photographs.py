"""What counts as a photograph, and how one is read."""

import io

import numpy as np
import pytest
from PIL import Image
from tiny_training import rough

from lgvsc_flow.blocks.ntscc.photographs import decode, files, is_photograph, left_out, pictures, shapes
from lgvsc_flow.errors import MediaError


def png(pixels):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "png")
    return file.getvalue()


def test_flat_art_is_no_photograph():
    assert not is_photograph(np.zeros((200, 200, 3), np.uint8))
    assert not is_photograph(np.random.default_rng(0).integers(0, 256, (100, 300, 3)).astype(np.uint8))
    assert is_photograph(np.random.default_rng(0).integers(0, 256, (200, 200, 3)).astype(np.uint8))


def test_held_out_pictures_and_packages_are_left_out(tmp_path):
    names = ["gcompris-qt-data/a.png", "x/astronaut.png", "x/textures/wall.png", "palapeli/b.jpg", "x/street.jpg"]
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / name).touch()
    assert [p.name for p in files([tmp_path])] == ["street.jpg"]
    assert left_out(tmp_path / names[0])
    with pytest.raises(MediaError, match=r"training source .*none does not exist"):
        list(files([tmp_path, tmp_path / "none"]))


def test_transparent_and_damaged_pictures_are_none():
    pixels = rough(40, 50)
    assert np.array_equal(decode(png(pixels)), pixels)
    assert decode(png(np.dstack([pixels, np.zeros((40, 50), np.uint8)]))) is None
    assert decode(png(pixels)[:500]) is None
    assert decode(b"") is None


def test_a_picture_is_shrunk_to_the_sizes_it_is_well_above():
    assert shapes(1000, 1500, (1920, 1280, 960, 512)) == [(640, 960), (341, 512)]
    assert shapes(400, 600, (960, 512)) == [(341, 512)]
    assert shapes(400, 500, (960, 512)) == []
    assert shapes(100, 1000, (512,)) == []


def test_frames_of_a_video(tmp_path):
    av = pytest.importorskip("av")
    with av.open(str(tmp_path / "a.mp4"), "w") as film:
        stream = film.add_stream("mpeg4", rate=25)
        stream.width, stream.height = 96, 64
        for number in range(24):
            frame = av.VideoFrame.from_ndarray(np.roll(rough(64, 96), number, 1), format="rgb24")
            film.mux(stream.encode(frame))
        film.mux(stream.encode())
    found = list(pictures(tmp_path / "a.mp4", 3))
    assert [name.rsplit("#", 1)[1] for name, *_ in found] == ["4", "12", "20"]
    assert {pixels.shape for *_, pixels in found} == {(64, 96, 3)}
    (tmp_path / "b.mp4").write_bytes(b"no film")
    assert list(pictures(tmp_path / "b.mp4", 3)) == []
