"""The int8 decoder's loops: load, iterate, stop, hand out the bits; in both layouts of `checks`."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from numba import njit

from lgvsc_flow.blocks.phy.ldpc.checks import (
    STAMP,
    layers_across,
    layers_along,
    magnitudes,
    parity_along,
    quantise,
    signs_across,
    turn_across,
    words_across,
)

__all__ = ["across", "along", "scale_of"]


@njit(nogil=True)  # compiled into the kernels: a cache of its own would not see changes of `magnitudes`
def scale_of(llrs: np.ndarray, first: int, n: int, mean: float) -> np.float32:
    """The factor that brings the geometric mean of the LLRs [first, first + n) to `mean`; 0, infinity, NaN not counted.

    By the mean of the bit patterns, near enough, since they grow as the logarithm does: steady where some LLRs are
    huge, and in integers, so the same on every machine. Powers of two in the LLRs come back exactly.
    """
    found = magnitudes(llrs, first, n)
    count = found >> 40
    if count == 0:
        return np.float32(1)
    pattern = max((found & ((1 << 40) - 1)) // count, 0x800)  # subnormal numbers count as the smallest normal one
    typical = np.array([pattern << 12], np.int64).astype(np.uint32).view(np.float32)[0]
    return np.float32(min(mean / np.float64(typical), 1e37))


@njit(nogil=True, cache=True)
def _broken(
    signs: np.ndarray,
    z: int,
    starts: np.ndarray,
    columns: np.ndarray,
    shifts: np.ndarray,
    odd: np.ndarray,
    waiting: np.uint64,
) -> np.uint64:
    """The lanes (bits of signs [n]) that break a check; of those that do not wait, nothing is told."""
    failed = np.uint64(0)
    for i in range(starts.size - 1):
        odd[:] = 0
        for e in range(starts[i], starts[i + 1]):
            at, left = columns[e] * z, z - shifts[e]
            for r in range(left):
                odd[r] ^= signs[at + shifts[e] + r]
            for r in range(shifts[e]):
                odd[left + r] ^= signs[at + r]
        for r in range(z):
            failed |= odd[r]
        if failed & waiting == waiting:
            break
    return failed


@njit(nogil=True, cache=True)
def _copy(source: np.ndarray, target: np.ndarray) -> None:
    for i in range(source.size):
        target[i] = source[i]


@njit(nogil=True, cache=True)
def _decide(totals: np.ndarray, bits: np.ndarray) -> None:
    for i in range(totals.size):
        bits[i] = totals[i] <= 0


@cache
def across(width: int, mask: int) -> Callable[..., Any]:
    """The kernel for batches of `width` codewords, of a code whose check degrees are the bits of `mask`."""
    stamp = STAMP

    @njit(nogil=True, cache=True)
    def decode_across(
        llrs: np.ndarray,
        frames: int,
        z: int,
        starts: np.ndarray,
        columns: np.ndarray,
        shifts: np.ndarray,
        table: np.ndarray,
        degrees: np.ndarray,
        total: np.ndarray,
        messages: np.ndarray,
        raw: np.ndarray,
        mean: float,
        max_iterations: int,
        early_stop: bool,
        words: np.ndarray,
        wanted: int,
        iterations: np.ndarray,
        parity_ok: np.ndarray,
    ) -> None:
        n = total.size // width
        outs = np.empty(width, np.int64)
        signs, held = np.empty(n, np.uint64), np.zeros(n, np.uint64)
        odd = np.empty(z, np.uint64)
        for frame in range(0, frames, width):
            lanes = min(width, frames - frame)
            for lane in range(lanes):
                at = (frame + lane) * n
                quantise(llrs, at, scale_of(llrs, at, n, mean), raw, lane * n, n)
            # Lanes without a codeword decode what memory holds, into a row of `words` that nobody reads.
            for lane in range(width):
                outs[lane] = (frame + lane if lane < lanes else frames) * wanted
            turn_across(raw, total, n, width, stamp)
            messages[:] = 0
            waiting = np.uint64(0xFFFFFFFFFFFFFFFF) >> np.uint64(64 - lanes)
            for done in range(max_iterations + 1):
                if done:
                    layers_across(total, messages, table, degrees, z, mask, width, stamp)
                if not early_stop and done < max_iterations:
                    continue
                signs_across(total, signs, n, width, stamp)
                failed = _broken(signs, z, starts, columns, shifts, odd, waiting)
                leaving = waiting if done == max_iterations else waiting & ~failed
                if leaving:
                    # A word is kept as it was when its checks first held: more iterations cannot spoil it.
                    for i in range(wanted):
                        held[i] ^= (held[i] ^ signs[i]) & leaving
                    for lane in range(lanes):
                        if leaving >> np.uint64(lane) & np.uint64(1):
                            iterations[frame + lane] = done
                            parity_ok[frame + lane] = not failed >> np.uint64(lane) & np.uint64(1)
                    waiting &= ~leaving
                    if waiting == 0:
                        break
            words_across(held, words, outs, wanted, width, stamp)

    return decode_across


@cache
def along(width: int, mask: int) -> Callable[..., Any]:
    """The kernel that takes one codeword after the other; arguments as `across`, tables by `Plan`."""
    stamp = STAMP

    @njit(nogil=True, cache=True)
    def decode_along(
        llrs: np.ndarray,
        frames: int,
        z: int,
        starts: np.ndarray,
        tables: np.ndarray,
        states: np.ndarray,
        homes: np.ndarray,
        degrees: np.ndarray,
        buffers: np.ndarray,
        messages: np.ndarray,
        raw: np.ndarray,
        mean: float,
        max_iterations: int,
        early_stop: bool,
        words: np.ndarray,
        soft: np.ndarray,
        wanted: int,
        iterations: np.ndarray,
        parity_ok: np.ndarray,
    ) -> None:
        n = homes.shape[1] * z
        for frame in range(frames):
            scale = scale_of(llrs, frame * n, n, mean)
            if z < 16:
                quantise(llrs, frame * n, scale, raw, 0, n)
            for column in range(homes.shape[1]):
                at = homes[0, column, 0]
                if z < 16:
                    _copy(raw[column * z : (column + 1) * z], buffers[at : at + z])
                else:
                    quantise(llrs, frame * n + column * z, scale, buffers, at, z)
                for i in range(0, width, z):
                    some = min(z, width - i)
                    _copy(buffers[at : at + some], buffers[at + z + i : at + z + i + some])
            messages[:] = 0
            state, ok = 0, False
            for done in range(max_iterations + 1):
                if done:
                    layers_along(buffers, messages, tables[state], degrees, z, mask, width, stamp)
                    state = 2 - done % 2
                if early_stop or done == max_iterations:
                    ok = True
                    for i in range(degrees.size):
                        if not parity_along(buffers, states[state], starts[i], degrees[i], z, width, stamp):
                            ok = False
                            break
                if ok or done == max_iterations:
                    iterations[frame], parity_ok[frame] = done, ok
                    break
            for column in range((wanted + z - 1) // z):
                # The first `turn` bits of a column are the last in its buffer.
                at, turn = homes[state, column, 0], homes[state, column, 1]
                first = frame * wanted + column * z
                size = min(z, wanted - column * z)
                head = min(turn, size)
                begin, rest = at + z - turn, max(size - turn, 0)
                _decide(buffers[begin : begin + head], words[first : first + head])
                _decide(buffers[at : at + rest], words[first + turn : first + turn + rest])
                if soft.size:
                    for i in range(head):
                        soft[first + i] = buffers[begin + i] / scale
                    for i in range(rest):
                        soft[first + turn + i] = buffers[at + i] / scale

    return decode_along
