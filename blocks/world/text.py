"""Video from captions alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from lgvsc_flow.block import setting
from lgvsc_flow.blocks.world.dsa import WorldModelBlock
from lgvsc_flow.blocks.world.model import WorldModel, load_text_model
from lgvsc_flow.blocks.world.timeline import Timeline
from lgvsc_flow.errors import SettingError
from lgvsc_flow.items import Caption, Frame, Keyframe, SideInfo
from lgvsc_flow.ports import In

__all__ = ["TextWorldModel"]


class TextWorldModel(WorldModelBlock):
    """Generate a video from its captions (the Text-Only scheme of the paper, section III-B).

    Captions come without a place: they share the video's frames evenly, and the last one gets the closing frame.
    It takes a model with `from_text`.

    Raises:
        SettingError: the model does not generate from text.
    """

    captions = In(Caption)

    model: str | WorldModel = setting("ltx", doc="name of a model with from_text, or such a WorldModel")

    def validate(self) -> None:
        super().validate()
        if not self._model.from_text:
            raise SettingError(f"TextWorldModel.model must generate from text (from_text), {self.generator} does not")

    def _load(self, name: str, settings: Mapping[str, Any]) -> WorldModel:
        return load_text_model(name, **settings)

    def _new_timeline(self) -> Timeline:
        return Timeline(self.num_frames, join=False)

    def work(self, caption: Caption) -> Iterator[Frame]:
        lost = SideInfo(caption.index, lost=True)
        for span in self._timeline.push(Keyframe(caption.index, None, lost=True), caption, lost):
            yield from self._frames(span)

    @property
    def concealed(self) -> dict[str, int]:
        """Lost captions; keyframes and side information are not sent in this scheme."""
        return {"lost captions": super().concealed["lost captions"]}
