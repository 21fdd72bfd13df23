"""Suffixes of a text in order: the places where a context occurs, and the letters behind it, are one range of them.

Ref: Manber and Myers 1993 (suffix arrays); Bentley and Sedgewick 1997 (sorting strings letter by letter).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from lgvsc_flow.kernels import kernel

__all__ = ["DEPTH", "first_at_least", "sort_suffixes"]

DEPTH = 32  # letters by which suffixes are told apart; longer contexts are not looked up
_STEP = 6  # letters compared at once


def sort_suffixes(text: bytes) -> tuple[np.ndarray, np.ndarray]:
    """The text as uint8 [n + DEPTH + 8], zeros behind it, and the starts of its suffixes in order, int32 [n].

    Only the first `DEPTH` letters decide; the order of suffixes that agree in them is of no meaning.
    """
    padded = np.frombuffer(text + bytes(DEPTH + 8), dtype=np.uint8)
    return padded, _sorted(padded, len(text))


@kernel
def first_at_least(text: np.ndarray, order: np.ndarray, low: int, high: int, depth: int, value: int) -> int:
    """In order[low:high], suffixes that agree in `depth` letters: the first whose next letter is `value` or more."""
    while low < high:
        middle = (low + high) >> 1
        if text[order[middle] + depth] < value:
            low = middle + 1
        else:
            high = middle
    return low


@kernel
def _key(text: np.ndarray, at: int) -> int:
    """`_STEP` letters as one number."""
    key: Any = np.int64(0)
    for i in range(_STEP):
        key = key << 8 | np.int64(text[at + i])
    return key


@kernel
def _before(text: np.ndarray, a: int, b: int, depth: int) -> bool:
    for i in range(depth, DEPTH):
        if text[a + i] != text[b + i]:
            return text[a + i] < text[b + i]
    return False


@kernel
def _sorted(text: np.ndarray, n: int) -> np.ndarray:
    ends = np.zeros(65537, dtype=np.int64)
    for i in range(n):
        ends[(np.int64(text[i]) << 8 | text[i + 1]) + 1] += 1
    for i in range(65536):
        ends[i + 1] += ends[i]
    place = ends[:65536].copy()
    order = np.empty(n, dtype=np.int32)
    for i in range(n):
        pair = np.int64(text[i]) << 8 | text[i + 1]
        order[place[pair]] = i
        place[pair] += 1
    # Each call of the loop splits one range in three, the middle of which agrees in `_STEP` letters more.
    waiting = np.empty((n + 3, 3), dtype=np.int64)
    for pair in range(65536):
        waiting[0] = ends[pair], ends[pair + 1], 2
        count = 1
        while count:
            count -= 1
            low, high, depth = waiting[count]
            if depth >= DEPTH or high - low < 2:
                continue
            if high - low < 12:
                for i in range(low + 1, high):
                    moved, j = order[i], i - 1
                    while j >= low and _before(text, moved, order[j], depth):
                        order[j + 1] = order[j]
                        j -= 1
                    order[j + 1] = moved
                continue
            pivot = _key(text, order[(low + high) // 2] + depth)
            below, above, i = low, high, low
            while i < above:
                suffix = order[i]
                key = _key(text, suffix + depth)
                if key < pivot:
                    order[i] = order[below]
                    order[below] = suffix
                    below += 1
                    i += 1
                elif key > pivot:
                    above -= 1
                    order[i] = order[above]
                    order[above] = suffix
                else:
                    i += 1
            waiting[count] = low, below, depth
            waiting[count + 1] = above, high, depth
            waiting[count + 2] = below, above, depth + _STEP
            count += 3
    return order
