"""Semantic focus (paper, appendix B): S_rel of the same frame pairs when the judge is asked about other things.

    python benchmarks/paper/focus.py --pair street.mp4:40:60 --profile internvl3 --focus "the cars" --out out/paper
    python benchmarks/paper/focus.py --film bbb.mp4

A focus is a sentence put to a language model. The judges `embedded` and `minilm` compare whole pictures and whole texts
and know the general focus only: for them the others are not computed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import numpy as np
import study
import typer
from clip_features import CLIP_HINT, CLIP_NAME, ClipFeatures
from footage import frames_at
from psss_against_clip import CREDIT, open_clip
from study import Models, NotComputed, Report, Table

from lgvsc_flow.blocks.semantic.joint import JointScorer
from lgvsc_flow.blocks.semantic.psss import FOCI, Description
from lgvsc_flow.blocks.semantic.vlm import VlmDescriber
from lgvsc_flow.errors import ModelError, SettingError
from lgvsc_flow.graphs.clips import demo_clip
from lgvsc_flow.items import Frame

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# S_rel of the paper's five pairs (fig. 6): main object, background. It prints none for the general focus.
PAPER = (
    ("paper: urban building", 0.531, -0.098),
    ("paper: kitchen cupboard", 0.397, -0.098),
    ("paper: data center", 0.491, -0.296),
    ("paper: Pleven timelapse", 0.536, 0.127),
    ("paper: Lanzarote sunrise", 0.638, -0.182),
)
PAPER_CLIP = "0.923 to 0.969"
FILM_PAIRS = (
    ("the rabbit comes out of its burrow", 1020, 1140),
    ("the rabbit rises into an empty sky", 1360, 1410),
    ("the squirrel lifts a stone", 4500, 4620),
    ("the squirrel flies, behind it sky, then wood", 10320, 10380),
    ("the rabbit by the tree, the rabbit in the wood", 5580, 6000),
)
BIKES_PAIRS = (
    ("the cyclist gives way to the taxi", 45, 66),
    ("a van covers the cyclist", 86, 105),
    ("a hard cut", 29, 30),
)
NEEDS_LANGUAGE = NotComputed(
    "a language model", "--profile smollm2 (pip install 'lgvsc-flow[llm]'), internvl3, qwen3-vl or smolvlm"
)
NOT_PUBLISHED = "not published"


T = TypeVar("T")
Score = tuple[float, float | None] | NotComputed


class Strategy(StrEnum):
    """How frames are shown to a vision-language model."""

    AUTO = "auto"
    JOINT = "joint"
    PER_FRAME = "per-frame"


@dataclass(frozen=True)
class Pair:
    """Two frames of a file."""

    name: str
    path: Path
    first: int
    second: int


def parse(text: str) -> Pair:
    """FILE:FRAME:FRAME.

    Raises:
        SettingError: it is something else.
    """
    path, _, rest = text.partition(":") if text.count(":") == 2 else (text, "", "")
    numbers = rest.split(":")
    if not (path and len(numbers) == 2 and all(n.isdigit() for n in numbers)):
        raise SettingError(f"--pair is FILE:FRAME:FRAME with frames counted from 0; got {text!r}")
    return Pair(f"{Path(path).name}, frames {numbers[0]} and {numbers[1]}", Path(path), *map(int, numbers))


def pairs_of(given: Sequence[str], film: Path | None) -> list[Pair]:
    """The pairs asked for; five of the film; else three of bikes.mp4."""
    pairs = [parse(text) for text in given]
    if film is not None:
        pairs += [Pair(name, film, a, b) for name, a, b in FILM_PAIRS]
    if not pairs:
        clip = demo_clip("bikes.mp4")
        pairs = [Pair(name, clip, a, b) for name, a, b in BIKES_PAIRS]
    return pairs


def frames_of(pairs: Sequence[Pair]) -> list[tuple[np.ndarray, np.ndarray]]:
    """The pixels of every pair; each file is decoded once."""
    found = {}
    for path in dict.fromkeys(p.path for p in pairs):
        found[path] = frames_at(path, [n for p in pairs if p.path == path for n in (p.first, p.second)])
    return [(found[p.path][p.first], found[p.path][p.second]) for p in pairs]


def scores(models: Models, described: Sequence[tuple[Description, Description]], focus: str) -> list[Score]:
    """(S_rel, p_yes + p_no) of every pair from one focus."""
    if models.foci is not None and focus not in models.foci:
        return [NEEDS_LANGUAGE] * len(described)

    def ask(pair: tuple[Description, Description]) -> tuple[float, float]:
        p_yes, p_no = (float(p[0]) for p in models.judge.judge(pair[0], [pair[1]], focus))
        return p_no - p_yes, p_yes + p_no

    return [attempt(ask, pair) for pair in study.tracked(described, focus[:40])]


def joint_scores(
    models: Models, pixels: Sequence[tuple[np.ndarray, np.ndarray]], focus: str, floor: float | None
) -> list[Score]:
    """The same by the paper's joint round: the model sees both frames in one conversation; the mass is not known."""
    assert isinstance(models.describer, VlmDescriber)
    judge = None if models.same else models.judge
    scorer = JointScorer(models.describer, focus, judge, **({} if floor is None else {"floor": floor}))

    def ask(pair: tuple[np.ndarray, np.ndarray]) -> tuple[float, None]:
        first, second = (Frame(p, n, float(n)) for n, p in enumerate(pair))
        return float(scorer.score(first, [second])[0]), None

    return [attempt(ask, pair) for pair in study.tracked(pixels, focus[:40])]


