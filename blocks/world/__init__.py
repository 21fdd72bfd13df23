"""World models at the receiver: frames again from keyframes, captions and side information."""

from typing import TYPE_CHECKING

from lgvsc_flow.lazy import exports

if TYPE_CHECKING:
    from lgvsc_flow.blocks.world.adapt import Dsa as Dsa
    from lgvsc_flow.blocks.world.dsa import DsaWorldModel as DsaWorldModel
    from lgvsc_flow.blocks.world.generator import GeneratorModel as GeneratorModel
    from lgvsc_flow.blocks.world.interpolate import InterpolatorModel as InterpolatorModel
    from lgvsc_flow.blocks.world.ltx import LtxModel as LtxModel
    from lgvsc_flow.blocks.world.model import (
        LengthGrid as LengthGrid,
        WorldModel as WorldModel,
        load_world_model as load_world_model,
    )
    from lgvsc_flow.blocks.world.sfa import SfaWorldModel as SfaWorldModel
    from lgvsc_flow.blocks.world.text import TextWorldModel as TextWorldModel
    from lgvsc_flow.blocks.world.vace import WanVaceModel as WanVaceModel
    from lgvsc_flow.blocks.world.wan import WanFirstLastModel as WanFirstLastModel

__getattr__, __dir__, __all__ = exports(
    __name__,
    {
        "adapt": ["Dsa"],
        "dsa": ["DsaWorldModel"],
        "generator": ["GeneratorModel"],
        "interpolate": ["InterpolatorModel"],
        "ltx": ["LtxModel"],
        "model": ["LengthGrid", "WorldModel", "load_world_model"],
        "sfa": ["SfaWorldModel"],
        "text": ["TextWorldModel"],
        "vace": ["WanVaceModel"],
        "wan": ["WanFirstLastModel"],
    },
)
