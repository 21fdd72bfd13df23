"""The blocks of an LDPC code of the user's own."""

from __future__ import annotations

import numpy as np

from lgvsc_flow import Block, In, Out, setting
from lgvsc_flow.blocks.phy.ldpc.parity_check import MatrixError
from lgvsc_flow.blocks.phy.ldpc.user_code import INFORMATION, UserCode, user_code
from lgvsc_flow.errors import SettingError
from lgvsc_flow.items import Bits, Llrs

__all__ = ["UserLdpcDecoder", "UserLdpcEncoder"]

EXAMPLE = "8 4 16; -1 11 8 13 1 0 -1 -1; 8 -1 14 10 0 0 0 -1; 9 10 -1 0 -1 -1 0 0; 15 8 4 -1 1 -1 -1 0"  # k=64, n=128


class _UserLdpc(Block):
    """What both ends share."""

    matrix: str = setting(
        EXAMPLE, doc="path of an alist file or a quasi-cyclic table (.qc), or such a text itself, with ; between lines"
    )
    information: str = setting(
        "auto", choices=INFORMATION, doc="where in a codeword the information bits stand; auto: first if they can"
    )

    def validate(self) -> None:
        try:
            self._code = user_code(self.matrix, self.information)
        except MatrixError as error:
            raise SettingError(f"{type(self).__name__}.matrix: {error}") from None

    @property
    def code(self) -> UserCode:
        return self._code

    @property
    def n(self) -> int:
        """Bits sent per codeword."""
        return self._code.n

    @property
    def k(self) -> int:
        """Information bits per codeword."""
        return self._code.k

    @property
    def format(self) -> str:
        """The code in words; encoder and decoder compare it."""
        return self._code.format


class UserLdpcEncoder(_UserLdpc):
    """Encode bursts of whole information words with an LDPC code of your own, given by its parity-check matrix.

    The matrix may have any rank; rows that depend on others cost nothing. The information bits stand in the codeword
    as they are, at the places `code.encoder.information`. The columns that a quasi-cyclic table punctures are not sent.

    Ref: T. Richardson and R. Urbanke, IEEE Trans. Inf. Theory 47 (2001) 638 (the encoder).
    """

    bits = In(Bits, "words * k")
    coded = Out(Bits, "words * n", code="{format}")

    def work(self, bits: np.ndarray) -> np.ndarray:
        return self._code.encode(bits)


class UserLdpcDecoder(_UserLdpc):
    """Decode bursts of whole codewords of an LDPC code of your own to information bits, by layered normalised min-sum.

    A word that could not be decoded is passed on as it stands; put a CRC inside the code to find it. LLRs may have any
    scale; NaN is an erasure, infinity as sure as the decoder can be. int8 needs checks of at most 32 bits, and is
    compiled anew for each set of numbers of bits in a check.

    Ref: D. Hocevar, SiPS 2004 (the decoder).
    """

    llrs = In(Llrs, "words * n", code="{format}")
    bits = Out(Bits, "words * k")

    max_iterations: int = setting(40, ge=0, le=1000, doc="passes over all layers at most")
    early_stop: bool = setting(True, doc="stop a word when its checks hold; float32 always does")
    precision: str = setting("float32", choices=("int8", "float32"), doc="int8 is ten times as fast")
    factor: float | None = setting(
        None, gt=0, le=1, doc="normalisation of the check messages in float32; None: by the rate of the code"
    )

    def validate(self) -> None:
        super().validate()
        if self.precision == "int8" and self.factor is not None:
            raise SettingError(
                f"UserLdpcDecoder.factor is for precision='float32', int8 has its own; got {self.factor}; leave it out"
            )
        if self.precision == "float32" and not self.early_stop:
            raise SettingError("UserLdpcDecoder: float32 always stops early; early_stop=False needs int8")
        if self.precision == "int8" and self._code.without_int8:
            raise SettingError(f"UserLdpcDecoder: {self._code.without_int8}; take precision='float32'")

    def work(self, llrs: np.ndarray) -> np.ndarray:
        return self._code.decode(
            llrs,
            max_iterations=self.max_iterations,
            early_stop=self.early_stop,
            precision=self.precision,
            factor=self.factor,
        )
