"""Bursts of bytes of any length over the digital link: one 5G NR transport block each, and no padding to speak of.

The receiver knows the scheme and how many symbols came, and the number of symbols grows with every byte: that is how it
finds the length of the transport block. Nothing else is signalled.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from lgvsc_flow import Block, In, Out, setting
from lgvsc_flow.blocks.given import bits_of, burst_of
from lgvsc_flow.blocks.phy.ldpc.nr_encode import encode_words
from lgvsc_flow.blocks.phy.ldpc.nr_harq import receive
from lgvsc_flow.blocks.phy.ldpc.nr_rate_matching import RateMatching, match_words
from lgvsc_flow.blocks.phy.ldpc.nr_segmentation import choose_base_graph, segment, segmentation
from lgvsc_flow.errors import SettingError
from lgvsc_flow.items import Bits, Checked, Llrs

__all__ = [
    "LARGEST_BITS",
    "TransportDecoder",
    "TransportEncoder",
    "block_bits",
    "block_symbols",
    "information_bits",
    "transport_block",
]

LARGEST_BITS = 8 << 18
"""Of a burst: 256 KiB."""
ORDERS = (4, 16, 64, 256)


@lru_cache(maxsize=4096)
def block_bits(bits: int, code_rate: float) -> int:
    """The shortest transport block (a) for so many bits: whole bytes that divide into equal code blocks.

    Raises:
        ValueError: there is no bit to send, or there are more than `LARGEST_BITS`.
    """
    if not 1 <= bits <= LARGEST_BITS:
        raise ValueError(f"a burst of the digital link holds 1 to {LARGEST_BITS} bits, got {bits}.")
    a = -(-bits // 8) * 8
    while True:
        try:
            segmentation(a, choose_base_graph(a, code_rate))
        except ValueError:  # its code blocks would differ in length
            a += 8
        else:
            return a


def information_bits(bits: int, code_rate: float) -> int:
    """What the channel code carries for a burst of so many bits: a transport block with its padding and all CRCs.

    Raises:
        ValueError: as `block_bits`.
    """
    a = block_bits(bits, code_rate)
    cut = segmentation(a, choose_base_graph(a, code_rate))
    return cut.code_blocks * cut.k_prime


def block_symbols(a: int, order: int, code_rate: float) -> int:
    """Channel symbols of a transport block of `a` bits: `code_rate` counts its CRCs as information."""
    cut = segmentation(a, choose_base_graph(a, code_rate))
    bits_per_symbol = order.bit_length() - 1
    return max(cut.code_blocks, math.ceil(cut.code_blocks * cut.k_prime / (code_rate * bits_per_symbol)))


@lru_cache(maxsize=1024)
def transport_block(symbols: int, order: int, code_rate: float) -> int | None:
    """The `a` of the transport block that takes so many symbols; None where no block does."""
    low, high = 1, LARGEST_BITS // 8  # in bytes

    def taken(size: int) -> int:
        return block_symbols(block_bits(8 * size, code_rate), order, code_rate)

    while low < high:
        middle = (low + high) // 2
        if taken(middle) < symbols:
            low = middle + 1
        else:
            high = middle
    return block_bits(8 * low, code_rate) if taken(low) == symbols else None


@lru_cache(maxsize=1024)
def _matching(a: int, order: int, code_rate: float) -> RateMatching:
    bits_per_symbol = order.bit_length() - 1
    cut = segmentation(a, choose_base_graph(a, code_rate))
    return RateMatching(cut, block_symbols(a, order, code_rate) * bits_per_symbol, bits_per_symbol)


class _Transport(Block):
    """What both ends agree on."""

    order: int = setting(16, choices=ORDERS, doc="constellation points")
    code_rate: float = setting(0.5, ge=0.02, le=0.9, doc="information bits, CRC and all, per bit sent")

    def validate(self) -> None:
        if self.order not in ORDERS:
            raise SettingError(f"{type(self).__name__}.order is one of {', '.join(map(str, ORDERS))}")

    @property
    def format(self) -> str:
        """The code in words; encoder and decoder compare it."""
        return f"NR bursts rate {self.code_rate:.6g} {self.order}-QAM"


class TransportEncoder(_Transport):
    """Encode each burst of bits as one transport block of 5G NR: CRC, code blocks, LDPC, rate matching, interleaving.

    A burst is filled up with zeros to whole bytes and equal code blocks (none where two are enough): what it holds must
    say where it ends. The CRC is that of the standard: 16 bits up to 3824 bits, else 24, and 24 more for each of
    several code blocks.

    Ref: 3GPP TS 38.212, clauses 6.2 and 7.2.
    """

    bits = In(Bits)
    coded = Out(Bits, code="{format}")

    def work(self, bits: np.ndarray) -> np.ndarray:
        bits = bits_of(bits)
        a = block_bits(bits.size, self.code_rate)
        matching = _matching(a, self.order, self.code_rate)
        filled = np.zeros(a, np.uint8)
        filled[: bits.size] = bits
        return match_words(encode_words(segment(filled, matching.cut), matching.code(0)), matching, 0)


class TransportDecoder(_Transport):
    """Decode what `TransportEncoder` sent: each burst as one block with the verdict of its CRC, its padding and all.

    A burst that no transport block can have made, or an empty one, gives no block at all. `blocks` and `lost` count the
    bursts and those without a good block.

    Ref: 3GPP TS 38.212, clauses 6.2 and 7.2.
    """

    llrs = In(Llrs, code="{format}")
    checked = Out(Checked, blocks="one per burst")

    max_iterations: int = setting(20, ge=0, le=1000, doc="passes over all layers at most")

    blocks = 0
    lost = 0

    def start(self) -> None:
        self.blocks = self.lost = 0

    def work(self, llrs: np.ndarray) -> Checked:
        llrs = burst_of(llrs, Llrs)
        self.blocks += 1
        symbols, rest = divmod(llrs.size, self.order.bit_length() - 1)
        a = None if rest or not symbols else transport_block(symbols, self.order, self.code_rate)
        if a is None:
            self.lost += 1
            return Checked(np.zeros(0, np.uint8), np.zeros(0, np.bool_))
        matching = _matching(a, self.order, self.code_rate)
        found = receive(llrs, matching, (0,), max_iterations=self.max_iterations, precision="int8")
        self.lost += not found.ok[0]
        return Checked(found.bits, found.ok)
