"""World models at the receiver: frames again from keyframes, captions and side information."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lgvsc_flow.blocks.world.dsa import Dsa, DsaWorldModel
    from lgvsc_flow.blocks.world.dsa import WorldModelBlock as WorldModelBlock
    from lgvsc_flow.blocks.world.interpolate import InterpolatorModel
    from lgvsc_flow.blocks.world.model import LengthGrid, WorldModel, load_world_model
    from lgvsc_flow.blocks.world.sfa import SfaWorldModel
    from lgvsc_flow.blocks.world.text import TextWorldModel

__all__ = [
    "Dsa",
    "DsaWorldModel",
    "InterpolatorModel",
    "LengthGrid",
    "SfaWorldModel",
    "TextWorldModel",
    "WorldModel",
    "load_world_model",
]

_HOMES = {
    "Dsa": "dsa",
    "DsaWorldModel": "dsa",
    "InterpolatorModel": "interpolate",
    "SfaWorldModel": "sfa",
    "TextWorldModel": "text",
    "WorldModelBlock": "dsa",
}


def __getattr__(name: str) -> Any:
    if name not in __all__ and name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES.get(name, 'model')}"), name)
