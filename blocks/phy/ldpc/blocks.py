"""The LDPC blocks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lgvsc_flow import Block, In, Out, setting
from lgvsc_flow.blocks.given import burst_of
from lgvsc_flow.blocks.phy.ldpc.code import CODE_RATES, LENGTHS, LdpcCode, wifi_code
from lgvsc_flow.blocks.phy.ldpc.decode import decode
from lgvsc_flow.blocks.phy.ldpc.encode import encode
from lgvsc_flow.blocks.phy.ldpc.fixed import decode_int8
from lgvsc_flow.errors import SettingError
from lgvsc_flow.items import Bits, Checked, Llrs

__all__ = ["DecodedWords", "LdpcDecoder", "LdpcEncoder", "LdpcSoftDecoder"]


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


@dataclass(frozen=True, eq=False)
class DecodedWords(Checked):
    """Codewords behind a decoder: `bits` uint8 [words * k], `ok` bool [words] where all parity checks hold.

    `iterations` int32 [words] are those that each word took.
    """

    iterations: np.ndarray


class _LdpcDecoder(Block):
    """What the two decoders share."""

    llrs = In(Llrs, "words * n", code="802.11n n={n} r={code_rate}")

    n: int = setting(648, choices=LENGTHS, doc="bits per codeword")
    code_rate: str = setting("1/2", choices=CODE_RATES)
    max_iterations: int = setting(40, ge=0, le=1000, doc="passes over all layers at most")
    early_stop: bool = setting(True, doc="stop a word when its checks hold; float32 always does")
    precision: str = setting(
        "int8", choices=("int8", "float32"), doc="int8 is ten times as fast, with as few block errors"
    )
    factor: float | None = setting(
        None, gt=0, le=1, doc="normalisation of the check messages in float32; None: the best for the code"
    )

    def validate(self) -> None:
        if self.precision == "int8" and self.factor is not None:
            raise SettingError(
                f"{type(self).__name__}.factor is for precision='float32', int8 has its own; got {self.factor}; "
                "leave it out"
            )
        if self.precision == "float32" and not self.early_stop:
            raise SettingError(f"{type(self).__name__}: float32 always stops early; early_stop=False needs int8")

    @property
    def code(self) -> LdpcCode:
        return wifi_code(self.n, self.code_rate)

    @property
    def k(self) -> int:
        """Information bits per codeword."""
        return self.code.k


class LdpcDecoder(_LdpcDecoder):
    """Decode bursts of whole codewords to information bits by layered normalised min-sum, with early stop.

    A word that could not be decoded is passed on as it stands; put a CRC inside the code to find it. LLRs may have any
    scale; NaN is an erasure, infinity as sure as the decoder can be.

    Ref: IEEE Std 802.11-2016, Annex F (the codes); D. Hocevar, SiPS 2004 (the decoder).
    """

    bits = Out(Bits, "words * k")

    def work(self, llrs: np.ndarray) -> np.ndarray:
        if self.precision == "float32":
            words = decode(llrs, self.code, max_iterations=self.max_iterations, factor=self.factor).words
            return words[:, : self.k].ravel()
        found = decode_int8(
            llrs, self.code, max_iterations=self.max_iterations, early_stop=self.early_stop, wanted=self.k
        )
        return found.words.ravel()


class LdpcSoftDecoder(_LdpcDecoder):
    """`LdpcDecoder` with all that it knows: a-posteriori LLRs of every code bit, and per word iterations and parity.

    The LLRs are those in which the decoder ended, in the scale of the input; in int8 they end at twice the clip level.
    """

    posterior = Out(Llrs, "words * n")
    decoded = Out(DecodedWords, "words * k")

    precision: str = setting("int8", choices=("int8",))

    def work(self, llrs: np.ndarray) -> tuple[np.ndarray, DecodedWords]:
        llrs = burst_of(llrs, Llrs)
        soft = np.empty(llrs.size, np.float32)
        found = decode_int8(llrs, self.code, max_iterations=self.max_iterations, early_stop=self.early_stop, soft=soft)
        return soft, DecodedWords(found.words[:, : self.k].ravel(), found.parity_ok, found.iterations)