def attempt(ask: Callable[[T], tuple[float, float | None]], pair: T) -> Score:
    """A score, or what its model did instead of answering."""
    try:
        return ask(pair)
    except ModelError as error:
        return NotComputed("a model that answers yes or no", str(error))


@study.errors_told()
def main(
    pair: Annotated[list[str] | None, typer.Option("--pair", help="FILE:FRAME:FRAME; may be given often")] = None,
    film: study.FilmOption = None,
    focus: Annotated[list[str] | None, typer.Option("--focus", help="your own words; may be given often")] = None,
    profile: study.ProfileOption = "embedded",
    describer: study.DescriberOption = None,
    judge: study.JudgeOption = None,
    floor: study.FloorOption = None,
    clip: study.ClipModelOption = None,
    strategy: Annotated[Strategy, typer.Option("--strategy", help="auto: joint where there is a VLM")] = Strategy.AUTO,
    out: study.OutOption = Path("out/paper"),
) -> None:
    """S_rel of frame pairs from the general focus, the main object, the background and your own (appendix B)."""
    models = study.open_models(profile, describer, judge, floor)
    features = open_clip(clip)
    pairs = pairs_of(pair or [], film)
    pixels = frames_of(pairs)
    foci = [*FOCI, *(focus or [])]
    label = str(models) if isinstance(models, NotComputed) else models.label
    report = Report(
        "focus",
        "Semantic focus of PSSS (appendix B)",
        study.run_name(profile, describer, judge),
        label,
        {"pairs": len(pairs)},
    )
    by_focus: dict[str, Sequence[Score]]
    if isinstance(models, NotComputed):
        by_focus = {f: [models] * len(pairs) for f in foci}
    else:
        said = [models.describer.describe([x]) + models.describer.describe([y]) for x, y in pixels]
        sees = isinstance(models.describer, VlmDescriber)
        if strategy is Strategy.JOINT and not sees:
            raise SettingError(
                f"--strategy joint needs a vision-language model as describer; profile {profile} has none"
            )
        if sees and strategy is not Strategy.PER_FRAME:
            report.models = f"{models.label}; scored in the joint round"
            by_focus = {f: joint_scores(models, pixels, f, floor) for f in foci}
        else:
            by_focus = {f: scores(models, [(a, b) for a, b in said], f) for f in foci}
        report.tables.append(
            Table(
                "What was said",
                ("pair", "first", "second"),
                [(p.name, a.text, b.text) for p, (a, b) in zip(pairs, said, strict=True)],
            )
        )
        report.notes += [models.caveat] if models.caveat else []
    summarise(report, pairs, by_focus, [clip_cosine(features, *xy) for xy in pixels])
    report.write(out, lambda figure: draw(figure, pairs, by_focus, pixels, CREDIT if film is not None else ""))


def clip_cosine(features: ClipFeatures | NotComputed, first: np.ndarray, second: np.ndarray) -> float | NotComputed:
    """CLIP's cosine of two frames."""
    if isinstance(features, NotComputed):
        return NotComputed(CLIP_NAME, CLIP_HINT)
    return float(np.prod(np.concatenate([features.embed([first]), features.embed([second])]), axis=0).sum())


