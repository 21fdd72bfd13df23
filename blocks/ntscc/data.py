"""Crops for training from a prepared cache.

`prepare` (`lgvsc-flow train pictures SOURCE... --out DIR`) walks folders, for example unpacked distribution packages,
reads every photograph and a few frames of every video, shrinks each to several sizes (so that a 128 x 128 crop looks
like a piece of a 400 to 1280 pixel picture) and writes one flat uint8 cache, `pictures.npy`, with an index,
`pictures.json`, that names every source file by sha256. `Crops` cuts batches from it; batch number n is a function of
(seed, n) alone, so that a resumed training sees what an unbroken one would have seen.
"""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import numpy as np
from PIL import Image

from lgvsc_flow.blocks.ntscc.photographs import SIZES, files, is_photograph, pictures, shapes, shrunk
from lgvsc_flow.errors import FlowError, MediaError

AGAIN = "make it anew with: lgvsc-flow train pictures SOURCES --out DIR"


class Source(Protocol):
    """Where batches come from."""

    def __len__(self) -> int:
        """Number of pictures."""

    def batch(self, seed: int, number: int, groups: int = 2, per_group: int = 4) -> np.ndarray:
        """Batch `number`: uint8 [groups * per_group, 3, size, size], a function of seed and number alone."""

    def pictures(self, count: int, longer_side: int) -> Iterator[np.ndarray]:
        """Whole pictures, uint8 [H, W, 3], of at most that size."""


def prepare(
    sources: list[Path],
    out: Path,
    *,
    video_frames: int = 120,
    sizes: tuple[int, ...] = SIZES,
    note: Callable[[str], None] = lambda name: None,
) -> dict[str, Any]:
    """Write `out/pictures.npy` and `out/pictures.json` from every usable picture under `sources`; returns the index.

    Flat art (two thirds of all neighbouring pixels equal) and held-out files are left out. `note` is told the name of
    every picture that was taken.

    Raises:
        MediaError: a source is missing, or no picture is found.
        FlowError: the cache cannot be written.
    """
    temporary, index_temporary = out / "pictures.npy.tmp", out / "pictures.json.tmp"
    try:
        out.mkdir(parents=True, exist_ok=True)
        with open(temporary, "wb") as cache:
            cache.write(_header(0))
            found, total = _gather(sources, cache, video_frames, sizes, note)
            cache.seek(0)
            cache.write(_header(total))
        if not found:
            raise MediaError(f"no photograph found under {', '.join(map(str, sources))}")
        index = {"pictures": found}
        index_temporary.write_text(json.dumps(index, indent=1))
        os.replace(temporary, out / "pictures.npy")
        os.replace(index_temporary, out / "pictures.json")
    except OSError as error:
        raise FlowError(f"the pictures cannot be written to {out}: {error.strerror or error}") from error
    finally:
        for leftover in (temporary, index_temporary):
            if leftover.exists():
                leftover.unlink()
    return index


def _gather(
    sources: list[Path], cache: BinaryIO, video_frames: int, sizes: tuple[int, ...], note: Callable[[str], None]
) -> tuple[list[dict[str, Any]], int]:
    """Append the pixels of all pictures to a file: the index, and how many bytes."""
    found: list[dict[str, Any]] = []
    offset, seen = 0, set()
    for path in files(sources):
        for name, digest, weight, pixels in pictures(path, video_frames):
            if digest in seen or not is_photograph(pixels):
                continue
            seen.add(digest)
            scales, picture = [], Image.fromarray(pixels)
            for shape in shapes(pixels.shape[0], pixels.shape[1], sizes):
                cache.write(shrunk(picture, shape).tobytes())
                scales.append({"offset": offset, "height": shape[0], "width": shape[1]})
                offset += 3 * shape[0] * shape[1]
            if scales:
                found.append({"source": name, "sha256": digest, "weight": weight, "scales": scales})
                note(name)
    return found, offset


def _header(total: int) -> bytes:
    """The beginning of an .npy file of `total` bytes; as long for every total."""
    header = io.BytesIO()
    form = {"descr": "|u1", "fortran_order": False, "shape": (total,)}
    np.lib.format.write_array_header_1_0(header, form)
    return header.getvalue()


