"""SigMF recordings: complex samples in a .sigmf-data file, what they are in the .sigmf-meta file beside it."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import suppress
from typing import IO, Any

import numpy as np

from lgvsc_flow import Block, In, Out, setting
from lgvsc_flow.blocks.channel.sigmf_meta import DATATYPES, Recording, read_meta, sigmf_paths
from lgvsc_flow.blocks.given import burst_of
from lgvsc_flow.errors import MediaError
from lgvsc_flow.items import Symbols

__all__ = ["SigmfSink", "SigmfSource", "SigmfWriter"]

VERSION = "1.0.0"
MAX_BURST = 2**27
CHUNK = 2**20


def compare(path: str | os.PathLike[str], sha512: str) -> None:
    """Check that the data of a recording have this SHA-512.

    Raises:
        MediaError: they have not, or cannot be read.
    """
    data_path = sigmf_paths(path)[1]
    digest = hashlib.sha512()
    try:
        with data_path.open("rb") as data:
            while part := data.read(CHUNK):
                digest.update(part)
    except OSError as error:
        raise MediaError(f"'{data_path}' cannot be read: {error.strerror}.") from error
    if digest.hexdigest() != sha512:
        raise MediaError(
            f"'{data_path}' is damaged: its SHA-512 is not that of the metadata. verify=False reads it still."
        )


class SigmfSource(Block):
    """Send the samples of a SigMF recording, in bursts of `burst` samples, the last one shorter.

    With `bursts="annotations"` each annotated stretch is one burst, in the order of the file: a recording of
    `SigmfSink` gives back the bursts that were written. Integers are scaled to -1 to 1; then `gain_db` is applied.
    `recording` holds the metadata once the block has started. Only a burst at a time is in memory.

    What follows a recorded reception takes its samples from `IdealChannel`, which says how noisy they are.

    Raises:
        MediaError: see `read_meta`; the data do not have the checksum of the metadata (before the first sample, if
            `verify`); a sample is NaN or infinite; the file shrinks while it is read.
    """

    symbols = Out(Symbols)

    path: str | os.PathLike[str] = setting(doc="of either file, or without ending")
    burst: int = setting(16384, ge=1, le=MAX_BURST, unit="samples")
    bursts: str = setting("equal", choices=("equal", "annotations"))
    gain_db: float = setting(0.0, ge=-200, le=200, unit="dB", doc="power gain applied to the samples")
    verify: bool = setting(True, doc="compare the checksum, where there is one, before the first sample")
    recording: Recording | None = dataclasses.field(default=None, init=False)

    def start(self) -> None:
        self.recording = recording = read_meta(self.path)
        if self.bursts == "annotations":
            self._stretches = [(a.start, a.count) for a in recording.annotations]
            longest = max((count for _, count in self._stretches), default=0)
            if longest > MAX_BURST:
                raise MediaError(
                    f"'{self.path}' has an annotation of {longest} samples; a burst has at most {MAX_BURST}."
                )
        else:
            n = recording.samples
            self._stretches = [(start, min(self.burst, n - start)) for start in range(0, n, self.burst)]
        if self.verify and recording.sha512 is not None:
            compare(self.path, recording.sha512)

    def work(self) -> Iterator[np.ndarray]:
        assert self.recording is not None
        path = sigmf_paths(self.path)[1]
        dtype, zero, full = DATATYPES[self.recording.datatype]
        width = 2 * np.dtype(dtype).itemsize
        scale = np.float32(10 ** (self.gain_db / 20) / full)
        try:
            with path.open("rb") as data:
                for start, count in self._stretches:
                    data.seek(start * width)
                    raw = data.read(count * width)
                    if len(raw) != count * width:
                        raise MediaError(f"'{path}' has become shorter than {(start + count) * width} bytes.")
                    yield self._burst(np.frombuffer(raw, dtype), np.float32(zero), scale, start)
        except OSError as error:
            raise MediaError(f"'{path}' cannot be read: {error.strerror}.") from error

    def _burst(self, parts: np.ndarray, zero: np.float32, scale: np.float32, start: int) -> np.ndarray:
        with np.errstate(over="ignore", invalid="ignore"):
            values = (parts.astype(np.float32) - zero) * scale
        bad = np.flatnonzero(~np.isfinite(values))
        if bad.size:
            raise MediaError(f"'{self.path}': sample {start + int(bad[0]) // 2} is NaN or infinite.")
        return values.view(np.complex64)


class SigmfWriter:
    """The two files of a recording while they grow; see `SigmfSink`.

    Raises:
        MediaError: the folder is missing or cannot be written.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path, self.samples = path, 0
        self._digest = hashlib.sha512()
        self._marks: list[dict[str, Any]] = []
        meta, data = sigmf_paths(path)
        if not meta.parent.is_dir():
            raise MediaError(f"'{meta}' cannot be written: there is no folder '{meta.parent}'. Make it first.")
        part = f".{os.getpid()}.part"
        self._parts = meta.with_name(f".{meta.name}{part}"), data.with_name(f".{data.name}{part}")
        try:
            self._file: IO[bytes] = self._parts[1].open("wb")
        except OSError as error:
            raise MediaError(f"'{data}' cannot be written: {error.strerror}.") from error

    def write(self, symbols: np.ndarray, mark: dict[str, Any] | None) -> None:
        """Append samples, complex64 [n], with an annotation that says so much of them; None makes none.

        Raises:
            MediaError: a sample is NaN or infinite, or the disk is full.
        """
        bad = np.flatnonzero(~np.isfinite(symbols))
        if bad.size:
            raise MediaError(f"'{self.path}': sample {self.samples + int(bad[0])} is NaN or infinite.")
        raw = symbols.astype("<c8", copy=False).tobytes()
        try:
            self._file.write(raw)
        except OSError as error:
            raise MediaError(f"'{self.path}' cannot be written: {error.strerror}.") from error
        self._digest.update(raw)
        if mark is not None:
            self._marks.append({"core:sample_start": self.samples, "core:sample_count": symbols.size, **mark})
        self.samples += symbols.size

    def close(self, sample_rate_hz: float, frequency_hz: float | None, more: dict[str, Any]) -> None:
        """Write the metadata, `more` of it in "global", and give both files their names.

        Raises:
            MediaError: the disk is full, or the folder cannot be written any more.
        """
        about: dict[str, Any] = {
            "core:datatype": "cf32_le",
            "core:sample_rate": sample_rate_hz,
            "core:version": VERSION,
            "core:num_channels": 1,
            "core:sha512": self._digest.hexdigest(),
            "core:recorder": "lgvsc-flow",
            **more,
        }
        capture: dict[str, Any] = {"core:sample_start": 0}
        if frequency_hz is not None:
            capture["core:frequency"] = frequency_hz
        text = json.dumps({"global": about, "captures": [capture], "annotations": self._marks}, indent=2)
        meta, data = sigmf_paths(self.path)
        try:
            self._file.close()
            self._parts[0].write_text(text + "\n")
            # Metadata always belong to the data beside them: the old ones go first, the new ones come last.
            meta.unlink(missing_ok=True)
            os.replace(self._parts[1], data)
            os.replace(self._parts[0], meta)
        except OSError as error:
            self.abandon()
            raise MediaError(f"'{meta}' cannot be written: {error.strerror}.") from error

    def abandon(self) -> None:
        """Remove what was written so far."""
        with suppress(OSError):
            self._file.close()
        for part in self._parts:
            with suppress(OSError):
                part.unlink(missing_ok=True)


