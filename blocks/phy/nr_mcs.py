"""The modulation and coding schemes of 5G NR, the sizes of its transport blocks, and the choice among them by Es/N0."""

from __future__ import annotations

import math
from dataclasses import dataclass

__all__ = ["NR_MCS_TABLES", "REFERENCE_SYMBOLS", "NrMcs", "best_mcs", "transport_block_size"]

REFERENCE_SYMBOLS = 1560
"""Channel symbols per transport block behind the thresholds: 10 resource blocks of 12 subcarriers, 13 symbols long."""


@dataclass(frozen=True)
class NrMcs:
    """A row of an MCS table: `order` constellation points and the target rate `code_rate_1024` / 1024.

    `thresholds_db` are the Es/N0 over AWGN at which the block error rate is 0.1 and 0.01, for transport blocks of
    `REFERENCE_SYMBOLS` symbols sent once, with the decoder's defaults; measured by `python benchmarks/nr_mcs.py`.
    Shorter blocks need more, longer ones less.
    """

    table: int
    index: int
    order: int
    code_rate_1024: float
    thresholds_db: tuple[float, float]

    @property
    def bits_per_symbol(self) -> int:
        return self.order.bit_length() - 1

    @property
    def code_rate(self) -> float:
        return self.code_rate_1024 / 1024

    @property
    def efficiency(self) -> float:
        """Information bits per symbol."""
        return self.bits_per_symbol * self.code_rate

    def threshold_db(self, target_bler: float) -> float:
        """The Es/N0 for a block error rate from 0.1 to 0.01, straight in its logarithm between the two measured.

        Raises:
            ValueError: the rate is not in that range; nothing was measured outside.
        """
        if not 0.01 <= target_bler <= 0.1:
            raise ValueError(f"thresholds were measured for block error rates from 0.01 to 0.1; got {target_bler}")
        upper, lower = self.thresholds_db
        return upper + (lower - upper) * (-1 - math.log10(target_bler))


_QPSK = "120 157 193 251 308 379 449 526 602 679"
_16QAM = "340 378 434 490 553 616 658"
_64QAM = "438 466 517 567 616 666 719 772 822 873 910 948"
_ROWS: dict[int, dict[int, str]] = {
    1: {4: _QPSK, 16: _16QAM, 64: _64QAM},
    2: {
        4: "120 193 308 449 602",
        16: "378 434 490 553 616 658",
        64: "466 517 567 616 666 719 772 822 873",
        256: "682.5 711 754 797 841 885 916.5 948",
    },
    3: {
        4: "30 40 50 64 78 99 120 157 193 251 308 379 449 526 602",
        16: "340 378 434 490 553 616",
        64: "438 466 517 567 616 666 719 772",
    },
    4: {
        4: "120 193 449",
        16: "378 490 616",
        64: "466 517 567 616 666 719 772 822 873",
        256: "682.5 711 754 797 841 885 916.5 948",
        1024: "805.5 853 900.5 948",
    },
}

_THRESHOLDS_DB: dict[tuple[int, float], tuple[float, float]] = {
    (4, 30): (-10.89, -10.17),
    (4, 40): (-9.83, -9.22),
    (4, 50): (-9.00, -8.39),
    (4, 64): (-7.93, -7.41),
    (4, 78): (-7.11, -6.60),
    (4, 99): (-6.23, -5.76),
    (4, 120): (-5.60, -5.19),
    (4, 157): (-4.51, -4.12),
    (4, 193): (-3.52, -3.18),
    (4, 251): (-2.45, -2.14),
    (4, 308): (-1.16, -0.88),
    (4, 379): (-0.31, -0.08),
    (4, 449): (0.68, 0.91),
    (4, 526): (1.43, 1.63),
    (4, 602): (2.38, 2.56),
    (4, 679): (3.20, 3.39),
    (16, 340): (3.57, 3.84),
    (16, 378): (4.10, 4.36),
    (16, 434): (5.10, 5.33),
    (16, 490): (5.93, 6.15),
    (16, 553): (6.89, 7.07),
    (16, 616): (7.86, 8.03),
    (64, 438): (9.14, 9.35),
    (16, 658): (8.42, 8.59),
    (64, 466): (9.70, 9.92),
    (64, 517): (10.65, 10.82),
    (64, 567): (11.45, 11.62),
    (64, 616): (12.42, 12.59),
    (64, 666): (13.22, 13.38),
    (64, 719): (14.27, 14.42),
    (64, 772): (15.31, 15.46),
    (64, 822): (16.40, 16.53),
    (64, 873): (17.22, 17.35),
    (64, 910): (17.84, 17.99),
    (256, 682.5): (18.00, 18.13),
    (64, 948): (19.94, 20.14),
    (256, 711): (19.20, 19.39),
    (256, 754): (20.13, 20.31),
    (256, 797): (21.14, 21.34),
    (256, 841): (22.10, 22.28),
    (256, 885): (23.11, 23.28),
    (256, 916.5): (24.40, 24.59),
    (256, 948): (25.21, 25.41),
    (1024, 805.5): (26.31, 26.49),
    (1024, 853): (27.68, 27.87),
    (1024, 900.5): (28.68, 28.85),
    (1024, 948): (30.50, 30.67),
}


