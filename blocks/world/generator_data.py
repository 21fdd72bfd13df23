"""What the trained generator learns from: tiles of frames, as the interpolator makes them and as they were filmed.

Shots of a film and of other clips are cut into segments of random lengths; the interpolator makes one frame of each
from the two ends, half of the time with the motion field that a sender would transmit; tiles where it errs are kept
more often than others. The tiles lie in a folder as plain arrays, which training maps into memory.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from lgvsc_flow.blocks.semantic.cuts import LOOKAHEAD, CutDetector
from lgvsc_flow.blocks.semantic.motion_field import field_grid, motion_field
from lgvsc_flow.blocks.semantic.shrink import shrink
from lgvsc_flow.blocks.semantic.side import nearest_step
from lgvsc_flow.blocks.video import VideoFile
from lgvsc_flow.blocks.world.interpolate import Between, displacement
from lgvsc_flow.errors import FlowError, MediaError

__all__ = ["FILM_RANGES", "HELD_OUT", "Tiles", "prepare", "shots"]

HELD_OUT = {"vtest": (300, 500), "film": (7131, 7325)}
"""Frames that nothing is learned from and no parameter chosen on: vtest.avi of opencv-doc, the film Big Buck Bunny."""
FILM_RANGES = (285, 7093), (7500, 11671)
"""Frames of the film that training sees: neither titles, nor the held-out shot and its neighbours."""
TILE = 128
CHANNELS = 13  # interpolated frame, both keyframes moved, doubt; the true frame
WIDTH = 640  # pixels; wider pictures are shrunk to it
_LONGEST, _SHORTEST = 32, 4  # frames of a segment
_CHUNK = 160  # frames of a shot that are kept in memory
_TILES, _TRIED = 4, 8  # of a frame, kept and looked at
_FRAMES_EACH = 5  # frames of a shot for each segment that is cut from it
_GRID, _STEPS_PER_WIDTH = 24, 320  # as FlowEncoder's


def shots(path: Path, ranges: Sequence[tuple[int, int]] = ()) -> Iterator[list[np.ndarray]]:
    """The shots of a clip, in pieces of at most 160 frames, at most 640 pixels wide; within `ranges`, if any."""
    stop = max((b for _, b in ranges), default=None)
    source = VideoFile(path=str(path), max_frames=stop)
    source.start()
    detector, kept, first = CutDetector(), [], 0  # type: ignore[var-annotated]
    try:
        for frame in source.work():
            if ranges and not any(a <= frame.index < b for a, b in ranges):
                if kept:
                    yield kept
                detector, kept, first = CutDetector(), [], 0
                continue
            height, width = frame.pixels.shape[:2]
            scale = min(1.0, WIDTH / width)
            small = shrink(frame.pixels, round(width * scale), round(height * scale)) if scale < 1 else frame.pixels
            detector.push(small)
            kept.append(small)
            cut = detector.first_cut(first + 1, first + len(kept) - LOOKAHEAD)
            if cut is not None:
                yield kept[: cut - first]
                kept, first = kept[cut - first :], cut
            elif len(kept) >= _CHUNK + LOOKAHEAD:
                yield kept[:_CHUNK]
                kept, first = kept[_CHUNK:], first + _CHUNK
        if kept:
            yield kept
    finally:
        source.stop()


def tiles_of(shot: Sequence[np.ndarray], rng: np.random.Generator) -> Iterator[tuple[np.ndarray, float]]:
    """Tiles uint8 [13, 128, 128] of one shot, and where in time between the keyframes each lies."""
    height, width = shot[0].shape[:2]
    longest = min(_LONGEST, len(shot) - 1)
    if longest < _SHORTEST or min(height, width) < TILE:
        return
    for _ in range(max(1, len(shot) // _FRAMES_EACH)):
        length = round(float(np.exp(rng.uniform(np.log(_SHORTEST), np.log(longest)))))
        start, offset = int(rng.integers(0, len(shot) - length)), int(rng.integers(1, length))
        told = None
        if rng.random() < 0.5:
            frames = list(shot[start : start + length])
            step = nearest_step(width / _STEPS_PER_WIDTH)
            field = motion_field(frames, *field_grid(_GRID, height, width), step)
            told = None if field is None else displacement(field, height, width, length)
        parts = Between(shot[start], shot[start + length], told).parts(offset / length)
        true = shot[start + offset]
        whole = np.concatenate([parts.frame, parts.past, parts.future, parts.doubt[..., None], true], -1)
        places = [
            (int(rng.integers(0, height - TILE + 1)), int(rng.integers(0, width - TILE + 1))) for _ in range(_TRIED)
        ]
        cuts = [whole[y : y + TILE, x : x + TILE] for y, x in places]
        wrong = [float(np.abs(c[..., :3].astype(np.int16) - c[..., 10:]).mean()) for c in cuts]
        for i in np.argsort(wrong)[-_TILES:]:
            yield np.ascontiguousarray(cuts[i].transpose(2, 0, 1)), offset / length


def prepare(
    sources: Sequence[tuple[Path, Sequence[tuple[int, int]]]],
    out: Path,
    seed: int = 0,
    note: Callable[[str], None] = print,
    most: int | None = None,
) -> int:
    """Write the tiles of clips to a folder; every twentieth shot is kept apart for validation.

    Args:
        sources: clips and the frames of each that may be used, none for all.
        out: a folder; one that holds tiles already is refused.
        seed: of lengths, times and places.
        note: is told how far it is.
        most: tiles at most.

    Returns:
        The number of tiles.

    Raises:
        FlowError: the folder holds tiles, or the clips give none.
        MediaError: a clip cannot be read.
    """
    if (out / "tiles.json").exists():
        raise FlowError(f"{out} holds tiles already; name another folder")
    for path, _ in sources:
        if not path.is_file():
            raise MediaError(f"{path} does not exist")
    out.mkdir(parents=True, exist_ok=True)
    places: list[float] = []
    apart: list[int] = []
    number = 0
    with open(out / "tiles.u8.tmp", "wb") as file:
        for path, ranges in sources:
            for shot in shots(path, ranges):
                number += 1
                for tile, place in tiles_of(shot, np.random.default_rng([seed, number])):
                    if most is not None and len(places) >= most:
                        break
                    if number % 20 == 10:
                        apart.append(len(places))
                    file.write(tile.tobytes())
                    places.append(place)
                note(f"{path.name}: shot {number}, {len(places)} tiles")
    if not places:
        raise FlowError("no tiles: shots are at least 5 frames long, and pictures at least 128 pixels high and wide")
    os.replace(out / "tiles.u8.tmp", out / "tiles.u8")
    names = [str(path.name) for path, _ in sources]
    description = {"count": len(places), "places": places, "apart": apart, "sources": names, "seed": seed}
    (out / "tiles.json.tmp").write_text(json.dumps(description))
    os.replace(out / "tiles.json.tmp", out / "tiles.json")
    return len(places)


class Tiles:
    """Prepared tiles, in batches that are functions of seed and number alone.

    Raises:
        MediaError: the folder holds none, or they are damaged.
    """

    def __init__(self, folder: Path) -> None:
        path = folder / "tiles.json"
        if not path.is_file():
            raise MediaError(
                f"{folder} holds no tiles; make some with `lgvsc-flow train world --film ... --data {folder}`"
            )
        try:
            told = json.loads(path.read_text())
            count, self._places = int(told["count"]), np.array(told["places"], np.float32)
            self._pixels = np.memmap(folder / "tiles.u8", np.uint8, "r", shape=(count, CHANNELS, TILE, TILE))
            apart = np.array(told["apart"], np.int64)
            whole = self._pixels.nbytes == (folder / "tiles.u8").stat().st_size and len(self._places) == count > 0
            if not whole or (len(apart) and not 0 <= apart.min() <= apart.max() < count):
                raise ValueError("sizes differ")
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise MediaError(f"the tiles in {folder} are damaged ({error}); prepare them again") from error
        learned = np.setdiff1d(np.arange(count), apart)
        self._learned = learned if len(learned) else np.arange(count)
        self.apart = apart if len(apart) else self._learned[-1:]

    def __len__(self) -> int:
        return len(self._learned)

    def batch(self, seed: int, number: int, size: int) -> tuple[np.ndarray, np.ndarray]:
        """Tiles uint8 [size, 13, 128, 128], turned and mirrored at random, and their places in time [size]."""
        rng = np.random.default_rng([seed, number])
        chosen = self._learned[rng.integers(0, len(self._learned), size)]
        pixels = np.array(self._pixels[np.sort(chosen)])
        if rng.random() < 0.5:
            pixels = pixels[..., ::-1]
        if rng.random() < 0.5:
            pixels = pixels.swapaxes(2, 3)
        return np.ascontiguousarray(pixels), self._places[np.sort(chosen)]

    def kept_apart(self, most: int) -> tuple[np.ndarray, np.ndarray]:
        """Tiles for validation, evenly taken of those of shots that are not learned from."""
        chosen = self.apart[np.unique(np.linspace(0, len(self.apart) - 1, most).round().astype(int))]
        return np.array(self._pixels[chosen]), self._places[chosen]
