"""The rate that a picture is coded for, and what of it the side information leaves for the symbols."""

from __future__ import annotations

import math
from typing import NamedTuple

from lgvsc_flow.blocks.ntscc.header import SNR_FLOOR_DB, SNR_STEPS, payload_bytes, snr_code
from lgvsc_flow.blocks.ntscc.rate import digital_symbols

LEAST_SHARE = 0.25  # of a target that the symbols should keep: else a coarser hyperprior is sent
CBR_RANGE = (0.001, 0.15)


class Rate(NamedTuple):
    """The rate and the channel that a picture is coded for.

    `cbr` is channel symbols per colour sample: a target, everything counted, or with `by_content` what an average
    picture takes. `snr_db` is the design SNR of the symbols, `link_snr_db` that of the digital link, None for the same;
    with `fading` the digital link is made for block Rayleigh fading.
    """

    cbr: float
    by_content: bool
    snr_db: float
    fading: bool
    link_snr_db: float | None = None

    @classmethod
    def of(
        cls,
        target_cbr: float | None,
        quality: float | None,
        snr_db: float,
        fading: bool,
        link_snr_db: float | None = None,
    ) -> Rate:
        """The rate that a user asks for; a quality counts before a target.

        Raises:
            ValueError: neither is given, or something is out of range.
        """
        if not math.isfinite(snr_db):
            raise ValueError(f"snr_db must be a number, got {snr_db}")
        if link_snr_db is not None and not math.isfinite(link_snr_db):
            raise ValueError(f"link_snr_db must be a number, or None for snr_db; got {link_snr_db}")
        cbr = 0.01 * quality if quality is not None else target_cbr
        if cbr is None:
            raise ValueError("give a target_cbr or a quality")
        if not CBR_RANGE[0] <= cbr <= CBR_RANGE[1]:
            given = f"quality {quality}" if quality is not None else f"target_cbr {target_cbr}"
            raise ValueError(f"{given} is outside the range: target_cbr 0.001 to 0.15, quality 0.1 to 15")
        return cls(cbr, quality is not None, snr_db, fading, link_snr_db)

    @property
    def snr_code(self) -> int:
        """The design SNR in the header."""
        return snr_code(self.snr_db)

    @property
    def design_db(self) -> float:
        """The design SNR as the header tells it."""
        return SNR_FLOOR_DB + self.snr_code / SNR_STEPS

    @property
    def link_db(self) -> float:
        """The Es/N0 that the digital link is designed for."""
        return self.snr_db if self.link_snr_db is None else self.link_snr_db

    def total(self, height: int, width: int) -> int:
        """Channel symbols that `cbr` gives a picture."""
        return round(self.cbr * 3 * height * width)

    def symbols(self, height: int, width: int, hyperprior_bytes: int) -> int:
        """What the digital link leaves of `total`; negative where it takes more."""
        symbols = 0
        for announced in (1, 1 << 7, 1 << 14, 1 << 21):  # the header is longer where it announces more symbols
            size = payload_bytes(height, width, announced, hyperprior_bytes)
            symbols = self.total(height, width) - digital_symbols(size, self.link_db, fading=self.fading)
            if payload_bytes(height, width, max(symbols, 1), hyperprior_bytes) <= size:
                break
        return symbols
