"""PSSS against CLIP (paper, appendix A): frame pairs on which what was said and what was seen disagree.

    python benchmarks/paper/psss_against_clip.py --film bbb.mp4 --profile minilm --clip FOLDER --out out/paper

Type 1 looks alike (CLIP's cosine >= 0.96) but says something else (S_rel > 0.35); type 2 looks a little different (0.92
to 0.95) and says the same. The paper calls type 2 "S_rel << 0" without a number; here that is S_rel < -0.35. Mined are
all pairs of sampled frames of a clip that are not too far apart in time.

Without CLIP a stand-in measures global appearance, and every output names it: the pooled features of the embedded
describer, or 32x18 thumbnails where the judge compares those very features, since a judge cannot disagree with itself.
CLIP's thresholds mean nothing to it; its thresholds are quantiles over all pairs mined, and the paper has none to take.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import study
import typer
from clip_features import CLIP_HINT, CLIP_NAME, ClipFeatures, cosine_matrix, thumbnail_likeness
from footage import Footage, all_pieces, described
from study import ETA_TH, Answers, Models, NotComputed, Report, Table

from lgvsc_flow.errors import MissingExtraError, ModelError
from lgvsc_flow.graphs.profiles import PAPER_FPS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SIMILAR, MODERATE = 0.96, (0.92, 0.95)  # the paper's, of CLIP's cosine
QUANTILES = (0.25, 0.5, 0.75)  # of a stand-in: type 2 between the first two, type 1 above the third
SHOWN = 4
CREDIT = "Pictures: Big Buck Bunny, (c) 2008 Blender Foundation, www.bigbuckbunny.org, CC BY 3.0"


class StandIn(StrEnum):
    """What measures appearance where CLIP is missing."""

    AUTO = "auto"
    FEATURES = "features"
    THUMBNAILS = "thumbnails"


@dataclass(frozen=True)
class Pair:
    """Samples i < j of clip number `clip`, how alike they look, and, once judged, S_rel."""

    clip: int
    i: int
    j: int
    look: float
    s_rel: float = float("nan")


@dataclass(frozen=True)
class Kind:
    """Pairs with low <= look < high are candidates."""

    name: str
    low: float
    high: float
    changed: bool  # wanted: says something else, or says the same

    def found(self, pair: Pair) -> bool:
        return pair.s_rel > ETA_TH if self.changed else pair.s_rel < -ETA_TH


def kinds(similar: float, moderate: tuple[float, float]) -> tuple[Kind, Kind]:
    """Types 1 and 2 by their thresholds."""
    return (
        Kind("type 1: looks alike, says something else", similar, float("inf"), changed=True),
        Kind("type 2: looks a little different, says the same", *moderate, changed=False),
    )


def stand_in_of(choice: StandIn, judge: object) -> StandIn:
    """The stand-in: features, but thumbnails where the judge itself compares features."""
    if choice is not StandIn.AUTO:
        return choice
    return StandIn.THUMBNAILS if type(judge).__name__ == "EmbeddingJudge" else StandIn.FEATURES


def looks(footage: Footage, stand_in: StandIn | None) -> np.ndarray:
    """How alike the samples of a clip look, float64 [n, n]: CLIP's cosine, or the stand-in's likeness.

    Raises:
        ModelError: the stand-in needs features, and the describer gives none.
    """
    if stand_in is None:
        assert footage.features is not None
        return cosine_matrix(footage.features)
    if stand_in is StandIn.THUMBNAILS:
        return thumbnail_likeness([footage.picture(n) for n in range(len(footage.pictures))])
    embeddings = [d.embedding for d in footage.descriptions if d.embedding is not None]
    if len(embeddings) < len(footage.descriptions):
        raise ModelError("this describer gives texts only, no image features: take --stand-in thumbnails, or CLIP")
    return cosine_matrix(np.stack(embeddings))


def mine(number: int, footage: Footage, look: np.ndarray, max_gap_s: float) -> list[Pair]:
    """All pairs of a clip at most `max_gap_s` apart."""
    times = footage.times_s
    return [
        Pair(number, i, j, float(look[i, j]))
        for i in range(len(times))
        for j in range(i + 1, len(times))
        if times[j] - times[i] <= max_gap_s
    ]


def judged(pairs: Sequence[Pair], clips: Sequence[Answers]) -> list[Pair]:
    """The pairs with their S_rel; those of one earlier frame are asked about together."""
    groups: dict[tuple[int, int], list[Pair]] = {}
    for pair in pairs:
        groups.setdefault((pair.clip, pair.i), []).append(pair)
    done = []
    for (clip, i), group in study.tracked(groups.items(), "judging", len(groups)):
        answers = clips[clip].ask(i, [p.j for p in group])
        done += [replace(p, s_rel=float(no - yes)) for p, (yes, no) in zip(group, answers, strict=True)]
    return done


def examples(kind: Kind, pairs: Sequence[Pair], shown: int = SHOWN) -> list[Pair]:
    """The clearest pairs found, of different clips as far as there are."""
    sign = -1 if kind.changed else 1
    ranked = sorted((p for p in pairs if kind.found(p)), key=lambda p: (sign * p.s_rel, p.clip, p.i, p.j))
    first = list({p.clip: p for p in reversed(ranked)}.values())[::-1]
    chosen = sorted(first, key=ranked.index)[:shown]
    return chosen + [p for p in ranked if p not in chosen][: shown - len(chosen)]


@study.errors_told()
def main(
    clips: study.ClipsArgument = None,
    film: study.FilmOption = None,
    profile: study.ProfileOption = "embedded",
    describer: study.DescriberOption = None,
    judge: study.JudgeOption = None,
    floor: study.FloorOption = None,
    clip: study.ClipModelOption = None,
    out: study.OutOption = Path("out/paper"),
    stand_in: Annotated[StandIn, typer.Option("--stand-in", help="where CLIP is missing")] = StandIn.AUTO,
    quantiles: Annotated[tuple[float, float, float], typer.Option(help="of a stand-in")] = QUANTILES,
    max_gap_s: Annotated[float, typer.Option("--max-gap-s", min=0, help="between the frames of a pair")] = 10.0,
    most_pairs: Annotated[int, typer.Option("--most-pairs", min=1, help="judged per type, evenly spread")] = 20_000,
    sample_fps: study.SampleOption = PAPER_FPS,
    clip_s: study.ClipLengthOption = None,
    film_clip_s: study.FilmLengthOption = 10.0,
    most: study.MostOption = None,
    cache: study.CacheOption = None,
) -> None:
    """Pairs on which PSSS and CLIP disagree (appendix A), with a contact sheet."""
    models = study.open_models(profile, describer, judge, floor)
    features = open_clip(clip)
    pieces = all_pieces(clips or [], film, clip_s, film_clip_s, most)
    label = str(models) if isinstance(models, NotComputed) else models.label
    settings = {"clips": len(pieces), "sampled frames per second": sample_fps, "pairs at most apart, s": max_gap_s}
    report = Report(
        "psss-against-clip",
        "PSSS against CLIP (appendix A)",
        study.run_name(profile, describer, judge),
        label,
        settings,
    )
    if isinstance(models, NotComputed):
        report.tables.append(
            Table("Pairs", ("type", "pairs found"), [(k.name, models) for k in kinds(SIMILAR, MODERATE)])
        )
        report.write(out, lambda figure: study.say(figure, models))
        return
    if isinstance(features, NotComputed):
        chosen, used = stand_in_of(stand_in, models.judge), None
        report.settings["appearance by"] = f"{chosen.value} (a stand-in, not CLIP)"
        report.title = f"PSSS against {chosen.value}, a stand-in for CLIP (appendix A)"
    else:
        chosen, used = None, features
        report.settings["appearance by"] = features.name
    stream = described(pieces, models.describer, models.describer_name, sample_fps, used, cache)
    footages = list(study.tracked(stream, "clips", len(pieces)))
    mined = [p for n, f in enumerate(footages) for p in mine(n, f, looks(f, chosen), max_gap_s)]
    if not mined:
        raise ModelError("no two sampled frames lie in one clip within the gap; take longer clips or more samples")
    similar, moderate = SIMILAR, MODERATE
    values = np.array([p.look for p in mined])
    if chosen is not None:
        low, middle, similar = np.quantile(values, sorted(quantiles))
        moderate = (float(low), float(middle))
    both = kinds(float(similar), moderate)
    answers = [Answers(models.judge, f.descriptions) for f in footages]
    candidates = [[p for p in mined if k.low <= p.look < k.high] for k in both]
    results = [judged(study.spread(c, most_pairs), answers) for c in candidates]
    summarise(report, both, candidates, results, footages, features, models)
    if chosen is None:
        at = ", ".join(f"{t} at {np.mean(values < t):.2f}" for t in (*MODERATE, SIMILAR))
        report.notes.append(f"Quantiles of CLIP's thresholds over the {len(mined)} pairs mined: {at}.")
    else:
        report.notes.append(
            f"{chosen.value} stand in for CLIP: type 1 from {similar:.3f}, type 2 from {moderate[0]:.3f} to "
            f"{moderate[1]:.3f}, the quantiles {sorted(quantiles)} of the {len(mined)} pairs mined. The quantiles are "
            "a choice of this script: CLIP's over the paper's clips are not published."
        )
    shown = [examples(k, r) for k, r in zip(both, results, strict=True)]
    report.write(out, lambda figure: sheet(figure, both, shown, footages, CREDIT if film is not None else ""))


def open_clip(source: str | None) -> ClipFeatures | NotComputed:
    """CLIP, loaded; or what is missing.

    Raises:
        ModelError: one was named, but it cannot be loaded.
    """
    if source is None:
        return NotComputed(CLIP_NAME, CLIP_HINT)
    features = ClipFeatures(source)
    try:
        features.load()
    except MissingExtraError as error:
        return NotComputed("transformers", str(error))
    return features


def summarise(
    report: Report,
    both: Sequence[Kind],
    candidates: Sequence[Sequence[Pair]],
    results: Sequence[Sequence[Pair]],
    footages: Sequence[Footage],
    features: ClipFeatures | NotComputed,
    models: Models,
) -> None:
    """Tables of counts and of the clearest pairs."""
    rows: list[tuple[Any, ...]] = []
    for kind, all_of, some in zip(both, candidates, results, strict=True):
        found = sum(kind.found(p) for p in some)
        rows.append((kind.name, len(all_of), len(some), found, f"{found / len(some):.1%}" if some else ""))
    report.tables.append(
        Table("Pairs", ("type", "in the range of looks", "judged", "found", "share of the judged"), rows)
    )
    lines = []
    for kind, some in zip(both, results, strict=True):
        for p in examples(kind, some):
            f = footages[p.clip]
            texts = (f.descriptions[p.i].text, f.descriptions[p.j].text)
            clip = features if isinstance(features, NotComputed) else p.look
            lines.append((kind.name[:6], f.name, f.indices[p.i], f.indices[p.j], clip, p.look, p.s_rel, *texts))
    header = (
        "type",
        "clip",
        "frame",
        "frame",
        "CLIP cosine",
        "looks alike",
        "S_rel",
        "said of the first",
        "of the second",
    )
    numbered = tuple("other frame" if n == 3 else h for n, h in enumerate(header))
    report.tables.append(Table("The clearest pairs", numbered, lines))
    report.notes += [models.caveat] if models.caveat else []
    report.notes.append(
        "The paper shows four pairs of each type, chosen by hand from 55 clips, and counts none. Whether the judge is "
        "right about a pair is not computed: needs people who label the pairs."
    )


def sheet(
    figure: Figure, both: Sequence[Kind], shown: Sequence[Sequence[Pair]], footages: Sequence[Footage], credit: str
) -> None:
    """The pairs found: a row per type, both pictures of a pair side by side."""
    figure.set_size_inches(12, 4.6)
    parts: Any = figure.subfigures(2, 1)
    for part, kind, pairs in zip(parts, both, shown, strict=True):
        part.suptitle(kind.name if pairs else f"{kind.name}: none found", fontsize=9, x=0.01, ha="left")
        for n, axis in enumerate(part.subplots(1, SHOWN, squeeze=False)[0]):
            axis.axis("off")
            if n < len(pairs):
                p, f = pairs[n], footages[pairs[n].clip]
                left, right = f.picture(p.i), f.picture(p.j)
                gap = np.full((left.shape[0], 6, 3), 255, np.uint8)
                axis.imshow(np.concatenate([left, gap, right], axis=1))
                where = f"{f.name}, frames {f.indices[p.i]}, {f.indices[p.j]}"
                axis.set_title(f"{where}\nlooks {p.look:.2f}, S_rel {p.s_rel:+.2f}", fontsize=8)
    if credit:
        figure.supxlabel(credit, fontsize=7)


if __name__ == "__main__":
    typer.run(main)
