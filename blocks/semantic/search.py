"""Searches for the next keyframe: which samples behind a keyframe are judged, and when.

A search is a generator. It yields the samples that it wants judged, as offsets behind the keyframe from 1, is sent
their scores (None for one behind the end of the segment), and returns the offset of the next keyframe, or 0 when the
segment ends without one. It knows no frames and no models.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence

__all__ = ["Search", "coarse_to_fine", "exact", "gallop"]

Search = Generator[Sequence[int], list[float | None], int]


def exact(threshold: float, ahead: int) -> Search:
    """The first sample over the threshold, as the plain loop finds it.

    A batch is never larger than what has been judged behind this keyframe already, so that what is judged in vain
    behind the next one is at most as much as the plain loop itself judges.

    Args:
        threshold: eta_th; a score above it is a keyframe.
        ahead: samples judged together, at most.
    """
    done = 0
    while True:
        offsets = range(done + 1, done + 1 + min(ahead, max(done, 1)))
        scores = yield offsets
        hit, ended = _first(offsets, scores, threshold)
        if hit or ended:
            return hit
        done = offsets[-1]


def gallop(threshold: float, stride: int, window: int) -> Search:
    """Steps of 1, 2, 4 ... `stride` samples, halving between the last two, and a look at the samples before.

    What shows up and goes away between two steps is missed, and where the scores cross the threshold several times
    between two steps a later crossing may be taken for the first.

    Args:
        threshold: as in `exact`.
        stride: the longest step, in samples.
        window: samples before the crossing that are judged one by one; the search goes on before an earlier crossing.
    """
    low, step, ended = 0, 1, False
    while True:
        (score,) = yield [low + step]
        if score is None:
            # Shorter steps up to the last sample, which is always judged.
            if step == 1:
                return 0
            step, ended = step // 2, True
        elif score > threshold:
            high = low + step
            break
        else:
            low += step
            step = step if ended else min(2 * step, stride)
    while high - low > 1:
        middle = (low + high) // 2
        (score,) = yield [middle]
        if score is not None and score > threshold:
            high = middle
        else:
            low = middle
    while window and high > 1:
        offsets = range(max(high - window, 1), high)
        hit, _ = _first(offsets, (yield offsets), threshold)
        if not hit:
            break
        high = hit
    return high


def coarse_to_fine(threshold: float, step: int) -> Search:
    """Every `step`-th sample, then those before the first one over the threshold; the last few one by one.

    What shows up and goes away between two of the coarse samples is missed.
    """
    low = 0
    while True:
        (score,) = yield [low + step]
        if score is not None and score <= threshold:
            low += step
            continue
        offsets = range(low + 1, low + step)
        hit = _first(offsets, (yield offsets), threshold)[0] if offsets else 0
        return hit or (0 if score is None else low + step)


def _first(offsets: Sequence[int], scores: Sequence[float | None], threshold: float) -> tuple[int, bool]:
    """The first offset over the threshold, or 0; and whether the segment's end was seen before it."""
    for offset, score in zip(offsets, scores, strict=True):
        if score is None:
            return 0, True
        if score > threshold:
            return offset, False
    return 0, False
