"""Latency per stage (paper, section III-E): measured here, and projected to other GPUs by their peak throughput.

    python benchmarks/paper/latency.py street.mp4 --profile embedded --out out/paper

One thread after the other (`engine="inline"`), so that a block's working time is its own. A projection by peak
throughput presumes that the work is bound by arithmetic. Writing a caption token by token at batch 1 is not: it reads
all weights for every token, and scales with memory bandwidth, for which there is a column.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import gpus
import numpy as np
import study
import typer
from footage import all_pieces
from gpus import CLAIMS, GPUS, projected_s
from study import Models, NotComputed, Report, Table

from lgvsc_flow.blocks.metrics import SegmentLog
from lgvsc_flow.blocks.semantic.psss import Description
from lgvsc_flow.blocks.video import count_frames, probe
from lgvsc_flow.graphs.lgvsc import Scheme, lgvsc
from lgvsc_flow.graphs.profiles import PAPER_FPS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

STAGES = (
    ("description of a frame", "per sampled frame"),
    ("judging of a pair", "per pair"),
    ("SKEM, all of it", "per minute of video"),
    ("NTSCC encoding", "per keyframe"),
    ("world model", "per generated second"),
)
# A pair of the paper holds one round of captions of both frames, and one of judging.
PAPER_STAGES = (
    (gpus.PAIR_S * gpus.CAPTION_SHARE, "RTX 4090, both frames of a pair"),
    (gpus.PAIR_S * (1 - gpus.CAPTION_SHARE), "RTX 4090"),
    (gpus.SKEM_S, "RTX 4090"),
    (gpus.NTSCC_S, "GPU not named"),
    (gpus.WORLD_S, "RTX 4080 SUPER"),
)


class Timed:
    """A describer or judge whose work is counted and timed; everything else is passed on."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self.items, self.seconds = 0, 0.0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def load(self) -> None:
        self._inner.load()

    def describe(self, frames: Sequence[np.ndarray]) -> list[Description]:
        began = time.perf_counter()
        result = self._inner.describe(frames)
        self._add(began, len(frames))
        return list(result)

    def judge(
        self, keyframe: Description, candidates: Sequence[Description], focus: str
    ) -> tuple[np.ndarray, np.ndarray]:
        began = time.perf_counter()
        result: tuple[np.ndarray, np.ndarray] = self._inner.judge(keyframe, candidates, focus)
        self._add(began, len(candidates))
        return result

    def _add(self, began: float, items: int) -> None:
        self.seconds += time.perf_counter() - began
        self.items += items

    @property
    def each_s(self) -> float:
        return self.seconds / max(self.items, 1)


@dataclass(frozen=True)
class Measured:
    """Seconds of every stage in `STAGES`, and what they were measured over."""

    seconds: tuple[float, ...]
    counts: str


def measure(models: Models, video: Path, sample_fps: float) -> Measured:
    """Send a video over the whole link once and see what each stage took.

    Raises:
        FlowError: the video cannot be read, or a block failed.
    """
    info = replace(probe(video), num_frames=count_frames(video))
    describer, judge = Timed(models.describer), Timed(models.judge)
    scheme = Scheme(describer=describer, judge=judge, strategy="per-frame", sample_fps=sample_fps)
    graph = lgvsc(scheme, video, info)
    run = graph.run(engine="inline", capacity=2)
    seconds_of_video = info.num_frames / float(info.fps)
    keyframes = len(graph.find(SegmentLog).entries)
    counts = f"{video.name}: {info.num_frames} frames, {describer.items} described, {judge.items} pairs"
    counts += f", {keyframes} keyframes"
    seconds = (
        describer.each_s,
        judge.each_s,
        run["Skem"].busy_s / seconds_of_video * 60,
        run["NtsccEncoder"].busy_s / keyframes,
        run["DsaWorldModel"].busy_s / seconds_of_video,
    )
    return Measured(seconds, counts)


