"""Channels: symbols in, received symbols with the channel's state out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lgvsc_flow.blocks.channel.awgn import AwgnChannel
    from lgvsc_flow.blocks.channel.equalizer import Equalizer
    from lgvsc_flow.blocks.channel.rayleigh import RayleighChannel

__all__ = ["AwgnChannel", "Equalizer", "RayleighChannel"]

_HOMES = {"AwgnChannel": "awgn", "Equalizer": "equalizer", "RayleighChannel": "rayleigh"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
