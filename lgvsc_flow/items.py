"""What travels a wire: array items (plain NumPy bursts) and record items (frozen dataclasses).

An item type is named by its meaning, never by how it is stored. An array item is a *burst*, thousands of elements
at once. A lost item is an item too (`lost=True`): the streams of one graph stay aligned one to one.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, is_dataclass
from typing import Any

import numpy as np

__all__ = [
    "AnyItem",
    "ArrayType",
    "Bits",
    "Caption",
    "Checked",
    "Frame",
    "ItemType",
    "Keyframe",
    "Llrs",
    "Payload",
    "Received",
    "Record",
    "Segment",
    "SideInfo",
    "Symbols",
    "broken",
    "describe",
    "mismatch",
    "nbytes",
    "size",
]


@dataclass(frozen=True)
class ArrayType:
    """An item type carried by a one-dimensional NumPy array of one dtype."""

    name: str
    dtype: np.dtype[Any]
    meaning: str


Bits = ArrayType("Bits", np.dtype(np.uint8), "hard bits, 0 or 1")
Llrs = ArrayType("Llrs", np.dtype(np.float32), "log-likelihood ratios, ln P(b=0)/P(b=1)")
Symbols = ArrayType("Symbols", np.dtype(np.complex64), "complex baseband symbols, unit average power")


@dataclass(frozen=True, eq=False)
class Record:
    """Base of the record items."""


class AnyItem(Record):
    """What an input takes that takes every item."""


@dataclass(frozen=True, eq=False)
class Frame(Record):
    """A video frame: `pixels` uint8 [height, width, 3] RGB, `index` from 0, presentation time in seconds."""

    pixels: np.ndarray
    index: int
    time_s: float = 0.0


@dataclass(frozen=True, eq=False)
class Segment(Record):
    """A semantic segment S_n: the frames from one keyframe up to, not including, the next (paper, section II-A).

    `s_rel[i]` is the score (eq. 2) of `frames[i]` against the keyframe that was the latest when it was judged: the
    segment's own, and for `frames[0]` the one before, over which it won. NaN where none was computed.
    `cut_at` is the offset, 1 to `length`, of the first frame behind a hard cut (`length`: the next segment opens
    with it), or None. `closing` marks the last frame of the video, sent as a keyframe of its own (K_{N+1} = F).
    """

    index: int
    frames: tuple[Frame, ...]
    caption: str = ""
    s_rel: tuple[float, ...] = ()
    cut_at: int | None = None
    closing: bool = False

    @property
    def start(self) -> int:
        return self.frames[0].index

    @property
    def length(self) -> int:
        return len(self.frames)

    @property
    def stop(self) -> int:
        return self.start + self.length


@dataclass(frozen=True, eq=False)
class Keyframe(Record):
    """The first frame of segment `index`; `pixels` uint8 [height, width, 3], None when it was lost on the way."""

    index: int
    pixels: np.ndarray | None
    lost: bool = False


@dataclass(frozen=True, eq=False)
class Caption(Record):
    """What segment `index` shows, in words; `text` is None when it was lost on the way."""

    index: int
    text: str | None
    lost: bool = False


@dataclass(frozen=True, eq=False)
class SideInfo(Record):
    """What the receiver must know of segment `index` beside its keyframe and caption; see `Segment` for the terms.

    `motion` is the mean optical flow between neighbouring frames, in pixels per frame. `field`, where it was sent, is
    the motion of each cell of a grid up to the cut, float32 [rows, cols, 2] in pixels per frame (x, y); None otherwise.
    When `lost`, only `index` holds.
    """

    index: int
    start: int = 0
    length: int = 0
    cut_at: int | None = None
    motion: float = 0.0
    closing: bool = False
    lost: bool = False
    field: np.ndarray | None = None


@dataclass(frozen=True, eq=False)
class Payload(Record):
    """Bytes of one stream for segment `index`, on their way to or from the digital link; None when lost."""

    index: int
    stream: str
    data: bytes | None
    lost: bool = False


@dataclass(frozen=True, eq=False)
class Checked(Record):
    """Bits behind a CRC check: `bits` uint8 [blocks * k] without the CRC, `ok` bool [blocks]."""

    bits: np.ndarray
    ok: np.ndarray


@dataclass(frozen=True, eq=False)
class Received(Record):
    """Channel output y = gain * x + n: `symbols` complex64 [n], and the channel state as the receiver knows it.

    `gain` is complex64 [n] or a scalar, `noise_variance` (of the complex noise, E|n|^2) float32 [n] or a scalar.
    """

    symbols: np.ndarray
    gain: np.ndarray
    noise_variance: np.ndarray


ItemType = ArrayType | type[Record]


def type_name(kind: ItemType) -> str:
    """The name of an item type, as messages print it."""
    return kind.name if isinstance(kind, ArrayType) else kind.__name__


def size(item: object) -> int:
    """Elements in an item: array length, pixels' height * width, bytes, or 1."""
    if isinstance(item, np.ndarray):
        return item.size
    if isinstance(item, Received):
        return item.symbols.size
    if isinstance(item, Checked):
        return item.bits.size
    if isinstance(item, Segment):
        return item.length
    if isinstance(item, Payload):
        return len(item.data or b"")
    pixels = getattr(item, "pixels", None)
    return 1 if pixels is None else pixels.shape[0] * pixels.shape[1]


