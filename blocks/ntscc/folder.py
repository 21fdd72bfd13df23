"""Crops for training straight from a folder of photographs, and batches cut ahead of their use.

Nothing is prepared and nothing is written: a picture is decoded when a batch draws it (JPEG files at a fraction of
their size), shrunk to one of the sizes that `prepare` would have made, and cut. A prepared cache gives batches
faster and takes videos too; a folder needs no room.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image

from lgvsc_flow.blocks.ntscc.data import Crops, Source, choose_scale, cut
from lgvsc_flow.blocks.ntscc.photographs import (
    PICTURE_SUFFIXES,
    READ_ERRORS,
    SIZES,
    VIDEO_SUFFIXES,
    is_photograph,
    left_out,
    shapes,
    shrunk,
)
from lgvsc_flow.errors import MediaError

TRIES = 200  # files looked at for one picture


def open_pictures(folder: Path, size: int) -> Source:
    """A prepared cache where the folder is one, else the photographs in it.

    Raises:
        MediaError: there is nothing to train on.
    """
    if not folder.is_dir():
        what = "is a file, not a folder" if folder.exists() else "does not exist"
        raise MediaError(f"--data {folder} {what}; it takes a folder of photographs or of prepared pictures")
    return Crops(folder, size) if (folder / "pictures.json").is_file() else FolderCrops(folder, size)


class FolderCrops:
    """Random square crops from the photographs in a folder and the folders in it.

    A batch is a function of seed, number and the files. Files that are damaged, flat art or smaller than a crop are
    passed over when they are drawn. Those held out for measuring are not drawn (`left` counts them).

    Raises:
        MediaError: there is no photograph.
    """

    def __init__(self, folder: Path, size: int = 128, sizes: tuple[int, ...] = SIZES):
        self.folder, self.size, self.sizes = folder, size, sizes
        found = sorted(p for p in folder.rglob("*") if p.suffix.lower() in PICTURE_SUFFIXES and p.is_file())
        self._files = [p for p in found if not left_out(p)]
        self.left = len(found) - len(self._files)
        if not self._files:
            videos = sum(p.suffix.lower() in VIDEO_SUFFIXES for p in folder.rglob("*"))
            advice = f"; it holds {videos} videos: lgvsc-flow train pictures {folder} --out DIR prepares their frames"
            left = f"; {self.left} are held out for measuring by their names" if self.left else ""
            kinds = ", ".join(PICTURE_SUFFIXES)
            raise MediaError(f"{folder} holds no photograph ({kinds}){left}{advice if videos else ''}")
        next(self.pictures(1, sizes[-1]))

    def __len__(self) -> int:
        return len(self._files)

    def batch(self, seed: int, number: int, groups: int = 2, per_group: int = 4) -> np.ndarray:
        """Batch `number`: uint8 [groups * per_group, 3, size, size]."""
        rng = np.random.default_rng([seed, number])
        crops: list[np.ndarray] = []
        for _ in range(groups):
            crops += cut(self._drawn(rng), self.size, per_group, rng)
        return np.ascontiguousarray(np.stack(crops).transpose(0, 3, 1, 2))

    def pictures(self, count: int, longer_side: int) -> Iterator[np.ndarray]:
        """Whole pictures, uint8 [H, W, 3], of at most that size: `count` usable ones from all over the folder."""
        given = 0
        stride = max(len(self._files) // count, 1)
        for start in range(stride):
            for path in self._files[start::stride]:
                if given == count:
                    return
                if (pixels := self._read(path, longer_side=longer_side)) is not None:
                    given += 1
                    yield pixels
        if not given:
            raise self._unusable(len(self._files))

    def _drawn(self, rng: np.random.Generator) -> np.ndarray:
        for _ in range(TRIES):
            path = self._files[int(rng.integers(len(self._files)))]
            if (pixels := self._read(path, rng)) is not None:
                return pixels
        raise self._unusable(TRIES)

    def _unusable(self, count: int) -> MediaError:
        return MediaError(
            f"{self.folder}: none of {count} pictures looked at is a photograph that can be read and has at least "
            f"{self.size} x {self.size} pixels"
        )

    def _read(self, path: Path, rng: np.random.Generator | None = None, longer_side: int = 0) -> np.ndarray | None:
        """A picture at one of its sizes, drawn or the largest up to `longer_side`; None where it is of no use."""
        try:
            with Image.open(path) as picture:
                made = shapes(picture.height, picture.width, self.sizes, self.size)
                if not made and min(picture.size) >= self.size:  # a small picture is taken as it is
                    made = [(picture.height, picture.width)]
                if not made:
                    return None
                if rng is not None:
                    shape = made[choose_scale(made, rng)]
                else:
                    shape = next((s for s in made if max(s) <= longer_side), made[-1])
                picture.draft("RGB", (2 * shape[1], 2 * shape[0]))  # JPEG: no more pixels than that are decoded
                if picture.mode in ("RGBA", "LA", "P") and np.asarray(picture.convert("RGBA"))[..., 3].min() < 255:
                    return None
                pixels = shrunk(picture.convert("RGB"), shape)
        except READ_ERRORS:
            return None
        return pixels if is_photograph(pixels, self.size) else None


class Ahead:
    """Batches by number, the next ones cut by threads while one is used."""

    def __init__(self, cut_batch: Callable[[int], np.ndarray], workers: int):
        self._cut, self.workers = cut_batch, workers
        self._pool = ThreadPoolExecutor(workers, "pictures") if workers else None
        self._waiting: deque[tuple[int, Future[np.ndarray]]] = deque()

    def take(self, number: int) -> np.ndarray:
        """Batch `number`; after it, number + 1 is expected."""
        if self._pool is None:
            return self._cut(number)
        if not self._waiting or self._waiting[0][0] != number:
            self._drop()
            self._add(number)
        _, future = self._waiting.popleft()
        while len(self._waiting) < self.workers:
            self._add(self._waiting[-1][0] + 1 if self._waiting else number + 1)
        return future.result()

    def close(self) -> None:
        """End the threads."""
        self._drop()
        if self._pool is not None:
            self._pool.shutdown()

    def _add(self, number: int) -> None:
        assert self._pool is not None
        self._waiting.append((number, self._pool.submit(self._cut, number)))

    def _drop(self) -> None:
        for _, future in self._waiting:
            future.cancel()
        self._waiting.clear()
