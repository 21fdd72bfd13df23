"""What SKEM's approximate searches miss, and what they save, against the exact one.

    python benchmarks/skem_search.py --sample-fps 4.6 --out FILE.json bikes.mp4 vtest.avi film.mp4@60-120

A clip is a path, or a path with the seconds to take of it. Pictures wider than 640 pixels are reduced to that. All
searches look at the same frames with the embedded describer and judge at the default threshold; a description is
computed once and handed to all, but each search counts the ones it asks for. The exact search is held against a plain
loop, written here, at the same time.

A keyframe of the exact search is *found* where the other search has it too, *moved* where that has one within a second
instead, *missed* otherwise; what the other has left is *extra*. The loop goes on from its latest keyframe, so that one
miss can move the next keyframes too. "cuts missed" counts keyframes of the exact search at hard cuts that the other
search does not have.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table

from lgvsc_flow.blocks.semantic import EmbeddedDescriber, EmbeddingJudge, Skem, cuts, s_rel
from lgvsc_flow.blocks.semantic.cuts import CutDetector
from lgvsc_flow.blocks.semantic.gates import FeatureGate
from lgvsc_flow.blocks.semantic.psss import Description
from lgvsc_flow.blocks.semantic.shrink import shrink
from lgvsc_flow.blocks.video import VideoFile
from lgvsc_flow.items import Frame

WIDTH = 640
SEARCHES: tuple[dict[str, Any], ...] = (
    {"search": "exact"},
    *({"search": "pixel-gate", "pixel_gate": limit} for limit in (0.03, 0.06, 0.1, 0.15)),
    *({"search": "feature-gate", "feature_gate": limit} for limit in (0.98, 0.95, 0.9)),
    *({"search": "gallop", "gallop_stride": s, "verify_window": w} for s, w in ((4, 2), (8, 2), (8, 0), (16, 2))),
    *({"search": "coarse-to-fine", "coarse_step": step} for step in (2, 4, 8)),
)


class SharedDescriber:
    """The embedded describer behind a store by content, for all searches."""

    def __init__(self) -> None:
        self._describer, self._store = EmbeddedDescriber(), dict[bytes, Description]()

    def load(self) -> None:
        self._describer.load()

    def describe(self, frames: Sequence[np.ndarray]) -> list[Description]:
        keys = [hashlib.sha256(f.data).digest() for f in frames]
        new = {k: f for k, f in zip(keys, frames, strict=True) if k not in self._store}
        self._store.update(zip(new, self._describer.describe(list(new.values())), strict=True))
        return [self._store[k] for k in keys]


class SharedLook:
    """What the cut detectors of all searches see of a frame, computed once."""

    def __init__(self) -> None:
        self._look, self._last = cuts._look, None

    def __call__(self, pixels: np.ndarray) -> Any:
        if self._last is None or self._last[0] is not pixels:
            self._last = pixels, self._look(pixels)
        return self._last[1]


@dataclass
class Tally:
    """What one search did over all clips."""

    keyframes: int = 0
    found: int = 0
    moved: int = 0
    missed: int = 0
    extra: int = 0
    cuts_missed: int = 0
    sampled: int = 0
    described: int = 0
    judged: int = 0
    wasted: int = 0
    clips: dict[str, list[int]] = field(default_factory=dict)


def frames_of(clip: str) -> Iterator[Frame]:
    """Frames of `path` or `path@from-to` (seconds), numbered and timed from 0."""
    path, _, span = clip.partition("@")
    start, stop = (float(s) for s in span.split("-")) if span else (0.0, float("inf"))
    source, first = VideoFile(path=path), None
    source.start()
    try:
        for frame in source.work():
            if frame.time_s >= stop:
                break
            if frame.time_s >= start:
                first = first or frame
                height, width = frame.pixels.shape[:2]
                small = frame.pixels if width <= WIDTH else shrink(frame.pixels, WIDTH, round(height * WIDTH / width))
                yield Frame(small, frame.index - first.index, frame.time_s - first.time_s)
    finally:
        source.stop()


def plain_loop(
    samples: Sequence[tuple[int, Description]], hard_cuts: Sequence[int], last: int, describe: Any
) -> list[int]:
    """Keyframes of the paper's loop, one sample at a time, with the same three rules as Skem's defaults."""
    judge, keyframes, reference, before = EmbeddingJudge(), [0], samples[0][1], 0
    for position, description in samples[1:]:
        while True:
            if position - keyframes[-1] >= 250:
                keyframes.append(keyframes[-1] + 250)
                before = keyframes[-1]
                reference = describe(before)
                if before == position:
                    break
                continue
            if float(s_rel(*judge.judge(reference, [description], "general"))[0]) <= 0.35:
                break
            start = next((c for c in hard_cuts if before < c <= position), position)
            keyframes.append(start)
            reference, before = describe(start), start
            if start == position:
                break
        before = position
    while last - keyframes[-1] >= 250:
        keyframes.append(keyframes[-1] + 250)
    return keyframes if keyframes[-1] == last else [*keyframes, last]


def run_clip(clip: str, fps: float | None, tallies: Sequence[Tally], describer: SharedDescriber) -> dict[str, Any]:
    """Run all searches over a clip, side by side, and add to their tallies."""
    blocks = [Skem(describer=describer, sample_fps=fps, **settings) for settings in SEARCHES]
    starts: list[list[int]] = [[] for _ in blocks]
    detector, samples, recent, tick, last = CutDetector(), [], {}, -1, -1
    for block in blocks:
        block.start()
        if isinstance(block._gate, FeatureGate):
            block._gate.embed = lambda some: [d.embedding for d in describer.describe([f.pixels for f in some])]
    for frame in frames_of(clip):
        detector.push(frame.pixels)
        recent[frame.index] = frame.pixels
        recent.pop(frame.index - 600, None)
        due = fps is None or int(frame.time_s * fps + 1e-6) > tick
        tick = tick if fps is None else max(tick, int(frame.time_s * fps + 1e-6))
        if due:
            samples.append((frame.index, describer.describe([frame.pixels])[0]))
        last = frame.index
        for block, found in zip(blocks, starts, strict=True):
            found += [s.start for s in block.work(frame)]
    for block, found in zip(blocks, starts, strict=True):
        found += [s.start for s in block.finish()]
    detector.finish()

    # The plain loop runs afterwards, so a keyframe between samples must be read again.
    wanted: dict[int, Description] = dict(samples)
    missing = set(starts[0]) - set(wanted)
    for frame in frames_of(clip) if missing else ():
        if frame.index in missing:
            wanted[frame.index] = describer.describe([frame.pixels])[0]
    plain = plain_loop(samples, detector._cuts, last, wanted.__getitem__)
    exact, count = starts[0], blocks[0].counts
    for block, tally, found in zip(blocks, tallies, starts, strict=True):
        hits, moved = compare(exact, found, 1.0 * (last + 1) / max(frame.time_s, 1e-9))
        tally.keyframes += len(found)
        tally.found, tally.moved = tally.found + len(hits), tally.moved + len(moved)
        tally.missed += len(exact) - len(hits) - len(moved)
        tally.extra += len(found) - len(hits) - len(moved)
        tally.cuts_missed += len([c for c in detector._cuts if c in exact and c not in found])
        for name in ("sampled", "described", "judged", "wasted"):
            setattr(tally, name, getattr(tally, name) + getattr(block.counts, name))
        tally.clips[clip] = found
    return {
        "clip": clip,
        "frames": last + 1,
        "seconds": frame.time_s,
        "plain_loop_agrees": plain == exact,
        "plain_loop": plain,
        "exact": exact,
        "hard_cuts": detector._cuts,
        "counts": count.as_dict(),
    }


def compare(exact: Sequence[int], other: Sequence[int], tolerance: float) -> tuple[list[int], list[int]]:
    """Keyframes of `exact` that `other` has, and those for which it has one within `tolerance` frames instead."""
    hits = [k for k in exact if k in other]
    left, moved = [k for k in other if k not in exact], []
    for keyframe in exact:
        near = min(left, key=lambda k: abs(k - keyframe), default=None)
        if keyframe not in hits and near is not None and abs(near - keyframe) <= tolerance:
            moved.append(keyframe)
            left.remove(near)
    return hits, moved


def main(
    clips: Annotated[list[str], typer.Argument(help="video files, each with @from-to in seconds where wanted")],
    sample_fps: Annotated[float, typer.Option(help="samples per second of video; 0 for every frame")] = 4.6,
    out: Annotated[Path | None, typer.Option(help="write all of it as JSON")] = None,
) -> None:
    """What SKEM's approximate searches miss, and what they save, against the exact one."""
    tallies, describer = [Tally() for _ in SEARCHES], SharedDescriber()
    describer.load()
    cuts._look = SharedLook()
    done = []
    for clip in track(clips, "clips"):
        done.append(run_clip(clip, sample_fps or None, tallies, describer))
        if out is not None:
            searches = [{**s, **vars(t)} for s, t in zip(SEARCHES, tallies, strict=True)]
            out.write_text(json.dumps({"sample_fps": sample_fps, "searches": searches, "clips": done}, indent=1))
    table = Table("search", "keyframes", "found", "moved", "missed", "extra", "cuts missed", "described", "judged")
    reference = tallies[0]
    for settings, tally in zip(SEARCHES, tallies, strict=True):
        name = " ".join(f"{v:g}" if isinstance(v, int | float) else str(v) for v in settings.values())
        figures = (tally.keyframes, tally.found, tally.moved, tally.missed, tally.extra, tally.cuts_missed)
        shares = (
            f"{n} ({n / m:.0%})" for n, m in ((tally.described, reference.described), (tally.judged, reference.judged))
        )
        table.add_row(name, *map(str, figures), *shares)
    Console(width=150).print(table)
    for row in done:
        agrees = "agrees" if row["plain_loop_agrees"] else "DIFFERS"
        print(f"{row['clip']}: {row['frames']} frames, plain loop {agrees}, {row['counts']}")


if __name__ == "__main__":
    typer.run(main)
