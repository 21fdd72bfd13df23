"""Channels: symbols in, received symbols with the channel's state out."""

from typing import TYPE_CHECKING

from lgvsc_flow.lazy import exports

if TYPE_CHECKING:
    from lgvsc_flow.blocks.channel.awgn import AwgnChannel
    from lgvsc_flow.blocks.channel.equalizer import Equalizer
    from lgvsc_flow.blocks.channel.rayleigh import RayleighChannel

__getattr__, __dir__, __all__ = exports(
    __name__,
    {
        "awgn": ["AwgnChannel"],
        "equalizer": ["Equalizer"],
        "rayleigh": ["RayleighChannel"],
    },
)