def _table(number: int) -> tuple[NrMcs, ...]:
    rows = [(order, float(rate)) for order, rates in _ROWS[number].items() for rate in rates.split()]
    return tuple(NrMcs(number, i, *row, _THRESHOLDS_DB[row]) for i, row in enumerate(rows))


NR_MCS_TABLES: dict[int, tuple[NrMcs, ...]] = {number: _table(number) for number in _ROWS}
"""Tables 1 (up to 64-QAM), 2 (256-QAM), 3 (low spectral efficiency) and 4 (1024-QAM), without the reserved rows.

Ref: 3GPP TS 38.214, tables 5.1.3.1-1 to 5.1.3.1-4 (the last since Release 17).
"""


def best_mcs(esn0_db: float, target_bler: float = 0.1, *, table: int = 1, margin_db: float = 0.0) -> NrMcs:
    """The most efficient scheme whose block error rate at `esn0_db` less the margin is at most `target_bler`.

    Where none is, it is the most robust scheme of the table. The thresholds are those of AWGN.

    Raises:
        ValueError: there is no such table, the block error rate is not from 0.01 to 0.1, or Es/N0 or margin are NaN.
    """
    if math.isnan(esn0_db - margin_db):
        raise ValueError(f"an Es/N0 and a margin in dB choose the scheme; got {esn0_db} and {margin_db}")
    if table not in NR_MCS_TABLES:
        raise ValueError(f"NR has MCS tables {', '.join(map(str, NR_MCS_TABLES))}; got {table}")
    schemes = NR_MCS_TABLES[table]
    fitting = [mcs for mcs in schemes if mcs.threshold_db(target_bler) + margin_db <= esn0_db]
    return max(fitting, key=lambda mcs: mcs.efficiency, default=schemes[0])


_SIZE_LIST = """
    24 32 40 48 56 64 72 80 88 96 104 112 120 128 136 144 152 160 168 176 184 192 208 224 240 256 272 288 304 320
    336 352 368 384 408 432 456 480 504 528 552 576 608 640 672 704 736 768 808 848 888 928 984 1032 1064 1128 1160
    1192 1224 1256 1288 1320 1352 1416 1480 1544 1608 1672 1736 1800 1864 1928 2024 2088 2152 2216 2280 2408 2472
    2536 2600 2664 2728 2792 2856 2976 3104 3240 3368 3496 3624 3752 3824
"""
_SIZES = tuple(map(int, _SIZE_LIST.split()))


def transport_block_size(symbols: int, mcs: NrMcs, *, layers: int = 1) -> int:
    """Bits of the transport block (a) that `symbols` resource elements on each of `layers` layers carry with `mcs`.

    Sizes are so quantised that a block divides into equal code blocks.

    Raises:
        ValueError: there is not a symbol or a layer.

    Ref: 3GPP TS 38.214, clause 5.1.3.2.
    """
    if symbols < 1 or layers < 1:
        raise ValueError(f"a transport block takes at least one symbol and one layer; got {symbols} and {layers}")
    information = symbols * mcs.efficiency * layers
    if information <= 3824:
        step = 1 << max(3, math.floor(math.log2(information)) - 6)
        quantised = max(24, int(information // step) * step)
        return next(size for size in _SIZES if size >= quantised)
    step = 1 << math.floor(math.log2(information - 24)) - 5
    quantised = max(3840, math.floor((information - 24) / step + 0.5) * step)  # ties upwards
    if mcs.code_rate <= 0.25:
        code_blocks = math.ceil((quantised + 24) / 3816)
    else:
        code_blocks = math.ceil((quantised + 24) / 8424) if quantised > 8424 else 1
    return 8 * code_blocks * math.ceil((quantised + 24) / (8 * code_blocks)) - 24
