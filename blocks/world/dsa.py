"""DSA, the dynamic semantic adapter: one world model, one set of weights, segments of any length."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np

from lgvsc_flow.block import Block, setting
from lgvsc_flow.blocks.world.model import WorldModel, load_world_model, model_settings
from lgvsc_flow.blocks.world.timeline import Span, Timeline
from lgvsc_flow.errors import ModelError, SettingError
from lgvsc_flow.items import Caption, Frame, Keyframe, SideInfo
from lgvsc_flow.ports import In, Out

__all__ = ["Dsa", "DsaWorldModel", "WorldModelBlock"]

GREY = 128


class Dsa:
    """Makes segments of any length with a model of fixed lengths, and holds pictures where it cannot (paper, II-D2).

    A length off the model's grid is rounded up to the grid and the frames retimed to the segment, so that both
    keyframes stay in their places. A segment longer than `max_frames` is chained: each piece continues from the
    last frame of the piece before it, and the final piece leads to the next keyframe. Frames on the two sides of a
    cut are made apart. The model is loaded once; a length is only an argument of it.

    Args:
        model: the generator.
        height, width: size of the video in pixels.
    """

    def __init__(self, model: WorldModel, height: int, width: int) -> None:
        self.model = model
        self._seen = np.full((height, width, 3), GREY, np.uint8)

    def generate(
        self,
        first: np.ndarray | None,
        last: np.ndarray | None,
        caption: Caption,
        side: SideInfo,
        num_frames: int,
        rng: np.random.Generator,
    ) -> Iterator[np.ndarray]:
        """Exactly `num_frames` frames, uint8 [height, width, 3]; arguments as in `WorldModel.generate`.

        `side.cut_at` = c: frames before c know `first` alone, frames from c on `last` alone. Without any keyframe
        (and a model that cannot do without) the picture seen last is held, mid-grey at the beginning.
        """
        cut = num_frames if side.cut_at is None else min(side.cut_at, num_frames)
        if side.cut_at is None:
            shots = [(first, last, num_frames)]
        else:
            shots = [(first, None, cut), (None, last, num_frames - cut)]
        for opening, closing, count in shots:
            if count == 0:
                continue
            part = replace(side, length=count, cut_at=None)
            if opening is None and closing is None and not self.model.from_text:
                opening = self._seen
            for frame in self._shot(opening, closing, caption, part, count, rng):
                self._seen = frame
                yield frame

    def _shot(
        self,
        first: np.ndarray | None,
        last: np.ndarray | None,
        caption: Caption,
        side: SideInfo,
        count: int,
        rng: np.random.Generator,
    ) -> Iterator[np.ndarray]:
        """Frames of one shot, in pieces that the model can make."""
        grid = self.model.length_grid
        longest = None if self.model.max_frames is None else grid.at_most(self.model.max_frames)
        while longest is not None and count > longest:
            piece = list(self.model.generate(first, None, caption, replace(side, length=longest), longest, rng))
            # Its last frame opens the next piece.
            yield from piece[:-1]
            first, count = piece[-1], count - (longest - 1)
        made = grid.at_least(count)
        frames = self.model.generate(first, last, caption, replace(side, length=count), made, rng)
        yield from frames if made == count else retimed(frames, made, count)


def retimed(frames: Iterable[np.ndarray], made: int, count: int) -> Iterator[np.ndarray]:
    """`count` of `made` frames, evenly spaced: the first stays, and what follows them stays behind them."""
    wanted = [(2 * i * made + count) // (2 * count) for i in range(count)]
    position = 0
    for number, frame in enumerate(frames):
        while position < count and wanted[position] == number:
            yield frame
            position += 1


class WorldModelBlock(Block):
    """What the world model blocks share: every frame of the video comes out, whatever was lost.

    The size, frame rate and length of the video are the session's description, agreed beforehand and not sent over
    the link. `concealed` counts what was lost and filled in, by the rules of docs/world.md.
    """

    frames = Out(Frame, rate="many")

    num_frames: int = setting(ge=1, unit="frames", doc="of the whole video")
    height: int = setting(ge=1, unit="pixels")
    width: int = setting(ge=1, unit="pixels")
    fps: Fraction | float | str = setting(25, unit="1/s")
    model: str | WorldModel = setting("interpolator", doc="a name, or an object that is a WorldModel")
    world_settings: Mapping[str, Any] | None = setting(None, doc="settings of a model by name")

    def validate(self) -> None:
        self._model = self._built()
        self._rate = _rate(self.fps)
        self._timeline = self._new_timeline()

    def start(self) -> None:
        self._model.video_size = (self.height, self.width)
        self._model.load()
        self._dsa = Dsa(self._model, self.height, self.width)
        self._timeline = self._new_timeline()
        self._sent = 0
        # A stream of its own for each segment: none depends on the lengths of those before it.
        self._root = int(self.rng.integers(2**63))

    def _built(self) -> WorldModel:
        """The model, without its weights: a wrong name or setting is found before anything runs."""
        where = type(self).__name__
        given = {} if self.world_settings is None else self.world_settings
        if not isinstance(given, Mapping) or not all(isinstance(k, str) for k in given):
            raise SettingError(f"{where}.world_settings is a mapping of setting names to values; got {given!r}")
        if isinstance(self.model, WorldModel):
            if given:
                raise SettingError(
                    f"{where}.world_settings go with a model by name; {type(self.model).__name__} is built already"
                )
            return self.model
        if not isinstance(self.model, str):
            raise SettingError(f"{where}.model is a name or a WorldModel; got {self.model!r}")
        try:
            return self._load(self.model, given)
        except (ModelError, SettingError) as error:
            raise SettingError(f"{where}: {error}") from error

    def _load(self, name: str, settings: Mapping[str, Any]) -> WorldModel:
        return load_world_model(name, **settings)

    def check_model(self) -> None:
        """See that what the model needs is here, without loading it.

        Raises:
            ModelError: something is missing.
        """
        self._model.check()

    def _new_timeline(self) -> Timeline:
        return Timeline(self.num_frames)

    @property
    def concealed(self) -> dict[str, int]:
        """How often each kind of loss was concealed."""
        return dict(self._timeline.concealed)

    @property
    def generator(self) -> str:
        """The name of the world model."""
        return self.model if isinstance(self.model, str) else self.model.name

    @property
    def generator_settings(self) -> dict[str, Any]:
        """All settings of a world model by name, also those left at their defaults."""
        return model_settings(self.model, self.world_settings or {}) if isinstance(self.model, str) else {}

    def finish(self) -> Iterator[Frame]:
        for span in self._timeline.finish():
            yield from self._frames(span)

    def _frames(self, span: Span) -> Iterator[Frame]:
        count = span.stop - span.start
        rng = np.random.default_rng([self._root, span.start])
        made = 0
        for pixels in self._dsa.generate(span.first, span.last, span.caption, span.side, count, rng):
            yield Frame(pixels, self._sent, float(self._sent / self._rate))
            self._sent += 1
            made += 1
        if made != count:
            raise RuntimeError(f"the world model {self.generator} made {made} frames where {count} were asked for")


class DsaWorldModel(WorldModelBlock):
    """Rebuild segments of any length, as SKEM makes them, with one set of weights (paper, section II-D2)."""

    keyframes = In(Keyframe)
    captions = In(Caption)
    side = In(SideInfo)

    def work(self, keyframe: Keyframe, caption: Caption, side: SideInfo) -> Iterator[Frame]:
        self._check(keyframe, caption, side)
        for span in self._timeline.push(keyframe, caption, side):
            yield from self._frames(span)

    def _check(self, keyframe: Keyframe, caption: Caption, side: SideInfo) -> None:
        indices = (keyframe.index, caption.index, side.index)
        if len(set(indices)) > 1:
            raise ValueError(
                "keyframe, caption and side information are of segments {}, {} and {}; "
                "the streams are out of step".format(*indices)
            )
        if keyframe.pixels is not None and keyframe.pixels.shape != (self.height, self.width, 3):
            size = "x".join(map(str, keyframe.pixels.shape[:2]))
            raise ValueError(
                f"keyframe {keyframe.index} is {size}, the session was described as {self.height}x{self.width}; "
                f"set {type(self).__name__}'s height and width to the sender's"
            )


def _rate(fps: Fraction | float | str) -> Fraction:
    try:
        rate = Fraction(fps)
    except (ValueError, TypeError, OverflowError, ZeroDivisionError):
        rate = Fraction(0)
    if rate <= 0:
        raise SettingError(f"fps is a number above 0 or a fraction like '30000/1001'; got {fps!r}")
    return rate
