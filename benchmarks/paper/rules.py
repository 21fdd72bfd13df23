"""Relative against absolute rule (paper, appendix C, table VI): how many keyframes per clip, and how that varies.

    python benchmarks/paper/rules.py --film bbb.mp4 vtest.avi --profile embedded --out out/paper

The loop is SKEM's, over sampled frames; the closing frame counts as a keyframe (K_{N+1} = F), as it does in `Skem`.
Where a judge's p_yes and p_no add up to 1, S_rel = 2 p_no - 1, and the two rules are one rule with two thresholds:
S_rel > 0.35 is P(no) > 0.675, and P(no) > 0.4 is S_rel > -0.2. These two stand in the table beside the paper's, so that
one sees whether they are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import study
import typer
from footage import Footage, all_pieces, described
from study import ETA_TH, Answers, NotComputed, Report, Table

from lgvsc_flow.graphs.profiles import PAPER_FPS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ABSOLUTE = 0.4
AHEAD = 8  # samples judged together; those behind a new keyframe are judged again
RESAMPLINGS = 2000

PAPER_ROWS = (
    ("paper: InternVL2-8B, 21 WebVid clips, S_rel > 0.35", 4.10, 2.70, 2, 12, 0.659),
    ("paper: InternVL2-8B, 21 WebVid clips, P(no) > 0.4", 9.48, 10.08, 2, 38, 1.064),
)


@dataclass(frozen=True)
class Rule:
    """A new keyframe where `score(p_yes, p_no) > threshold`."""

    name: str
    threshold: float
    relative: bool

    def fires(self, answers: np.ndarray) -> np.ndarray:
        """Bool [n] of answers [n, 2] (p_yes, p_no)."""
        return (answers[:, 1] - answers[:, 0] if self.relative else answers[:, 1]) > self.threshold


RULES = (
    Rule(f"S_rel > {ETA_TH} (relative)", ETA_TH, relative=True),
    Rule(f"P(no) > {ABSOLUTE} (absolute)", ABSOLUTE, relative=False),
    Rule("P(no) > 0.675: the relative rule, if p_yes + p_no = 1", (1 + ETA_TH) / 2, relative=False),
    Rule("S_rel > -0.2: the absolute rule, if p_yes + p_no = 1", 2 * ABSOLUTE - 1, relative=True),
)


def keyframes(ask: Callable[[int, Sequence[int]], np.ndarray], count: int, rule: Rule, ahead: int = AHEAD) -> list[int]:
    """The samples that SKEM's loop makes keyframes, the first included.

    Args:
        ask: (keyframe, candidates) -> answers [len(candidates), 2].
        count: samples.
        rule: when a candidate becomes the next keyframe.
        ahead: candidates asked about together; the keyframes do not depend on it.
    """
    found, at = [0], 1
    while at < count:
        batch = range(at, min(at + ahead, count))
        fires = rule.fires(ask(found[-1], batch))
        at = batch.stop
        if fires.any():
            found.append(batch[int(fires.argmax())])
            at = found[-1] + 1
    return found


def keyframe_count(footage: Footage, samples: Sequence[int]) -> int:
    """Keyframes of a clip with the closing one, which is the clip's last frame unless that is a keyframe already."""
    last = footage.indices[0] + footage.length - 1
    return len(samples) + (footage.indices[samples[-1]] != last)


def statistics(counts: Sequence[int]) -> dict[str, float]:
    """Mean, standard deviation (of the sample), least, most and coefficient of variation."""
    values = np.asarray(counts, float)
    std = float(values.std(ddof=1)) if len(values) > 1 else 0.0
    mean = float(values.mean())
    return {"mean": mean, "std": std, "min": int(values.min()), "max": int(values.max()), "cv": std / mean}


