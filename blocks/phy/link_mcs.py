"""Modulation and coding schemes for bursts of any length (`TransportEncoder`), and the choice among them by Es/N0."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

__all__ = ["LINK_MCS_TABLE", "MARGIN_DB", "REFERENCE_BYTES", "SIG_MARGIN_DB", "LinkMcs", "choose_link_mcs"]

MARGIN_DB = 2.5
"""How far below the design SNR the block error rate of the chosen scheme is still 1 %: what rides on the digital link
fails when the analog symbols have lost their picture, not before."""

SIG_MARGIN_DB = 1.0
"""How much further below a SIG field fails: there is one per burst, and without it the burst is lost."""

REFERENCE_BYTES = 128
"""Payload of the bursts behind the thresholds. Those of 512 bytes need 0.4 dB less to 0.1 dB more, those of 16 bytes
1 dB more, and up to 2 dB at the highest rates."""

_SIG_DB = 1.37  # Es/N0 over AWGN at which one SIG field in a hundred is lost; n copies need 10 lg n less
_SIG_FADING_DB = {1: 16.79, 2: 5.34, 4: -0.52, 8: -5.57, 16: -9.54}  # benchmarks/mcs_thresholds.py


@dataclass(frozen=True)
class LinkMcs:
    """A constellation and a code rate of `rate_1024` / 1024, CRCs counted as information.

    `threshold_db` is the Es/N0 at which the block error rate over AWGN is 1e-2; `fading_threshold_db` the average Es/N0
    at which it is that over block Rayleigh fading of 64 symbols' coherence. Both are measured with the decoder's
    defaults by `python benchmarks/link_mcs.py thresholds`, for payloads of `REFERENCE_BYTES`.
    """

    order: int
    rate_1024: int
    threshold_db: float = math.nan
    fading_threshold_db: float = math.nan
    fading: bool = False

    @property
    def code_rate(self) -> float:
        return self.rate_1024 / 1024

    @property
    def bits_per_symbol(self) -> int:
        return self.order.bit_length() - 1

    @property
    def efficiency(self) -> float:
        """Information bits per channel symbol, CRC and all."""
        return self.bits_per_symbol * self.code_rate

    @property
    def sig_repeats(self) -> int:
        """Copies of the multiplexer's SIG field that outlive this scheme by `SIG_MARGIN_DB`."""
        if self.fading:
            return next((n for n, db in _SIG_FADING_DB.items() if db <= self.fading_threshold_db - SIG_MARGIN_DB), 16)
        return max(1, math.ceil(10 ** ((_SIG_DB + SIG_MARGIN_DB - self.threshold_db) / 10)))


LINK_MCS_TABLE: tuple[LinkMcs, ...] = (
    LinkMcs(4, 30, -11.76, -11.33),
    LinkMcs(4, 40, -10.48, -9.95),
    LinkMcs(4, 50, -9.49, -8.82),
    LinkMcs(4, 64, -8.48, -7.71),
    LinkMcs(4, 78, -7.61, -6.69),
    LinkMcs(4, 99, -6.53, -4.87),
    LinkMcs(4, 120, -5.71, -4.35),
    LinkMcs(4, 138, -5.16, -3.72),
    LinkMcs(4, 157, -4.53, -3.05),
    LinkMcs(4, 175, -4.14, -2.42),
    LinkMcs(4, 193, -3.67, -1.68),
    LinkMcs(4, 222, -2.96, -0.69),
    LinkMcs(4, 251, -2.41, 0.13),
    LinkMcs(4, 280, -1.85, 0.98),
    LinkMcs(4, 308, -1.35, 1.66),
    LinkMcs(4, 343, -0.68, 2.80),
    LinkMcs(4, 379, -0.18, 3.75),
    LinkMcs(4, 414, 0.27, 4.52),
    LinkMcs(4, 449, 0.75, 5.20),
    LinkMcs(4, 488, 1.18, 6.14),
    LinkMcs(4, 526, 1.64, 7.07),
    LinkMcs(4, 564, 2.10, 7.88),
    LinkMcs(4, 602, 2.53, 8.93),
    LinkMcs(4, 640, 2.96, 10.16),
    LinkMcs(4, 679, 3.41, 11.43),
    LinkMcs(16, 352, 4.09, 8.85),
    LinkMcs(16, 378, 4.55, 9.24),
    LinkMcs(16, 406, 5.04, 10.07),
    LinkMcs(16, 434, 5.43, 11.12),
    LinkMcs(16, 462, 5.90, 11.80),
    LinkMcs(16, 490, 6.36, 12.63),
    LinkMcs(16, 522, 6.83, 13.55),
    LinkMcs(16, 553, 7.29, 14.78),
    LinkMcs(16, 575, 7.66, 14.98),
    LinkMcs(16, 600, 8.07, 15.98),
    LinkMcs(16, 628, 8.52, 17.32),
    LinkMcs(16, 658, 8.91, 18.46),
    LinkMcs(16, 690, 9.52, 20.44),
    LinkMcs(64, 466, 10.11, 17.25),
    LinkMcs(64, 492, 10.65, 17.95),
    LinkMcs(64, 517, 11.10, 18.84),
    LinkMcs(64, 542, 11.60, 19.63),
    LinkMcs(64, 567, 12.03, 20.89),
    LinkMcs(64, 592, 12.51, 21.44),
    LinkMcs(64, 616, 12.97, 22.83),
    LinkMcs(64, 641, 13.46, 23.60),
    LinkMcs(64, 666, 14.01, 24.72),
    LinkMcs(64, 693, 14.46, 27.37),
    LinkMcs(64, 719, 14.99, 30.13),
    LinkMcs(64, 746, 15.46, 32.33),
    LinkMcs(64, 772, 16.01, 34.92),
    LinkMcs(64, 797, 16.45, 34.16),
    LinkMcs(256, 616, 17.51, 28.44),
    LinkMcs(256, 650, 18.22, 29.94),
    LinkMcs(256, 682, 19.03, 33.83),
    LinkMcs(256, 711, 19.61, 33.89),
    LinkMcs(256, 754, 20.62, 36.79),
    LinkMcs(256, 797, 21.66, 39.21),
    LinkMcs(256, 841, 22.54, 42.25),
)
"""From the most robust to the most efficient."""


def choose_link_mcs(esn0_db: float, *, margin_db: float = MARGIN_DB, fading: bool = False) -> LinkMcs:
    """The most efficient scheme whose threshold is at least `margin_db` below `esn0_db`, else the most robust one.

    With `fading` the thresholds over block Rayleigh fading count.

    Raises:
        ValueError: Es/N0 or margin are NaN.
    """
    if math.isnan(esn0_db - margin_db):
        raise ValueError(f"an Es/N0 and a margin in dB choose the scheme; got {esn0_db} and {margin_db}")

    def threshold(mcs: LinkMcs) -> float:
        return mcs.fading_threshold_db if fading else mcs.threshold_db

    fitting = [mcs for mcs in LINK_MCS_TABLE if threshold(mcs) + margin_db <= esn0_db]
    chosen = max(fitting, key=lambda mcs: mcs.efficiency, default=min(LINK_MCS_TABLE, key=threshold))
    return replace(chosen, fading=fading)
