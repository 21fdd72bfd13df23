"""PSSS, the prompt-based semantic similarity score (paper, section II-B): who asks, who answers, what is scored.

Two frames are alike when a model, asked about their descriptions from a semantic focus, answers yes. Everything
that can answer gives the same type: the probability masses (p_yes, p_no), float64 arrays of one value per pair.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np

from lgvsc_flow.errors import ModelError

__all__ = [
    "BACKGROUND",
    "FOCI",
    "GENERAL",
    "MAIN_OBJECT",
    "Describer",
    "Description",
    "FunctionJudge",
    "Judge",
    "PromptJudge",
    "YesNoModel",
    "focus_text",
    "question",
    "s_abs",
    "s_rel",
]

_NUMBERS = (int, float, np.integer, np.floating)

# The paper's appendix B, word for word.
GENERAL = (
    "Compare the two descriptions of the images you have given. Focus on the semantic similarity of the images: the "
    "positions of key objects in the scene, any objects that have appeared or disappeared and the extent of changes "
    "in the background environment. Determine if these aspects depict the exact same scene. Only respond with ‘yes’ "
    "if they match, otherwise respond with ‘no’."
)
MAIN_OBJECT = (
    "Compare the two descriptions of the images you have given. Focus only on the actions and movements: what people "
    "or objects are doing, their poses, gestures, and motion. Ignore any differences in the background or "
    "environment. Determine if the actions depicted are semantically the same. Only respond with ‘yes’ if the actions "
    "match, otherwise respond with ‘no’."
)
BACKGROUND = (
    "Compare the two descriptions of the images you have given. Focus only on the background environment: the "
    "setting, scene type, ambient lighting, and static surroundings. Ignore any people, objects, or their actions in "
    "the foreground. Determine if the background environments are semantically the same. Only respond with ‘yes’ if "
    "the backgrounds match, otherwise respond with ‘no’."
)
FOCI = {"general": GENERAL, "main_object": MAIN_OBJECT, "background": BACKGROUND}

# The paper's section II-B, behind the two descriptions, for a focus in the caller's own few words.
_OWN = (
    "Compare the two descriptions. Determine whether they are similar from the perspective of {focus}, "
    "use yes or no to answer."
)


@dataclass(frozen=True, eq=False)
class Description:
    """What a frame shows: `text`, and an image `embedding` float32 [d] where the describer has one."""

    text: str
    embedding: np.ndarray | None = None


@runtime_checkable
class Describer(Protocol):
    """Turns frames into descriptions."""

    def load(self) -> None:
        """Load weights; called once before the first frame, and again without effect."""

    def describe(self, frames: Sequence[np.ndarray]) -> list[Description]:
        """One description per frame, uint8 [height, width, 3] RGB each."""
        ...


@runtime_checkable
class YesNoModel(Protocol):
    """A language model asked questions that yes or no answers."""

    def load(self) -> None:
        """Load weights; called once before the first question, and again without effect."""

    def ask(self, prompts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """(p_yes, p_no), each float64 [len(prompts)].

        The mass of every token that spells yes, or no, in the softmax over the whole vocabulary at the first
        answered position; nothing is sampled, and the two need not add up to 1.
        """
        ...


@runtime_checkable
class Judge(Protocol):
    """Says whether descriptions show the same, from a semantic focus."""

    def load(self) -> None:
        """Load weights; called once before the first pair, and again without effect."""

    def judge(
        self, keyframe: Description, candidates: Sequence[Description], focus: str
    ) -> tuple[np.ndarray, np.ndarray]:
        """(p_yes, p_no), each float64 [len(candidates)], of every candidate against the keyframe."""
        ...


class PromptJudge:
    """PSSS as the paper has it: a language model reads both texts and the focus, and answers."""

    def __init__(self, model: YesNoModel) -> None:
        self.model = model

    def load(self) -> None:
        self.model.load()

    def judge(
        self, keyframe: Description, candidates: Sequence[Description], focus: str
    ) -> tuple[np.ndarray, np.ndarray]:
        return self.model.ask([question(keyframe.text, c.text, focus) for c in candidates])


class FunctionJudge:
    """A user's own function as a judge: it reads two texts and the focus, and returns (p_yes, p_no)."""

    batch_size = 1

    def __init__(self, function: Callable[[str, str, str], tuple[float, float]]) -> None:
        self.function = function

    def load(self) -> None:
        """Nothing to load."""

    def judge(
        self, keyframe: Description, candidates: Sequence[Description], focus: str
    ) -> tuple[np.ndarray, np.ndarray]:
        """(p_yes, p_no) of every candidate's text against the keyframe's.

        Raises:
            ModelError: the function returns something else than two numbers.
        """
        answers = [self.function(keyframe.text, c.text, focus) for c in candidates]
        name = getattr(self.function, "__name__", type(self.function).__name__)
        for answer in answers:
            if not (isinstance(answer, tuple) and len(answer) == 2 and all(isinstance(p, _NUMBERS) for p in answer)):
                raise ModelError(f"the judge {name} must return two numbers (p_yes, p_no); got {answer!r}")
        p_yes, p_no = np.array(answers, dtype=np.float64).reshape(-1, 2).T
        return p_yes, p_no


def focus_text(focus: str) -> str:
    """The words of a focus: one of the paper's by its name in `FOCI`, or the caller's own.

    An own text that asks for yes or no itself stays as it is; another sentence is followed by that request, and a few
    words, as in `the weather`, are set into the question of the paper's section II-B.
    """
    if focus in FOCI:
        return FOCI[focus]
    if {"yes", "no"} <= set(re.findall(r"[a-z]+", focus.lower())):
        return focus
    return f"{focus} Use yes or no to answer." if focus.rstrip()[-1:] in {*".!?"} else _OWN.format(focus=focus)


def question(info_a: str, info_b: str, focus: str) -> str:
    """The prompt over two descriptions. What varies stands last, so that a keyframe's prefix can be reused."""
    return f"{focus_text(focus)}\nDescription 1: {info_a}\nDescription 2: {info_b}"


def s_abs(p_yes: np.ndarray) -> np.ndarray:
    """S_abs = P(yes), higher is more alike (paper, eq. 1)."""
    return np.asarray(p_yes, dtype=np.float64)


def s_rel(p_yes: np.ndarray, p_no: np.ndarray) -> np.ndarray:
    """S_rel = P(no) - P(yes) in (-1, 1), lower is more alike (paper, eq. 2).

    Raises:
        ValueError: a value is no probability, or p_yes + p_no exceeds 1.
    """
    yes, no = np.asarray(p_yes, dtype=np.float64), np.asarray(p_no, dtype=np.float64)
    # Rounding of a float32 softmax may overshoot 1 by a few units of its last place.
    if not (np.all(yes >= 0) and np.all(no >= 0) and np.all(yes + no <= 1 + 1e-5)):
        raise ValueError(f"p_yes and p_no must be probabilities with p_yes + p_no <= 1; got {yes} and {no}")
    return no - yes
