"""The paper's joint round: one conversation shows a vision-language model both frames, then asks about them.

Round 1 shows the keyframe and the candidate and has both described; round 2 asks the focus, over the keys and values of
round 1 (paper, section II-C2: description and focus "remain aligned at each step").
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from lgvsc_flow.blocks.semantic.chat import IMAGE, Turn, tidy
from lgvsc_flow.blocks.semantic.psss import Description, Judge, focus_text, s_rel
from lgvsc_flow.blocks.semantic.scoring import ScoreCounts, content_key, model_counts, one_by_one, place
from lgvsc_flow.blocks.semantic.vlm import VlmDescriber, words
from lgvsc_flow.errors import ModelError
from lgvsc_flow.items import Frame

if TYPE_CHECKING:
    from lgvsc_flow.blocks.semantic.language_model import Context

__all__ = ["DESCRIBE_BOTH", "JointScorer", "two_descriptions"]

DESCRIBE_BOTH = (
    "Describe each of the two images in one or two sentences: the key objects and where they are, what they are doing, "
    "and the background. Begin the first description with ‘Image 1:’ and the second with ‘Image 2:’."
)
_SECOND = re.compile(r"(?:image|picture|frame|description)[ \-#]*2\b[*_\s]*[:.\-–]?", re.IGNORECASE)
_FIRST = re.compile(r"^.{0,40}?(?:image|picture|frame|description)[ \-#]*1\b[*_\s]*[:.\-–]?", re.IGNORECASE)
_PREFIXES = 2  # the keyframe's, and the one before


class JointScorer:
    """PSSS with both frames in one conversation.

    What the conversations of a keyframe begin with, up to the end of its picture, is computed once. Pairs of the same
    pictures are judged once, as long as they are among the last `remember`.

    Args:
        describer: the vision-language model. Its `batch_size` is that of the candidates, and each round-1 answer may
            have twice its `max_new_tokens`.
        focus: a name in `psss.FOCI` or a text.
        judge: None, so that the same model answers in the same conversation; or a judge of texts, which reads the two
            descriptions of round 1. Where they cannot be told apart, both frames are described one by one.
        floor: least P(yes) + P(no) of the model's own answer; less is an error.
        skip_failed: leave out a candidate that the model fails on (NaN), instead of stopping.
        remember: pairs and texts kept.
    """

    def __init__(
        self,
        describer: VlmDescriber,
        focus: str = "general",
        judge: Judge | None = None,
        *,
        floor: float = 0.5,
        skip_failed: bool = False,
        remember: int = 4096,
    ) -> None:
        self.describer, self.focus, self.judge = describer, focus, judge
        self.floor, self.skip_failed, self.remember = floor, skip_failed, remember
        self._described = self._judged = self._failed = self._unparsed = 0
        self._scores: dict[tuple[bytes, bytes], float] = {}
        self._texts: dict[bytes, str] = {}
        self._prefixes: dict[bytes, Context] = {}

    @property
    def counts(self) -> ScoreCounts:
        """What was done so far; `describer["unparsed"]` counts answers that did not hold two descriptions."""
        described = {**model_counts(self.describer), "unparsed": self._unparsed}
        judge = {} if self.judge is None else model_counts(self.judge)
        return ScoreCounts(self._described, self._judged, self._failed, described, judge)

    def load(self) -> None:
        """Load the models.

        Raises:
            ModelError: as `VlmDescriber.load`; or the model has no single tokens for yes and no.
        """
        self.describer.load()
        if self.judge is not None:
            self.judge.load()
        else:
            _ = self.describer.eyes().language.yes_no

    def prepare(self, frames: Sequence[Frame]) -> None:
        """Nothing: frames are described in pairs."""

    def score(self, keyframe: Frame, candidates: Sequence[Frame]) -> np.ndarray:
        """S_rel of every candidate against the keyframe; NaN for one that the model failed on and may be left out.

        Raises:
            FrameError: the model fails on a pair.
        """
        first = content_key(keyframe)
        new: dict[bytes, Frame] = {}
        for frame in candidates:
            if (first, content_key(frame)) not in self._scores:
                new.setdefault(content_key(frame), frame)
        items, size = list(new.values()), self.describer.batch_size
        for i in range(0, len(items), size):
            found = one_by_one(
                lambda some: self._round(keyframe, some),
                items[i : i + size],
                lambda f: f"the joint round of keyframe {place(keyframe)} and frame {place(f)}",
                skip=self.skip_failed,
            )
            for frame, score in zip(items[i : i + size], found, strict=True):
                self._failed += isinstance(score, str)
                self._scores[first, content_key(frame)] = np.nan if isinstance(score, str) else score
        return np.array([self._scores[first, content_key(f)] for f in candidates], dtype=np.float64)

    def text(self, frames: Sequence[Frame]) -> str:
        """The description of the middle one of those frames that were described; else the first frame's own."""
        known = [t for t in (self._texts.get(content_key(f), "") for f in frames) if t]
        if known:
            return known[len(known) // 2]
        if not frames:
            return ""
        first = content_key(frames[0])
        if first not in self._texts:
            (found,) = one_by_one(
                lambda some: [self._alone(f) for f in some],
                [frames[0]],
                lambda f: f"the description of frame {place(f)}",
                skip=self.skip_failed,
            )
            if isinstance(found, str):  # why it failed
                self._failed += 1
                self._texts[first] = ""
                return ""
            return found.text
        return self._texts[first]

    def forget(self, before: int) -> None:
        """Keep the last `remember` pairs and texts."""
        for pair in list(self._scores)[: max(len(self._scores) - self.remember, 0)]:
            del self._scores[pair]
        for key in list(self._texts)[: max(len(self._texts) - self.remember, 0)]:
            del self._texts[key]

    def _round(self, keyframe: Frame, candidates: Sequence[Frame]) -> list[float]:
        """S_rel of candidates that are computed together."""
        from lgvsc_flow.blocks.semantic.vision_language import merge_images, split_images
        from lgvsc_flow.pretrained import out_of_memory

        for frame in candidates:
            if frame.pixels.shape != keyframe.pixels.shape:
                raise ModelError(
                    f"frame {place(frame)} is {frame.pixels.shape} and its keyframe {keyframe.pixels.shape}; a joint "
                    "round takes pictures of one size"
                )
        eyes = self.describer.eyes()
        turns: list[Turn] = [("user", ["Image 1: ", IMAGE, "\nImage 2: ", IMAGE, "\n" + DESCRIBE_BOTH])]
        text = eyes.chat.render(turns)
        with out_of_memory("JointScorer", **self.describer.memory_settings):
            pairs = [eyes.encode(text, [keyframe.pixels, f.pixels]) for f in candidates]
            if eyes.language.forks:
                end = eyes.end_of_first_picture(pairs[0])
                halves = [split_images(p.images) for p in pairs]
                if content_key(keyframe) not in self._prefixes:
                    for old in list(self._prefixes)[: len(self._prefixes) + 1 - _PREFIXES]:
                        del self._prefixes[old]
                    prefix = eyes.language.read_prefix(pairs[0].ids[:end], halves[0][0])
                    self._prefixes[content_key(keyframe)] = prefix
                context = eyes.language.fork(self._prefixes[content_key(keyframe)], len(pairs))
                seconds = merge_images([second for _, second in halves])
                logits, context = eyes.language.read(context, [p.ids[end:] for p in pairs], seconds)
            else:
                images = merge_images([p.images for p in pairs])
                logits, context = eyes.language.read(None, [p.ids for p in pairs], images)
            limit = 2 * self.describer.max_new_tokens
            answers, context = eyes.language.decode(logits, context, limit, goes_on=self.judge is None)
            self._described += len(pairs)
            texts = [words(eyes, a) for a in answers]
            found = [self._note(keyframe, f, t) for f, t in zip(candidates, texts, strict=True)]
            if self.judge is None:
                rest = eyes.chat.encode(eyes.chat.between(turns, [("user", [focus_text(self.focus)])]), begins=False)
                p_yes, p_no = eyes.language.ask(eyes.language.read(context, [rest] * len(pairs))[0], self.floor)
            else:
                p_yes, p_no = self._ask(self.judge, keyframe, candidates, found)
        self._judged += len(pairs)
        return [float(s) for s in s_rel(p_yes, p_no)]

    def _ask(
        self, judge: Judge, keyframe: Frame, candidates: Sequence[Frame], found: Sequence[tuple[str, str] | None]
    ) -> tuple[np.ndarray, np.ndarray]:
        """The answers of a judge of texts; every pair has its own two descriptions."""
        answers = []
        for frame, pair in zip(candidates, found, strict=True):
            first, second = (Description(t) for t in pair) if pair else (self._alone(keyframe), self._alone(frame))
            p_yes, p_no = judge.judge(first, [second], self.focus)
            answers.append((float(np.squeeze(p_yes)), float(np.squeeze(p_no))))
        p_yes, p_no = np.array(answers).T
        return p_yes, p_no

    def _note(self, keyframe: Frame, candidate: Frame, text: str) -> tuple[str, str] | None:
        """The two descriptions of an answer, kept as texts of their frames; None if there are not two."""
        pair = two_descriptions(text)
        if pair is None:
            self._unparsed += 1
            return None
        self._texts.setdefault(content_key(keyframe), pair[0])
        self._texts.setdefault(content_key(candidate), pair[1])
        return pair

    def _alone(self, frame: Frame) -> Description:
        """A frame described on its own; once."""
        key = content_key(frame)
        if key not in self._texts:
            (description,) = self.describer.describe([frame.pixels])
            self._texts[key] = description.text
        return Description(self._texts[key])


def two_descriptions(text: str) -> tuple[str, str] | None:
    """The descriptions of image 1 and image 2 in an answer to `DESCRIBE_BOTH`; None where they cannot be told apart."""
    second = _SECOND.search(text)
    if second is None:
        return None
    before, after = text[: second.start()], text[second.end() :]
    pair = tidy(_FIRST.sub("", tidy(before), count=1).strip(" *_#")), tidy(after.strip(" *_#"))
    return pair if all(pair) else None