class SigmfSink(Block):
    """Write samples to a SigMF recording, cf32_le, one annotation for each burst.

    Both files grow under other names and get their own when the stream has ended well; a failed run leaves nothing
    new, and an older recording of that name as it is. The metadata hold the sample rate, the frequency where it is
    given, and the SHA-512 of the data. No time is written: the same run writes the same files.

    Ref: SigMF specification, https://sigmf.org, version 1.0.0.

    Raises:
        MediaError: the folder is missing or cannot be written, the disk is full, or a sample is NaN or infinite.
    """

    symbols = In(Symbols, sample_rate="{sample_rate_hz:.10g} Hz")

    path: str | os.PathLike[str] = setting(doc="of either file, or without ending")
    sample_rate_hz: float = setting(gt=0, le=1e12, unit="Hz", doc="samples per second")
    frequency_hz: float | None = setting(None, ge=-1e12, le=1e12, unit="Hz", doc="carrier; None: not said")
    label: str = setting("burst", doc="of the annotations; a number follows")
    description: str = setting("", doc="of the recording")
    annotate: bool = setting(True, doc="mark each burst")
    sample_count: int = dataclasses.field(default=0, init=False)

    def validate(self) -> None:
        self._writer: SigmfWriter | None = None

    def start(self) -> None:
        self.sample_count, self._bursts = 0, 0
        self._writer = SigmfWriter(self.path)

    def work(self, symbols: np.ndarray) -> None:
        assert self._writer is not None
        mark = {"core:label": f"{self.label} {self._bursts}"} if self.annotate else None
        self._writer.write(burst_of(symbols, Symbols), mark)
        self.sample_count, self._bursts = self._writer.samples, self._bursts + 1

    def finish(self) -> None:
        assert self._writer is not None
        about = {"core:description": self.description} if self.description else {}
        self._writer.close(self.sample_rate_hz, self.frequency_hz, about)
        self._writer = None

    def stop(self) -> None:
        if self._writer is not None:
            self._writer.abandon()
        self._writer = None
