"""DSA, the dynamic semantic adapter, as a block: one world model, one set of weights, segments of any length."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import Any

import numpy as np

from lgvsc_flow.block import Block, setting
from lgvsc_flow.blocks.world.adapt import Dsa
from lgvsc_flow.blocks.world.model import MODELS, WorldModel, load_world_model, model_settings
from lgvsc_flow.blocks.world.timeline import Span, Timeline
from lgvsc_flow.errors import ModelError, SettingError
from lgvsc_flow.items import Caption, Frame, Keyframe, SideInfo
from lgvsc_flow.ports import In, Out

__all__ = ["DsaWorldModel", "WorldModelBlock"]

SUSPECTED = "suspected cuts"


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
        self._rate = _rate(self.fps)
        self._model = self._built()
        self._timeline, self._dsa = self._new_timeline(), Dsa(self._model, self.height, self.width)

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
            return self._load(self.model, self._all_settings)
        except (ModelError, SettingError) as error:
            raise SettingError(f"{where}: {error}") from error

    def _load(self, name: str, settings: Mapping[str, Any]) -> WorldModel:
        return load_world_model(name, **settings)

    @property
    def _all_settings(self) -> Mapping[str, Any]:
        """Those given, and the video's frame rate for a model that has such a setting."""
        given = self.world_settings or {}
        takes = isinstance(self.model, str) and self.model in MODELS and "fps" in model_settings(self.model, {})
        return {"fps": float(self._rate), **given} if takes else given

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
        return {**self._timeline.concealed, SUSPECTED: self._dsa.suspected}

    @property
    def generator(self) -> str:
        """The name of the world model."""
        return self.model if isinstance(self.model, str) else self.model.name

    @property
    def generator_settings(self) -> dict[str, Any]:
        """All settings of a world model by name, also those left at their defaults."""
        return model_settings(self.model, self._all_settings) if isinstance(self.model, str) else {}

    @property
    def generator_counts(self) -> dict[str, int]:
        """What the world model counted, as prompts that were too long."""
        return dict(self._model.counts)

    def finish(self) -> Iterator[Frame]:
        for span in self._timeline.finish():
            yield from self._frames(span)

    def _frames(self, span: Span) -> Iterator[Frame]:
        count = span.stop - span.start
        rng = np.random.default_rng([self._root, span.start])
        for pixels in self._dsa.generate(span.first, span.last, span.caption, span.side, count, rng):
            yield Frame(pixels, self._sent, float(self._sent / self._rate))
            self._sent += 1


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
