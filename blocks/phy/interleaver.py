"""Interleaving of a burst, so that a fade is shared by all codewords."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np

from lgvsc_flow import Block, In, Out, setting
from lgvsc_flow.blocks.given import burst_of
from lgvsc_flow.blocks.phy.turned import TILE, turn, turn_back
from lgvsc_flow.blocks.phy.weave import unweave_words, weave
from lgvsc_flow.errors import SettingError
from lgvsc_flow.items import Bits, Llrs
from lgvsc_flow.kernels import kernel

__all__ = [
    "Deinterleaver",
    "Interleaver",
    "NrDeinterleaver",
    "NrInterleaver",
    "RandomDeinterleaver",
    "RandomInterleaver",
    "nr_permutation",
    "permutation",
    "random_permutation",
]


@lru_cache(maxsize=64)
def permutation(n: int, columns: int) -> np.ndarray:
    """Where each place of the interleaved burst is filled from: int64 [n].

    The burst is written in rows of `columns` and read column by column, column j beginning in row j (modulo the
    number of rows). Without that turn, a codeword could meet the same bit of every QAM label, the weakest maybe.

    Raises:
        ValueError: the burst is not whole rows.
    """
    if n < 0 or columns < 1 or n % columns:
        raise ValueError(f"a burst must hold whole rows of columns={columns}, got n={n}.")
    rows = n // columns
    column, place = np.divmod(np.arange(n), max(rows, 1))
    return (place - column) % max(rows, 1) * columns + column


def _mixed(words: np.ndarray) -> np.ndarray:
    """The finaliser of SplitMix64: every bit of a uint64 moves about half of the others.

    Ref: G. Steele, D. Lea and C. Flood, OOPSLA 2014, figure 18.
    """
    words = (words ^ words >> np.uint64(30)) * np.uint64(0xBF58476D1CE4E5B9)
    words = (words ^ words >> np.uint64(27)) * np.uint64(0x94D049BB133111EB)
    return words ^ words >> np.uint64(31)


@lru_cache(maxsize=64)
def random_permutation(n: int, seed: int) -> np.ndarray:
    """Where each place is filled from, int64 [n]: the order of SplitMix64's numbers, the same wherever it is made.

    Raises:
        ValueError: a negative length, or a seed that is not 0 to 2^64 - 1.
    """
    if n < 0 or not 0 <= seed < 2**64:
        raise ValueError(f"n is 0 or more and seed 0 to 2**64 - 1, got n={n} and seed={seed}.")
    start = _mixed(np.array([seed], np.uint64))
    numbers = _mixed(start + np.arange(1, n + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15))
    return np.argsort(numbers, kind="stable")


@lru_cache(maxsize=64)
def nr_permutation(n: int, bits_per_symbol: int) -> np.ndarray:
    """Where each bit of an interleaved codeword of `n` comes from: int64 [n]; see `NrInterleaver`.

    Raises:
        ValueError: the codeword is not whole symbols.
    """
    if n < 0 or bits_per_symbol < 1 or n % bits_per_symbol:
        raise ValueError(f"a codeword must hold whole symbols of bits_per_symbol={bits_per_symbol}, got n={n}.")
    return np.arange(n).reshape(bits_per_symbol, -1).T.ravel()


@lru_cache(maxsize=64)
def _order(order: Callable[[int, int], np.ndarray], n: int, parameter: int, inverse: bool) -> np.ndarray:
    """Where each place of the interleaved burst, or of the burst in order, is filled from: as few bytes as will do."""
    ahead = order(n, parameter)
    kind = np.uint32 if n <= 2**32 else np.uint64
    if not inverse:
        return ahead.astype(kind)
    found = np.empty(n, kind)
    found[ahead] = np.arange(n, dtype=kind)
    return found


@kernel
def _picked(burst: np.ndarray, order: np.ndarray) -> np.ndarray:
    out = np.empty(order.size, burst.dtype)
    for i in range(order.size):
        out[i] = burst[order[i]]
    return out


class Interleaver(Block):
    """Spread each row of `columns` bits, as a rule a codeword, evenly over the whole burst.

    Without it a fade takes few codewords whole; with it each loses a little, and the code repairs it. It goes behind
    the encoder and before `BitRepeat`, so that the copies of a bit stay far apart.
    """

    bits = In(Bits, "rows * columns")
    interleaved = Out(Bits, "rows * columns", interleaving="rows of {columns}")

    columns: int = setting(648, ge=1, unit="bits", doc="length of a codeword")

    def work(self, bits: np.ndarray) -> np.ndarray:
        bits = burst_of(bits, Bits)
        if self.columns < TILE or not bits.size or bits.size % self.columns:
            return _picked(bits, _order(permutation, bits.size, self.columns, False))
        return turn(bits, self.columns)


class Deinterleaver(Block):
    """Put the LLRs of an interleaved burst back in order."""

    llrs = In(Llrs, "rows * columns", interleaving="rows of {columns}")
    ordered = Out(Llrs, "rows * columns")

    columns: int = setting(648, ge=1, unit="bits", doc="length of a codeword")

    def work(self, llrs: np.ndarray) -> np.ndarray:
        llrs = burst_of(llrs, Llrs)
        if self.columns < TILE or not llrs.size or llrs.size % self.columns:
            return _picked(llrs, _order(permutation, llrs.size, self.columns, True))
        return turn_back(llrs, self.columns)


class RandomInterleaver(Block):
    """Put the bits of each burst in an order drawn from `seed`: bits that were neighbours fade independently.

    The order depends on the seed and the burst's length alone, not on the graph's seed, so that both ends agree.
    """

    bits = In(Bits, "n")
    interleaved = Out(Bits, "n", interleaving="random, seed {seed}")

    seed: int = setting(0, ge=0, lt=2**64, doc="the same at both ends")

    def work(self, bits: np.ndarray) -> np.ndarray:
        bits = burst_of(bits, Bits)
        return _picked(bits, _order(random_permutation, bits.size, self.seed, False))


class RandomDeinterleaver(Block):
    """Put the LLRs of a randomly interleaved burst back in order."""

    llrs = In(Llrs, "n", interleaving="random, seed {seed}")
    ordered = Out(Llrs, "n")

    seed: int = setting(0, ge=0, lt=2**64, doc="the same at both ends")

    def work(self, llrs: np.ndarray) -> np.ndarray:
        llrs = burst_of(llrs, Llrs)
        return _picked(llrs, _order(random_permutation, llrs.size, self.seed, True))


class NrInterleaver(Block):
    """Write each codeword of `n` bits in `bits_per_symbol` rows and read it by columns, one symbol each.

    The bits that come first, the systematic ones, stand in the strongest places of the labels.

    Ref: 3GPP TS 38.212, clause 5.4.2.2 (with n = E and bits_per_symbol = Q_m).
    """

    bits = In(Bits, "words * n")
    interleaved = Out(Bits, "words * n", interleaving="NR n={n} bits_per_symbol={bits_per_symbol}")

    n: int = setting(1024, ge=1, unit="bits", doc="length of a codeword as sent")
    bits_per_symbol: int = setting(2, ge=1, le=12, doc="bits of a modulation symbol")

    def validate(self) -> None:
        _check(self)

    def work(self, bits: np.ndarray) -> np.ndarray:
        words = _words(burst_of(bits, Bits), self.n)
        out = np.empty(bits.size, np.uint8)
        weave(words, *_plan(self.n, self.bits_per_symbol), out)
        return out


class NrDeinterleaver(Block):
    """Put the LLRs of codewords behind `NrInterleaver` back in order."""

    llrs = In(Llrs, "words * n", interleaving="NR n={n} bits_per_symbol={bits_per_symbol}")
    ordered = Out(Llrs, "words * n")

    n: int = setting(1024, ge=1, unit="bits", doc="length of a codeword as sent")
    bits_per_symbol: int = setting(2, ge=1, le=12, doc="bits of a modulation symbol")

    def validate(self) -> None:
        _check(self)

    def work(self, llrs: np.ndarray) -> np.ndarray:
        llrs = burst_of(llrs, Llrs)
        ordered = np.empty_like(_words(llrs, self.n))
        unweave_words(llrs, *_plan(self.n, self.bits_per_symbol), ordered)
        return ordered.reshape(-1)


def _check(block: NrInterleaver | NrDeinterleaver) -> None:
    if block.n % block.bits_per_symbol:
        raise SettingError(
            f"{block.label}: a codeword of n={block.n} bits is not whole symbols of "
            f"bits_per_symbol={block.bits_per_symbol}"
        )


def _words(burst: np.ndarray, n: int) -> np.ndarray:
    if burst.size % n:
        raise ValueError(f"a burst must hold whole codewords of n={n}.")
    return burst.reshape(-1, n)


@lru_cache(maxsize=64)
def _plan(n: int, bits_per_symbol: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The codeword in one piece, as `weave` takes it."""
    columns = n // bits_per_symbol
    places = [row * columns for row in range(bits_per_symbol)]
    return np.array([n]), np.array([0, 1]), np.array([[0, columns, *places]])
