"""Hybrid ARQ of 5G NR: soft combining of redundancy versions, and decoding as they arrive."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from lgvsc_flow.blocks.given import burst_of
from lgvsc_flow.blocks.phy.ldpc.code import LdpcCode
from lgvsc_flow.blocks.phy.ldpc.decode import Decoded, decode
from lgvsc_flow.blocks.phy.ldpc.fixed import decode_int8
from lgvsc_flow.blocks.phy.ldpc.nr_rate_matching import (
    RV_COUNT,
    RateMatching,
    add_transmission,
    clear,
    first_transmission,
    recover,
)
from lgvsc_flow.blocks.phy.ldpc.nr_segmentation import join_words
from lgvsc_flow.items import Llrs

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
        clear(self.llrs, self.matching)

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


SPREAD = {8: 1.7, 10: 2.7}  # of int8, by bits per symbol: the bits of large constellations differ most


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
    llrs = burst_of(llrs, Llrs)
    size, code_blocks, wanted = len(rvs) * matching.e, matching.cut.code_blocks, matching.cut.k_prime
    if llrs.size % size:
        raise ValueError(
            f"a burst must hold whole transport blocks of {len(rvs)} transmission(s) of {matching.e} LLRs."
        )
    blocks = llrs.size // size

    def decoded(combined: np.ndarray, code: LdpcCode) -> Decoded:
        if precision == "int8":
            spread = SPREAD.get(matching.bits_per_symbol, 1.0) if code.k > 0.6 * code.n else 1.0
            return decode_int8(combined.reshape(-1), code, max_iterations=max_iterations, wanted=wanted, spread=spread)
        found = decode(combined.reshape(-1), code, max_iterations=max_iterations, factor=factor)
        return found._replace(words=np.ascontiguousarray(found.words[:, :wanted]))

    code, waiting = matching.code(rvs[0]), np.arange(blocks)
    buffer = np.empty((blocks * code_blocks, code.n), np.float32)
    first_transmission(llrs, 0, size, waiting, matching, rvs[0], buffer)
    found = decoded(buffer, code)
    joined = join_words(found.words, matching.cut)
    iterations = found.iterations.reshape(blocks, code_blocks)
    transmissions = np.ones(blocks, np.int32)
    if len(rvs) == 1 or joined.ok.all():
        return HarqReception(*joined, iterations, transmissions)
    # From here on `waiting` are the transport blocks that are not right yet; all else is of these alone.
    bits, ok, code_blocks_ok = joined.bits.reshape(blocks, -1), joined.ok.copy(), joined.code_blocks_ok.copy()
    words = found.words.reshape(blocks, code_blocks, -1)
    kept = buffer.reshape(blocks, code_blocks, -1)
    for number, rv in enumerate(rvs[1:], 2):
        left = ~ok[waiting]
        waiting, words = waiting[left], words[left]
        if not waiting.size:
            break
        code = matching.code(*rvs[:number])
        wider = np.zeros((waiting.size, code_blocks, max(code.n, kept.shape[2])), np.float32)
        wider[:, :, : kept.shape[2]] = kept[left]
        kept = wider
        add_transmission(llrs, (number - 1) * matching.e, size, waiting, matching, rv, kept.reshape(-1, kept.shape[2]))
        # Where only the outer CRC fails, it is not known which code block is wrong.
        right = code_blocks_ok[waiting]
        wrong = ~right | right.all(axis=1, keepdims=True)
        found = decoded(np.ascontiguousarray(kept[wrong][:, : code.n]), code)
        words[wrong] = found.words
        again = np.zeros(wrong.shape, np.int32)
        again[wrong] = found.iterations
        iterations[waiting] += again
        transmissions[waiting] = number
        joined = join_words(words.reshape(-1, words.shape[2]), matching.cut)
        bits[waiting] = joined.bits.reshape(waiting.size, -1)
        ok[waiting], code_blocks_ok[waiting] = joined.ok, joined.code_blocks_ok
    return HarqReception(bits.reshape(-1), ok, code_blocks_ok, iterations, transmissions)
