"""The blocks of the 5G NR channel coding chain: transport blocks to sent bits, and LLRs to transport blocks."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from lgvsc_flow import Block, In, Out, setting
from lgvsc_flow.blocks.phy.ldpc.nr_encode import encode_words
from lgvsc_flow.blocks.phy.ldpc.nr_harq import receive
from lgvsc_flow.blocks.phy.ldpc.nr_rate_matching import RV_COUNT, RateMatching, match_words
from lgvsc_flow.blocks.phy.ldpc.nr_segmentation import choose_base_graph, segment, segmentation
from lgvsc_flow.errors import SettingError
from lgvsc_flow.items import Bits, Checked, Llrs

__all__ = ["DecodedBlocks", "NrLdpcDecoder", "NrLdpcEncoder"]

ORDERS = (2, 4, 16, 64, 256, 1024)
LARGEST_BLOCK = 2_000_000  # the largest transport block of TS 38.214 has 1,277,992 bits


@dataclass(frozen=True, eq=False)
class DecodedBlocks(Checked):
    """Transport blocks behind the NR decoder: `bits` uint8 [blocks * a], `ok` bool [blocks] by their CRC.

    `code_blocks_ok` bool [blocks, C] is the verdict on each code block, `iterations` int32 [blocks, C] the decoder's
    iterations over all its attempts, `transmissions` int32 [blocks] how many transmissions each block took.
    """

    code_blocks_ok: np.ndarray
    iterations: np.ndarray
    transmissions: np.ndarray


@lru_cache(maxsize=1024)
def _matching(a: int, code_rate: float | None, e: int | None, bits_per_symbol: int, n_ref: int | None) -> RateMatching:
    rate = code_rate or (a / e if e else 0.5)
    cut = segmentation(a, choose_base_graph(a, rate))
    symbols = max(cut.code_blocks, math.ceil(a / rate / bits_per_symbol))
    return RateMatching(cut, e or symbols * bits_per_symbol, bits_per_symbol, n_ref=n_ref)


class _NrLdpc(Block):
    """What encoder and decoder must agree on."""

    a: int = setting(1000, ge=1, le=LARGEST_BLOCK, unit="bits", doc="transport block without its CRC")
    code_rate: float | None = setting(
        None, gt=0, lt=1, doc="target rate, which chooses the base graph; None: a / e, or 1/2 where e is None too"
    )
    e: int | None = setting(None, ge=1, unit="bits", doc="sent per transmission; None: a / code_rate, in whole symbols")
    order: int = setting(4, choices=ORDERS, doc="constellation points, for the bit interleaver")
    rv: int | str = setting(0, doc="redundancy version, or several, one per transmission, as in '0 2 3 1'")
    n_ref: int | None = setting(None, ge=1, unit="bits", doc="limit of the circular buffer of a code block")

    def validate(self) -> None:
        allowed = {str(rv) for rv in range(RV_COUNT)}
        given = str(self.rv).split()
        if not given or not set(given) <= allowed:
            raise SettingError(f"{type(self).__name__}.rv is 0 to 3, or a list as in '0 2 3 1'; got {self.rv!r}")
        try:
            matching = self.matching
        except ValueError as error:
            raise SettingError(f"{type(self).__name__}: {error}") from error
        if self.n < self.a:
            raise SettingError(
                f"{type(self).__name__}: {self.n} bits sent cannot carry {self.a}; "
                f"take e of {matching.cut.k_prime * matching.cut.code_blocks} or more, or more transmissions (rv)"
            )

    @property
    def rvs(self) -> tuple[int, ...]:
        """Redundancy versions in the order sent."""
        return tuple(map(int, str(self.rv).split()))

    @property
    def bits_per_symbol(self) -> int:
        return self.order.bit_length() - 1

    @property
    def matching(self) -> RateMatching:
        """Segmentation and rate matching, in the letters of the standard."""
        return _matching(self.a, self.code_rate, self.e, self.bits_per_symbol, self.n_ref)

    @property
    def n(self) -> int:
        """Bits sent per transport block, over all transmissions."""
        return self.matching.e * len(self.rvs)

    @property
    def format(self) -> str:
        """The code in words; encoder and decoder compare it."""
        m = self.matching
        limit = "" if self.n_ref is None else f" n_ref={self.n_ref}"
        return f"NR a={self.a} e={m.e} BG{m.cut.base_graph} {self.order}-QAM rv={self.rv}{limit}"


class NrLdpcEncoder(_NrLdpc):
    """Encode bursts of whole transport blocks as 5G NR does: CRC, code blocks, LDPC, rate matching, interleaving.

    Each block of `a` bits becomes `e` bits per redundancy version in `rv`, all its transmissions in a row.

    Ref: 3GPP TS 38.212, clauses 6.2 and 7.2.
    """

    bits = In(Bits, "blocks * a")
    coded = Out(Bits, "blocks * n", code="{format}")

    def start(self) -> None:
        self._matching, self._rvs = self.matching, self.rvs
        self._code = self._matching.code(*self._rvs)

    def work(self, bits: np.ndarray) -> np.ndarray:
        words = encode_words(segment(bits, self._matching.cut), self._code)
        sent = [match_words(words, self._matching, rv) for rv in self._rvs]
        if len(sent) == 1:
            return sent[0]
        return np.stack([s.reshape(-1, self._matching.e) for s in sent], axis=1).ravel()


class NrLdpcDecoder(_NrLdpc):
    """Decode bursts of whole transport blocks of 5G NR, with hybrid ARQ where `rv` lists several transmissions.

    A block is decoded from its first transmission; if its CRC fails, the next is combined with what is there and the
    block is decoded again, and so on. A block that is right leaves its later transmissions unused, and its count of
    `transmissions` in `checked` tells what a link with feedback would have sent. `bits` carries every block as
    decoded, right or wrong.

    Ref: 3GPP TS 38.212, clauses 6.2 and 7.2; D. Hocevar, SiPS 2004 (the decoder).
    """

    llrs = In(Llrs, "blocks * n", code="{format}")
    bits = Out(Bits, "blocks * a")
    checked = Out(DecodedBlocks, "blocks * a")

    max_iterations: int = setting(20, ge=0, le=1000, doc="passes over all layers at most, per attempt")
    precision: str = setting(
        "int8", choices=("int8", "float32"), doc="int8 is ten times as fast, with as few block errors"
    )
    factor: float | None = setting(
        None, gt=0, le=1, doc="normalisation of the check messages in float32; None: the best for the code"
    )

    def validate(self) -> None:
        super().validate()
        if self.precision == "int8" and self.factor is not None:
            raise SettingError(
                f"NrLdpcDecoder.factor is for precision='float32', int8 has its own; got {self.factor}; leave it out"
            )

    def start(self) -> None:
        self._matching, self._rvs = self.matching, self.rvs

    def work(self, llrs: np.ndarray) -> tuple[np.ndarray, DecodedBlocks]:
        found = receive(
            llrs,
            self._matching,
            self._rvs,
            max_iterations=self.max_iterations,
            precision=self.precision,
            factor=self.factor,
        )
        return found.bits, DecodedBlocks(*found)
