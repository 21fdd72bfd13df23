"""The int8 decoder's loops: load, iterate, stop, hand out the bits; in both layouts of `checks`."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
from numba import njit

from lgvsc_flow.blocks.phy.ldpc.checks import (
    layers_across,
    layers_along,
    load_across,
    parity_along,
    quantise,
    signs_across,
    words_across,
)

__all__ = ["across", "along", "scale_of"]

MEAN = 20.0  # what the geometric mean of a codeword's LLRs becomes, in steps of the int8 decoder
# Numba's cache on disk sees changes of this file only; what the intrinsics generate is told apart by their source.
STAMP = crc32(b"".join((Path(__file__).parent / name).read_bytes() for name in ("checks.py", "simd.py")))


@njit(nogil=True, cache=True)
def scale_of(patterns: np.ndarray, first: int, n: int) -> np.float32:
    """The factor that brings the LLRs [first, first + n) to the decoder's range, from their bit patterns.

    The mean of the patterns of positive floats is near the geometric mean of the floats: sure of itself where some
    LLRs are huge, and in integers, so the same on every machine. Zeros, infinities and NaN do not count. Powers of two
    in the LLRs come back exactly.
    """
    total, count = 0, 0
    for block in range(first, first + n, 4096):
        part, some = np.uint32(0), np.uint32(0)
        for i in range(block, min(block + 4096, first + n)):
            pattern = patterns[i] & np.uint32(0x7FFFFFFF)
            counts = np.uint32(0 < pattern < np.uint32(0x7F800000))
            part += (pattern >> np.uint32(12)) * counts
            some += counts
        total += np.int64(part)
        count += np.int64(some)
    if count == 0:
        return np.float32(1)
    typical = np.array([total // count << 12], np.int64).astype(np.uint32).view(np.float32)[0]
    return np.float32(min(MEAN / np.float64(typical), 1e37))


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


@cache
def across(width: int, mask: int) -> Callable[..., Any]:
    """The kernel for batches of `width` codewords, of a code whose check degrees are the bits of `mask`."""
    stamp = STAMP

    @njit(nogil=True, cache=True)
    def decode_across(
        llrs: np.ndarray,
        patterns: np.ndarray,
        frames: int,
        z: int,
        starts: np.ndarray,
        columns: np.ndarray,
        shifts: np.ndarray,
        table: np.ndarray,
        degrees: np.ndarray,
        total: np.ndarray,
        messages: np.ndarray,
        max_iterations: int,
        early_stop: bool,
        words: np.ndarray,
        wanted: int,
        iterations: np.ndarray,
        parity_ok: np.ndarray,
    ) -> None:
        n = total.size // width
        firsts, outs = np.empty(width, np.int64), np.empty(width, np.int64)
        scales = np.empty(width, np.float32)
        signs, held = np.empty(n, np.uint64), np.zeros(n, np.uint64)
        odd = np.empty(z, np.uint64)
        for frame in range(0, frames, width):
            lanes = min(width, frames - frame)
            for lane in range(width):
                # Lanes without a codeword decode the last one again, into a row of `words` that nobody reads.
                own = frame + min(lane, lanes - 1)
                firsts[lane] = own * n
                outs[lane] = (own if lane < lanes else frames) * wanted
                scales[lane] = scale_of(patterns, own * n, n) if lane < lanes else scales[lanes - 1]
            load_across(llrs, firsts, scales, total, n, width, stamp)
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
        patterns: np.ndarray,
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
            scale = scale_of(patterns, frame * n, n)
            quantise(llrs, frame * n, scale, raw, n)
            for column in range(homes.shape[1]):
                at = homes[0, column, 0]
                for i in range(z):
                    buffers[at + i] = raw[column * z + i]
                for i in range(width):
                    buffers[at + z + i] = buffers[at + i]
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
                at, turn = homes[state, column, 0], homes[state, column, 1]
                for i in range(min(z, wanted - column * z)):
                    place = i - turn
                    value = buffers[at + (place + z if place < 0 else place)]
                    words[frame * wanted + column * z + i] = value <= 0
                    if soft.size:
                        soft[frame * wanted + column * z + i] = value / scale

    return decode_along
