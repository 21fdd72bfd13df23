"""Describers, judges and scorers by the names that settings take; nothing is loaded to choose one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lgvsc_flow.blocks.semantic.psss import Describer, FunctionJudge, Judge
from lgvsc_flow.blocks.semantic.scoring import PerFrameScorer, Scorer
from lgvsc_flow.errors import SettingError

__all__ = ["JudgeChoice", "make_describer", "make_judge", "make_scorer"]

JudgeFunction = Callable[[str, str, str], tuple[float, float]]
JudgeChoice = str | Judge | JudgeFunction


def make_describer(choice: str | Describer, device: str = "auto", dtype: str = "auto") -> Describer:
    """A describer by its name, `embedded` or a vision-language model's, or the given one.

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
    raise SettingError(f"describer is 'embedded' or an object with load and describe; got {choice!r}")


def make_judge(choice: JudgeChoice, device: str = "auto", dtype: str = "auto") -> Judge:
    """A judge by its name, `embedded`, `minilm` or a language model's; a function of two texts and a focus; or the
    given one.

    Raises:
        SettingError: no judge has that name, or the object lacks a method.
    """
    if isinstance(choice, str):
        return _judge_named(choice, device, dtype)
    if isinstance(choice, Judge):
        return choice
    if callable(choice):
        return FunctionJudge(choice)
    raise SettingError(f"judge needs the methods load and judge, or is a function of two texts; got {choice!r}")


def make_scorer(
    describer: str | Describer,
    judge: JudgeChoice,
    focus: str,
    strategy: str = "per-frame",
    *,
    skip_failed: bool = False,
    device: str = "auto",
    dtype: str = "auto",
    remember: int = 4096,
) -> Scorer:
    """What SKEM asks, of the strategy `per-frame` or `joint`.

    Raises:
        SettingError: the choices do not go together.
    """
    about: dict[str, Any] = {"device": device, "dtype": dtype}
    describes, judges = make_describer(describer, **about), make_judge(judge, **about)
    foci = getattr(judges, "foci", None)
    if foci is not None and focus not in foci:
        raise SettingError(
            f"focus is {focus!r}, but {type(judges).__name__} answers only {', '.join(foci)}; "
            "another focus needs a language model as judge"
        )
    if strategy == "joint":
        raise SettingError(f"strategy='joint' needs a vision-language model as describer; got {describer!r}")
    return PerFrameScorer(describes, judges, focus, skip_failed, remember)


def _judge_named(choice: str, device: str, dtype: str) -> Judge:
    if choice == "embedded":
        from lgvsc_flow.blocks.semantic.embedded import EmbeddingJudge

        return EmbeddingJudge()
    if choice == "minilm":
        from lgvsc_flow.blocks.semantic.minilm import MiniLmJudge

        return MiniLmJudge(device=_embedded_device(device))
    raise SettingError(f"judge is 'embedded', 'minilm' or an object with load and judge; got {choice!r}")


def _embedded_device(device: str) -> str:
    # Small enough for any CPU, and its bits are those of the documented figures.
    return "cpu" if device == "auto" else device
