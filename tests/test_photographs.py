"""Photographs in Qt resource files."""

import importlib.util
import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest

image = pytest.importorskip("PIL.Image")

spec = importlib.util.spec_from_file_location(
    "photographs", Path(__file__).parent.parent / "benchmarks" / "photographs.py"
)
photographs = importlib.util.module_from_spec(spec)
spec.loader.exec_module(photographs)


def resource_file(files: dict[str, bytes]) -> bytes:
    """A version 2 resource file with one folder, `pictures`; the second file is compressed."""
    names, offsets = b"", {}
    for name in ("pictures", *files):
        offsets[name] = len(names)
        names += struct.pack(">HI", len(name), 0) + name.encode("utf-16-be")
    data, places = b"", []
    for number, content in enumerate(files.values()):
        places.append(len(data))
        kept = struct.pack(">I", len(content)) + zlib.compress(content) if number == 1 else content
        data += struct.pack(">I", len(kept)) + kept
    nodes = struct.pack(">IHIIQ", 0, 2, 1, 1, 0) + struct.pack(">IHIIQ", offsets["pictures"], 2, len(files), 2, 0)
    for number, name in enumerate(files):
        nodes += struct.pack(">IHHHIQ", offsets[name], int(number == 1), 0, 0, places[number], 0)
    tree = 20
    header = b"qres" + struct.pack(">4I", 2, tree, tree + len(nodes), tree + len(nodes) + len(data))
    return header + nodes + data + names


def test_files_of_a_resource_file():
    files = {"a.webp": b"one", "b.webp": b"second" * 50, "c.txt": b""}
    found = dict(photographs.resources(resource_file(files)))
    assert found == {f"/pictures/{name}": content for name, content in files.items()}


def test_not_a_resource_file():
    with pytest.raises(ValueError, match="not a Qt resource file"):
        list(photographs.resources(b"RIFF" + bytes(40)))


def test_the_choice_is_by_rule_and_leaves_icons_out(tmp_path):
    def picture(side: int) -> bytes:
        buffer = io.BytesIO()
        image.fromarray(np.full((side, side + 600, 3), side % 256, np.uint8)).save(buffer, "PNG")
        return buffer.getvalue()

    files = {f"{number:02d}.png": picture(240 + number) for number in range(8)} | {"icon.png": picture(20)}
    for name in photographs.RULES:
        (tmp_path / f"{name}.rcc").write_bytes(resource_file(files))
    folder = tmp_path / "collection"
    folder.mkdir()
    (folder / "bee.jpg").write_bytes(picture(300))
    found = list(photographs.held_out_photographs(tmp_path, tmp_path))
    names = [name for name, _, _ in found]
    assert names[:3] == ["palapeli/bee.jpg", "erase/01.png", "erase/06.png"]
    assert all(max(pixels.shape[:2]) == 768 for _, _, pixels in found)
    watched = [name for name, _, _ in photographs.watched_photographs(tmp_path)]
    assert not set(watched) & set(names)
    with pytest.raises(FileNotFoundError, match="palapeli-data"):
        next(photographs.held_out_photographs(tmp_path, tmp_path / "nothing"))
