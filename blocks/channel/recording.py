"""What crossed the channel as a file: the samples of every burst, and what the receiver is told of the channel."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator, Sequence
from typing import IO, Any

import numpy as np

from lgvsc_flow import Block, In, Out, setting
from lgvsc_flow.blocks.channel.sigmf import MAX_BURST, SigmfWriter, compare
from lgvsc_flow.blocks.channel.sigmf_meta import Annotation, Recording, read_meta, sigmf_paths
from lgvsc_flow.blocks.flat import FLAT
from lgvsc_flow.blocks.given import received_of
from lgvsc_flow.errors import MediaError
from lgvsc_flow.items import Received

__all__ = ["ReceivedSink", "ReceivedSource"]

GAIN, NOISE = "lgvsc_flow:gain", "lgvsc_flow:noise_variance"
PARTS = "samples", "gain", "noise variance"
ERASED = np.complex64(1j)  # stands for an infinite noise variance
SAID = {
    "perfect": "the true state of the simulated channel",
    "estimated": "estimated from the samples received",
    "assumed": "assumed by the receiver",
}


class ReceivedSink(Block):
    """Write what a channel puts out to a SigMF recording that `ReceivedSource` gives back bit for bit.

    Each burst is a stretch of samples y as they came, marked "samples 0", "samples 1", ... Gain h and noise variance
    are in the annotation (`lgvsc_flow:gain` [re, im], `lgvsc_flow:noise_variance`) where one value holds for the burst;
    where every symbol has its own they follow as stretches "gain 0" and "noise variance 0" (1j: infinite, the symbol is
    erased). Where they come from, the file cannot know: `state` says it, in the recording's description.

    The files get their names when the stream has ended well, see `SigmfSink`.

    Raises:
        MediaError: as in `SigmfSink`; a gain that is NaN or infinite cannot be written either, nor a variance of NaN.
        ValueError: the channel is dispersive: record behind its equalizer.
    """

    received = In(Received, response=FLAT)

    path: str | os.PathLike[str] = setting(doc="of either file, or without ending")
    state: str = setting("perfect", choices=tuple(SAID), doc="where gain and noise variance come from")
    sample_rate_hz: float = setting(1e6, gt=0, le=1e12, unit="Hz", doc="symbols per second")
    symbol_count: int = dataclasses.field(default=0, init=False)

    def validate(self) -> None:
        self._writer: SigmfWriter | None = None

    def start(self) -> None:
        self.symbol_count, self._bursts = 0, 0
        self._writer = SigmfWriter(self.path)

    def work(self, received: Received) -> None:
        assert self._writer is not None
        if type(received) is not Received:
            raise ValueError(
                f"a recording holds one gain per symbol, got {type(received).__name__}; record behind the equalizer."
            )
        received = received_of(received)
        mark: dict[str, Any] = {}
        stretches = {PARTS[0]: received.symbols}
        if received.gain.ndim:
            stretches[PARTS[1]] = received.gain
        else:
            gain = complex(received.gain)
            if not np.isfinite(gain):
                raise MediaError(f"'{self.path}': the gain of a burst is NaN or infinite.")
            mark[GAIN] = [gain.real, gain.imag]
        if received.noise_variance.ndim or not np.isfinite(received.noise_variance):
            noise = np.broadcast_to(received.noise_variance, received.symbols.shape)
            stretches[PARTS[2]] = np.where(np.isposinf(noise), ERASED, noise).astype(np.complex64)
        else:
            mark[NOISE] = float(received.noise_variance)
        for name, values in stretches.items():
            self._writer.write(values, {"core:label": f"{name} {self._bursts}", **(mark if name == PARTS[0] else {})})
        self.symbol_count += received.symbols.size
        self._bursts += 1

    def finish(self) -> None:
        assert self._writer is not None
        text = f"What crossed the channel, burst by burst. Gain and noise variance: {SAID[self.state]}."
        extension = {"name": "lgvsc_flow", "version": "1.0.0", "optional": True}
        self._writer.close(self.sample_rate_hz, None, {"core:description": text, "core:extensions": [extension]})
        self._writer = None

    def stop(self) -> None:
        if self._writer is not None:
            self._writer.abandon()
        self._writer = None


class ReceivedSource(Block):
    """Send what `ReceivedSink` recorded, burst by burst; one burst at a time is in memory.

    Raises:
        MediaError: as in `SigmfSource`, or the recording is not one of `ReceivedSink`.
    """

    received = Out(Received)

    path: str | os.PathLike[str] = setting(doc="of either file, or without ending")
    verify: bool = setting(True, doc="compare the checksum before the first burst")
    recording: Recording | None = dataclasses.field(default=None, init=False)

    def start(self) -> None:
        self.recording = recording = read_meta(self.path)
        self._bursts = _bursts(recording, self.path)
        if self.verify and recording.sha512 is not None:
            compare(self.path, recording.sha512)

    def work(self) -> Iterator[Received]:
        path = sigmf_paths(self.path)[1]
        try:
            with path.open("rb") as data:
                for burst in self._bursts:
                    yield self._received(data, burst)
        except OSError as error:
            raise MediaError(f"'{path}' cannot be read: {error.strerror}.") from error

    def _received(self, data: IO[bytes], burst: Sequence[Annotation | None]) -> Received:
        samples, gains, noises = burst
        assert samples is not None
        y = self._read(data, samples)
        if gains is None:
            re, im = samples.extra[GAIN]
            gain = np.array(complex(re, im), np.complex64)
        else:
            gain = self._read(data, gains)
        if noises is None:
            return Received(y, gain, np.array(samples.extra[NOISE], np.float32))
        noise = self._read(data, noises)
        return Received(y, gain, np.where(noise == ERASED, np.float32(np.inf), noise.real))

    def _read(self, data: IO[bytes], stretch: Annotation) -> np.ndarray:
        data.seek(8 * stretch.start)
        raw = data.read(8 * stretch.count)
        if len(raw) != 8 * stretch.count:
            raise MediaError(
                f"'{sigmf_paths(self.path)[1]}' has become shorter than {8 * (stretch.start + stretch.count)} bytes."
            )
        values = np.frombuffer(raw, "<c8").astype(np.complex64)
        bad = np.flatnonzero(~np.isfinite(values))
        if bad.size:
            raise MediaError(f"'{self.path}': sample {stretch.start + int(bad[0])} is NaN or infinite.")
        return values


def _bursts(recording: Recording, path: str | os.PathLike[str]) -> list[list[Annotation | None]]:
    """For every burst the stretches of its samples, gains and noise variances; None where the annotation has them."""

    def wrong(what: str) -> MediaError:
        return MediaError(f"'{path}' is no recording of ReceivedSink: {what}. Samples alone are read by SigmfSource.")

    if recording.datatype != "cf32_le":
        raise wrong(f"its samples are {recording.datatype}")
    found: list[list[Annotation | None]] = []
    for mark in recording.annotations:
        name, _, number = mark.label.rpartition(" ")
        if mark.count > MAX_BURST:
            raise wrong(f"it marks a burst of {mark.count} samples, at most {MAX_BURST}")
        if name == PARTS[0] and number == str(len(found)):
            found.append([mark, None, None])
            continue
        last: Any = found[-1] if found else None
        place = PARTS.index(name) if name in PARTS[1:] else 0
        if not place or last is None or number != str(len(found) - 1) or last[place] or mark.count != last[0].count:
            raise wrong(f"it has an annotation {mark.label[:40]!r} of {mark.count} samples where none is expected")
        last[place] = mark
    for samples, gains, noises in found:
        assert samples is not None
        gain, noise = samples.extra.get(GAIN), samples.extra.get(NOISE)
        pair = isinstance(gain, list) and len(gain) == 2 and all(map(_number, gain))
        if (gains is None) != pair or (noises is None) != _number(noise):
            raise wrong(f"the annotation {samples.label!r} does not say gain and noise variance once")
    return found


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= 3e38
