"""Learned joint source-channel coding of keyframes (NTSCC): networks, codec, the two blocks, training."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lgvsc_flow.blocks.ntscc.codec import NtsccCodec, payload_symbols
    from lgvsc_flow.blocks.ntscc.keyframes import NtsccDecoder, NtsccEncoder
    from lgvsc_flow.blocks.ntscc.linear import linear_code

__all__ = ["NtsccCodec", "NtsccDecoder", "NtsccEncoder", "linear_code", "payload_symbols"]

_MODULES = {
    "NtsccCodec": "codec",
    "NtsccDecoder": "keyframes",
    "NtsccEncoder": "keyframes",
    "linear_code": "linear",
    "payload_symbols": "codec",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
