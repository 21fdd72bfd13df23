"""Layered normalised min-sum decoding in int8: what links run. `decode` has the same in float32."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np

from lgvsc_flow.blocks.phy.ldpc.code import LdpcCode
from lgvsc_flow.blocks.phy.ldpc.decode import Decoded
from lgvsc_flow.blocks.phy.ldpc.kernel import across, along
from lgvsc_flow.blocks.phy.ldpc.simd import lanes

__all__ = ["MAX_DEGREE", "decode_int8"]

MAX_DEGREE = 32  # code is generated for each degree of a check
ALONG_COST = 5.5  # of a vector along a circulant, in vectors across codewords (measured)
# What of this is left for batches whose totals and messages are larger, in bytes, than the cache: for one of 1 MiB
# per core. The last is lower than measured, since a batch goes on until its slowest codeword is done.
SPILLS = ((2_000_000, 0.16), (700_000, 0.36))
_memory = threading.local()


def _aligned(name: str, size: int) -> np.ndarray:
    """Working memory of this thread, int8 on a cache line."""
    kept: dict[str, np.ndarray] = _memory.__dict__
    if name not in kept or kept[name].size < size:
        raw = np.empty(size + 64, np.int8)
        at = -raw.ctypes.data % 64
        kept[name] = raw[at : at + size]
    return kept[name][:size]


@dataclass(frozen=True, eq=False)
class Plan:
    """The tables of one code for one vector width; see `checks` for the layouts."""

    code: LdpcCode
    width: int
    degrees: np.ndarray = field(init=False)
    mask: int = field(init=False)

    def __post_init__(self) -> None:
        degrees = np.diff(self.code.starts).astype(np.int32)
        object.__setattr__(self, "degrees", degrees)
        object.__setattr__(self, "mask", sum(1 << int(degree) for degree in set(degrees.tolist())))

    @property
    def mean(self) -> float:
        """What the LLRs of a codeword are scaled to: near 4 steps per unit of LLR where the code begins to work."""
        return max(14.0, 11 + 48 * (self.code.k / self.code.n - 0.5))

    @property
    def edges(self) -> int:
        return self.code.columns.size

    def batched(self, frames: int) -> bool:
        """Whether the frames (at most `width`) are decoded across the lanes sooner than one after the other."""
        z, width = self.code.z, self.width
        size = (self.code.n + self.edges * z) * width
        spilled = next((factor for limit, factor in SPILLS if size > limit), 1.0)
        return z < ALONG_COST * spilled * frames * -(-z // width)


@lru_cache(maxsize=128)
def _plan(code: LdpcCode, width: int) -> Plan:
    return Plan(code, width)


@lru_cache(maxsize=64)
def _table_across(plan: Plan) -> np.ndarray:
    code, z = plan.code, plan.code.z
    rows = np.arange(z)[:, None]
    parts = []
    for i in range(plan.degrees.size):
        edges = slice(code.starts[i], code.starts[i + 1])
        parts.append((code.columns[edges] * z + (rows + code.shifts[edges]) % z).ravel())
    return (np.concatenate(parts) * plan.width).astype(np.int32)


@lru_cache(maxsize=128)
def _tables_along(plan: Plan) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Tables [3, edges, 3] of the passes, tables alike of the states before them, and [3, columns, 2] of where is what.

    A column lies in one of two buffers, rotated by the shift of the check that wrote it. From the first pass on all
    repeats after two passes: there are three states, before the first, the second and the third pass.
    """
    code, z, width = plan.code, plan.code.z, plan.width
    stride = -(-z // width) * width + width
    columns = code.n // z
    passes, states = (np.empty((3, plan.edges, 3), np.int32) for _ in range(2))
    homes = np.empty((3, columns, 2), np.int32)
    place, turn = np.zeros(columns, int), np.zeros(columns, int)

    def entry(e: int) -> tuple[int, int, int]:
        c = code.columns[e]
        source = (2 * c + place[c]) * stride
        return source, (code.shifts[e] - turn[c]) % z, (2 * c + 1 - place[c]) * stride

    for step in range(3):
        homes[step, :, 0], homes[step, :, 1] = (2 * np.arange(columns) + place) * stride, turn
        states[step] = [entry(e) for e in range(plan.edges)]
        for e in range(plan.edges):
            passes[step, e] = entry(e)
            c = code.columns[e]
            place[c], turn[c] = 1 - place[c], code.shifts[e]
    return passes, states, homes


def decode_int8(
    llrs: np.ndarray,
    code: LdpcCode,
    *,
    max_iterations: int = 40,
    early_stop: bool = True,
    wanted: int | None = None,
    soft: np.ndarray | None = None,
) -> Decoded:
    """Decode float32 LLRs [frames * n] by layered normalised min-sum in int8, each frame until its checks hold.

    Each codeword is scaled by itself so that its LLRs have a geometric mean of 14 to 30 steps, by code rate, rounded
    and clipped to +-63; totals saturate at +-127 and check messages at +-40, so that saturated totals are held up by
    their messages and a right word stays right, whatever comes after. The factor is 13/16, to the nearest. NaN counts
    as an erasure (0), infinity as +-63; neither has a say in the scale. The result does not depend on the CPU, its
    vector width, or the other codewords of the burst.

    Args:
        llrs: ln P(b=0)/P(b=1), of any scale.
        code: the code; checks of at most 32 bits.
        max_iterations: passes over all layers at most; 0 decides the LLRs as they are.
        early_stop: stop a frame when its checks hold, so that it cannot be spoilt; else always all iterations.
        wanted: leading bits per frame in `words`, all n by default; at least 16.
        soft: float32 [frames * wanted] that takes the a-posteriori LLRs, in the scale of `llrs`.

    Raises:
        ValueError: the LLRs are not float32 or not whole codewords, or the code is not for this decoder.

    Ref: D. Hocevar, SiPS 2004 (layers); J. Chen and M. Fossorier, IEEE Trans. Commun. 50 (2002) 406 (factor).
    """
    width = lanes()
    wanted = code.n if wanted is None else wanted
    _demand(llrs, code, max_iterations, wanted)
    plan = _plan(code, width)
    frames = llrs.size // code.n
    if soft is not None and (
        soft.dtype != np.float32 or soft.shape != (frames * wanted,) or not soft.flags.c_contiguous
    ):
        raise ValueError(f"soft is a contiguous float32 array [{frames * wanted}], frames * wanted.")
    llrs = np.ascontiguousarray(llrs)
    words = np.empty((frames + 1) * wanted, np.uint8)
    iterations, parity_ok = np.empty(frames, np.int32), np.empty(frames, np.bool_)
    some = frames - frames % width if plan.batched(width) and soft is None else 0
    if soft is None and frames > some and plan.batched(frames - some):
        some = frames
    if some:
        _across(plan, llrs[: some * code.n], max_iterations, early_stop, words, wanted, iterations, parity_ok)
    if some < frames:
        _along(
            plan,
            llrs[some * code.n :],
            max_iterations,
            early_stop,
            words[some * wanted :],
            np.empty(0, np.float32) if soft is None else soft,
            wanted,
            iterations[some:],
            parity_ok[some:],
        )
    return Decoded(words[: frames * wanted].reshape(frames, wanted), iterations, parity_ok)


def _demand(llrs: np.ndarray, code: LdpcCode, max_iterations: int, wanted: int) -> None:
    if llrs.dtype != np.float32 or llrs.ndim != 1:
        raise ValueError(f"LLRs are a one-dimensional float32 array; got {llrs.dtype} of shape {llrs.shape}.")
    if llrs.size % code.n:
        raise ValueError(f"a burst must hold whole codewords of n={code.n}.")
    degrees = np.diff(code.starts)
    if degrees.max(initial=0) > MAX_DEGREE or degrees.min(initial=1) < 1:
        raise ValueError(f"checks of 1 to {MAX_DEGREE} bits, {code.name} has up to {degrees.max()}; use float32.")
    if not 16 <= wanted <= code.n:
        raise ValueError(f"wanted is 16 to n={code.n} bits of a codeword; got {wanted}.")
    if max_iterations < 0:
        raise ValueError(f"max_iterations is 0 or more; got {max_iterations}.")


def _across(
    plan: Plan,
    llrs: np.ndarray,
    max_iterations: int,
    early_stop: bool,
    words: np.ndarray,
    wanted: int,
    iterations: np.ndarray,
    parity_ok: np.ndarray,
) -> None:
    code, width = plan.code, plan.width
    across(width, plan.mask)(
        llrs,
        llrs.size // code.n,
        code.z,
        code.starts,
        code.columns,
        code.shifts,
        _table_across(plan),
        plan.degrees,
        _aligned("total", code.n * width),
        _aligned("messages", plan.edges * code.z * width),
        _aligned("raw", code.n * width),
        plan.mean,
        max_iterations,
        early_stop,
        words,
        wanted,
        iterations,
        parity_ok,
    )


def _along(
    plan: Plan,
    llrs: np.ndarray,
    max_iterations: int,
    early_stop: bool,
    words: np.ndarray,
    soft: np.ndarray,
    wanted: int,
    iterations: np.ndarray,
    parity_ok: np.ndarray,
) -> None:
    code, width = plan.code, plan.width
    vectors = -(-code.z // width)
    along(width, plan.mask)(
        llrs,
        llrs.size // code.n,
        code.z,
        code.starts,
        *_tables_along(plan),
        plan.degrees,
        _aligned("total", 2 * code.n // code.z * (vectors + 1) * width),
        _aligned("messages", plan.edges * vectors * width),
        _aligned("raw", code.n),
        plan.mean,
        max_iterations,
        early_stop,
        words,
        soft,
        wanted,
        iterations,
        parity_ok,
    )
