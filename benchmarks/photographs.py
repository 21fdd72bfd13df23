"""The held-out photographs of the keyframe benchmark: read from two Debian packages, never trained on.

`gcompris-qt-data` keeps its photographs in Qt resource files (.rcc); `palapeli-data` as plain files. The choice is by
rule, not by eye: all of Palapeli's collection; of GCompris every sixth monument, every fifth "erase" picture, every
third wild and every fourth farm animal, in the order of their names. `watched_photographs` are seven others of
GCompris, looked at during training. Every picture is shrunk to a longer side of 768 pixels (Lanczos).
"""

from __future__ import annotations

import hashlib
import io
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

LONGER_SIDE = 768
SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")
#: Resource file: (step, offset) of the test photographs, then of the watched ones (None: none).
RULES: dict[str, tuple[tuple[int, int], tuple[int, int] | None]] = {
    "erase": ((5, 1), (5, 3)),
    "explore_farm_animals": ((4, 1), None),
    "explore_monuments": ((6, 2), (6, 5)),
    "explore_world_animals": ((3, 0), None),
}
SMALLEST = 240  # pixels; smaller ones are icons


def held_out_photographs(gcompris: Path, palapeli: Path) -> Iterator[tuple[str, str, np.ndarray]]:
    """(name, sha256 of the file, pixels uint8 [H, W, 3]) of the test photographs.

    Args:
        gcompris: unpacked Debian package gcompris-qt-data.
        palapeli: unpacked Debian package palapeli-data.

    Raises:
        FileNotFoundError: a folder does not hold the package.
    """
    found = sorted(p for p in palapeli.rglob("collection/*.jpg") if p.is_file())
    if not found:
        raise FileNotFoundError(f"{palapeli} does not hold the unpacked Debian package palapeli-data")
    for path in found:
        yield f"palapeli/{path.name}", *_picture(path.read_bytes())
    yield from _chosen(gcompris, 0)


def watched_photographs(gcompris: Path) -> Iterator[tuple[str, str, np.ndarray]]:
    """The same for the photographs that were looked at during training."""
    yield from list(_chosen(gcompris, 1))[::2]


def _chosen(gcompris: Path, which: int) -> Iterator[tuple[str, str, np.ndarray]]:
    for resource, rules in RULES.items():
        rule = rules[which]
        if rule is None:
            continue
        path = next(iter(sorted(gcompris.rglob(f"{resource}.rcc"))), None)
        if path is None:
            raise FileNotFoundError(f"{gcompris} does not hold the unpacked Debian package gcompris-qt-data")
        step, offset = rule
        photographs = [(name, raw) for name, raw in sorted(resources(path.read_bytes())) if _large(name, raw)]
        for name, raw in photographs[offset::step]:
            yield f"{resource}/{name.rsplit('/', 1)[-1]}", *_picture(raw)


def _large(name: str, raw: bytes) -> bool:
    return name.lower().endswith(SUFFIXES) and min(Image.open(io.BytesIO(raw)).size) >= SMALLEST


def _picture(raw: bytes) -> tuple[str, np.ndarray]:
    picture = Image.open(io.BytesIO(raw)).convert("RGB")
    ratio = LONGER_SIDE / max(picture.size)
    if ratio < 1:
        size = round(picture.width * ratio), round(picture.height * ratio)
        picture = picture.resize(size, Image.Resampling.LANCZOS)
    return hashlib.sha256(raw).hexdigest(), np.asarray(picture)


def resources(raw: bytes) -> Iterator[tuple[str, bytes]]:
    """(path, content) of every file in a Qt binary resource file.

    Raises:
        ValueError: not such a file, or one compressed by another method than zlib.
    """
    if raw[:4] != b"qres":
        raise ValueError("not a Qt resource file")
    version, tree, data, names = struct.unpack_from(">4I", raw, 4)
    size = 22 if version >= 2 else 14

    def walk(node: int, path: str) -> Iterator[tuple[str, bytes]]:
        name, flags, first, second = struct.unpack_from(">IHII", raw, tree + size * node)
        if node:
            length = struct.unpack_from(">H", raw, names + name)[0]
            path += "/" + raw[names + name + 6 : names + name + 6 + 2 * length].decode("utf-16-be")
        if flags & 2:  # a folder: number of children, first child
            for child in range(second, second + first):
                yield from walk(child, path)
            return
        length = struct.unpack_from(">I", raw, data + second)[0]
        content = raw[data + second + 4 : data + second + 4 + length]
        if flags & 4:
            raise ValueError(f"{path} is compressed with zstd")
        yield path, zlib.decompress(content[4:]) if flags & 1 else content

    yield from walk(0, "")
