"""The int8 decoder's loop: load, iterate, stop, hand out the bits."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from numba import njit

from lgvsc_flow.blocks.phy.ldpc.checks import STAMP, layers, parity
from lgvsc_flow.blocks.phy.ldpc.moves import gather, hand_out, interleave, magnitudes, scatter
from lgvsc_flow.kernels import kernel

__all__ = ["int8_kernel", "scale_of"]

PIECE = 1 << 16  # LLRs that are summed at a time, a multiple of 16


@njit(nogil=True)  # compiled into the kernel: a cache of its own would not see changes of `magnitudes`
def scale_of(llrs: np.ndarray, first: int, n: int, mean: float) -> np.float32:
    """The factor that brings the geometric mean of the LLRs [first, first + n) to `mean`; 0, infinity, NaN not counted.

    By the mean of the bit patterns, near enough, since they grow as the logarithm does: steady where some LLRs are
    huge, and in integers, so the same on every machine. Powers of two in the LLRs come back exactly. Where there is
    nothing to go by, or hardly anything (a mean below 1.2e-38), 1 if some are infinite, else 0.
    """
    count = total = 0
    for at in range(0, n, PIECE):
        found = magnitudes(llrs, first + at, min(PIECE, n - at))
        count += found >> 40
        total += found & ((1 << 40) - 1)
    pattern = total // count if count else 0
    if pattern < 0x800:  # subnormal numbers
        for i in range(first, first + n):
            if np.isinf(llrs[i]):
                return np.float32(1)
        return np.float32(0)
    typical = np.array([pattern << 12], np.int64).astype(np.uint32).view(np.float32)[0]
    return np.float32(min(mean / np.float64(typical), 1e37))


@njit(nogil=True)
def _frames_of(places: int, frames: int) -> int:
    """The frames (bits) of places modulo 16."""
    step = 8
    while step >= frames:
        places |= places >> step
        step >>= 1
    return places & ((1 << frames) - 1)


@njit(nogil=True)
def _mark(frames_set: int, frames: int, mask: np.ndarray) -> None:
    for i in range(mask.size):
        mask[i] = frames_set >> (i & (frames - 1)) & 1


@cache
def int8_kernel(width: int, degrees_mask: int, factor: int) -> Callable[..., Any]:
    """The decoder for vectors of `width` bytes, codes whose check degrees are the bits of a mask, and factor/32."""
    stamp = STAMP

    @kernel
    def decode_frames(
        llrs: np.ndarray,
        first: int,
        total: int,
        frames: int,
        z: int,
        starts: np.ndarray,
        degrees: np.ndarray,
        sources: np.ndarray,
        targets: np.ndarray,
        rests: np.ndarray,
        homes: np.ndarray,
        begin: np.ndarray,
        memory: np.ndarray,
        mean: float,
        max_iterations: int,
        early_stop: bool,
        words: np.ndarray,
        wanted: int,
        soft: np.ndarray,
        iterations: np.ndarray,
        parity_ok: np.ndarray,
    ) -> None:
        span = z * frames
        vectors = (span + width - 1) // width
        columns = homes.shape[1] // vectors
        n, some = columns * z, (wanted + z - 1) // z
        # Working memory, in the order of `Plan.memory`.
        end = 2 * columns * (vectors + 1) * width
        buffers, rest = memory[:end], memory[end:]
        end = targets.shape[1] * vectors * width
        messages, rest = rest[:end], rest[end:]
        mask, word = rest[:width], rest[width:]
        firsts, outs, scales = np.empty(frames, np.int64), np.empty(frames, np.int64), np.empty(frames, np.float32)
        for frame in range(first, total, frames):
            count = min(frames, total - frame)
            waiting, lost = 0, 0
            for f in range(frames):
                # Lanes without a frame decode the last one once more, into a row of `words` that nobody reads.
                this = frame + min(f, count - 1)
                firsts[f], outs[f] = this * n, (this if f < count else total) * wanted
                scales[f] = scale_of(llrs, this * n, n, mean)
                if f < count and scales[f] == 0:
                    lost |= 1 << f
                elif f < count:
                    waiting |= 1 << f
            interleave(llrs, firsts, scales, word, n, frames)
            scatter(word, buffers, homes[0], columns, span, width)
            # Of a frame of which nothing arrived nothing is made: all its bits stay undecided.
            for f in range(count):
                if lost >> f & 1:
                    iterations[frame + f], parity_ok[frame + f] = max_iterations, False
            state = 0
            for done in range(max_iterations + 1):
                if waiting == 0:
                    break
                if done == 1:
                    layers(
                        buffers, begin, 0, messages, sources[0], targets[0], degrees, span,
                        degrees_mask, factor, width, stamp,
                    )  # fmt: skip
                elif done:
                    layers(
                        buffers, messages, 1, messages, sources[state], targets[state], degrees, span,
                        degrees_mask, factor, width, stamp,
                    )  # fmt: skip
                state = 2 - done % 2 if done else 0
                if not early_stop and done < max_iterations:
                    continue
                failed = 0
                for row in range(degrees.size):
                    found = parity(
                        buffers, rests[state], starts[row] * vectors, degrees[row], span, degrees_mask, width, stamp
                    )
                    failed |= _frames_of(found, frames)
                    if failed & waiting == waiting:
                        break
                leaving = waiting if done == max_iterations else waiting & ~failed
                if leaving:
                    # A word is kept as it was when its checks first held: more iterations cannot spoil it.
                    _mark(leaving, frames, mask)
                    gather(word, buffers, homes[state], mask, some, span, width)
                    for f in range(count):
                        if leaving >> f & 1:
                            iterations[frame + f] = done
                            parity_ok[frame + f] = not failed >> f & 1
                    waiting &= ~leaving
            hand_out(word, words, outs, wanted, frames)
            if soft.size:
                for f in range(count):
                    for i in range(wanted):
                        at = (frame + f) * wanted + i
                        soft[at] = word[i * frames + f] / scales[f] if scales[f] else np.float32(0)

    return decode_frames
