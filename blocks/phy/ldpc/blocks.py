"""The LDPC blocks."""

from __future__ import annotations

import numpy as np

from lgvsc_flow import Block, In, Out, setting
from lgvsc_flow.blocks.phy.ldpc.code import CODE_RATES, LENGTHS, LdpcCode, wifi_code
from lgvsc_flow.blocks.phy.ldpc.decode import decode
from lgvsc_flow.blocks.phy.ldpc.encode import encode
from lgvsc_flow.items import Bits, Llrs

__all__ = ["LdpcDecoder", "LdpcEncoder"]


class LdpcEncoder(Block):
    """Encode bursts of whole information words with an 802.11 code; systematic, information bits first.

    Ref: IEEE Std 802.11-2016, clause 19.3.11.7 and Annex F.
    """

    bits = In(Bits, "words * k")
    coded = Out(Bits, "words * n", code="802.11n n={n} r={code_rate}")

    n: int = setting(648, choices=LENGTHS, doc="bits per codeword")
    code_rate: str = setting("1/2", choices=CODE_RATES)

    @property
    def code(self) -> LdpcCode:
        return wifi_code(self.n, self.code_rate)

    @property
    def k(self) -> int:
        """Information bits per codeword."""
        return self.code.k

    def work(self, bits: np.ndarray) -> np.ndarray:
        return encode(bits, self.code)


class LdpcDecoder(Block):
    """Decode bursts of whole codewords to information bits by layered normalised min-sum, with early stop.

    A word that could not be decoded is passed on as it stands; put a CRC inside the code to find it.

    Ref: IEEE Std 802.11-2016, Annex F (the codes); D. Hocevar, SiPS 2004 (the decoder).
    """

    llrs = In(Llrs, "words * n", code="802.11n n={n} r={code_rate}")
    bits = Out(Bits, "words * k")

    n: int = setting(648, choices=LENGTHS, doc="bits per codeword")
    code_rate: str = setting("1/2", choices=CODE_RATES)
    max_iterations: int = setting(40, ge=0, le=1000, doc="passes over all layers at most")
    factor: float = setting(0.8, gt=0, le=1, doc="normalisation of the check messages")

    @property
    def code(self) -> LdpcCode:
        return wifi_code(self.n, self.code_rate)

    @property
    def k(self) -> int:
        """Information bits per codeword."""
        return self.code.k

    def work(self, llrs: np.ndarray) -> np.ndarray:
        words = decode(llrs, self.code, max_iterations=self.max_iterations, factor=self.factor).words
        return words[:, : self.k].ravel()
