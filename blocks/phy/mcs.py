"""Modulation and coding schemes of the control link, and the choice among them by Es/N0."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from lgvsc_flow.blocks.phy.crc import CRCS
from lgvsc_flow.blocks.phy.ldpc.code import wifi_code

__all__ = ["MCS_TABLE", "Mcs", "choose_mcs"]

LENGTH = 648


@dataclass(frozen=True)
class Mcs:
    """A constellation, an 802.11 code rate, and how often each burst of coded bits is sent.

    `threshold_db` is the Es/N0 at which the block error rate over AWGN is 1e-2; `fading_threshold_db` the average
    Es/N0 at which it is that over block Rayleigh fading of 64 symbols' coherence, for bursts of three codewords
    behind an `Interleaver`. Both are measured with the decoder's defaults by `python benchmarks/mcs_thresholds.py`;
    NaN for a scheme of your own. `fading` says for which channel the scheme was chosen.
    """

    order: int
    code_rate: str
    repeats: int = 1
    threshold_db: float = float("nan")
    fading_threshold_db: float = float("nan")
    fading: bool = False
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
        repeats = 1 if self.efficiency > 1 else max(2, round(2 / self.efficiency))
        return 2 * repeats if self.fading and repeats < 8 else repeats


MCS_TABLE: tuple[Mcs, ...] = (
    Mcs(4, "1/2", 8, -7.08, -6.44),
    Mcs(4, "1/2", 4, -4.09, -2.86),
    Mcs(4, "1/2", 2, -1.07, 1.42),
    Mcs(4, "1/2", 1, 1.94, 6.87),
    Mcs(4, "2/3", 1, 3.92, 11.01),
    Mcs(4, "3/4", 1, 4.92, 13.32),
    Mcs(4, "5/6", 1, 6.09, 16.79),
    Mcs(16, "1/2", 1, 7.36, 14.07),
    Mcs(16, "2/3", 1, 9.85, 19.85),
    Mcs(16, "3/4", 1, 11.12, 21.78),
    Mcs(16, "5/6", 1, 12.47, 26.97),
    Mcs(64, "2/3", 1, 14.95, 26.41),
    Mcs(64, "3/4", 1, 16.47, 28.90),
    Mcs(64, "5/6", 1, 18.08, 34.54),
    Mcs(256, "2/3", 1, 19.90, 32.09),
    Mcs(256, "3/4", 1, 21.70, 35.56),
    Mcs(256, "5/6", 1, 23.52, 39.23),
)
"""From the most robust to the most efficient; schemes that another one beats over AWGN in both are left out."""


def choose_mcs(esn0_db: float, *, margin_db: float = 2.5, fading: bool = False) -> Mcs:
    """The most efficient scheme whose threshold is at least `margin_db` below `esn0_db`, else the most robust one.

    With `fading` the thresholds over block Rayleigh fading count, which hold where the bits are interleaved. The
    margin keeps the digital link alive until after the analog one has lost its picture: over AWGN, 2.5 dB above the
    threshold none of 120,000 blocks was lost, with any of the four schemes tried.

    Raises:
        ValueError: Es/N0 or margin are NaN.
    """
    if math.isnan(esn0_db - margin_db):
        raise ValueError(f"an Es/N0 and a margin in dB choose the scheme; got {esn0_db} and {margin_db}")

    def threshold(mcs: Mcs) -> float:
        return mcs.fading_threshold_db if fading else mcs.threshold_db

    fitting = [mcs for mcs in MCS_TABLE if threshold(mcs) + margin_db <= esn0_db]
    chosen = max(fitting, key=lambda mcs: mcs.efficiency, default=min(MCS_TABLE, key=threshold))
    return replace(chosen, fading=fading)