def describe(item: object, kind: ItemType | None = None) -> str:
    """A short form for messages: `Llrs[647]`, `Frame[272x640]`, `Payload(caption, 21 bytes)`."""
    if isinstance(item, np.ndarray):
        name = type_name(kind) if isinstance(kind, ArrayType) else str(item.dtype)
        return f"{name}[{', '.join(map(str, item.shape))}]"
    if isinstance(item, Received):
        return f"Received[{item.symbols.size}]"
    if isinstance(item, Checked):
        return f"Checked[{item.bits.size}]"
    if isinstance(item, Payload):
        return f"Payload({item.stream}, {'lost' if item.data is None else f'{len(item.data)} bytes'})"
    if isinstance(item, Segment):
        return f"Segment[{item.length} frames]"
    pixels = getattr(item, "pixels", None)
    if pixels is not None:
        return f"{type(item).__name__}[{pixels.shape[0]}x{pixels.shape[1]}]"
    return type(item).__name__


def mismatch(item: object, kind: ItemType) -> str | None:
    """Why `item` is not of type `kind`, or None when it is."""
    if isinstance(kind, ArrayType):
        if not isinstance(item, np.ndarray):
            return f"{kind.name} is a NumPy array of {kind.dtype}, got {type(item).__name__}"
        if item.dtype != kind.dtype or item.ndim != 1:
            return f"{kind.name} is one-dimensional {kind.dtype}, got {item.dtype} of shape {item.shape}"
        return None
    return None if isinstance(item, kind) else f"expected {kind.__name__}, got {type(item).__name__}"


def broken(item: object) -> int:
    """How many values of an array or `Received` item are NaN or infinite."""
    arrays = (item,) if isinstance(item, np.ndarray) else vars(item).values() if isinstance(item, Received) else ()
    return sum(_broken(a) for a in map(np.asarray, arrays) if a.dtype.kind in "fc")


def _broken(values: np.ndarray) -> int:
    # Complex numbers as pairs of real ones: NumPy looks at those three times as fast.
    parts = np.ascontiguousarray(values).reshape(-1).view(values.real.dtype)
    return 0 if np.isfinite(parts).all() else values.size - int(np.count_nonzero(np.isfinite(values)))


def nbytes(item: object) -> int:
    """About how much memory an item holds: its arrays, byte strings and texts, also those inside records."""
    if isinstance(item, bytes | str):
        return len(item)
    if isinstance(item, tuple | list):
        return sum(map(nbytes, item))
    if isinstance(item, dict):
        return sum(map(nbytes, item.values()))
    if is_dataclass(item):
        return 64 + sum(nbytes(getattr(item, f.name)) for f in fields(item))
    return int(getattr(item, "nbytes", 8))  # arrays and tensors
