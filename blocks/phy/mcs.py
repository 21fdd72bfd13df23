"""Modulation and coding schemes of the control link, and the choice among them by Es/N0."""

from __future__ import annotations

from dataclasses import dataclass

from lgvsc_flow.blocks.phy.crc import CRCS
from lgvsc_flow.blocks.phy.ldpc.code import wifi_code

__all__ = ["MCS_TABLE", "Mcs", "choose_mcs"]

LENGTH = 648


@dataclass(frozen=True)
class Mcs:
    """A constellation, an 802.11 code rate, and how often each burst of coded bits is sent.

    `threshold_db` is the Es/N0 at which the block error rate over AWGN is 1e-2: measured with the decoder's
    defaults by `python benchmarks/mcs_thresholds.py`; NaN for a scheme of your own.
    """

    order: int
    code_rate: str
    repeats: int = 1
    threshold_db: float = float("nan")
    n: int = LENGTH

    @property
    def k(self) -> int:
        """Information bits per codeword, CRC and all."""
        return wifi_code(self.n, self.code_rate).k

    @property
    def block_bits(self) -> int:
        """Bits per codeword beside its CRC24A: the length of a packet."""
        return self.k - CRCS["24A"].bits

    @property
    def bits_per_symbol(self) -> int:
        return self.order.bit_length() - 1

    @property
    def efficiency(self) -> float:
        """Information bits per channel symbol, CRC and all."""
        return self.bits_per_symbol * self.k / (self.n * self.repeats)

    @property
    def sig_repeats(self) -> int:
        """Copies of the multiplexer's SIG field that outlive this scheme: its threshold is 2.5 dB lower or more."""
        return 1 if self.efficiency > 1 else max(2, round(2 / self.efficiency))


MCS_TABLE: tuple[Mcs, ...] = (
    Mcs(4, "1/2", 8, -7.08),
    Mcs(4, "1/2", 4, -4.09),
    Mcs(4, "1/2", 2, -1.07),
    Mcs(4, "1/2", 1, 1.94),
    Mcs(4, "2/3", 1, 3.92),
    Mcs(4, "3/4", 1, 4.92),
    Mcs(4, "5/6", 1, 6.09),
    Mcs(16, "1/2", 1, 7.36),
    Mcs(16, "2/3", 1, 9.85),
    Mcs(16, "3/4", 1, 11.12),
    Mcs(16, "5/6", 1, 12.47),
    Mcs(64, "2/3", 1, 14.95),
    Mcs(64, "3/4", 1, 16.47),
    Mcs(64, "5/6", 1, 18.08),
    Mcs(256, "2/3", 1, 19.90),
    Mcs(256, "3/4", 1, 21.70),
    Mcs(256, "5/6", 1, 23.52),
)
"""From the most robust to the most efficient; schemes that another one beats in both are left out."""


def choose_mcs(esn0_db: float, *, margin_db: float = 2.5) -> Mcs:
    """The most efficient scheme whose threshold is at least `margin_db` below `esn0_db`, else the most robust one.

    The thresholds hold for AWGN; over fading channels ask for more margin. 2.5 dB leave a block error rate far below
    1e-4 at `esn0_db` itself: the digital link shall fail after the analog one has lost its picture.
    """
    fitting = [mcs for mcs in MCS_TABLE if mcs.threshold_db + margin_db <= esn0_db]
    return max(fitting, key=lambda mcs: mcs.efficiency, default=min(MCS_TABLE, key=lambda mcs: mcs.threshold_db))