def interval(
    counts: Sequence[Sequence[int]] | np.ndarray, measure: Callable[[np.ndarray], Any], seed: int = 0
) -> tuple[float, float]:
    """95 % percentile bootstrap interval over the clips of a figure made of the counts [rules, clips]."""
    table = np.asarray(counts, float)
    rng = np.random.default_rng(seed)
    drawn = [measure(table[:, rng.integers(table.shape[1], size=table.shape[1])]) for _ in range(RESAMPLINGS)]
    low, high = np.percentile(drawn, [2.5, 97.5])
    return float(low), float(high)


def cv_of(row: np.ndarray) -> float:
    """Coefficient of variation of counts [clips]."""
    return float(row.std(ddof=1) / row.mean())


def judge_clip(answers: Answers, footage: Footage) -> list[int]:
    """Keyframes under every rule."""
    samples = len(footage.descriptions)
    ahead = getattr(answers.judge, "batch_size", AHEAD)  # a language model pays for every pair judged in vain
    return [keyframe_count(footage, keyframes(answers.ask, samples, rule, ahead)) for rule in RULES]


@study.errors_told()
def main(
    clips: study.ClipsArgument = None,
    film: study.FilmOption = None,
    profile: study.ProfileOption = "embedded",
    describer: study.DescriberOption = None,
    judge: study.JudgeOption = None,
    floor: study.FloorOption = None,
    out: study.OutOption = Path("out/paper"),
    sample_fps: study.SampleOption = PAPER_FPS,
    clip_s: study.ClipLengthOption = None,
    film_clip_s: study.FilmLengthOption = 10.0,
    most: study.MostOption = None,
    cache: study.CacheOption = None,
) -> None:
    """Keyframe counts per clip under the relative and the absolute rule (appendix C)."""
    models = study.open_models(profile, describer, judge, floor)
    pieces = all_pieces(clips or [], film, clip_s, film_clip_s, most)
    label = str(models) if isinstance(models, NotComputed) else models.label
    settings = {"clips": len(pieces), "sampled frames per second": sample_fps}
    report = Report(
        "rules",
        "Relative against absolute rule (appendix C)",
        study.run_name(profile, describer, judge),
        label,
        settings,
    )
    counts: list[list[int]] = []
    pairs: list[np.ndarray] = []
    if isinstance(models, NotComputed):
        report.tables.append(Table("Keyframes per clip", HEADER, [*((r.name, *[models] * 6) for r in RULES), *paper()]))
        report.notes += paper_notes()
        report.write(out, lambda figure: study.say(figure, models))
        return
    names = []
    stream = described(pieces, models.describer, models.describer_name, sample_fps, cache=cache)
    for footage in study.tracked(stream, "clips", len(pieces)):
        answers = Answers(models.judge, footage.descriptions)
        counts.append(judge_clip(answers, footage))
        names.append(footage.name)
        pairs.append(np.array(list(answers.known.values())).reshape(-1, 2))
    summarise(report, names, np.array(counts).T, np.concatenate(pairs), models.caveat)
    report.write(out, lambda figure: draw(figure, np.array(counts).T, np.concatenate(pairs)))


HEADER = ("rule", "mean", "std", "min", "max", "CV", "CV, 95 % interval")


def paper() -> list[tuple[Any, ...]]:
    """Table VI."""
    return [(*row, None) for row in PAPER_ROWS]


def paper_notes() -> list[str]:
    """What follows from table VI's own figures."""
    relative, absolute = PAPER_ROWS
    return [
        f"Paper's own figures: 2.70 / 4.10 = {2.70 / 4.10:.3f} and 10.08 / 9.48 = {10.08 / 9.48:.3f}; its CVs (0.659, "
        f"1.064) follow from means of 86 / 21 and 199 / 21. The CV falls by {1 - relative[5] / absolute[5]:.0%}."
    ]


