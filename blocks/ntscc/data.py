"""Pictures for training: gather files, shrink them to several sizes, cut crops.

`prepare` (python -m lgvsc_flow.blocks.ntscc.data SOURCE... --out DIR) walks folders, for example unpacked distribution
packages, reads every photograph and a few frames of every video, shrinks each to several sizes (so that a 128 x 128
crop looks like a piece of a 400 to 1280 pixel picture) and writes one flat uint8 cache, `pictures.npy`, with an index,
`pictures.json`, that names every source file by sha256. `Crops` cuts batches from it; batch number n is a function of
(seed, n) alone, so that a resumed training sees what an unbroken one would have seen.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from PIL import Image

#: Pictures and clips kept for measuring: a file whose path holds one of these is never prepared for training.
HELD_OUT = (
    "lomiri-wallpapers-20.04",
    "Fossa_by_",
    "Kleiber_by_",
    "Infinite-Sea_by_",
    "Painting-Colors_by_",
    "astronaut",
    "chelsea",
    "coffee",
    "rocket",
    "retina",
    "hubble",
    "motorcycle",
    "bikes",
    "carphone",
)
#: Not pictures of anything: interface parts, masks, drawings for documents, maps and textures.
NOT_PICTURES = (
    "screenshot",
    "/html/",
    "skycultures",
    "textures",
    "/text/",
    "segmented",
    "symbolic",
    "webroot",
)
PICTURE_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")
VIDEO_SUFFIXES = (".avi", ".mp4", ".mkv", ".webm")
SIZES = (1920, 1280, 960, 704, 512)  # longer side in pixels


def prepare(sources: list[Path], out: Path, *, video_frames: int = 120, sizes: tuple[int, ...] = SIZES) -> dict:
    """Write `out/pictures.npy` and `out/pictures.json` from every usable picture under `sources`; returns the index.

    Flat art (two thirds of all neighbouring pixels equal) and held-out files are left out. Raises
    FileNotFoundError when a source folder is missing and ValueError when no picture is found.
    """
    out.mkdir(parents=True, exist_ok=True)
    pictures, offset, seen = [], 0, set()
    temporary = out / "pictures.bin.tmp"
    with open(temporary, "wb") as cache:
        for path in _files(sources):
            for name, digest, weight, pixels in _pictures(path, video_frames):
                if digest in seen or not is_photograph(pixels):
                    continue
                seen.add(digest)
                scales = []
                for shrunk in _shrink(pixels, sizes):
                    cache.write(shrunk.tobytes())
                    scales.append({"offset": offset, "height": shrunk.shape[0], "width": shrunk.shape[1]})
                    offset += shrunk.size
                if scales:
                    pictures.append({"source": name, "sha256": digest, "weight": weight, "scales": scales})
    if not pictures:
        temporary.unlink()
        raise ValueError(f"no photograph found under {', '.join(map(str, sources))}")
    flat = np.memmap(temporary, np.uint8, "r")
    final = out / "pictures.npy.tmp"
    with open(final, "wb") as file:
        np.save(file, flat)
    os.replace(final, out / "pictures.npy")
    temporary.unlink()
    index = {"pictures": pictures}
    (out / "pictures.json.tmp").write_text(json.dumps(index, indent=1))
    os.replace(out / "pictures.json.tmp", out / "pictures.json")
    return index


def is_photograph(pixels: np.ndarray) -> bool:
    """Whether uint8 HxWx3 pixels look like a photograph: not tiny, not flat art, not one grey."""
    if min(pixels.shape[:2]) < 128:
        return False
    same = np.all(pixels[:, 1:] == pixels[:, :-1], axis=2).mean()
    return bool(same < 0.65 and pixels.std() > 4)


class Crops:
    """Random square crops from a prepared cache: groups of crops that come from one picture at one size.

    A group stands for a picture: the rate is allocated over its crops together. Small sizes are drawn more often, and
    in every second group each crop is the more detailed one of two: photographs at 500 to 800 pixels are full of
    detail, wallpapers are not.
    """

    def __init__(self, folder: Path, size: int = 128):
        index_path = folder / "pictures.json"
        if not index_path.is_file():
            raise FileNotFoundError(f"{folder} holds no pictures.json: run `prepare` first")
        self.size = size
        self.index = json.loads(index_path.read_text())
        self._flat = np.load(folder / "pictures.npy", mmap_mode="r")
        self._pictures = [
            (p["weight"], scales)
            for p in self.index["pictures"]
            if (scales := [s for s in p["scales"] if min(s["height"], s["width"]) >= size])
        ]
        weights = np.array([weight for weight, _ in self._pictures], float)
        self._probability = weights / weights.sum()

    def batch(self, seed: int, number: int, groups: int = 2, per_group: int = 4) -> np.ndarray:
        """Batch `number`: uint8 [groups * per_group, 3, size, size]."""
        rng = np.random.default_rng([seed, number])
        crops = []
        for picture in rng.choice(len(self._pictures), groups, p=self._probability):
            scales = self._pictures[picture][1]
            inverse = np.array([1 / max(scale["height"], scale["width"]) for scale in scales])
            scale = scales[rng.choice(len(scales), p=inverse / inverse.sum())]
            detailed = rng.random() < 0.5
            height, width = scale["height"], scale["width"]
            pixels = self._flat[scale["offset"] : scale["offset"] + height * width * 3].reshape(height, width, 3)
            for _ in range(per_group):
                places = rng.integers((height - self.size + 1, width - self.size + 1), size=(1 + detailed, 2))
                found = (pixels[top : top + self.size, left : left + self.size] for top, left in places)
                crop = max(found, key=_detail)
                crop = np.rot90(crop, int(rng.integers(4)))
                crops.append(crop[:, ::-1] if rng.integers(2) else crop)
        return np.ascontiguousarray(np.stack(crops).transpose(0, 3, 1, 2))

    def pictures(self, count: int, longer_side: int) -> Iterator[np.ndarray]:
        """Whole pictures, uint8 [H, W, 3], of at most that size: the first `count` in the order of weight."""
        chosen = sorted(self._pictures, key=lambda p: -p[0])[:count]
        for _, scales in chosen:
            scale = next((s for s in scales if max(s["height"], s["width"]) <= longer_side), scales[-1])
            stop = scale["offset"] + scale["height"] * scale["width"] * 3
            yield self._flat[scale["offset"] : stop].reshape(scale["height"], scale["width"], 3)


def _detail(pixels: np.ndarray) -> float:
    """Mean absolute difference of green between neighbours."""
    green = pixels[..., 1].astype(np.int16)
    return float(np.abs(np.diff(green, axis=0)).mean() + np.abs(np.diff(green, axis=1)).mean())


def _files(sources: list[Path]) -> Iterator[Path]:
    for source in sources:
        if not source.exists():
            raise FileNotFoundError(f"training source {source} does not exist")
        found = [source] if source.is_file() else sorted(p for p in source.rglob("*") if p.is_file())
        for path in found:
            text = path.as_posix()
            if not any(word in text for word in HELD_OUT + NOT_PICTURES):
                yield path


def _pictures(path: Path, video_frames: int) -> Iterator[tuple[str, str, float, np.ndarray]]:
    suffix = path.suffix.lower()
    if suffix in PICTURE_SUFFIXES:
        raw = path.read_bytes()
        if len(raw) > 30_000 and (pixels := _decode(raw)) is not None:
            yield path.as_posix(), hashlib.sha256(raw).hexdigest(), 1.0, pixels
    elif suffix == ".edj":  # a container of plain JPEG files: one background in several sizes
        raw = max(_embedded_jpegs(path.read_bytes()), key=len, default=b"")
        if (pixels := _decode(raw)) is not None:
            yield path.as_posix(), hashlib.sha256(raw).hexdigest(), 2.0, pixels
    elif suffix in VIDEO_SUFFIXES:
        yield from _video_frames(path, video_frames)


def _decode(raw: bytes) -> np.ndarray | None:
    Image.MAX_IMAGE_PIXELS = 200_000_000
    try:
        picture = Image.open(io.BytesIO(raw))
        if picture.mode in ("RGBA", "LA", "P"):
            rgba = np.asarray(picture.convert("RGBA"))
            if (rgba[..., 3] < 255).mean() > 0.01:
                return None
            return np.ascontiguousarray(rgba[..., :3])
        return np.asarray(picture.convert("RGB"))
    except (OSError, SyntaxError, ValueError):
        return None


def _embedded_jpegs(raw: bytes) -> Iterator[bytes]:
    start = 0
    while (start := raw.find(b"\xff\xd8\xff", start)) >= 0:
        stop = raw.find(b"\xff\xd8\xff", start + 3)
        piece = raw[start : stop if stop > 0 else len(raw)]
        if len(piece) > 300_000:
            yield piece
        start += 3


def _video_frames(path: Path, count: int) -> Iterator[tuple[str, str, float, np.ndarray]]:
    import av

    try:
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            stream.thread_type = "AUTO"
            total = stream.frames or 1000
            step = max(total // count, 8)
            for number, frame in enumerate(container.decode(stream)):
                if number % step == step // 2:
                    pixels = frame.to_ndarray(format="rgb24")
                    digest = hashlib.sha256(pixels.tobytes()).hexdigest()
                    yield f"{path.as_posix()}#{number}", digest, 0.2, pixels
    except (av.FFmpegError, IndexError):
        return


def _shrink(pixels: np.ndarray, sizes: tuple[int, ...]) -> Iterator[np.ndarray]:
    height, width = pixels.shape[:2]
    longer, picture = max(height, width), Image.fromarray(pixels)
    for size in sizes:
        # A picture is always shrunk a little, so that its camera's or codec's own blur and blocks go.
        if longer >= 1.3 * size or (size == sizes[-1] and longer >= size):
            shape = max(1, round(width * size / longer)), max(1, round(height * size / longer))
            if min(shape) >= 128:
                yield np.asarray(picture.resize(shape, Image.Resampling.LANCZOS, reducing_gap=3))


def main(
    sources: Annotated[list[Path], typer.Argument(help="folders or files to gather pictures from")],
    out: Annotated[Path, typer.Option(help="folder for the cache")],
    video_frames: Annotated[int, typer.Option(help="about how many frames to take of a video")] = 120,
) -> None:
    """Prepare a cache of training pictures and print its sources."""
    index = prepare(sources, out, video_frames=video_frames)
    for picture in index["pictures"]:
        print(picture["sha256"], picture["source"])
    print(f"{len(index['pictures'])} pictures")


if __name__ == "__main__":
    typer.run(main)