def matrix_tflops(size: int = 512, repeats: int = 100) -> float:
    """What this machine reaches at multiplying float32 matrices, the best of many short runs, in TFLOPS."""
    import torch

    a = torch.ones(size, size)
    best = float("inf")
    for _ in range(repeats + 1):
        began = time.perf_counter()
        a @ a
        best = min(best, time.perf_counter() - began)
    return 2 * size**3 / best / 1e12


def paper_tables() -> list[Table]:
    """The paper's figures from its own inputs, and the GPUs."""
    claims = [
        (c.what, c.formula, round(c.value, 3), f"{c.printed:.{c.decimals}f}", c.unit, "yes" if c.follows else "NO")
        for c in CLAIMS
    ]
    home = GPUS["RTX 4090"]
    rows = []
    for g in GPUS.values():
        by_peak = [projected_s(s, home.tflops, g.tflops) for s in (gpus.PAIR_S, gpus.SKEM_S)]
        by_memory = projected_s(gpus.SKEM_S, home.gb_per_s, g.gb_per_s)
        world = projected_s(gpus.WORLD_S, GPUS["RTX 4080 SUPER"].tflops, g.tflops)
        rows.append((g.name, g.tflops, int(g.gb_per_s), *map(_s, by_peak), _s(by_memory), _s(world), g.source))
    header = (
        "GPU",
        "BF16 TFLOPS",
        "GB/s",
        "PSSS, s per pair",
        "SKEM, s per minute",
        "SKEM, by bandwidth",
        "Open-Sora, s per s",
        "peak from",
    )
    return [
        Table("The paper's figures from its inputs", ("what", "formula", "gives", "paper", "unit", "follows"), claims),
        Table("The paper's latencies, projected by peak throughput", header, rows),
    ]


def paper_notes() -> list[str]:
    """What the figures say of themselves."""
    wrong = [c for c in CLAIMS if not c.follows]
    by_memory = projected_s(gpus.SKEM_S, GPUS["RTX 4090"].gb_per_s, GPUS["B200 SXM"].gb_per_s)
    return [
        "Does not follow: "
        + "; ".join(f"{c.formula} = {c.value:.1f}, not {c.printed:g} ({c.what})" for c in wrong)
        + ".",
        f"2444 / 8.77 = {gpus.SKEM_S / gpus.PAIR_S:.1f} pairs per minute, {gpus.SKEM_S / gpus.PAIR_S / 60:.2f} per "
        f"second of video. Whole numbers of pairs that give 2444 s within rounding: {gpus.whole_pairs() or 'none'}; "
        "the paper says 'approximately'.",
        f"Even on a B200 SKEM would take {CLAIMS[1].value / 60:.1f} times the video's duration by peak throughput, and "
        f"{by_memory / 60:.1f} times if captions are bound by memory bandwidth, as they are token by token at batch 1.",
    ]


@study.errors_told()
def main(
    clips: study.ClipsArgument = None,
    profile: study.ProfileOption = "embedded",
    describer: study.DescriberOption = None,
    judge: study.JudgeOption = None,
    floor: study.FloorOption = None,
    out: study.OutOption = Path("out/paper"),
    sample_fps: study.SampleOption = PAPER_FPS,
    peak_tflops: Annotated[
        float | None, typer.Option("--peak-tflops", min=0.001, help="of the device used here, as its maker states it")
    ] = None,
) -> None:
    """Latency per stage, here and projected (section III-E)."""
    models = study.open_models(profile, describer, judge, floor)
    label = str(models) if isinstance(models, NotComputed) else models.label
    report = Report(
        "latency",
        "Latency per stage (section III-E)",
        study.run_name(profile, describer, judge),
        label,
        {"sampled frames per second": sample_fps},
    )
    measured: list[Measured] = []
    if not isinstance(models, NotComputed):
        files = list(dict.fromkeys(p.path for p in all_pieces(clips or [], None, None, 10.0)))
        load = os.getloadavg()[0]
        began = time.perf_counter(), time.process_time()
        measured = [measure(models, f, sample_fps) for f in study.tracked(files, "videos", len(files))]
        share = (time.process_time() - began[1]) / (time.perf_counter() - began[0])
        report.notes += [
            f"Measured on {study.machine()}, one block after the other. Load average {load:.1f} on {os.cpu_count()} "
            f"cores before it began; the process had {share:.0%} of the wall clock as CPU time. Where that is well "
            "below 100 %, the seconds here are too many.",
            "; ".join(m.counts for m in measured) + ".",
        ]
    here: Sequence[float | NotComputed] = _median(measured)
    if isinstance(models, NotComputed):
        here = [models] * len(STAGES)
    report.tables.append(_stages(here, peak_tflops, report.notes))
    report.tables += paper_tables()
    report.notes += paper_notes()
    report.write(out, lambda figure: draw(figure, here))


