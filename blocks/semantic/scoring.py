"""The score of one frame against another, frame by frame: what looks the same is described once, judged from there."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, is_dataclass
from typing import Any, Protocol, TypeVar, runtime_checkable
from weakref import WeakKeyDictionary

import numpy as np

from lgvsc_flow.blocks.semantic.psss import Describer, Description, Judge, s_rel
from lgvsc_flow.errors import FlowError, ModelError
from lgvsc_flow.items import Frame

__all__ = [
    "FrameError",
    "PerFrameScorer",
    "ScoreCounts",
    "Scorer",
    "content_key",
    "model_counts",
    "one_by_one",
    "place",
]

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")
_KEYS: WeakKeyDictionary[Frame, bytes] = WeakKeyDictionary()


class FrameError(ModelError):
    """A model failed on a frame; the message names the frame."""


@dataclass(frozen=True)
class ScoreCounts:
    """What a scorer's models did.

    Attributes:
        described: descriptions made; frames, or pairs where a pair is described together.
        judged: pairs judged.
        failed: frames that could not be described and were left out.
        describer: the describer's own counters by name, empty where it has none.
        judge: those of the judge.
    """

    described: int = 0
    judged: int = 0
    failed: int = 0
    describer: Mapping[str, float] = field(default_factory=dict)
    judge: Mapping[str, float] = field(default_factory=dict)


@runtime_checkable
class Scorer(Protocol):
    """What SKEM asks: how far is each candidate from the keyframe? SKEM asks about a distinct pair once."""

    @property
    def counts(self) -> ScoreCounts:
        """What was done so far."""
        ...

    def load(self) -> None:
        """Load weights."""

    def prepare(self, frames: Sequence[Frame]) -> None:
        """These frames will be scored: work on them together where that is cheaper."""

    def score(self, keyframe: Frame, candidates: Sequence[Frame]) -> np.ndarray:
        """S_rel of every candidate against the keyframe, float64 [len(candidates)].

        NaN where a candidate could not be described and may be left out.
        """
        ...

    def text(self, frames: Sequence[Frame]) -> str:
        """The text that stands for all of these frames; "" where nothing is known of them."""
        ...

    def forget(self, before: int) -> None:
        """Frames with an index below `before` will not be asked about again."""


class PerFrameScorer:
    """Describe every frame once, on its own, and judge pairs of descriptions.

    Frames of the same pixels share one description, also far apart, as long as it is among the last `remember`.

    Args:
        describer: gives the descriptions.
        judge: compares them.
        focus: a name in `psss.FOCI` or a text, as the judge takes it.
        skip_failed: leave out a frame that the describer fails on, instead of stopping.
        remember: descriptions kept.
    """

    def __init__(
        self,
        describer: Describer,
        judge: Judge | None = None,
        focus: str = "general",
        skip_failed: bool = False,
        remember: int = 4096,
    ) -> None:
        self.describer, self.judge, self.focus = describer, judge, focus
        self.skip_failed, self.remember = skip_failed, remember
        self._described = self._judged = 0
        self._known: dict[bytes, Description] = {}
        self._failed: dict[bytes, str] = {}
        self._failures = 0

    @property
    def counts(self) -> ScoreCounts:
        """What was done so far."""
        return ScoreCounts(
            self._described, self._judged, self._failures, model_counts(self.describer), model_counts(self.judge)
        )

    def load(self) -> None:
        self.describer.load()
        if self.judge is not None:
            self.judge.load()

    def prepare(self, frames: Sequence[Frame]) -> None:
        """Describe the frames whose like has no description yet.

        Raises:
            FrameError: the describer fails on a frame, or finds no words for it, and `skip_failed` is off.
            ModelError: the describer returns another number of descriptions than it got frames.
        """
        new: dict[bytes, Frame] = {}
        for frame in frames:
            key = content_key(frame)
            if key not in self._known and key not in self._failed:
                new.setdefault(key, frame)
        if not new:
            return
        name = type(self.describer).__name__
        advice = 'leave such frames out with on_describe_error="skip", or use another describer'
        found = one_by_one(
            self._describe, list(new.values()), lambda f: f"{name} failed on frame {place(f)}", advice, self.skip_failed
        )
        for (key, frame), description in zip(new.items(), found, strict=True):
            problem = description if isinstance(description, str) else self._wordless(description)
            if not problem:
                assert isinstance(description, Description)
                self._known[key] = description
                self._described += 1
            elif self.skip_failed:
                self._failed[key] = problem
                self._failures += 1
            else:
                raise FrameError(f"{name} found no words for frame {place(frame)}; {advice}")

    def score(self, keyframe: Frame, candidates: Sequence[Frame]) -> np.ndarray:
        """S_rel of every candidate against the keyframe; NaN for one that could not be described.

        Raises:
            FrameError: the keyframe cannot be described, or the judge fails on a pair.
            ModelError: the judge answers with other shapes or with values that are no probabilities.
        """
        if self.judge is None:
            raise ModelError("this scorer only describes; it was built without a judge")
        self.prepare([keyframe, *candidates])
        problem = self._failed.get(content_key(keyframe))
        if problem:
            raise FrameError(
                f"frame {place(keyframe)} is a keyframe and cannot do without a description, but {problem}"
            )
        scores = np.full(len(candidates), np.nan)
        usable = [i for i, f in enumerate(candidates) if content_key(f) in self._known]
        if usable:
            scores[usable] = self._judge(keyframe, [candidates[i] for i in usable])
        return scores

    def text(self, frames: Sequence[Frame]) -> str:
        """The description nearest to all others by cosine, or the middle one where there are no embeddings."""
        # Only frames that were looked at have a key already; the others need none.
        found = (self._known.get(_KEYS.get(f, b"")) for f in frames)
        known = [d for d in found if d is not None]
        if not known:
            return ""
        embeddings = [d.embedding for d in known if d.embedding is not None]
        if len(embeddings) < len(known):
            return known[len(known) // 2].text
        unit = np.stack(embeddings).astype(np.float64)
        unit /= np.maximum(np.linalg.norm(unit, axis=1, keepdims=True), 1e-12)
        return known[int(np.argmax((unit * unit.sum(axis=0)).sum(axis=1)))].text

    def embeddings(self, frames: Sequence[Frame]) -> list[np.ndarray | None]:
        """The image embeddings of the frames, None where there is none; describes them as `prepare` does."""
        self.prepare(frames)
        found = [self._known.get(content_key(f)) for f in frames]
        return [None if d is None else d.embedding for d in found]

    def forget(self, before: int) -> None:
        """Keep the last `remember` descriptions."""
        for store in (self._known, self._failed):
            for key in list(store)[: max(len(store) - self.remember, 0)]:
                del store[key]

    def _describe(self, frames: Sequence[Frame]) -> list[Description]:
        found = self.describer.describe([f.pixels for f in frames])
        if len(found) != len(frames):
            raise FrameError(
                f"{type(self.describer).__name__}.describe returned {len(found)} descriptions of {len(frames)} frames, "
                f"{place(frames[0])} to {place(frames[-1])}"
            )
        return list(found)

    def _wordless(self, description: Description) -> str:
        """Why a description is of no use, or ""."""
        reads = getattr(self.judge, "reads_text", True) or description.embedding is None
        return "the describer found no words for it" if reads and not description.text.strip() else ""

    def _judge(self, keyframe: Frame, candidates: Sequence[Frame]) -> np.ndarray:
        who = f"{type(self.judge).__name__}.judge"
        about = f"against keyframe {place(keyframe)}"
        scores = one_by_one(
            lambda some: self._answers(who, keyframe, some), candidates, lambda f: f"{who} of frame {place(f)} {about}"
        )
        self._judged += len(candidates)
        return np.array(scores)

    def _answers(self, who: str, keyframe: Frame, candidates: Sequence[Frame]) -> list[float]:
        assert self.judge is not None
        known = [self._known[content_key(f)] for f in candidates]
        p_yes, p_no = self.judge.judge(self._known[content_key(keyframe)], known, self.focus)
        if np.shape(p_yes) != (len(known),) or np.shape(p_no) != (len(known),):
            raise FrameError(
                f"{who} answered {np.shape(p_yes)} and {np.shape(p_no)} values for {len(known)} pairs, "
                f"keyframe {place(keyframe)} and frames {place(candidates[0])} to {place(candidates[-1])}"
            )
        try:
            return [float(s) for s in s_rel(p_yes, p_no)]
        except ValueError as error:
            raise ModelError(str(error)) from error


def content_key(frame: Frame) -> bytes:
    """What tells a picture from another: a digest of its size and pixels, computed once per frame."""
    key = _KEYS.get(frame)
    if key is None:
        digest = hashlib.sha256(repr(frame.pixels.shape).encode())
        digest.update(np.ascontiguousarray(frame.pixels).data)
        key = _KEYS[frame] = digest.digest()
    return key


def place(frame: Frame) -> str:
    """A frame in a message: `17 (0.680 s)`."""
    return f"{frame.index} ({frame.time_s:.3f} s)"


def model_counts(model: object) -> dict[str, float]:
    """A model's own counters, where it has `counts`: a mapping or a dataclass of numbers."""
    counts: Any = getattr(model, "counts", None)
    if is_dataclass(counts) and not isinstance(counts, type):
        counts = asdict(counts)
    return dict(counts) if isinstance(counts, Mapping) else {}


