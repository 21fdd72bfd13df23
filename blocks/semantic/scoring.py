"""The score of one frame against another, frame by frame: each frame is described once and judged from the cache."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from lgvsc_flow.blocks.semantic.psss import Describer, Description, Judge, s_rel
from lgvsc_flow.errors import ModelError, SettingError
from lgvsc_flow.items import Frame

__all__ = ["PerFrameScorer", "Scorer", "make_describer", "make_judge"]


class Scorer(Protocol):
    """What SKEM asks: how far is each candidate from the keyframe? Frames are told apart by their index."""

    described: int  # frames described so far
    judged: int  # pairs judged so far

    def load(self) -> None:
        """Load weights."""

    def prepare(self, frames: Sequence[Frame]) -> None:
        """These frames will be scored: work on them together where that is cheaper."""

    def score(self, keyframe: Frame, candidates: Sequence[Frame]) -> np.ndarray:
        """S_rel of every candidate against the keyframe, float64 [len(candidates)]."""
        ...

    def text(self, frames: Sequence[Frame]) -> str:
        """The text that stands for all of these frames; "" where nothing is known of them."""
        ...

    def forget(self, before: int) -> None:
        """Frames with an index below `before` will not be asked about again."""


class PerFrameScorer:
    """Describe every frame once, on its own, and judge pairs of descriptions.

    Args:
        describer: gives the descriptions.
        judge: compares them.
        focus: a name in `psss.FOCI` or a text, as the judge takes it.
    """

    def __init__(self, describer: Describer, judge: Judge | None = None, focus: str = "general") -> None:
        self.describer, self.judge, self.focus = describer, judge, focus
        self.described = self.judged = 0
        self._known: dict[int, Description] = {}

    def load(self) -> None:
        self.describer.load()
        if self.judge is not None:
            self.judge.load()

    def prepare(self, frames: Sequence[Frame]) -> None:
        """Describe the frames that have no description yet.

        Raises:
            ModelError: the describer returns another number of descriptions than it got frames.
        """
        new = [f for f in frames if f.index not in self._known]
        if not new:
            return
        descriptions = self.describer.describe([f.pixels for f in new])
        if len(descriptions) != len(new):
            raise ModelError(
                f"{type(self.describer).__name__}.describe returned {len(descriptions)} descriptions "
                f"of {len(new)} frames"
            )
        self._known.update((f.index, d) for f, d in zip(new, descriptions, strict=True))
        self.described += len(new)

    def score(self, keyframe: Frame, candidates: Sequence[Frame]) -> np.ndarray:
        """S_rel of every candidate against the keyframe.

        Raises:
            ModelError: the judge answers with other shapes or with values that are no probabilities.
        """
        if self.judge is None:
            raise ModelError("this scorer only describes; it was built without a judge")
        self.prepare([keyframe, *candidates])
        known = [self._known[f.index] for f in candidates]
        p_yes, p_no = self.judge.judge(self._known[keyframe.index], known, self.focus)
        self.judged += len(known)
        who = type(self.judge).__name__
        if np.shape(p_yes) != (len(known),) or np.shape(p_no) != (len(known),):
            raise ModelError(
                f"{who}.judge answered {np.shape(p_yes)} and {np.shape(p_no)} values for {len(known)} pairs"
            )
        try:
            return s_rel(p_yes, p_no)
        except ValueError as error:
            raise ModelError(f"{who}.judge: {error}") from error

    def text(self, frames: Sequence[Frame]) -> str:
        """The description nearest to all others by cosine, or the middle one where there are no embeddings."""
        known = [self._known[f.index] for f in frames if f.index in self._known]
        if not known:
            return ""
        embeddings = [d.embedding for d in known if d.embedding is not None]
        if len(embeddings) < len(known):
            return known[len(known) // 2].text
        unit = np.stack(embeddings).astype(np.float64)
        unit /= np.maximum(np.linalg.norm(unit, axis=1, keepdims=True), 1e-12)
        return known[int(np.argmax((unit * unit.sum(axis=0)).sum(axis=1)))].text

    def forget(self, before: int) -> None:
        self._known = {i: d for i, d in self._known.items() if i >= before}


def make_describer(choice: str | Describer) -> Describer:
    """A describer by its name, `embedded`, or the given one."""
    if not isinstance(choice, str):
        return choice
    if choice == "embedded":
        from lgvsc_flow.blocks.semantic.embedded import EmbeddedDescriber

        return EmbeddedDescriber()
    raise SettingError(f"describer is 'embedded' or an object with load and describe; got {choice!r}")


def make_judge(choice: str | Judge) -> Judge:
    """A judge by its name, `embedded` or `minilm`, or the given one."""
    if not isinstance(choice, str):
        return choice
    if choice == "embedded":
        from lgvsc_flow.blocks.semantic.embedded import EmbeddingJudge

        return EmbeddingJudge()
    if choice == "minilm":
        from lgvsc_flow.blocks.semantic.minilm import MiniLmJudge

        return MiniLmJudge()
    raise SettingError(f"judge is 'embedded', 'minilm' or an object with load and judge; got {choice!r}")