def _median(measured: Sequence[Measured]) -> list[float]:
    return [float(np.median(column)) for column in zip(*(m.seconds for m in measured), strict=True)]


def _stages(here: Sequence[float | NotComputed], peak_tflops: float | None, notes: list[str]) -> Table:
    """A row per stage: here, the paper's, and here projected to two GPUs."""
    targets = ("RTX 4090", "B200 SXM")
    known = not isinstance(here[0], NotComputed)
    peak = (peak_tflops or matrix_tflops()) if known else None
    if peak is not None:
        said = "as given" if peak_tflops else "reached here by a float32 matrix product, which stands for the peak"
        notes.append(
            f"Projected from {peak:.3g} TFLOPS ({said}) as the paper does; a bound from below, not a forecast."
        )
    rows = []
    for (what, unit), seconds, (theirs, where) in zip(STAGES, here, PAPER_STAGES, strict=True):
        if peak is None or isinstance(seconds, NotComputed):
            projected: list[Any] = [seconds] * len(targets)
        else:
            projected = [_s(projected_s(seconds, peak, GPUS[t].tflops)) for t in targets]
        shown = seconds if isinstance(seconds, NotComputed) else _s(seconds)
        rows.append((what, unit, shown, _s(theirs), where, *projected))
    return Table(
        "Seconds per stage", ("stage", "", "here", "paper", "paper's on", *(f"here, on a {t}" for t in targets)), rows
    )


def _s(seconds: float) -> str:
    return f"{seconds:.3g}" if seconds < 1000 else f"{seconds:.0f}"


def draw(figure: Figure, here: Sequence[float | NotComputed]) -> None:
    """Stages here and in the paper; SKEM per minute of video on each GPU, by peak and by bandwidth."""
    left, right = figure.subplots(1, 2)
    at = np.arange(len(STAGES))
    values = [np.nan if isinstance(v, NotComputed) else v for v in here]
    missing = f" ({here[0]})" if isinstance(here[0], NotComputed) else ""
    left.barh(at - 0.2, values, 0.4, label=f"here (CPU, small models){missing}")
    left.barh(at + 0.2, [s for s, _ in PAPER_STAGES], 0.4, label="paper (RTX 4090 / 4080 SUPER)")
    left.set_yticks(at, [f"{what}\n{unit}" for what, unit in STAGES], fontsize=8)
    left.invert_yaxis()
    left.set(xscale="log", xlabel="seconds")
    left.legend(fontsize=8, loc="upper center", bbox_to_anchor=(0.5, -0.12), ncols=2)
    names, home = list(GPUS), GPUS["RTX 4090"]
    at = np.arange(len(names))
    right.barh(
        at - 0.2, [projected_s(gpus.SKEM_S, home.tflops, g.tflops) for g in GPUS.values()], 0.4, label="by peak BF16"
    )
    by_memory = [projected_s(gpus.SKEM_S, home.gb_per_s, g.gb_per_s) for g in GPUS.values()]
    right.barh(at + 0.2, by_memory, 0.4, label="by memory bandwidth")
    right.axvline(60, color="black", linestyle=":", label="real time")
    right.set_yticks(at, names, fontsize=8)
    right.invert_yaxis()
    right.set(xscale="log", xlabel="the paper's SKEM, seconds per minute of video")
    right.legend(fontsize=8, loc="upper center", bbox_to_anchor=(0.5, -0.12), ncols=3)


if __name__ == "__main__":
    typer.run(main)
