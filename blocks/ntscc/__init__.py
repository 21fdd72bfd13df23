"""Learned joint source-channel coding of keyframes (NTSCC): networks, codec, the two blocks, training."""

from typing import TYPE_CHECKING

from lgvsc_flow.lazy import exports

if TYPE_CHECKING:
    from lgvsc_flow.blocks.ntscc.codec import NtsccCodec, payload_symbols
    from lgvsc_flow.blocks.ntscc.keyframes import NtsccDecoder, NtsccEncoder
    from lgvsc_flow.blocks.ntscc.linear import linear_code

__getattr__, __dir__, __all__ = exports(
    __name__,
    {
        "codec": ["NtsccCodec", "payload_symbols"],
        "keyframes": ["NtsccDecoder", "NtsccEncoder"],
        "linear": ["linear_code"],
    },
)
