"""Photographs on disk: which files count, how they are read, and what sizes are made of them."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from lgvsc_flow.errors import MediaError

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
    "gcompris",
    "palapeli",
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
LEAST = 128  # shorter side in pixels
Image.MAX_IMAGE_PIXELS = 200_000_000
READ_ERRORS = (OSError, SyntaxError, ValueError, Image.DecompressionBombError)


def is_photograph(pixels: np.ndarray, least: int = LEAST) -> bool:
    """Whether uint8 HxWx3 pixels look like a photograph: not tiny, not flat art, not one grey."""
    if min(pixels.shape[:2]) < least:
        return False
    same = np.all(pixels[:, 1:] == pixels[:, :-1], axis=2).mean()
    return bool(same < 0.65 and pixels.std() > 4)


def files(sources: list[Path]) -> Iterator[Path]:
    """Files under folders, sorted, but for those held out and those that are no pictures by their path.

    Raises:
        MediaError: a source does not exist.
    """
    for source in sources:
        if not source.exists():
            raise MediaError(f"training source {source} does not exist")
    for source in sources:
        found = [source] if source.is_file() else sorted(p for p in source.rglob("*") if p.is_file())
        yield from (path for path in found if not left_out(path))


def left_out(path: Path) -> bool:
    """Whether a file is kept for measuring or is, by its path, no picture of anything."""
    text = path.as_posix()
    return any(word in text for word in HELD_OUT + NOT_PICTURES)


def pictures(path: Path, video_frames: int) -> Iterator[tuple[str, str, float, np.ndarray]]:
    """(name, sha256, weight, pixels) of what a file holds: a picture, or some frames of a video."""
    suffix = path.suffix.lower()
    if suffix in PICTURE_SUFFIXES:
        raw = _bytes(path)
        if len(raw) > 30_000 and (pixels := decode(raw)) is not None:
            yield path.as_posix(), hashlib.sha256(raw).hexdigest(), 1.0, pixels
    elif suffix == ".edj":  # a container of plain JPEG files: one background in several sizes
        raw = max(_embedded_jpegs(_bytes(path)), key=len, default=b"")
        if (pixels := decode(raw)) is not None:
            yield path.as_posix(), hashlib.sha256(raw).hexdigest(), 2.0, pixels
    elif suffix in VIDEO_SUFFIXES:
        yield from _video_frames(path, video_frames)


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def decode(raw: bytes) -> np.ndarray | None:
    """uint8 RGB pixels of a picture file; None where it is damaged or transparent."""
    try:
        picture = Image.open(io.BytesIO(raw))
        if picture.mode in ("RGBA", "LA", "P"):
            rgba = np.asarray(picture.convert("RGBA"))
            if (rgba[..., 3] < 255).mean() > 0.01:
                return None
            return np.ascontiguousarray(rgba[..., :3])
        return np.asarray(picture.convert("RGB"))
    except READ_ERRORS:
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


def shapes(height: int, width: int, sizes: tuple[int, ...], least: int = LEAST) -> list[tuple[int, int]]:
    """(height, width) of the sizes that are made of a picture."""
    longer, made = max(height, width), []
    for size in sizes:
        # A picture is always shrunk a little, so that its camera's or codec's own blur and blocks go.
        if longer >= 1.3 * size or (size == sizes[-1] and longer >= size):
            shape = max(1, round(height * size / longer)), max(1, round(width * size / longer))
            if min(shape) >= least:
                made.append(shape)
    return made


def shrunk(picture: Image.Image, shape: tuple[int, int]) -> np.ndarray:
    """The picture at a smaller (height, width), uint8 RGB."""
    return np.asarray(picture.resize(shape[::-1], Image.Resampling.LANCZOS, reducing_gap=3))
