"""A sending half that can be run again and again: each clip is decoded once, each model asked once about the same.

Descriptions, answers and coded keyframes are kept by what went in, so that another threshold costs only the pairs that
were never judged. All else is the blocks of a real run, fresh each time, so that a run gives the symbols of a real one.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from lgvsc_flow import Block, Graph, Out
from lgvsc_flow.blocks.metrics import SegmentLog
from lgvsc_flow.blocks.ntscc import NtsccEncoder
from lgvsc_flow.blocks.semantic import Skem
from lgvsc_flow.blocks.semantic.psss import Describer, Description, Judge, s_rel
from lgvsc_flow.blocks.semantic.scoring import PerFrameScorer, Scorer, content_key
from lgvsc_flow.blocks.video import VideoFile, VideoInfo, probe
from lgvsc_flow.errors import MediaError
from lgvsc_flow.graphs.lgvsc import Scheme, sender
from lgvsc_flow.items import Frame, Keyframe, Payload

__all__ = ["Film", "Memory", "Sent", "send_once"]

Notice = Callable[[str], None]


@dataclass(eq=False)
class Film:
    """The decoded frames of a clip, in a temporary file that has no name: memory holds only those in use."""

    path: Path
    info: VideoInfo
    times: list[float]
    digest: str
    pixels: np.ndarray

    @classmethod
    def of(cls, path: Path) -> Film:
        """Decode a clip.

        Raises:
            MediaError: it cannot be read, or the disk has no room for its frames.
        """
        info, source, times = probe(path), VideoFile(path=str(path)), []
        source.start()
        try:
            with tempfile.TemporaryFile() as file:
                for frame in source.work():
                    file.write(np.ascontiguousarray(frame.pixels).data)
                    times.append(frame.time_s)
                file.flush()
                shape = (len(times), info.height, info.width, 3)
                pixels = np.memmap(file, np.uint8, "r", shape=shape)
        except OSError as error:
            raise MediaError(
                f"the frames of '{path}' cannot be kept in {tempfile.gettempdir()}: {error.strerror or error}. Make "
                "room, or name another folder in TMPDIR"
            ) from error
        finally:
            source.stop()
        with path.open("rb") as clip:
            digest = hashlib.file_digest(clip, "sha256").hexdigest()
        return cls(path, replace(info, num_frames=len(times)), times, digest, pixels)


class Replay(Block):
    """The frames of a film, as `VideoFile` sends them."""

    frames = Out(Frame)

    film: Any = None

    def work(self) -> Iterator[Frame]:
        for index, time_s in enumerate(self.film.times):
            yield Frame(np.array(self.film.pixels[index]), index, time_s)


@dataclass(eq=False)
class Memory:
    """What the models said and what keyframes cost; `asked` are the scores since it was last emptied."""

    notice: Notice | None = None
    descriptions: dict[bytes, Description] = field(default_factory=dict)
    answers: dict[tuple[bytes, bytes], tuple[float, float]] = field(default_factory=dict)
    rounds: dict[tuple[bytes, bytes], tuple[float, tuple[str, str] | None]] = field(default_factory=dict)
    keyframes: dict[bytes, tuple[bytes, int]] = field(default_factory=dict)
    asked: set[float] = field(default_factory=set)
    describer: Any = None
    judge: Any = None
    codec: Any = None

    def tell(self) -> None:
        """Say how far the models are."""
        if self.notice is not None:
            judged = len(self.answers) + len(self.rounds)
            self.notice(f"{len(self.descriptions)} described, {judged} judged, {len(self.keyframes)} keyframes coded")

    def scorer(self, fresh: Scorer) -> Scorer:
        """A scorer as new, over the models of the first one and what they have said."""
        if self.describer is None:
            self.describer = _Describer(fresh.describer, self)  # type: ignore[attr-defined]
            judge = fresh.judge  # type: ignore[attr-defined]
            self.judge = None if judge is None else _Judge(judge, self)
        if isinstance(fresh, PerFrameScorer):
            fresh.describer, fresh.judge = self.describer, self.judge
            return fresh
        return _joint(fresh, self)


class _Describer:
    """A describer that is asked once about a picture."""

    def __init__(self, inner: Describer, memory: Memory) -> None:
        self.inner, self.memory = inner, memory

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def load(self) -> None:
        self.inner.load()

    def describe(self, frames: Sequence[np.ndarray]) -> list[Description]:
        known = self.memory.descriptions
        keys = [_digest(pixels) for pixels in frames]
        new = {key: pixels for key, pixels in zip(keys, frames, strict=True) if key not in known}
        if new:
            found = self.inner.describe(list(new.values()))
            if len(found) != len(new):
                return list(found)  # wrong, and the scorer says so
            known.update(zip(new, found, strict=True))
            self.memory.tell()
        return [known[key] for key in keys]


class _Judge:
    """A judge that is asked once about two descriptions."""

    def __init__(self, inner: Judge, memory: Memory) -> None:
        self.inner, self.memory = inner, memory
        self._keys: WeakKeyDictionary[Description, bytes] = WeakKeyDictionary()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def load(self) -> None:
        self.inner.load()

    def judge(
        self, keyframe: Description, candidates: Sequence[Description], focus: str
    ) -> tuple[np.ndarray, np.ndarray]:
        known, first = self.memory.answers, self._key(keyframe)
        pairs = [(first, self._key(c)) for c in candidates]
        new = {pair: c for pair, c in zip(pairs, candidates, strict=True) if pair not in known}
        if new:
            p_yes, p_no = self.inner.judge(keyframe, list(new.values()), focus)
            if np.shape(p_yes) != (len(new),) or np.shape(p_no) != (len(new),):
                return p_yes, p_no  # wrong, and the scorer says so
            known.update(zip(new, zip(map(float, p_yes), map(float, p_no), strict=True), strict=True))
            self.memory.tell()
        found = np.array([known[pair] for pair in pairs], dtype=np.float64).reshape(-1, 2)
        self.memory.asked.update(map(float, s_rel(found[:, 0], found[:, 1])))
        return found[:, 0], found[:, 1]

    def _key(self, description: Description) -> bytes:
        if description not in self._keys:
            embedding = b"" if description.embedding is None else np.ascontiguousarray(description.embedding).tobytes()
            self._keys[description] = hashlib.sha256(description.text.encode() + b"\0" + embedding).digest()
        return self._keys[description]


def _joint(fresh: Any, memory: Memory) -> Scorer:
    """The joint round, had once about two pictures."""
    from lgvsc_flow.blocks.semantic.joint import JointScorer

    class Joint(JointScorer):
        """A joint scorer that begins empty, and looks into the memory before it asks."""

        def _round(self, keyframe: Frame, candidates: Sequence[Frame]) -> list[float]:
            scores = []
            for frame in candidates:
                pair = (content_key(keyframe), content_key(frame))
                if pair in memory.rounds:
                    score, texts = memory.rounds[pair]
                    self._keep(keyframe, frame, texts)
                else:
                    self._heard: tuple[str, str] | None = None
                    (score,) = super()._round(keyframe, [frame])
                    memory.rounds[pair] = score, self._heard
                    memory.tell()
                memory.asked.add(score)
                scores.append(score)
            return scores

        def _note(self, keyframe: Frame, candidate: Frame, text: str) -> tuple[str, str] | None:
            self._heard = super()._note(keyframe, candidate, text)
            return self._heard

        def _keep(self, keyframe: Frame, candidate: Frame, texts: tuple[str, str] | None) -> None:
            for frame, text in zip((keyframe, candidate), texts or (), strict=False):
                self._texts.setdefault(content_key(frame), text)

    return Joint(memory.describer, fresh.focus, memory.judge, floor=fresh.floor, remember=fresh.remember)


class _Skem(Skem):
    """SKEM over a memory."""

    _memory = None

    def _new_scorer(self) -> Scorer:
        fresh = super()._new_scorer()
        return fresh if self._memory is None else self._memory.scorer(fresh)


class _Keyframes(NtsccEncoder):
    """The keyframe encoder over a memory. Of the symbols it sends only the number is right: they are for counting."""

    _memory = None

    def start(self) -> None:
        assert self._memory is not None
        if self._memory.codec is None:
            super().start()
            self._memory.codec = self._codec
        self._codec = self._memory.codec

    def work_batch(self, keyframes: list[Keyframe]) -> list[tuple[Payload, np.ndarray]]:
        assert self._memory is not None
        known = self._memory.keyframes
        sent = []
        for keyframe in keyframes:
            key = b"" if keyframe.pixels is None else _digest(keyframe.pixels)
            if key not in known:
                ((payload, symbols),) = super().work_batch([keyframe])
                known[key] = payload.data or b"", symbols.size
                self._memory.tell()
            data, count = known[key]
            sent.append((Payload(keyframe.index, "hyperprior", data), np.ones(count, np.complex64)))
        return sent


@dataclass(frozen=True)
class Sent:
    """What one clip costs at one threshold; the same for every threshold from `low` up to, not including, `high`.

    SKEM compares scores with the threshold and does nothing else with it. So between the largest score asked for that
    is not over it and the smallest that is, every comparison ends alike, and so does the run.
    """

    low: float
    high: float
    keyframes: tuple[int, ...]
    symbols: int


def send_once(scheme: Scheme, film: Film, threshold: float, memory: Memory) -> Sent:
    """Run the sending half of a real run over a clip, and count its channel symbols with the ledger.

    Raises:
        FlowError: what a real run would fail with.
    """
    graph = Graph(f"calibration with {film.path.name}", seed=scheme.seed)
    cutter = _Skem(threshold=threshold, **scheme.semantics.settings)
    coder = _Keyframes(snr_db=scheme.esn0_db, quality=scheme.quality, weights=scheme.weights)
    cutter._memory = coder._memory = memory  # type: ignore[assignment]
    cutter.name, coder.name = "Skem", "NtsccEncoder"
    sent = sender(graph, scheme, Replay(film=film), cutter, coder, film.info)
    log = SegmentLog()
    graph.connect(cutter, log)
    memory.asked.clear()
    graph.run(engine="threads", capacity=2)
    low = max((s for s in memory.asked if s <= threshold), default=-1.0)
    high = min((s for s in memory.asked if s > threshold), default=np.inf)
    return Sent(low, float(high), tuple(log.keyframes), sent.ledger.total_symbols)


def _digest(pixels: np.ndarray) -> bytes:
    digest = hashlib.sha256(repr(pixels.shape).encode())
    digest.update(np.ascontiguousarray(pixels).data)
    return digest.digest()
