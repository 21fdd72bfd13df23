"""The byte streams of one burst as bits, and back, for a link that carries bursts of any length."""

from __future__ import annotations

import numpy as np

from lgvsc_flow import Block, In, Out
from lgvsc_flow.blocks.given import checked_of
from lgvsc_flow.blocks.phy.packet import join_streams, split_streams
from lgvsc_flow.items import Bits, Checked, Payload

__all__ = ["StreamJoiner", "StreamSplitter"]


class StreamJoiner(Block):
    """Lay the three payloads of a burst one behind the other as bits, their lengths in front (`join_streams`).

    A payload without data is not sent; it costs one byte.
    """

    captions = In(Payload)
    side = In(Payload)
    hyperprior = In(Payload)
    bits = Out(Bits)

    def work(self, captions: Payload, side: Payload, hyperprior: Payload) -> np.ndarray:
        indices = {captions.index, side.index, hyperprior.index}
        if len(indices) != 1:
            raise ValueError(
                f"caption, side information and hyperprior of one burst are of segments "
                f"{captions.index}, {side.index} and {hyperprior.index}."
            )
        data = join_streams({"side": side.data, "caption": captions.data, "hyperprior": hyperprior.data})
        return np.unpackbits(np.frombuffer(data, np.uint8))


class StreamSplitter(Block):
    """Recover the payloads of a burst from its blocks; a payload with a byte in a block that failed is lost.

    Zeros behind the last payload are left out. The burst's number in the stream, from 0, is the index of its segment.
    """

    checked = In(Checked, blocks="one per burst")
    captions = Out(Payload)
    side = Out(Payload)
    hyperprior = Out(Payload)

    def start(self) -> None:
        self._index = 0

    def work(self, checked: Checked) -> tuple[Payload, Payload, Payload]:
        checked = checked_of(checked)
        if checked.bits.size % checked.ok.size if checked.ok.size else checked.bits.size:
            raise ValueError(
                f"{checked.bits.size} bits do not make {checked.ok.size} equal blocks; each has one verdict."
            )
        index, self._index = self._index, self._index + 1
        known = np.repeat(checked.ok, checked.bits.size // checked.ok.size if checked.ok.size else 0)
        whole = checked.bits.size // 8
        arrived: np.ndarray = np.all(known[: 8 * whole].reshape(whole, 8), axis=1)
        found = split_streams(np.packbits(checked.bits[: 8 * whole]), arrived)
        caption, side, hyperprior = (
            Payload(index, name, found[name], lost=found[name] is None) for name in ("caption", "side", "hyperprior")
        )
        return caption, side, hyperprior
