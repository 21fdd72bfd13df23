"""Rate matching of 5G NR: any number of bits from a code block's circular buffer, and their way back."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import accumulate, pairwise
from typing import NamedTuple

import numpy as np

from lgvsc_flow.blocks.given import bits_of, burst_of
from lgvsc_flow.blocks.phy.ldpc.code import LdpcCode
from lgvsc_flow.blocks.phy.ldpc.nr_code import BASE_GRAPHS, CORE_ROWS, nr_code
from lgvsc_flow.blocks.phy.ldpc.nr_segmentation import Segmentation
from lgvsc_flow.blocks.phy.weave import NO_GAPS, unweave, weave
from lgvsc_flow.items import Llrs
from lgvsc_flow.kernels import kernel

__all__ = [
    "RV_COUNT",
    "RateMatching",
    "add_transmission",
    "clear",
    "first_transmission",
    "match",
    "match_words",
    "recover",
]

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

    def __hash__(self) -> int:
        return self._hash  # it is asked for with every burst

    @cached_property
    def _hash(self) -> int:
        return hash((self.cut, self.e, self.bits_per_symbol, self.layers, self.n_ref))

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


class _Plan(NamedTuple):
    """One transmission: E_r [C]; where in the list of runs, and of pieces, each code block starts [C + 1]; the lists.

    `pieces` int64 [pieces, 2 + bits_per_symbol] are runs of symbols [begin, end), and where in the codeword the bits
    of each place in a symbol begin. `once`: no bit is sent twice. Indices are below `end`.
    """

    shares: np.ndarray
    starts: np.ndarray
    runs: np.ndarray
    piece_starts: np.ndarray
    pieces: np.ndarray
    once: bool
    end: int


@lru_cache(maxsize=1024)
def _plan(matching: RateMatching, rv: int) -> _Plan:
    shares, width = matching.shares, matching.bits_per_symbol
    runs: list[tuple[int, int]] = []
    pieces: list[list[int]] = []
    starts, piece_starts, once = [0], [0], True
    for share in shares.tolist():
        ours = matching.runs(rv, share)
        ordered = sorted(ours)
        once &= all(end <= begin for (_, end), (begin, _) in pairwise(ordered))
        runs += ours
        starts.append(len(runs))
        pieces += _pieces(ours, share // width, width)
        piece_starts.append(len(pieces))
    return _Plan(
        shares,
        np.array(starts),
        np.array(runs),
        np.array(piece_starts),
        np.array(pieces),
        once,
        max(end for _, end in runs),
    )


def _pieces(runs: list[tuple[int, int]], columns: int, width: int) -> list[list[int]]:
    """The interleaver, written in `width` rows and read by columns: where the rows of each run of columns begin."""
    firsts = [0, *accumulate(end - begin for begin, end in runs)]
    cuts = [*sorted({first % columns for first in firsts}), columns]
    found = []
    for begin, end in pairwise(cuts):
        rows = [bisect_right(firsts, row * columns + begin) - 1 for row in range(width)]
        places = [runs[run][0] + row * columns + begin - firsts[run] for row, run in enumerate(rows)]
        found.append([begin, end, *places])
    return found


@lru_cache(maxsize=1024)
def _gaps(matching: RateMatching, rv: int, n: int) -> np.ndarray:
    """What is not sent of codewords of `n` bits, as `unweave` takes it."""
    plan, k_prime, k = _plan(matching, rv), matching.cut.k_prime, matching.cut.k
    found = []
    for r in range(plan.shares.size):
        sent = plan.runs[plan.starts[r] : plan.starts[r + 1]].tolist()
        known = sorted([*sent, [k_prime, k], [n, n]])
        found += [[r, end, begin] for (_, end), (begin, _) in pairwise([[0, 0], *known]) if end < begin]
        found += [[~r, k_prime, k]] if k_prime < k else []
    return np.array(found, np.int64).reshape(-1, 3)


@kernel
def _add_in_order(
    sent: np.ndarray, buffer: np.ndarray, shares: np.ndarray, starts: np.ndarray, runs: np.ndarray
) -> None:
    """Where bits are sent twice: sums in the order of sending."""
    for f in range(buffer.shape[0]):
        word, source, r, at = buffer[f], sent[f], f % shares.size, 0
        for i in range(starts[r], starts[r + 1]):
            target = word[runs[i, 0] : runs[i, 1]]
            row = source[at : at + target.size]
            for j in range(target.size):
                target[j] += row[j]
            at += target.size


def match(words: np.ndarray, matching: RateMatching, rv: int) -> np.ndarray:
    """Codewords, uint8 [blocks * C, n], to the bits sent, uint8 [blocks * e].

    The codewords are those of `nr_encode`, of a code of `matching.rows(rv)` rows or more: bits are selected from the
    circular buffer, interleaved and concatenated.

    Raises:
        ValueError: the words are too short, do not make whole transport blocks, or are no bits; rv is not 0 to 3.

    Ref: 3GPP TS 38.212, clauses 5.4.2.1 (selection), 5.4.2.2 (interleaving), 5.5 (concatenation).
    """
    plan = _plan(matching, rv)
    if words.ndim != 2 or words.shape[1] < plan.end or words.shape[0] % plan.shares.size:
        raise ValueError(
            f"redundancy version {rv} takes codewords [blocks * {plan.shares.size}, {plan.end} or more], "
            f"got {list(words.shape)}."
        )
    return match_words(bits_of(words.reshape(-1)).reshape(words.shape), matching, rv)


def match_words(words: np.ndarray, matching: RateMatching, rv: int) -> np.ndarray:
    """`match` of codewords that `nr_encode` has just made: unchecked."""
    plan = _plan(matching, rv)
    out = np.empty(words.shape[0] // plan.shares.size * matching.e, np.uint8)
    weave(words, plan.shares, plan.piece_starts, plan.pieces, out)
    return out


def recover(llrs: np.ndarray, matching: RateMatching, rv: int, buffer: np.ndarray) -> None:
    """Add the LLRs of one transmission, float32 [blocks * e], to where their bits belong: float32 [blocks * C, n].

    What is sent twice adds up, within one transmission and over several (soft combining). NaN counts as an erasure;
    infinities of both signs for one bit leave NaN, which the decoders take for one.

    Raises:
        ValueError: the LLRs are not those of the transport blocks that the buffer holds, or of another dtype; the
            buffer is no array to write to; rv is not 0 to 3.

    Ref: 3GPP TS 38.212, clause 5.4.2, backwards.
    """
    llrs, plan = burst_of(llrs, Llrs), _plan(matching, rv)
    if buffer.dtype != np.float32 or buffer.ndim != 2 or not buffer.flags.carray:
        raise ValueError(
            f"the buffer is a writable float32 array in one piece, [blocks * {plan.shares.size}, n]; got "
            f"{buffer.dtype} {list(buffer.shape)}."
        )
    if llrs.size * plan.shares.size != buffer.shape[0] * matching.e or buffer.shape[0] % plan.shares.size:
        raise ValueError(
            f"a burst must hold transmissions of e={matching.e} LLRs for {buffer.shape[0] // plan.shares.size} blocks."
        )
    if buffer.shape[1] < plan.end:
        raise ValueError(f"redundancy version {rv} needs a buffer of {plan.end} LLRs per code block.")
    bursts = np.arange(buffer.shape[0] // plan.shares.size)
    add_transmission(llrs, 0, matching.e, bursts, matching, rv, buffer)


def first_transmission(
    llrs: np.ndarray, first: int, stride: int, bursts: np.ndarray, matching: RateMatching, rv: int, words: np.ndarray
) -> None:
    """As `add_transmission`, to words in which nothing has been received: whatever they hold is written over."""
    plan = _plan(matching, rv)
    if plan.once:
        gaps = _gaps(matching, rv, words.shape[1])
        unweave(llrs, first, stride, bursts, plan.shares, plan.piece_starts, plan.pieces, gaps, words, False)
    else:
        clear(words, matching)
        add_transmission(llrs, first, stride, bursts, matching, rv, words)


def add_transmission(
    llrs: np.ndarray, first: int, stride: int, bursts: np.ndarray, matching: RateMatching, rv: int, words: np.ndarray
) -> None:
    """`recover` of some transport blocks of a burst, unchecked: those of block b begin at first + bursts[b] * stride.

    `words` float32 [bursts * C, n] hold these blocks alone.
    """
    plan = _plan(matching, rv)
    if plan.once:
        unweave(llrs, first, stride, bursts, plan.shares, plan.piece_starts, plan.pieces, NO_GAPS, words, True)
        return
    # In the order of the circular buffer first: what arrives of a bit is added in the order of sending.
    widest, width = int(plan.shares.max()), matching.bits_per_symbol
    symbols = plan.shares // width
    pieces = np.column_stack((np.zeros_like(symbols), symbols, symbols[:, None] * np.arange(width)))
    sent = np.zeros((bursts.size * plan.shares.size, widest), np.float32)
    each = np.arange(plan.shares.size + 1)
    unweave(llrs, first, stride, bursts, plan.shares, each, pieces, NO_GAPS, sent, False)
    _add_in_order(sent, words, plan.shares, plan.starts, plan.runs)


def clear(words: np.ndarray, matching: RateMatching) -> None:
    """Codewords of which nothing has been received: 0, and infinity at the filler bits."""
    words[:] = 0
    words[:, matching.cut.k_prime : matching.cut.k] = np.inf
