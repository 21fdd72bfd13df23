"""Learned joint source-channel coding of keyframes (NTSCC): the two blocks, and the ledger of what they send.

The codec without a graph is `lgvsc_flow.blocks.ntscc.codec.NtsccCodec`; it is not named here, since looking through the
blocks must not import torch.
"""

from typing import TYPE_CHECKING

from lgvsc_flow.lazy import exports

if TYPE_CHECKING:
    from lgvsc_flow.blocks.ntscc.keyframes import NtsccDecoder as NtsccDecoder, NtsccEncoder as NtsccEncoder
    from lgvsc_flow.blocks.ntscc.ledger import KeyframeLedger as KeyframeLedger

__getattr__, __dir__, __all__ = exports(
    __name__, {"keyframes": ["NtsccDecoder", "NtsccEncoder"], "ledger": ["KeyframeLedger"]}
)
