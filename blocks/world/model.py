"""What a world model is to the receiver: a generator of frames between two keyframes. Plain classes, no graph."""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from importlib import import_module
from typing import Any

import numpy as np

from lgvsc_flow.errors import ModelError, SettingError
from lgvsc_flow.items import Caption, SideInfo

__all__ = [
    "MODELS",
    "LengthGrid",
    "WorldModel",
    "load_text_model",
    "load_world_model",
    "model_settings",
    "world_model_class",
]

_HERE = "lgvsc_flow.blocks.world"
MODELS: Mapping[str, str] = {
    "interpolator": f"{_HERE}.interpolate:InterpolatorModel",
    "generator": f"{_HERE}.generator:GeneratorModel",
    "ltx": f"{_HERE}.ltx:LtxModel",
    "wan-vace": f"{_HERE}.vace:WanVaceModel",
    "wan-flf": f"{_HERE}.wan:WanFirstLastModel",
}
"""The world models by name: `module:Class`, imported when the name is asked for."""


@dataclass(frozen=True)
class LengthGrid:
    """The segment lengths that a model can make: the multiples of `step`, or of those only `lengths`.

    A segment ends before the next keyframe. A video model that makes 8k + 1 frames, both keyframes included, makes
    segments of 8k frames: `LengthGrid(8)`. `LengthGrid(1)` is any length. With `lengths` a model that is compiled for
    each length is compiled a few times only; the largest of them is the longest it makes (`max_frames`).
    """

    step: int = 1
    lengths: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        wrong = [n for n in self.lengths if n < 1 or n % self.step]
        if self.step < 1 or wrong:
            found = f"step {self.step}" if self.step < 1 else f"lengths {', '.join(map(str, wrong))}"
            raise SettingError(f"a length grid has multiples of a step of 1 or more; got {found} (step {self.step})")

    def at_least(self, num_frames: int) -> int:
        """The smallest length on the grid that is `num_frames` or more; of `lengths` the largest, where none is."""
        if self.lengths:
            return min((n for n in self.lengths if n >= num_frames), default=max(self.lengths))
        return -(-num_frames // self.step) * self.step

    def at_most(self, num_frames: int) -> int:
        """The largest length on the grid that is `num_frames` or less; 0 where there is none."""
        if self.lengths:
            return max((n for n in self.lengths if n <= num_frames), default=0)
        return num_frames // self.step * self.step

    def __str__(self) -> str:
        if self.lengths:
            return f"{', '.join(map(str, sorted(self.lengths)))} frames"
        return "any number of frames" if self.step == 1 else f"multiples of {self.step} frames"


class WorldModel(ABC):
    """A generator of video segments.

    Its constructor takes plain settings by name, checks them (`SettingError`), and reads nothing: no weights, no
    heavy module. `load` does that, once per graph, whatever the number of segments and their lengths.

    Attributes:
        name: what reports call it.
        length_grid: the lengths it can make.
        max_frames: the longest segment it can make, None for any.
        from_text: whether it generates without keyframes, from the caption alone.
        video_size: height and width of the video, set by the block before `load`; where no keyframe is given, frames
            are made of this size.
        counts: what happened along the way that a report should say, by name.
    """

    name: str = ""
    length_grid: LengthGrid = LengthGrid()
    max_frames: int | None = None
    from_text: bool = False
    video_size: tuple[int, int] | None = None
    counts: Counter[str] = Counter()

    def check(self) -> None:  # noqa: B027, a model without weights has nothing to look for
        """See that weights, packages and the device are here, quickly and without loading anything.

        Raises:
            ModelError: something is missing; the message says how to get it.
        """

    def load(self) -> None:  # noqa: B027, a model without weights has nothing to load
        """Load weights, before the first segment; called again, it has nothing to do.

        Raises:
            ModelError: they are missing or corrupt.
        """

    @abstractmethod
    def generate(
        self,
        first: np.ndarray | None,
        last: np.ndarray | None,
        caption: Caption,
        side: SideInfo,
        num_frames: int,
        rng: np.random.Generator,
    ) -> Iterable[np.ndarray]:
        """Generate a segment.

        Args:
            first: the segment's keyframe, uint8 [height, width, 3] RGB; None when there is none.
            last: the keyframe *behind* the segment, at time `num_frames`: it belongs to the next segment (paper,
                section II-A) and is not among the frames returned. None when it is lost or shows another shot.
            caption: what the segment shows; `text` is None when lost.
            side: motion of the segment; `lost` means that a cut may hide between the keyframes unannounced.
            num_frames: a length on `length_grid`, at most `max_frames`.
            rng: the only source of randomness.

        Returns:
            `num_frames` frames of the keyframes' shape and type; frame 0 shows `first`.
        """


def world_model_class(name: str) -> type[WorldModel]:
    """The class of a model by name; importing it loads no weights.

    Raises:
        ModelError: the name is not one of `MODELS`.
    """
    if name not in MODELS:
        close = get_close_matches(name, MODELS, 1, 0.5)
        hint = f"did you mean {close[0]}? " if close else ""
        raise ModelError(f"no world model is called '{name}'; {hint}there are {', '.join(MODELS)}")
    module, _, attribute = MODELS[name].partition(":")
    found: type[WorldModel] = getattr(import_module(module), attribute)
    return found


def load_world_model(name: str, **settings: Any) -> WorldModel:
    """A model by name, with its settings; its weights come with `load`.

    Raises:
        ModelError: the name is not one of `MODELS`.
        SettingError: the model has no such setting, or refuses its value.
    """
    cls = world_model_class(name)
    known = list(inspect.signature(cls).parameters)
    for setting in settings:
        if setting not in known:
            close = get_close_matches(str(setting), known, 1, 0.5)
            hint = f"; did you mean {close[0]}?" if close else ";"
            has = f"it has {', '.join(known)}" if known else "it has none"
            raise SettingError(f"the world model {name} has no setting '{setting}'{hint} {has}")
    try:
        return cls(**settings)
    except TypeError as error:
        raise SettingError(f"the world model {name} cannot be built: {error}") from error


def model_settings(name: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """All settings of a model by name: those given, and the defaults of the others."""
    parameters = inspect.signature(world_model_class(name)).parameters.values()
    return {p.name: settings.get(p.name, None if p.default is p.empty else p.default) for p in parameters}


def load_text_model(name: str = "", **settings: Any) -> WorldModel:
    """A model by name that generates from captions alone.

    Raises:
        ModelError: no name is given, or the model generates between keyframes only.
        SettingError: as of `load_world_model`.
    """
    advice = (
        "Name one that can (ltx or wan-vace, with a checkpoint), send keyframes too (scheme skem-dsa or skim-sfa), or "
        "pass a WorldModel with from_text=True."
    )
    needs = "Text-only needs a world model that generates from captions alone, and"
    if not name:
        raise ModelError(f"{needs} none is named. {advice}")
    model = load_world_model(name, **settings)
    if not model.from_text:
        raise ModelError(f"{needs} '{name}' generates between keyframes only. {advice}")
    return model
