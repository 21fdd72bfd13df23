"""What the side information of a keyframe costs on the digital link, in channel symbols.

The link is that of `lgvsc_flow.graphs.keyframes`: the bytes, their lengths in front, as one 5G NR transport block (CRC,
LDPC, rate matching) in Gray QAM, behind a SIG field that says how many symbols follow. The scheme follows the design
SNR alone, so both ends know it. `digital_symbols` is what that graph's channel counts beside the keyframe's symbols.
"""

from __future__ import annotations

from functools import lru_cache

from lgvsc_flow.blocks.phy.link_mcs import MARGIN_DB, LinkMcs, choose_link_mcs
from lgvsc_flow.blocks.phy.mux import sig_symbols
from lgvsc_flow.blocks.phy.packet import join_streams
from lgvsc_flow.blocks.phy.transport import block_bits, block_symbols
from lgvsc_flow.varint import write_varint

__all__ = ["MARGIN_DB", "bits_per_symbol", "digital_symbols", "link_mcs"]

_EMPTY_TABLE = len(join_streams({"hyperprior": b""})) - 1


@lru_cache(maxsize=1024)
def link_mcs(snr_db: float, fading: bool = False) -> LinkMcs:
    """The scheme of the digital link for a design SNR: its block error rate is still 1 % at `MARGIN_DB` below it.

    Raises:
        ValueError: the SNR is NaN.
    """
    return choose_link_mcs(snr_db, margin_db=MARGIN_DB, fading=fading)


def bits_per_symbol(snr_db: float, *, fading: bool = False) -> float:
    """Information bits per channel symbol of the digital link designed for Es/N0 = snr_db."""
    return link_mcs(snr_db, fading).efficiency


def digital_symbols(payload_bytes: int, snr_db: float, *, fading: bool = False) -> int:
    """Channel symbols sent for a payload: SIG field, lengths, CRC and channel code included.

    Raises:
        ValueError: the payload is longer than a burst of the link.
    """
    mcs = link_mcs(snr_db, fading)
    table = _EMPTY_TABLE + len(write_varint(payload_bytes + 1))
    a = block_bits(8 * (table + payload_bytes), mcs.code_rate)
    return sig_symbols(mcs.sig_repeats) + block_symbols(a, mcs.order, mcs.code_rate)