def summarise(report: Report, names: Sequence[str], counts: np.ndarray, pairs: np.ndarray, caveat: str) -> None:
    """Tables and notes of counts [rules, clips] and all judged pairs [n, 2]."""
    rows = []
    for rule, row in zip(RULES, counts, strict=True):
        s = statistics(row)
        bounds: object = NotComputed("more than two clips")
        if len(row) > 2:
            bounds = "{:.2f} to {:.2f}".format(*interval([row], lambda t: cv_of(t[0])))
        rows.append((rule.name, s["mean"], s["std"], s["min"], s["max"], s["cv"], bounds))
    report.tables.append(Table("Keyframes per clip", HEADER, [*rows, *paper()]))
    each = [(name, *map(int, column[:2])) for name, column in zip(names, counts.T, strict=True)]
    report.tables.append(Table("Each clip", ("clip", "relative", "absolute"), each))
    apart = int((np.abs(counts[0] - counts[1]) >= 3).sum())
    mass = pairs.sum(axis=1)
    report.notes += [caveat] if caveat else []
    report.notes.append(f"{apart} of {len(names)} clips differ by three keyframes or more (paper: 12 of 21).")
    if len(names) > 2 and rows[1][5] > 0:
        low, high = interval(counts[:2], lambda t: cv_of(t[0]) / max(cv_of(t[1]), 1e-12) - 1)
        change = rows[0][5] / rows[1][5] - 1
        report.notes.append(
            f"Relative instead of absolute changes the CV by {change:+.1%} (95 % interval {low:+.1%} to {high:+.1%}; "
            "paper: -38 %)."
        )
    same = bool(np.array_equal(counts[0], counts[2]) and np.array_equal(counts[1], counts[3]))
    if np.all(np.abs(mass - 1) < 1e-6):
        report.notes.append(
            f"p_yes + p_no is 1 for all {len(pairs)} pairs judged. S_rel > 0.35 is then P(no) > 0.675, and P(no) > 0.4 "
            "is S_rel > -0.2: one rule with two thresholds"
            + (", and indeed the counts agree clip by clip. " if same else "; but counts differ, by rounding. ")
            + "What differs here is how strict the threshold is. The paper's argument, that a common shift of both "
            "probabilities cancels, needs a judge whose mass lies elsewhere too."
        )
    else:
        report.notes.append(
            f"p_yes + p_no over the {len(pairs)} pairs judged: least {mass.min():.3f}, mean {mass.mean():.3f}, most "
            f"{mass.max():.3f}. The two rules are not the same rule with another threshold "
            + ("in principle, though the counts agree on these clips." if same else "here.")
        )
    report.notes += paper_notes()


def draw(figure: Figure, counts: np.ndarray, pairs: np.ndarray) -> None:
    """Histogram of the counts, and all answers in the plane of p_yes and p_no with both rules' borders."""
    from matplotlib.ticker import MaxNLocator

    left, right = figure.subplots(1, 2)
    bins = np.arange(0.5, counts[:2].max() + 1.5)
    for row, name, style in zip(counts, ("S_rel > 0.35", "P(no) > 0.4"), ("tab:blue", "tab:orange"), strict=False):
        left.hist(row, bins=bins, alpha=0.6, color=style, label=f"{name}: CV {statistics(row)['cv']:.2f}")
    left.set(xlabel="keyframes in a clip", ylabel="clips")
    left.xaxis.set_major_locator(MaxNLocator(integer=True))
    left.yaxis.set_major_locator(MaxNLocator(integer=True))
    left.legend()
    right.plot(pairs[:, 0], pairs[:, 1], ".", markersize=2, color="grey", label=f"{len(pairs)} pairs judged")
    line = np.array([0.0, 0.5])
    right.plot(line, line + ETA_TH, color="tab:blue", label="S_rel = 0.35")
    right.axhline(ABSOLUTE, color="tab:orange", label="P(no) = 0.4")
    right.plot([0, 1], [1, 0], ":", color="black", linewidth=0.8, label="p_yes + p_no = 1")
    right.set(xlabel="p_yes", ylabel="p_no", xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    right.legend(fontsize=8)


if __name__ == "__main__":
    typer.run(main)