class Crops:
    """Random square crops from a prepared cache: groups of crops that come from one picture at one size.

    A group stands for a picture: the rate is allocated over its crops together. Small sizes are drawn more often.

    Raises:
        MediaError: the cache is missing, damaged, or holds nothing as large as a crop.
    """

    def __init__(self, folder: Path, size: int = 128):
        index_path = folder / "pictures.json"
        if not index_path.is_file():
            raise MediaError(f"{folder} holds no pictures.json; {AGAIN}")
        self.size = size
        try:
            self.index = json.loads(index_path.read_text())
            self._flat = np.load(folder / "pictures.npy", mmap_mode="r")
            ends = [s["offset"] + 3 * s["height"] * s["width"] for p in self.index["pictures"] for s in p["scales"]]
            if self._flat.dtype != np.uint8 or self._flat.shape != (max(ends),):
                raise ValueError(f"pictures.npy holds {self._flat.shape}, pictures.json speaks of {max(ends)} bytes")
            self._pictures = [
                (p["weight"], scales)
                for p in self.index["pictures"]
                if (scales := [s for s in p["scales"] if min(s["height"], s["width"]) >= size])
            ]
        except (OSError, ValueError, KeyError, TypeError, EOFError) as error:
            raise MediaError(f"the prepared pictures in {folder} are damaged ({error}); {AGAIN}") from error
        if not self._pictures:
            raise MediaError(f"{folder} holds no picture of at least {size} x {size} pixels, the size of a crop")
        weights = np.array([weight for weight, _ in self._pictures], float)
        self._probability = weights / weights.sum()

    def __len__(self) -> int:
        return len(self._pictures)

    def batch(self, seed: int, number: int, groups: int = 2, per_group: int = 4) -> np.ndarray:
        """Batch `number`: uint8 [groups * per_group, 3, size, size]."""
        rng = np.random.default_rng([seed, number])
        crops: list[np.ndarray] = []
        for picture in rng.choice(len(self._pictures), groups, p=self._probability):
            scales = self._pictures[picture][1]
            scale = scales[choose_scale([(s["height"], s["width"]) for s in scales], rng)]
            crops += cut(self._pixels(scale), self.size, per_group, rng)
        return np.ascontiguousarray(np.stack(crops).transpose(0, 3, 1, 2))

    def pictures(self, count: int, longer_side: int) -> Iterator[np.ndarray]:
        """Whole pictures, uint8 [H, W, 3], of at most that size: the first `count` in the order of weight."""
        chosen = sorted(self._pictures, key=lambda p: -p[0])[:count]
        for _, scales in chosen:
            yield self._pixels(next((s for s in scales if max(s["height"], s["width"]) <= longer_side), scales[-1]))

    def _pixels(self, scale: dict[str, int]) -> np.ndarray:
        stop = scale["offset"] + scale["height"] * scale["width"] * 3
        return self._flat[scale["offset"] : stop].reshape(scale["height"], scale["width"], 3)


def choose_scale(sizes: list[tuple[int, int]], rng: np.random.Generator) -> int:
    """Which of the (height, width) to cut from: in inverse proportion to the longer side."""
    inverse = np.array([1 / max(shape) for shape in sizes])
    return int(rng.choice(len(sizes), p=inverse / inverse.sum()))


def cut(pixels: np.ndarray, size: int, count: int, rng: np.random.Generator) -> list[np.ndarray]:
    """Crops of one picture [H, W, 3], turned and flipped, made more like photographs of that size and frames of video.

    Most groups take the most detailed of three places for each crop, have colours at half the resolution (4:2:0), and
    half of them paler ones: shrunk wallpapers are smoother and more colourful.
    """
    others = 2 * (rng.random() < 0.6)
    colour = rng.uniform(0.3, 1.0) if rng.random() < 0.5 else 1.0
    halved = rng.random() < 0.6
    height, width = pixels.shape[:2]
    crops = []
    for _ in range(count):
        places = rng.integers((height - size + 1, width - size + 1), size=(1 + others, 2))
        found = (pixels[top : top + size, left : left + size] for top, left in places)
        crop = np.rot90(as_camera(max(found, key=_detail), colour, halved), int(rng.integers(4)))
        crops.append(crop[:, ::-1] if rng.integers(2) else crop)
    return crops


def as_camera(pixels: np.ndarray, colour: float, halved: bool) -> np.ndarray:
    """uint8 [H, W, 3] with colours of `colour` times the strength, at half the resolution where `halved`."""
    if colour == 1.0 and not halved:
        return pixels
    light = pixels.astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)
    tint = (pixels - light[..., None]) * np.float32(colour)
    if halved:
        height, width = tint.shape[0] // 2 * 2, tint.shape[1] // 2 * 2
        means = tint[:height, :width].reshape(height // 2, 2, width // 2, 2, 3).mean((1, 3))
        tint[:height, :width] = means.repeat(2, 0).repeat(2, 1)
    return np.clip(np.rint(light[..., None] + tint), 0, 255).astype(np.uint8)


def _detail(pixels: np.ndarray) -> float:
    """Mean absolute difference of green between neighbours."""
    green = pixels[..., 1].astype(np.int16)
    return float(np.abs(np.diff(green, axis=0)).mean() + np.abs(np.diff(green, axis=1)).mean())
