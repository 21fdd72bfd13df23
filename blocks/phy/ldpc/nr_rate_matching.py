"""Rate matching of 5G NR: any number of bits from a code block's circular buffer, and their way back."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numba import njit

from lgvsc_flow.blocks.given import bits_of, burst_of
from lgvsc_flow.blocks.phy.ldpc.code import LdpcCode
from lgvsc_flow.blocks.phy.ldpc.nr_code import BASE_GRAPHS, CORE_ROWS, nr_code
from lgvsc_flow.blocks.phy.ldpc.nr_segmentation import Segmentation
from lgvsc_flow.items import Llrs

__all__ = ["RV_COUNT", "RateMatching", "match", "recover"]

RV_COUNT = 4

_STARTS = {1: (0, 17, 33, 56), 2: (0, 13, 25, 43)}
"""Numerators of k0 for redundancy versions 0 to 3; the denominator is N / Z, 66 or 50 (table 5.4.2.1-2)."""


@dataclass(frozen=True)
class RateMatching:
    """How `e` bits (G in the standard) are sent per transport block and transmission.

    `bits_per_symbol` (Q_m) governs the bit interleaver, `layers` (N_L) the granularity of the shares of the code
    blocks. `n_ref` limits the circular buffer of each code block (limited buffer rate matching); None: it holds the
    whole codeword.

    Raises:
        ValueError: `e` is not a whole number of symbols on every layer for at least one symbol per code block, or
            `n_ref` cuts information bits off.

    Ref: 3GPP TS 38.212, clauses 5.4.2 and 5.5.
    """

    cut: Segmentation
    e: int
    bits_per_symbol: int
    layers: int = 1
    n_ref: int | None = None

    def __post_init__(self) -> None:
        if min(self.bits_per_symbol, self.layers) < 1:
            raise ValueError(f"bits_per_symbol and layers are 1 or more, got {self.bits_per_symbol} and {self.layers}.")
        step, least = self.bits_per_symbol * self.layers, self.cut.k
        if self.e % step or self.e < step * self.cut.code_blocks:
            raise ValueError(
                f"e={self.e} bits do not make whole symbols of {self.bits_per_symbol} bits on {self.layers} layer(s), "
                f"one or more for each of {self.cut.code_blocks} code block(s); take a multiple of {step}, "
                f"{step * self.cut.code_blocks} or more."
            )
        if self.n_ref is not None and self.n_ref < least:
            raise ValueError(f"n_ref={self.n_ref} cuts off information bits; it is {least} (k) or more.")

    @property
    def n(self) -> int:
        """Bits of a whole codeword with fillers and the 2 z bits that are never sent."""
        return BASE_GRAPHS[self.cut.base_graph][1] * self.cut.z

    @property
    def n_cb(self) -> int:
        """Bits in the circular buffer of a code block."""
        whole = self.n - 2 * self.cut.z
        return whole if self.n_ref is None else min(whole, self.n_ref)

    @property
    def shares(self) -> np.ndarray:
        """int64 [C]: the bits sent of each code block, E_r."""
        step, c = self.bits_per_symbol * self.layers, self.cut.code_blocks
        symbols, more = divmod(self.e // step, c)
        return np.where(np.arange(c) < c - more, symbols, symbols + 1) * step

    def k0(self, rv: int) -> int:
        """Where redundancy version `rv` begins in the circular buffer.

        Raises:
            ValueError: `rv` is not 0 to 3.
        """
        if rv not in range(RV_COUNT):
            raise ValueError(f"a redundancy version is 0 to {RV_COUNT - 1}, got {rv}.")
        z = self.cut.z
        return _STARTS[self.cut.base_graph][rv] * self.n_cb // (self.n - 2 * z) * z

    def runs(self, rv: int, share: int) -> list[tuple[int, int]]:
        """The `share` bits of a code block in sending order, as [begin, end) within the codeword; fillers are left out.

        Bit i of the circular buffer is bit i + 2 z of the codeword.
        """
        unsent = 2 * self.cut.z
        pieces = ((unsent, self.cut.k_prime), (self.cut.k, unsent + self.n_cb))
        at = unsent + self.k0(rv)
        found: list[tuple[int, int]] = []
        while share:
            for piece in pieces:
                begin = max(piece[0], at)
                end = min(piece[1], begin + share)
                if begin < end:
                    found.append((begin, end))
                    share -= end - begin
            at = unsent  # wrap around
        return found

    def rows(self, *rvs: int) -> int:
        """How many rows of the base graph have to do with the bits sent in these redundancy versions."""
        shares = set(self.shares.tolist())
        end = max(end for rv in rvs for share in shares for _, end in self.runs(rv, share))
        return max(CORE_ROWS, -(-(end - self.cut.k) // self.cut.z))

    def code(self, *rvs: int) -> LdpcCode:
        """The code cut to what is sent in these redundancy versions."""
        return _code(self, rvs)


@lru_cache(maxsize=1024)
def _code(matching: RateMatching, rvs: tuple[int, ...]) -> LdpcCode:
    return nr_code(matching.cut.base_graph, matching.cut.z, matching.rows(*rvs))


@lru_cache(maxsize=1024)
def _plan(matching: RateMatching, rv: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """E_r [C]; where the runs of each code block start in the list of runs [C + 1]; the list [runs, 2]."""
    shares = matching.shares
    listed: list[tuple[int, int]] = []
    starts = [0]
    for share in shares.tolist():
        listed += matching.runs(rv, share)
        starts.append(len(listed))
    return shares, np.array(starts), np.array(listed)


@njit(nogil=True, cache=True)
def _match(
    words: np.ndarray, e: int, width: int, shares: np.ndarray, starts: np.ndarray, runs: np.ndarray
) -> np.ndarray:
    code_blocks = shares.size
    out = np.empty(words.shape[0] // code_blocks * e, np.uint8)
    chosen = np.empty(shares.max(), np.uint8)
    at = 0
    for f in range(words.shape[0]):
        word, r = words[f], f % code_blocks
        filled = 0
        for i in range(starts[r], starts[r + 1]):
            source = word[runs[i, 0] : runs[i, 1]]
            target = chosen[filled : filled + source.size]
            for j in range(source.size):
                target[j] = source[j]
            filled += source.size
        columns = filled // width
        target = out[at : at + filled]
        # The interleaver: written row by row in `width` rows, read column by column.
        if width == 2:
            a, b = chosen[:columns], chosen[columns : 2 * columns]
            for j in range(columns):
                target[2 * j] = a[j]
                target[2 * j + 1] = b[j]
        elif width == 4:
            a, b = chosen[:columns], chosen[columns : 2 * columns]
            c, d = chosen[2 * columns : 3 * columns], chosen[3 * columns : 4 * columns]
            for j in range(columns):
                target[4 * j] = a[j]
                target[4 * j + 1] = b[j]
                target[4 * j + 2] = c[j]
                target[4 * j + 3] = d[j]
        else:
            for i in range(width):
                a = chosen[i * columns : (i + 1) * columns]
                for j in range(columns):
                    target[j * width + i] = a[j]
        at += filled
    return out


@njit(nogil=True, cache=True)
def _recover(
    llrs: np.ndarray,
    buffer: np.ndarray,
    width: int,
    shares: np.ndarray,
    starts: np.ndarray,
    runs: np.ndarray,
) -> None:
    code_blocks = shares.size
    chosen = np.empty(shares.max(), np.float32)
    at = 0
    for f in range(buffer.shape[0]):
        word, r = buffer[f], f % code_blocks
        share = shares[r]
        columns = share // width
        source = llrs[at : at + share]
        for i in range(width):
            row = chosen[i * columns : (i + 1) * columns]
            for j in range(columns):
                value = source[j * width + i]
                row[j] = value if value == value else np.float32(0)
        filled = 0
        for i in range(starts[r], starts[r + 1]):
            target = word[runs[i, 0] : runs[i, 1]]
            row = chosen[filled : filled + target.size]
            for j in range(target.size):
                target[j] += row[j]
            filled += target.size
        at += share


def match(words: np.ndarray, matching: RateMatching, rv: int) -> np.ndarray:
    """Codewords, uint8 [blocks * C, n], to the bits sent, uint8 [blocks * e].

    The codewords are those of `nr_encode`, of a code of `matching.rows(rv)` rows or more: bits are selected from the
    circular buffer, interleaved and concatenated.

    Raises:
        ValueError: the words are too short, do not make whole transport blocks, or are no bits; rv is not 0 to 3.

    Ref: 3GPP TS 38.212, clauses 5.4.2.1 (selection), 5.4.2.2 (interleaving), 5.5 (concatenation).
    """
    shares, starts, runs = _plan(matching, rv)
    if words.ndim != 2 or words.shape[1] < runs.max() or words.shape[0] % shares.size:
        raise ValueError(
            f"redundancy version {rv} takes codewords [blocks * {shares.size}, {runs.max()} or more], "
            f"got {list(words.shape)}."
        )
    words = bits_of(words.reshape(-1)).reshape(words.shape)
    return _match(words, matching.e, matching.bits_per_symbol, shares, starts, runs)


def recover(llrs: np.ndarray, matching: RateMatching, rv: int, buffer: np.ndarray) -> None:
    """Add the LLRs of one transmission, float32 [blocks * e], to where their bits belong: float32 [blocks * C, n].

    What is sent twice adds up, within one transmission and over several (soft combining). NaN counts as an erasure;
    infinities of both signs for one bit leave NaN, which the decoders take for one.

    Raises:
        ValueError: the LLRs are not those of the transport blocks that the buffer holds, or of another dtype; the
            buffer is no array to write to; rv is not 0 to 3.

    Ref: 3GPP TS 38.212, clause 5.4.2, backwards.
    """
    llrs, (shares, starts, runs) = burst_of(llrs, Llrs), _plan(matching, rv)
    if buffer.dtype != np.float32 or buffer.ndim != 2 or not buffer.flags.carray:
        raise ValueError(
            f"the buffer is a writable float32 array in one piece, [blocks * {shares.size}, n]; got {buffer.dtype} "
            f"{list(buffer.shape)}."
        )
    if llrs.size * shares.size != buffer.shape[0] * matching.e or buffer.shape[0] % shares.size:
        raise ValueError(
            f"a burst must hold transmissions of e={matching.e} LLRs for {buffer.shape[0] // shares.size} blocks."
        )
    if buffer.shape[1] < runs.max():
        raise ValueError(f"redundancy version {rv} needs a buffer of {runs.max()} LLRs per code block.")
    _recover(llrs, buffer, matching.bits_per_symbol, shares, starts, runs)
