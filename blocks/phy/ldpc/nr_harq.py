"""Hybrid ARQ of 5G NR: soft combining of redundancy versions, and decoding as they arrive."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from lgvsc_flow.blocks.phy.ldpc.code import LdpcCode
from lgvsc_flow.blocks.phy.ldpc.decode import decode
from lgvsc_flow.blocks.phy.ldpc.fixed import decode_int8
from lgvsc_flow.blocks.phy.ldpc.nr_rate_matching import RV_COUNT, RateMatching, recover
from lgvsc_flow.blocks.phy.ldpc.nr_segmentation import join

__all__ = ["HarqReception", "SoftBuffer", "receive"]


class SoftBuffer:
    """What a HARQ process keeps of `blocks` transport blocks: the sum of all LLRs received of each coded bit.

    `llrs` is float32 [blocks * C, n], in the order of the codeword: 0 where nothing was received, as in the first 2 z
    bits, which are never sent; infinity at the filler bits, which are known to be 0.

    Where the redundancy versions to come are known beforehand (`rvs`), there is room for their bits only.

    Ref: 3GPP TS 38.212, clause 5.4.2; TS 38.321, clause 5.3.2.2 (combining).
    """

    def __init__(self, matching: RateMatching, blocks: int = 1, rvs: Sequence[int] = range(RV_COUNT)) -> None:
        self.matching = matching
        self.rvs: tuple[int, ...] = ()
        self.llrs = np.empty((blocks * matching.cut.code_blocks, matching.code(*rvs).n), np.float32)
        self.clear()

    def clear(self) -> None:
        """Forget everything received: the next transmission is of new data."""
        self.rvs = ()
        self.llrs[:] = 0
        self.llrs[:, self.matching.cut.k_prime : self.matching.cut.k] = np.inf

    def add(self, llrs: np.ndarray, rv: int) -> None:
        """Combine one transmission of every block, float32 [blocks * e].

        Raises:
            ValueError: the LLRs are not those of the blocks.
        """
        recover(llrs, self.matching, rv, self.llrs)
        self.rvs += (rv,)

    def codewords(self) -> tuple[np.ndarray, LdpcCode]:
        """What a decoder takes: LLRs float32 [blocks * C, n] and the code, cut to what has been received so far.

        Raises:
            ValueError: nothing has been received.
        """
        if not self.rvs:
            raise ValueError("nothing has been received: add a transmission first.")
        code = self.matching.code(*self.rvs)
        return np.ascontiguousarray(self.llrs[:, : code.n]), code


class HarqReception(NamedTuple):
    """Transport blocks as decoded: `bits` uint8 [blocks * a], `ok` bool [blocks], `code_blocks_ok` bool [blocks, C].

    `iterations` int32 [blocks, C] are the decoder's, over all attempts; `transmissions` int32 [blocks] counts the
    transmissions used: up to the first after which the CRC held, or all.
    """

    bits: np.ndarray
    ok: np.ndarray
    code_blocks_ok: np.ndarray
    iterations: np.ndarray
    transmissions: np.ndarray


def receive(
    llrs: np.ndarray,
    matching: RateMatching,
    rvs: Sequence[int] = (0,),
    *,
    max_iterations: int = 20,
    precision: str = "int8",
    factor: float | None = None,
) -> HarqReception:
    """Decode transport blocks of which the redundancy versions `rvs` were sent one after the other.

    After each transmission the code blocks that are not right yet are decoded again from all that has been combined.
    A transport block that is right needs no further transmission: the LLRs of those are there, but are left unused,
    so that outcome and `transmissions` are those of a link with feedback.

    Args:
        llrs: ln P(b=0)/P(b=1), float32 [blocks * len(rvs) * e]: per block, all its transmissions.
        matching: what is sent, and how.
        rvs: redundancy versions, 0 to 3, in the order sent.
        max_iterations: of the decoder, per attempt.
        precision: the decoder's arithmetic, "int8" or "float32".
        factor: normalisation of the check messages in float32; None: the best for the code.

    Raises:
        ValueError: the LLRs are not whole blocks of all their transmissions.
    """
    if llrs.size % (len(rvs) * matching.e):
        raise ValueError(
            f"a burst must hold whole transport blocks of {len(rvs)} transmission(s) of {matching.e} LLRs."
        )
    sent = llrs.reshape(-1, len(rvs), matching.e)
    blocks, code_blocks, wanted = len(sent), matching.cut.code_blocks, matching.cut.k_prime
    buffer = SoftBuffer(matching, blocks, rvs)
    words = np.zeros((blocks * code_blocks, wanted), np.uint8)
    iterations = np.zeros(blocks * code_blocks, np.int32)
    transmissions = np.full(blocks, len(rvs), np.int32)
    open_words = np.arange(blocks * code_blocks)
    for number, rv in enumerate(rvs, 1):
        buffer.add(sent[:, number - 1].ravel(), rv)
        combined, code = buffer.codewords()
        chosen = (combined if open_words.size == len(combined) else combined[open_words]).ravel()
        if precision == "int8":
            found = decode_int8(chosen, code, max_iterations=max_iterations, wanted=wanted)
        else:
            found = decode(chosen, code, max_iterations=max_iterations, factor=factor)
        words[open_words] = found.words[:, :wanted]
        iterations[open_words] += found.iterations
        joined = join(words, matching.cut)
        transmissions[joined.ok & (transmissions == len(rvs))] = number
        # Where only the outer CRC fails, it is not known which code block is wrong.
        wrong = np.where(joined.code_blocks_ok.all(axis=1, keepdims=True), True, ~joined.code_blocks_ok)
        open_words = np.flatnonzero(wrong & ~joined.ok[:, None])
        if not open_words.size:
            break
    return HarqReception(*joined, iterations.reshape(blocks, code_blocks), transmissions)
