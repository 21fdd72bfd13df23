"""What a SigMF recording says of itself: its .sigmf-meta file, checked against the data beside it."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from lgvsc_flow.errors import MediaError

__all__ = ["DATATYPES", "Annotation", "Recording", "read_meta", "sigmf_paths"]

META, DATA = ".sigmf-meta", ".sigmf-data"
MAX_META_BYTES = 2**26

# Datatype: NumPy type of one part, its value for zero, its full scale (integers run from -1 to 1).
DATATYPES = {
    "cf32_le": ("<f4", 0.0, 1.0),
    "ci16_le": ("<i2", 0.0, 32768.0),
    "ci8": ("i1", 0.0, 128.0),
    "cu8": ("u1", 127.5, 127.5),
}


@dataclass(frozen=True)
class Annotation:
    """A marked stretch of a recording: first sample, number of samples, what it is.

    `extra` holds what extensions say of it, unchecked: keys outside the namespace `core`.
    """

    start: int
    count: int
    label: str = ""
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Recording:
    """What a .sigmf-meta file says, checked against the size of its data."""

    datatype: str
    samples: int
    sample_rate_hz: float | None
    frequency_hz: float | None
    sha512: str | None
    annotations: tuple[Annotation, ...]


def sigmf_paths(path: str | os.PathLike[str]) -> tuple[Path, Path]:
    """The metadata and the data file of a recording that is named with either ending, or with none."""
    path = Path(path)
    base = path.with_suffix("") if path.suffix in (META, DATA) else path
    return base.with_name(base.name + META), base.with_name(base.name + DATA)


def read_meta(path: str | os.PathLike[str]) -> Recording:
    """Read and check the metadata of a recording; its data file is measured, not read.

    Raises:
        MediaError: a file is missing or cannot be read; the metadata are no SigMF; they need what is not supported
            (another datatype, several channels, headers in the data, an extension that is not optional); or they do
            not fit the data: half a sample, an annotation behind the end.
    """
    meta_path, data_path = sigmf_paths(path)
    wrong = f"'{meta_path}' is no SigMF that can be read here"
    try:
        if meta_path.stat().st_size > MAX_META_BYTES:
            raise MediaError(f"{wrong}: more than {MAX_META_BYTES} bytes of metadata.")
        text = meta_path.read_bytes().decode()
        size = data_path.stat().st_size
    except OSError as error:
        raise MediaError(f"'{error.filename}' cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise MediaError(f"{wrong}: {error}.") from error
    try:
        meta = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise MediaError(f"{wrong}: {error}.") from error
    try:
        return _checked(meta, size)
    except ValueError as error:
        raise MediaError(f"{wrong}: {error}.") from error


def _checked(meta: Any, size: int) -> Recording:
    whole = _typed(meta, dict, "the file")
    about = _typed(whole.get("global"), dict, "global")
    captures = [_typed(c, dict, "a capture") for c in _typed(whole.get("captures"), list, "captures")]
    marks = [_typed(a, dict, "an annotation") for a in _typed(whole.get("annotations"), list, "annotations")]
    datatype = _typed(about.get("core:datatype"), str, "core:datatype")
    if datatype not in DATATYPES:
        raise ValueError(f"core:datatype is {datatype[:40]!r}, supported are {', '.join(DATATYPES)}")
    if _count(about, "core:num_channels", 1) != 1:
        raise ValueError(f"core:num_channels is {about['core:num_channels']}, supported is 1")
    for key in ("core:dataset", "core:metadata_only", "core:trailing_bytes"):
        if about.get(key):
            raise ValueError(f"{key} is set; only recordings with a data file of samples alone are supported")
    if any(_count(c, "core:header_bytes", 0) for c in captures):
        raise ValueError("core:header_bytes is set; only recordings with a data file of samples alone are supported")
    for extension in _typed(about.get("core:extensions", []), list, "core:extensions"):
        if not _typed(extension, dict, "an extension").get("optional", True):
            raise ValueError(f"it needs the extension {str(extension.get('name'))[:40]!r}")
    width = 2 * np.dtype(DATATYPES[datatype][0]).itemsize
    if size % width:
        raise ValueError(f"the data have {size} bytes, which is no whole number of {datatype} samples of {width} bytes")
    samples, offset = size // width, _count(about, "core:offset", 0)
    annotations = []
    for i, mark in enumerate(marks):
        start = _count(mark, "core:sample_start", None) - offset
        count = _count(mark, "core:sample_count", max(samples - start, 0))
        if start < 0 or start + count > samples:
            raise ValueError(f"annotation {i} marks samples {start} to {start + count} of {samples}")
        extra = {key: value for key, value in mark.items() if not key.startswith("core:")}
        annotations.append(Annotation(start, count, str(mark.get("core:label", "")), extra))
    sha512 = about.get("core:sha512")
    return Recording(
        datatype,
        samples,
        _number(about, "core:sample_rate"),
        _number(captures[0], "core:frequency") if captures else None,
        None if sha512 is None else _typed(sha512, str, "core:sha512").lower(),
        tuple(annotations),
    )


def _typed(value: Any, kind: type, name: str) -> Any:
    if not isinstance(value, kind):
        raise ValueError(f"{name} is {type(value).__name__}, not {kind.__name__}")
    return value


def _count(values: dict[str, Any], key: str, default: int | None) -> int:
    value = values.get(key, default)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**63:
        raise ValueError(f"{key} is {str(value)[:40]}, not a number of samples or bytes")
    return value


def _number(values: dict[str, Any], key: str) -> float | None:
    value = values.get(key)
    if value is None:
        return None
    if not isinstance(value, int | float) or isinstance(value, bool) or not abs(value) <= 1e15:
        raise ValueError(f"{key} is {str(value)[:40]}, not a frequency in Hz")
    return float(value)