def one_by_one(
    work: Callable[[Sequence[_Item]], Iterable[_Result]],
    items: Sequence[_Item],
    name: Callable[[_Item], str],
    advice: str = "",
    skip: bool = False,
) -> list[_Result | str]:
    """The results of a batch; where it fails, each item is tried alone, so that the message names the culprit.

    Args:
        work: gives one result per item.
        items: the batch.
        name: what failed, for the message.
        advice: what to do about it.
        skip: put the message into the place of a result that cannot be had, instead of raising it.

    Raises:
        FrameError: an item fails alone; the message begins with its name.
        FlowError: not the item's fault: a missing package, or memory that does not suffice.
    """
    try:
        return list(work(items))
    except Exception as error:
        if isinstance(error, FrameError) or _is_general(error):
            raise
        if len(items) > 1:
            singles = [one_by_one(work, [item], name, advice, skip) for item in items]
            return [result for single in singles for result in single]
        message = f"{name(items[0])}: {error or type(error).__name__}"
        if skip:
            return [message]
        raise FrameError(f"{message}; {advice}" if advice else message) from error


def _is_general(error: BaseException) -> bool:
    """Whether the next item would fail too: an extra, a setting or memory that is missing."""
    cause = error.__cause__
    if isinstance(error, MemoryError) or isinstance(cause, MemoryError) or "out of memory" in str(error).lower():
        return True
    return isinstance(error, FlowError) and not isinstance(error, ModelError)
