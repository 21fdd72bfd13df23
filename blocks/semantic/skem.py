"""SKEM, keyframes by meaning (paper, section II-C2)."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Any

from lgvsc_flow import Block, In, Out, setting
from lgvsc_flow.blocks.semantic.choices import JudgeChoice, make_scorer
from lgvsc_flow.blocks.semantic.cuts import LOOKAHEAD
from lgvsc_flow.blocks.semantic.gates import FeatureGate, Gate, PixelGate
from lgvsc_flow.blocks.semantic.loop import Entry, KeyframeLoop
from lgvsc_flow.blocks.semantic.psss import Describer
from lgvsc_flow.blocks.semantic.scoring import PerFrameScorer, Scorer, content_key
from lgvsc_flow.blocks.semantic.search import Search, coarse_to_fine, exact, gallop
from lgvsc_flow.blocks.semantic.segmenter import Segmenter, with_motion
from lgvsc_flow.errors import MediaError, SettingError
from lgvsc_flow.items import Frame, Segment
from lgvsc_flow.pretrained import DTYPES, QUANTISATIONS

__all__ = ["SEARCHES", "Skem", "SkemCounts"]

SEARCHES = ("exact", "pixel-gate", "feature-gate", "gallop", "coarse-to-fine")
_REMEMBERED = 4096  # descriptions and digests of frames that are kept, at least
_STALE = 50  # frames in a row without a later time after which a rate per second means nothing


@dataclass(frozen=True)
class SkemCounts:
    """What SKEM did. Under the exact search `judged - wasted + reused` is what the plain loop judges.

    Attributes:
        frames: frames that came in.
        sampled: those that the sampling rate chose.
        gated: samples that a gate kept from being judged.
        identical: samples whose pixels are those of an earlier one.
        described: descriptions made; frames, or pairs under the joint strategy.
        failed: frames that the describer failed on, left out.
        judged: pairs judged.
        reused: scores taken from an identical pair instead of judging again.
        wasted: pairs judged ahead behind the next keyframe, in vain.
        keyframes: segments begun, the closing one included.
        describer: the describer's own counters by name (calls, tokens), where it has them.
        judge: those of the judge.
    """

    frames: int = 0
    sampled: int = 0
    gated: int = 0
    identical: int = 0
    described: int = 0
    failed: int = 0
    judged: int = 0
    reused: int = 0
    wasted: int = 0
    keyframes: int = 0
    describer: Mapping[str, float] = field(default_factory=dict)
    judge: Mapping[str, float] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """The counts by name, for a JSON file."""
        return asdict(self)


class Skem(Block):
    """Cut a video into semantic segments: a new one starts where a frame no longer says what its keyframe says.

    The loop is the paper's: each sampled frame is compared with the latest keyframe; where S_rel (eq. 2) exceeds
    `threshold` the frame becomes the next keyframe. The search `exact` gives the keyframes of that loop, and describes
    each distinct frame once; the other searches are approximations, see docs/skem.md for what they miss.

    At most `2 * max_segment_length` frames are held, and a few that the cut detector looks at.
    """

    frames = In(Frame)
    segments = Out(Segment, rate="many", segment_length="variable")

    threshold: float = setting(0.35, ge=-1, le=1, doc="eta_th: S_rel above it starts a segment")
    sample_every: int = setting(1, ge=1, unit="frames", doc="compare every n-th frame of the stream")
    sample_fps: float | None = setting(None, gt=0, unit="Hz", doc="or so many frames per second of video")
    refine_cuts: bool = setting(True, doc="between two samples, start the segment at the hard cut if there is one")
    focus: str = setting("general", doc="semantic focus: general, main_object, background or your own words")
    describer: str | Describer = setting(
        "embedded", doc="embedded, a model's name, or an object with load and describe"
    )
    judge: JudgeChoice = setting(
        "embedded", doc="embedded, minilm, same (the describer's model), a model's name, a function or an object"
    )
    strategy: str = setting("per-frame", choices=("per-frame", "joint"), doc="describe frames, or pairs in one turn")
    search: str = setting("exact", choices=SEARCHES, doc="exact, or a named approximation")
    pixel_gate: float = setting(0.06, ge=0, le=1, doc="pixel-gate: a difference up to it is not judged")
    feature_gate: float = setting(0.95, ge=-1, le=1, doc="feature-gate: a cosine from it is not judged")
    gallop_stride: int = setting(8, ge=1, unit="samples", doc="gallop: the longest step")
    verify_window: int = setting(2, ge=0, unit="samples", doc="gallop: samples checked before a crossing")
    coarse_step: int = setting(4, ge=1, unit="samples", doc="coarse-to-fine: the coarse step")
    on_describe_error: str = setting("stop", choices=("stop", "skip"), doc="a frame that cannot be described")
    device: str = setting("auto", doc="torch device of models that are chosen by name")
    dtype: str = setting("auto", choices=("auto", *DTYPES), doc="number type of models that are chosen by name")
    quantisation: str | None = setting(None, choices=(None, *QUANTISATIONS), doc="of language models chosen by name")
    batch_size: int = setting(1, ge=1, doc="frames or pairs that language models chosen by name take at once")
    floor: float | None = setting(None, ge=0, le=1, doc="least P(yes) + P(no) of a model chosen by name; None: its own")
    frames_ahead: int = setting(16, ge=1, unit="samples", doc="samples described together, and judged ahead at most")
    max_segment_length: int = setting(250, ge=1, unit="frames", doc="a longer segment is split")
    closing: bool = setting(True, doc="send the last frame as a keyframe of its own (K_{N+1} = F)")

    def validate(self) -> None:
        if self.sample_fps is not None and self.sample_every != 1:
            raise SettingError(
                f"Skem takes sample_every or sample_fps, not both; got {self.sample_every} and {self.sample_fps}"
            )
        if not self.focus.strip():
            raise SettingError("Skem.focus is empty; name general, main_object or background, or say what matters")
        if not re.fullmatch(r"auto|cpu|mps|xpu|cuda(:\d+)?", self.device):
            raise SettingError(f"Skem.device is auto, cpu, cuda, cuda:1 ..., mps or xpu; got {self.device!r}")
        try:
            self._new_scorer()
        except SettingError as error:
            raise SettingError(f"Skem.{error}") from None

    def start(self) -> None:
        self.scorer: Scorer = self._new_scorer()
        self.scorer.load()
        self._segmenter = Segmenter(self._caption)
        skip = self.on_describe_error == "skip"
        self._loop = KeyframeLoop(
            self.scorer,
            self._segmenter,
            self._new_search(),
            max_length=self.max_segment_length,
            refine_cuts=self.refine_cuts,
            skip_failed=skip,
        )
        self._gate_scorer: PerFrameScorer | None = None
        self._gate = self._new_gate()
        self._queue: list[Entry] = []
        self._seen: dict[bytes, None] = {}
        self._count = self._sampled = self._waiting = self._gated = self._identical = 0
        self._tick, self._time, self._stale = -1, -math.inf, 0

    def work(self, frame: Frame) -> Iterator[Segment]:
        self._segmenter.push(frame)
        entry = Entry(self._count, frame, self._is_sample(frame))
        self._queue.append(entry)
        self._count += 1
        self._sampled += entry.sampled
        # The last few wait until the detector knows whether a cut stands before them.
        ready = len(self._queue) - LOOKAHEAD
        if ready > 0:
            self._waiting += self._queue[ready - 1].sampled
            if self._waiting >= self.frames_ahead or ready >= self.max_segment_length:
                self._advance(ready)
                yield from self._segmenter.ready()

    def finish(self) -> Iterator[Segment]:
        self._segmenter.decide()
        self._advance(len(self._queue))
        self._loop.finish(self.closing)
        yield from self._segmenter.ready()

    def stop(self) -> None:
        self._queue = []
        if hasattr(self, "_loop"):
            self._loop.line = []

    @property
    def counts(self) -> SkemCounts:
        """What was done since the start; all zero before. The models' own counters run over their lives."""
        if not hasattr(self, "_loop"):
            return SkemCounts()
        loop, models = self._loop, self.scorer.counts
        return SkemCounts(
            frames=self._count,
            sampled=self._sampled,
            gated=self._gated,
            identical=self._identical,
            described=models.described,
            failed=models.failed,
            judged=loop.judged,
            reused=loop.reused,
            wasted=loop.wasted,
            keyframes=loop.keyframes,
            describer=models.describer,
            judge=models.judge,
        )

    def _new_scorer(self) -> Scorer:
        return make_scorer(
            self.describer,
            self.judge,
            self.focus,
            self.strategy,
            skip_failed=self.on_describe_error == "skip",
            device=self.device,
            dtype=self.dtype,
            floor=self.floor,
            quantisation=self.quantisation,
            batch_size=self.batch_size,
            remember=max(_REMEMBERED, 4 * self.max_segment_length),
        )

    def _new_search(self) -> Callable[[], Search]:
        if self.search == "gallop":
            return partial(gallop, self.threshold, self.gallop_stride, self.verify_window)
        if self.search == "coarse-to-fine":
            return partial(coarse_to_fine, self.threshold, self.coarse_step)
        # Pairs that a model takes one at a time are not judged ahead: nothing would be gained.
        model: Any = getattr(self.scorer, "describer" if self.strategy == "joint" else "judge", None)
        together = getattr(model, "batch_size", self.frames_ahead)
        return partial(exact, self.threshold, min(self.frames_ahead, together))

    def _new_gate(self) -> Gate | None:
        if self.search == "pixel-gate":
            return PixelGate(self.pixel_gate)
        if self.search != "feature-gate":
            return None
        from lgvsc_flow.blocks.semantic.embedded import EmbeddedDescriber

        scorer = self.scorer
        if not (isinstance(scorer, PerFrameScorer) and isinstance(scorer.describer, EmbeddedDescriber)):
            # Its own small network, so that the large model need not look at every sample.
            scorer = PerFrameScorer(EmbeddedDescriber(), skip_failed=True)
            scorer.load()
            self._gate_scorer = scorer
        return FeatureGate(scorer.embeddings, self.feature_gate)

    def _is_sample(self, frame: Frame) -> bool:
        if self.sample_fps is None:
            return self._count % self.sample_every == 0
        # Some files have a few times out of order; those frames are no samples.
        self._stale = 0 if frame.time_s > self._time else self._stale + 1
        if not math.isfinite(frame.time_s * self.sample_fps) or self._stale >= _STALE:
            raise MediaError(
                f"frame {frame.index} has the time {frame.time_s} s; {self._time} s was reached {self._stale} frames "
                "before it: sample_fps needs times that go up; sample by count, with sample_every"
            )
        self._time = max(frame.time_s, self._time)
        tick = math.floor(frame.time_s * self.sample_fps + 1e-6)
        due = self._count == 0 or tick > self._tick
        self._tick = max(tick, self._tick) if self._count else tick
        return due

    def _advance(self, count: int) -> None:
        """Run the loop over the first `count` queued frames."""
        todo, self._queue = self._queue[:count], self._queue[count:]
        self._waiting = 0
        samples = [e for e in todo if e.sampled]
        if self._gate is not None and samples:
            for entry, passes in zip(samples, self._gate.passes([e.frame for e in samples]), strict=True):
                entry.sampled = passes
                self._gated += not passes
            samples = [e for e in samples if e.sampled]
        self._note_identical([e.frame for e in samples])
        if self.search in ("exact", "pixel-gate", "feature-gate"):
            self.scorer.prepare([e.frame for e in samples])
        self._loop.extend(todo)

    def _note_identical(self, frames: Sequence[Frame]) -> None:
        for frame in frames:
            key = content_key(frame)
            self._identical += key in self._seen
            self._seen.pop(key, None)
            self._seen[key] = None
        limit = max(_REMEMBERED, 4 * self.max_segment_length)
        for key in list(self._seen)[: max(len(self._seen) - limit, 0)]:
            del self._seen[key]

    def _caption(self, frames: Sequence[Frame], cut_at: int | None) -> str:
        if self._gate_scorer is not None:
            self._gate_scorer.forget(frames[-1].index + 1)
        text = self.scorer.text(frames)
        if not text:
            self.scorer.prepare(frames[:1])
            text = self.scorer.text(frames[:1])
        self.scorer.forget(frames[-1].index + 1)
        return with_motion(text, frames, cut_at)
