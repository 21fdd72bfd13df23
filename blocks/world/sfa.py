"""SFA, the static feature adapter: a world model for segments of one length."""

from __future__ import annotations

from lgvsc_flow.block import setting
from lgvsc_flow.blocks.world.dsa import DsaWorldModel
from lgvsc_flow.errors import SettingError
from lgvsc_flow.items import Caption, Keyframe, SideInfo
from lgvsc_flow.ports import Demand, In

__all__ = ["SfaWorldModel"]

MISFIT = (
    "segments have {found} length, SFA was built for {segment_length} frames. "
    "Use DsaWorldModel, or Skim(segment_length={segment_length})."
)


class SfaWorldModel(DsaWorldModel):
    """Rebuild segments of `segment_length` frames, as SKIM makes them (paper, section II-D1).

    The frames are those that `DsaWorldModel` makes of the same segments (paper, appendix E); only what it accepts is
    narrower. The paper lets the length divide the video. Where it does not, the remainder at the end and the closing
    frame are made at their own lengths, and so is what conceals a loss: see docs/world.md.

    Raises:
        SettingError: `segment_length` is none that the model makes at once.
    """

    keyframes = In(Keyframe, segment_length=Demand("{segment_length}", MISFIT))

    segment_length: int = setting(ge=1, unit="frames")

    def validate(self) -> None:
        super().validate()
        length, grid, most = self.segment_length, self._model.length_grid, self._model.max_frames
        if grid.at_least(length) == length and (most is None or length <= most):
            return
        capped = length if most is None else min(length, most)
        near = [n for n in (grid.at_most(capped), grid.at_least(length)) if n and (most is None or n <= most)]
        limit = "" if most is None else f", at most {most} at once"
        raise SettingError(
            f"SfaWorldModel.segment_length={length}: {self.generator} makes {grid}{limit}. Set "
            f"{' or '.join(map(str, dict.fromkeys(near)))} (and the same for Skim), or use DsaWorldModel, which takes "
            "any length"
        )

    def _check(self, keyframe: Keyframe, caption: Caption, side: SideInfo) -> None:
        super()._check(keyframe, caption, side)
        if side.lost or side.closing or side.length == self.segment_length:
            return
        remainder = side.length < self.segment_length and side.start + side.length >= self.num_frames - 1
        if not remainder:
            found = f"segment {side.index} has {side.length} frames; "
            raise ValueError(found + MISFIT.format(found="variable", segment_length=self.segment_length))
