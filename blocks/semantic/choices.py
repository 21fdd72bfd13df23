"""Describers, judges and scorers by the names that settings take; nothing is loaded to choose one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from lgvsc_flow.blocks.semantic.psss import Describer, FunctionJudge, Judge
from lgvsc_flow.blocks.semantic.scoring import PerFrameScorer, Scorer
from lgvsc_flow.errors import SettingError
from lgvsc_flow.model_catalogue import CATALOGUE
from lgvsc_flow.models import models_folder

__all__ = ["JudgeChoice", "make_describer", "make_judge", "make_scorer"]

JudgeFunction = Callable[[str, str, str], tuple[float, float]]
JudgeChoice = str | Judge | JudgeFunction

# P(yes) + P(no) of this smallest of models is often under LlmJudge's floor of 0.5 (docs/skem.md has the figures).
_FLOORS = {"smollm2-135m": 0.25}
_ELSEWHERE = "the path of a model's folder, hub:owner/name@commit"


def make_describer(
    choice: str | Describer,
    device: str = "auto",
    dtype: str = "auto",
    *,
    quantisation: str | None = None,
    batch_size: int = 1,
) -> Describer:
    """A describer by its name, `embedded` or a vision-language model's, or the given one.

    `quantisation` and `batch_size` are a vision-language model's.

    Raises:
        SettingError: no describer has that name, or the object lacks a method.
    """
    if not isinstance(choice, str):
        if not isinstance(choice, Describer):
            raise SettingError(f"describer needs the methods load and describe; got {choice!r}")
        return choice
    if choice == "embedded":
        from lgvsc_flow.blocks.semantic.embedded import EmbeddedDescriber

        return EmbeddedDescriber(device=_embedded_device(device))
    if _is_model(choice, "image-text"):
        from lgvsc_flow.blocks.semantic.vlm import VlmDescriber

        return VlmDescriber(choice, device=device, dtype=dtype, quantisation=quantisation, batch_size=batch_size)
    raise SettingError(
        f"describer is 'embedded', {_names('image-text')}, {_ELSEWHERE}, or an object with load and describe; "
        f"got {choice!r}"
    )


def make_judge(
    choice: JudgeChoice,
    device: str = "auto",
    dtype: str = "auto",
    floor: float | None = None,
    *,
    quantisation: str | None = None,
    batch_size: int = 1,
) -> Judge:
    """A judge by its name, `embedded`, `minilm` or a language model's; a function of two texts and a focus; or the
    given one.

    `floor` is the least P(yes) + P(no) of a language model chosen by name; None leaves it at the model's own.
    `quantisation` and `batch_size` are that model's.

    Raises:
        SettingError: no judge has that name, or the object lacks a method.
    """
    if not isinstance(choice, str):
        if isinstance(choice, Judge):
            return choice
        if callable(choice):
            return FunctionJudge(choice)
        raise SettingError(f"judge needs the methods load and judge, or is a function of two texts; got {choice!r}")
    if choice == "embedded":
        from lgvsc_flow.blocks.semantic.embedded import EmbeddingJudge

        return EmbeddingJudge()
    if choice == "minilm":
        from lgvsc_flow.blocks.semantic.minilm import MiniLmJudge

        return MiniLmJudge(device=_embedded_device(device))
    if _is_model(choice, "text"):
        from lgvsc_flow.blocks.semantic.llm import LlmJudge

        own = _FLOORS.get(choice, 0.5) if floor is None else floor
        return LlmJudge(choice, device=device, dtype=dtype, floor=own, quantisation=quantisation, batch_size=batch_size)
    raise SettingError(
        f"judge is 'embedded', 'minilm', 'same' (the describer's own model), {_names('text')}, {_ELSEWHERE}, a "
        f"function of two texts and a focus, or an object with load and judge; got {choice!r}"
    )


def make_scorer(
    describer: str | Describer,
    judge: JudgeChoice,
    focus: str,
    strategy: str = "per-frame",
    *,
    skip_failed: bool = False,
    device: str = "auto",
    dtype: str = "auto",
    floor: float | None = None,
    quantisation: str | None = None,
    batch_size: int = 1,
    remember: int = 4096,
) -> Scorer:
    """What SKEM asks, of the strategy `per-frame` or `joint`.

    Args:
        describer: as `make_describer`.
        judge: as `make_judge`, or `same`: the describer's own model, in its second round.
        focus: a name in `psss.FOCI` or a text.
        strategy: describe each frame once, or keyframe and candidate in one turn.
        skip_failed: leave out frames that cannot be described.
        device: torch device of models that are chosen by name.
        dtype: number type of these.
        floor: least P(yes) + P(no) of these; None leaves it at the model's own.
        quantisation: int8 or int4 for language models that are chosen by name.
        batch_size: frames or pairs per pass of these.
        remember: descriptions kept.

    Raises:
        SettingError: a name is unknown, or the choices do not go together.
    """
    size: dict[str, Any] = {"quantisation": quantisation, "batch_size": batch_size}
    describes: Any = make_describer(describer, device, dtype, **size)
    sees = hasattr(describes, "speaker")  # a vision-language model, which can be asked, too
    same = isinstance(judge, str) and judge == "same"
    if (same or strategy == "joint") and not sees:
        what = "judge='same'" if same else "strategy='joint'"
        raise SettingError(
            f"describer is {describer!r}, and {what} needs a vision-language model: {_names('image-text')}, "
            f"{_ELSEWHERE}"
        )
    judges = None if same else make_judge(judge, device, dtype, floor, **size)
    if judges is not None:
        _check_pair(describes, judges, focus, sees)
    if strategy == "joint":
        from lgvsc_flow.blocks.semantic.joint import JointScorer

        lowest = 0.5 if floor is None else floor
        return JointScorer(describes, focus, judges, floor=lowest, skip_failed=skip_failed, remember=remember)
    if judges is None:
        from lgvsc_flow.blocks.semantic.llm import LlmJudge

        judges = LlmJudge(describes, floor=0.5 if floor is None else floor, batch_size=batch_size)
    return PerFrameScorer(describes, judges, focus, skip_failed, remember)


def _check_pair(describer: Describer, judge: Judge, focus: str, sees: bool) -> None:
    name = type(judge).__name__
    foci = getattr(judge, "foci", None)
    if foci is not None and focus not in foci:
        raise SettingError(
            f"focus is {focus!r}, but {name} answers only {', '.join(foci)}; another focus needs a language model as "
            "judge"
        )
    if sees and not getattr(judge, "reads_text", True):
        raise SettingError(
            f"judge is {name}, which compares image embeddings, but {type(describer).__name__} gives texts; take "
            "'same', 'minilm' or a language model"
        )


def _is_model(name: str, kind: str) -> bool:
    if name in CATALOGUE:
        return CATALOGUE[name].kind == kind
    base = models_folder()
    return name.startswith("hub:") or Path(name).expanduser().exists() or (base is not None and (base / name).exists())


def _names(kind: str) -> str:
    return ", ".join(sorted(m.name for m in CATALOGUE.values() if m.kind == kind))


def _embedded_device(device: str) -> str:
    # Small enough for any CPU, and its bits are those of the documented figures.
    return "cpu" if device == "auto" else device
