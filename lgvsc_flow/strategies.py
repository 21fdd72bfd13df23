"""Hypothesis strategies for what travels a wire: `items(kind)` for one item, `bursts(kind)` for a stream of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from lgvsc_flow.errors import MissingExtraError
from lgvsc_flow.items import (
    Bits,
    Caption,
    Checked,
    Frame,
    ItemType,
    Keyframe,
    Llrs,
    Payload,
    Received,
    Record,
    Segment,
    SideInfo,
    Symbols,
    type_name,
)

try:
    from hypothesis import strategies as st
    from hypothesis.extra import numpy as hnp
    from hypothesis.strategies import DrawFn, SearchStrategy
except ImportError as error:
    raise MissingExtraError("lgvsc_flow.strategies", "testing", "hypothesis") from error

__all__ = ["bursts", "items"]

Size = int | tuple[int, int]

MAX_SIDE = 24  # pixels of a picture's side
MAX_CELLS = 16  # of a motion field, each way
FRAMES_PER_S = 25.0


def items(
    kind: ItemType, size: Size | None = None, *, lossy: bool = True, infinite: bool = False, nan: bool = False
) -> SearchStrategy[Any]:
    """One item of a type.

    Args:
        kind: any type of `lgvsc_flow.items` that a port can send.
        size: what `lgvsc_flow.items.size` counts: elements, frames of a segment, bytes; or its bounds (least, most).
            Of captions, characters.
            None is up to 64 elements, 5 frames, 64 bytes. Pictures are `size` pixels wide and high; None up to 24.
        lossy: whether items that can be lost sometimes are.
        infinite: whether LLRs, symbols and channel states may be infinite.
        nan: whether they may be NaN.

    Raises:
        ValueError: no items of that type, or bounds that are none.
    """
    if kind not in _MAKERS:
        raise ValueError(f"no strategy for {type_name(kind)}; there are some for {', '.join(map(type_name, _MAKERS))}")
    low, high = (size, size) if isinstance(size, int) else size if size is not None else _DEFAULT.get(kind, (1, 64))
    if not 0 <= low <= high or (low < 1 and kind in (Frame, Keyframe, Segment)):
        raise ValueError(f"size of {type_name(kind)} is from {low} to {high}; give bounds that hold something")
    return _MAKERS[kind](low, high, lossy, _Floats(infinite, nan))


def bursts(
    kind: ItemType,
    count: Size = (0, 8),
    size: Size | None = None,
    *,
    lossy: bool = True,
    infinite: bool = False,
    nan: bool = False,
) -> SearchStrategy[list[Any]]:
    """A stream: a list of `count` items (or bounds on it); records have the indices 0, 1, 2, ... as in a graph.

    Frames of one stream, and keyframes, have one size; segments join on without a gap.
    """
    low, high = (count, count) if isinstance(count, int) else count
    if kind in (Frame, Keyframe):
        return _pictures(kind, low, high, size, lossy)
    one = items(kind, size, lossy=lossy, infinite=infinite, nan=nan)
    return st.lists(one, min_size=low, max_size=high).map(_numbered)


class _Floats:
    """The floating-point values that an item may hold."""

    def __init__(self, infinite: bool, nan: bool) -> None:
        self.infinite, self.nan = infinite, nan

    def real(self, least: float | None = None) -> SearchStrategy[float]:
        bounded = st.floats(least if least is not None else -1e6, 1e6, width=32, allow_nan=False)
        special = [float("inf"), float("-inf")] if self.infinite else []
        if least is not None:
            special = special[:1]
        if self.nan:
            special.append(float("nan"))
        return st.one_of(bounded, st.sampled_from(special)) if special else bounded

    def complex(self) -> SearchStrategy[complex]:
        return st.builds(complex, self.real(), self.real())


def _array(dtype: Any, low: int, high: int, values: SearchStrategy[Any]) -> SearchStrategy[np.ndarray]:
    return st.integers(low, high).flatmap(lambda n: hnp.arrays(dtype, n, elements=values, fill=values))


def _bits(low: int, high: int, lossy: bool, floats: _Floats) -> SearchStrategy[np.ndarray]:
    return _array(np.uint8, low, high, st.integers(0, 1))


def _llrs(low: int, high: int, lossy: bool, floats: _Floats) -> SearchStrategy[np.ndarray]:
    return _array(np.float32, low, high, floats.real())


def _symbols(low: int, high: int, lossy: bool, floats: _Floats) -> SearchStrategy[np.ndarray]:
    return _array(np.complex64, low, high, floats.complex())


@st.composite
def _received(draw: DrawFn, low: int, high: int, lossy: bool, floats: _Floats) -> Received:
    n = draw(st.integers(low, high))
    shape = st.sampled_from([(n,), ()])  # one value per symbol, or one for all
    gain = draw(hnp.arrays(np.complex64, draw(shape), elements=floats.complex()))
    noise = draw(hnp.arrays(np.float32, draw(shape), elements=floats.real(0.0)))
    return Received(draw(_symbols(n, n, lossy, floats)), gain, noise)


@st.composite
def _checked(draw: DrawFn, low: int, high: int, lossy: bool, floats: _Floats) -> Checked:
    bits = draw(_bits(low, high, lossy, floats))
    blocks = draw(st.sampled_from([b for b in range(1, max(bits.size, 1) + 1) if bits.size % b == 0]))
    return Checked(bits, draw(hnp.arrays(np.bool_, blocks)))


def _pixels(height: int, width: int) -> SearchStrategy[np.ndarray]:
    return hnp.arrays(np.uint8, (height, width, 3), elements=st.integers(0, 255), fill=st.integers(0, 255))


def _lost(lossy: bool) -> SearchStrategy[bool]:
    return st.booleans() if lossy else st.just(False)


@st.composite
def _frame(draw: DrawFn, low: int, high: int, lossy: bool, floats: _Floats) -> Frame:
    index = draw(st.integers(0, 1000))
    pixels = draw(_pixels(draw(st.integers(low, high)), draw(st.integers(low, high))))
    return Frame(pixels, index, index / FRAMES_PER_S)


@st.composite
def _keyframe(draw: DrawFn, low: int, high: int, lossy: bool, floats: _Floats) -> Keyframe:
    index, lost = draw(st.integers(0, 1000)), draw(_lost(lossy))
    pixels = None if lost else draw(_pixels(draw(st.integers(low, high)), draw(st.integers(low, high))))
    return Keyframe(index, pixels, lost)


@st.composite
def _segment(draw: DrawFn, low: int, high: int, lossy: bool, floats: _Floats) -> Segment:
    length = draw(st.integers(low, high))
    start, height, width = draw(st.integers(0, 1000)), draw(st.integers(1, 8)), draw(st.integers(1, 8))
    frames = tuple(Frame(draw(_pixels(height, width)), i, i / FRAMES_PER_S) for i in range(start, start + length))
    score = st.floats(-1, 1) | st.just(float("nan"))
    s_rel = draw(st.just(()) | st.lists(score, min_size=length, max_size=length).map(tuple))
    return Segment(
        draw(st.integers(0, 1000)),
        frames,
        caption=draw(st.text(max_size=20)),
        s_rel=s_rel,
        cut_at=draw(st.none() | st.integers(1, length)),
        closing=length == 1 and draw(st.booleans()),
    )


@st.composite
def _caption(draw: DrawFn, low: int, high: int, lossy: bool, floats: _Floats) -> Caption:
    lost = draw(_lost(lossy))
    return Caption(draw(st.integers(0, 1000)), None if lost else draw(st.text(min_size=low, max_size=high)), lost)


@st.composite
def _side(draw: DrawFn, low: int, high: int, lossy: bool, floats: _Floats) -> SideInfo:
    index = draw(st.integers(0, 1000))
    if draw(_lost(lossy)):
        return SideInfo(index, lost=True)
    length = draw(st.integers(1, 300))
    cut_at = draw(st.none() | st.integers(1, length))
    grid = st.tuples(st.integers(1, MAX_CELLS), st.integers(1, MAX_CELLS), st.just(2))
    speeds = st.floats(-1000, 1000, width=32)
    moving = (cut_at or length) > 1  # one frame shows no motion
    return SideInfo(
        index,
        start=draw(st.integers(0, 10000)),
        length=length,
        cut_at=cut_at,
        motion=draw(st.floats(0, 100)),
        closing=length == 1 and draw(st.booleans()),
        field=draw(st.none() | hnp.arrays(np.float32, grid, elements=speeds, fill=speeds)) if moving else None,
    )


@st.composite
def _payload(draw: DrawFn, low: int, high: int, lossy: bool, floats: _Floats) -> Payload:
    index, stream, lost = draw(st.integers(0, 1000)), draw(st.sampled_from(["caption", "side"])), draw(_lost(lossy))
    return Payload(index, stream, None if lost else draw(st.binary(min_size=low, max_size=high)), lost)


@st.composite
def _pictures(draw: DrawFn, kind: ItemType, low: int, high: int, size: Size | None, lossy: bool) -> list[Any]:
    least, most = (size, size) if isinstance(size, int) else size if size is not None else (1, MAX_SIDE)
    height, width = draw(st.integers(least, most)), draw(st.integers(least, most))
    found: list[Any] = []
    for index in range(draw(st.integers(low, high))):
        pixels = draw(_pixels(height, width))
        if kind is Frame:
            found.append(Frame(pixels, index, index / FRAMES_PER_S))
        else:
            lost = draw(_lost(lossy))
            found.append(Keyframe(index, None if lost else pixels, lost))
    return found


def _numbered(stream: list[Any]) -> list[Any]:
    """Give the records of a stream the indices that they have in a graph."""
    found: list[Any] = []
    start = 0
    for index, item in enumerate(stream):
        changes: dict[str, Any] = {"index": index} if hasattr(item, "index") else {}
        if isinstance(item, Segment):
            moved = enumerate(item.frames, start)
            changes["frames"] = tuple(Frame(f.pixels, i, i / FRAMES_PER_S) for i, f in moved)
        elif isinstance(item, SideInfo) and not item.lost:
            changes["start"] = start
        if isinstance(item, Segment | SideInfo):
            start += item.length
        found.append(type(item)(**{**vars(item), **changes}) if isinstance(item, Record) and changes else item)
    return found


_MAKERS: dict[ItemType, Callable[[int, int, bool, _Floats], SearchStrategy[Any]]] = {
    Bits: _bits,
    Llrs: _llrs,
    Symbols: _symbols,
    Received: _received,
    Checked: _checked,
    Frame: _frame,
    Segment: _segment,
    Keyframe: _keyframe,
    Caption: _caption,
    SideInfo: _side,
    Payload: _payload,
}
_DEFAULT: dict[ItemType, tuple[int, int]] = {
    Frame: (1, MAX_SIDE),
    Keyframe: (1, MAX_SIDE),
    Segment: (1, 5),
    Caption: (0, 64),
    Payload: (0, 64),
}
