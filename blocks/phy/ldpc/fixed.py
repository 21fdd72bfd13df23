"""Layered normalised min-sum decoding in int8: what links run. `decode` has the same in float32."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property, lru_cache

import numpy as np

from lgvsc_flow.blocks.given import burst_of
from lgvsc_flow.blocks.phy.ldpc.code import LdpcCode
from lgvsc_flow.blocks.phy.ldpc.decode import Decoded
from lgvsc_flow.blocks.phy.ldpc.kernel import int8_kernel
from lgvsc_flow.blocks.phy.ldpc.moves import FRAMES
from lgvsc_flow.blocks.phy.ldpc.simd import lanes
from lgvsc_flow.items import Llrs

__all__ = ["MAX_DEGREE", "decode_int8"]

MAX_DEGREE = 32  # code is generated for each degree of a check
CACHE_BYTES = 600_000  # working memory that stays near: for a second-level cache of 1 MiB per core
SLOWEST = 0.15  # a batch goes on until its slowest frame is done: what each doubling of the frames adds
HIGH_RATES = ((0.65, 12.0), (0.72, 16.0), (0.78, 24.0), (2.0, 40.0))  # up to which rate, and the mean of the LLRs
_memory = threading.local()


def _aligned(name: str, size: int) -> np.ndarray:
    """Working memory of this thread, int8 on a cache line."""
    kept: dict[str, np.ndarray] = _memory.__dict__
    if name not in kept or kept[name].size < size:
        raw = np.empty(size + 64, np.int8)
        at = -raw.ctypes.data % 64
        kept[name] = raw[at : at + size]
    return kept[name][:size]


def arithmetic(code: LdpcCode) -> tuple[float, int]:
    """Steps that the LLRs of a codeword are scaled to in the geometric mean, and the factor in 32nds.

    Measured (`benchmarks/ldpc_bler.py`): at low rates many messages meet in a bit, and a finer scale saturates its
    total; at high rates few do, and a coarser one rounds away what tells them apart. The factor is lower where checks
    on bits that are sent once extend a code of high rate, as in 5G, than where a code of low rate has all its bits in
    several checks.
    """
    rate = code.k / code.n
    if rate >= 0.55:
        return next(mean for limit, mean in HIGH_RATES if rate < limit), 26
    if not code.extended:
        return 8.0, 28
    if rate >= 0.45:
        return 11.0, 25
    dense = np.diff(code.starts).max() > 12  # as base graph 1 of 5G
    return (5.0, 23) if rate < 0.3 else (8.0, 23 if dense else 24)


@dataclass(frozen=True, eq=False)
class Plan:
    """The tables of one code for one vector width and number of interleaved frames; `checks` has the layout.

    From the first pass on all repeats after two passes: there are three states, before the first, the second and the
    third pass.
    """

    code: LdpcCode
    width: int
    frames: int
    mean: float = field(init=False)
    factor: int = field(init=False)

    def __post_init__(self) -> None:
        mean, factor = arithmetic(self.code)
        object.__setattr__(self, "mean", mean)
        object.__setattr__(self, "factor", factor)

    @property
    def vectors(self) -> int:
        """Of a column of all frames."""
        return -(-self.code.z * self.frames // self.width)

    @property
    def stride(self) -> int:
        return (self.vectors + 1) * self.width

    @cached_property
    def memory(self) -> int:
        """Bytes that the kernel works in: buffers, messages, a mask, a codeword of each frame, and a vector more."""
        columns, edges = self.code.n // self.code.z, self.code.columns.size
        vectors = 2 * columns * (self.vectors + 1) + edges * self.vectors + 2
        return vectors * self.width + self.code.n * self.frames

    def cost(self, count: int, early_stop: bool) -> float:
        """Of `count` frames, in passes over a vector of every edge."""
        slower = 1 + SLOWEST * (self.frames.bit_length() - 1) * early_stop
        spilled = 1.5 if self.memory > CACHE_BYTES else 1.0
        return -(-count // self.frames) * (self.vectors + 1) * slower * spilled

    @cached_property
    def degrees(self) -> np.ndarray:
        return np.diff(self.code.starts).astype(np.int32)

    @cached_property
    def kernel(self) -> Callable[..., None]:
        degrees_mask = sum(1 << int(degree) for degree in set(self.degrees.tolist()))
        return int8_kernel(self.width, degrees_mask, self.factor)

    @cached_property
    def arguments(self) -> tuple[object, ...]:
        """What the kernel is given of the code."""
        return self.code.z, self.code.starts, self.degrees, *self.tables, self.begin

    @cached_property
    def begin(self) -> np.ndarray:
        """The first messages, int8 [edges, width]: none."""
        return np.zeros(self.code.columns.size * self.width, np.int8)

    @cached_property
    def tables(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """In each state: the byte that each vector of an edge is read from in the pass [3, edges * vectors], the buffer
        that an edge is written to [3, edges], the byte that each vector of an edge is at before the pass, and that of
        each vector of a column in its natural order [3, columns * vectors].
        """
        code, span, steps = self.code, self.code.z * self.frames, np.arange(self.vectors) * self.width
        columns = code.n // code.z
        place, turn = np.zeros(columns, int), np.zeros(columns, int)
        sources, rests = (np.empty((3, code.columns.size * self.vectors), np.int32) for _ in range(2))
        targets, homes = np.empty((3, code.columns.size), np.int32), np.empty((3, columns * self.vectors), np.int32)

        def reads(first: int, end: int) -> np.ndarray:
            """Of the edges of one base row, by vector."""
            c, turns = code.columns[first:end], code.shifts[first:end]
            rotated = (steps[:, None] + (turns - turn[c]) * self.frames) % span
            return np.asarray((2 * c + place[c]) * self.stride + rotated).ravel()

        for state in range(3):
            # A read that begins in a rotated column wraps at its end.
            rotated = (steps - (turn * self.frames)[:, None]) % span
            homes[state] = ((2 * np.arange(columns) + place)[:, None] * self.stride + rotated).ravel()
            rows = list(zip(code.starts.tolist(), code.starts[1:].tolist(), strict=False))
            rests[state] = np.concatenate([reads(first, end) for first, end in rows])
            for first, end in rows:
                sources[state, first * self.vectors : end * self.vectors] = reads(first, end)
                c = code.columns[first:end]
                targets[state, first:end] = (2 * c + 1 - place[c]) * self.stride
                place[c], turn[c] = 1 - place[c], code.shifts[first:end]
        return sources, targets, rests, homes


@lru_cache(maxsize=256)
def _plan(code: LdpcCode, width: int, frames: int) -> Plan:
    return Plan(code, width, frames)


@lru_cache(maxsize=1024)
def _shares(code: LdpcCode, width: int, count: int, early_stop: bool) -> tuple[tuple[Plan, int], ...]:
    """How `count` frames are decoded: plans, and up to which frame each is used."""
    plans = [_plan(code, width, frames) for frames in FRAMES]
    best = min(plans, key=lambda plan: plan.cost(count, early_stop))
    whole = count - count % best.frames
    if whole == count:
        return ((best, count),)
    last = min(plans, key=lambda plan: plan.cost(count - whole, early_stop))
    return ((best, whole), (last, count)) if whole else ((last, count),)


def decode_int8(
    llrs: np.ndarray,
    code: LdpcCode,
    *,
    max_iterations: int = 40,
    early_stop: bool = True,
    wanted: int | None = None,
    soft: np.ndarray | None = None,
    spread: float = 1.0,
) -> Decoded:
    """Decode float32 LLRs [frames * n] by layered normalised min-sum in int8, each frame until its checks hold.

    Each codeword is scaled by itself so that its LLRs have a geometric mean of 5 to 40 steps, by code, rounded and
    clipped to +-63; totals saturate at +-127. Messages are the least of the other inputs, counted as 49 at most, times
    23/32 to 28/32, by code, and rounded down, but 1 stays 1. NaN counts as an erasure (0), infinity as +-63; neither
    has a say in the scale. A bit that stays undecided (0) is read as 1, and a frame of which nothing arrived is not
    decoded. The result does not depend on the CPU, its vector width, or the other codewords of the burst.

    Args:
        llrs: ln P(b=0)/P(b=1), of any scale.
        code: the code; checks of at most 32 bits.
        max_iterations: passes over all layers at most; 0 decides the LLRs as they are.
        early_stop: stop a frame when its checks hold, so that it cannot be spoilt; else always all iterations.
        wanted: leading bits per frame in `words`, all n by default; at least 16.
        soft: float32 [frames * wanted] that takes the a-posteriori LLRs, in the scale of `llrs`.
        spread: times this many steps, for LLRs that differ more than those of QPSK to 64-QAM.

    Raises:
        ValueError: the LLRs are not float32 or not whole codewords, or the code is not for this decoder.

    Ref: D. Hocevar, SiPS 2004 (layers); J. Chen and M. Fossorier, IEEE Trans. Commun. 50 (2002) 406 (factor).
    """
    width = lanes()
    llrs = burst_of(llrs, Llrs)
    wanted = code.n if wanted is None else wanted
    _demand(llrs, code, max_iterations, wanted, spread)
    frames = llrs.size // code.n
    if soft is None:
        soft = np.empty(0, np.float32)
    elif soft.dtype != np.float32 or soft.shape != (frames * wanted,) or not soft.flags.carray:
        raise ValueError(f"soft is a contiguous, writable float32 array [{frames * wanted}], frames * wanted.")
    words = np.empty((frames + 1) * wanted, np.uint8)
    iterations, parity_ok = np.empty(frames, np.int32), np.empty(frames, np.bool_)
    first = 0
    for plan, end in _shares(code, width, frames, early_stop) if frames else ():
        plan.kernel(
            llrs,
            first,
            end,
            plan.frames,
            *plan.arguments,
            _aligned("int8", plan.memory),
            plan.mean * spread,
            max_iterations,
            early_stop,
            words,
            wanted,
            soft,
            iterations,
            parity_ok,
        )
        first = end
    return Decoded(words[: frames * wanted].reshape(frames, wanted), iterations, parity_ok)


@lru_cache(maxsize=1024)
def _degrees(code: LdpcCode) -> tuple[int, int]:
    degrees = np.diff(code.starts)
    return int(degrees.min(initial=1)), int(degrees.max(initial=0))


def _demand(llrs: np.ndarray, code: LdpcCode, max_iterations: int, wanted: int, spread: float) -> None:
    if llrs.size % code.n:
        raise ValueError(f"a burst must hold whole codewords of n={code.n}.")
    lowest, highest = _degrees(code)
    if highest > MAX_DEGREE or lowest < 1:
        raise ValueError(f"checks of 1 to {MAX_DEGREE} bits, {code.name} has up to {highest}; use float32.")
    if not 16 <= wanted <= code.n:
        raise ValueError(f"wanted is 16 to n={code.n} bits of a codeword; got {wanted}.")
    if max_iterations < 0:
        raise ValueError(f"max_iterations is 0 or more; got {max_iterations}.")
    if not 0.01 <= spread <= 100:
        raise ValueError(f"spread is 0.01 to 100; got {spread}.")