def summarise(
    report: Report,
    pairs: Sequence[Pair],
    by_focus: dict[str, Sequence[Score]],
    cosines: Sequence[float | NotComputed],
) -> None:
    """The table with the paper's rows, and what its claim comes to here."""
    rows: list[tuple[Any, ...]] = []
    for n, p in enumerate(pairs):
        values = [v if isinstance(v := column[n], NotComputed) else v[0] for column in by_focus.values()]
        rows.append((p.name, *values, cosines[n]))
    own = [""] * (len(by_focus) - len(FOCI))
    rows += [(name, NOT_PUBLISHED, main, background, *own, PAPER_CLIP) for name, main, background in PAPER]
    report.tables.insert(0, Table("S_rel by focus", ("pair", *by_focus, "CLIP cosine"), rows))
    masses = [
        v[1] for column in by_focus.values() for v in column if not isinstance(v, NotComputed) and v[1] is not None
    ]
    if masses and min(masses) < 1 - 1e-6:
        report.notes.append(f"p_yes + p_no: least {min(masses):.3f}, mean {sum(masses) / len(masses):.3f}.")
    both = zip(by_focus["main_object"], by_focus["background"], strict=True)
    known = [(m[0], b[0]) for m, b in both if not isinstance(m, NotComputed) and not isinstance(b, NotComputed)]
    if known:
        above = sum(m > b for m, b in known)
        spread = np.abs(np.subtract(*np.transpose(known)))
        report.notes.append(
            f"S_rel from the main object is above that from the background in {above} of {len(known)} pairs (paper: 5 "
            f"of 5, pairs chosen so); the two differ by {spread.mean():.3f} in the mean (paper: "
            f"{np.mean([m - b for _, m, b in PAPER]):.3f})."
        )


def draw(
    figure: Figure,
    pairs: Sequence[Pair],
    by_focus: dict[str, Sequence[Score]],
    pixels: Sequence[tuple[np.ndarray, np.ndarray]],
    credit: str,
) -> None:
    """The pairs as pictures, their S_rel as bars per focus, and the paper's bars, hatched, beside."""
    count = len(pairs) + len(PAPER)
    figure.set_size_inches(max(1.5 * count, 9), 6)
    grid = figure.add_gridspec(3, count, height_ratios=(1, 1, 3))
    bars = figure.add_subplot(grid[2, :])
    for n, both in enumerate(pixels):
        for row, picture in enumerate(both):
            axis = figure.add_subplot(grid[row, n])
            axis.axis("off")
            axis.imshow(picture[:: max(picture.shape[0] // 120, 1), :: max(picture.shape[0] // 120, 1)])
    width = 0.8 / len(by_focus)
    for k, (name, values) in enumerate(by_focus.items()):
        heights = [np.nan if isinstance(v, NotComputed) else v[0] for v in values]
        heights += [{"main_object": m, "background": b}.get(name, np.nan) for _, m, b in PAPER]
        missing = "" if any(not isinstance(v, NotComputed) for v in values) else f" (here {values[0]})"
        drawn = bars.bar(np.arange(count) + (k + 0.5) * width - 0.4, heights, width, label=f"{name[:40]}{missing}")
        for patch in drawn.patches[len(pairs) :]:
            patch.set(alpha=0.5, hatch="//")
    names = [*(p.name for p in pairs), *(name for name, *_ in PAPER)]
    bars.set_xticks(range(count), [_wrapped(n) for n in names], fontsize=7)
    bars.axhline(0, color="black", linewidth=0.8)
    bars.axhline(study.ETA_TH, linestyle=":", color="grey", linewidth=0.8, label=f"eta_th = {study.ETA_TH}")
    bars.set(ylabel="S_rel", ylim=(-1, 1), xlim=(-0.5, count - 0.5))
    bars.legend(fontsize=7, loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=2)
    if credit:
        figure.supxlabel(credit, fontsize=7)


def _wrapped(text: str, width: int = 18) -> str:
    lines = [""]
    for word in text.split():
        lines = [*lines[:-1], f"{lines[-1]} {word}".strip()] if len(lines[-1]) + len(word) < width else [*lines, word]
    return "\n".join(lines)


if __name__ == "__main__":
    typer.run(main)
