"""A recorded channel, played back: gains, or impulse responses, from a NumPy file."""

from __future__ import annotations

import dataclasses
import math
import os
import zipfile
from pathlib import Path
from typing import IO

import numpy as np
from numpy.lib import format as npy

from lgvsc_flow import Block, In, Out, setting
from lgvsc_flow.blocks.channel.awgn import add_noise, noise_variance
from lgvsc_flow.blocks.channel.dispersed import Dispersed, disperse
from lgvsc_flow.blocks.given import burst_of
from lgvsc_flow.blocks.random_kernels import NoiseStream
from lgvsc_flow.errors import MediaError
from lgvsc_flow.items import Received, Symbols

__all__ = ["ReplayChannel", "load_gains"]

MAX_BYTES = 2**30


def load_gains(path: str | os.PathLike[str], key: str = "gain") -> np.ndarray:
    """A recorded channel from .npy, or from the array `key` of an .npz: complex64 [rows] or [rows, length].

    Nothing is unpickled, and sizes are checked before anything is read: at most 1 GiB, as long as the header says.

    Raises:
        MediaError: the file is missing, no NumPy file, too large, truncated, of another dtype or dimension, empty, or
            holds NaN or infinite values.
    """
    path = Path(path)
    try:
        if path.suffix == ".npz":
            with zipfile.ZipFile(path) as archive:
                names = [n.removesuffix(".npy") for n in archive.namelist()]
                if key not in names:
                    raise MediaError(
                        f"'{path}' has no array '{key}'; it has {', '.join(names[:20]) or 'none'}. Set key."
                    )
                info = archive.getinfo(archive.namelist()[names.index(key)])
                with archive.open(info) as stream:
                    gains = _read(stream, info.file_size, path)
        else:
            with path.open("rb") as stream:
                gains = _read(stream, path.stat().st_size, path)
    except MediaError:
        raise
    except Exception as error:  # damage surfaces in zipfile and its decompressors in a dozen ways
        raise MediaError(f"'{path}' cannot be read: {getattr(error, 'strerror', None) or error}.") from error
    bad = int(np.count_nonzero(~np.isfinite(gains)))
    if bad:
        raise MediaError(
            f"'{path}': {bad} of {gains.size} values are NaN or infinite; leave them out of the recording."
        )
    return gains


def _read(stream: IO[bytes], size: int, path: Path) -> np.ndarray:
    if size > MAX_BYTES:
        raise MediaError(f"'{path}' has {size} bytes, at most {MAX_BYTES}. Split the recording.")
    try:
        version = npy.read_magic(stream)
        header = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        shape, fortran, dtype = header(stream)
    except Exception as error:  # the header is a Python literal: a tokenizer, a parser and dtypes may object
        raise MediaError(f"'{path}' is no NumPy file: {str(error)[:200]}.") from error
    if dtype.kind not in "fc" or len(shape) not in (1, 2) or min(shape) < 1:
        raise MediaError(
            f"'{path}' holds {dtype} {list(shape)}; a channel is real or complex, gains [rows] or taps [rows, length]"
        )
    count = math.prod(shape)
    if count * dtype.itemsize > MAX_BYTES:
        raise MediaError(f"'{path}' says it has {count} values, more than {MAX_BYTES} bytes. Split the recording.")
    data = stream.read(count * dtype.itemsize + 1)
    if len(data) != count * dtype.itemsize:
        raise MediaError(
            f"'{path}' is damaged: it should have {count * dtype.itemsize} bytes of data, not {len(data)}."
        )
    values = np.frombuffer(data, dtype).reshape(shape, order="F" if fortran else "C")
    with np.errstate(over="ignore"):
        return np.ascontiguousarray(values, np.complex64)


class ReplayChannel(Block):
    """y = h x + n with recorded gains h, or y[i] = sum_l h_l[i] x[i - l] + n[i] with recorded impulse responses.

    The file is .npy, or .npz with the array `key`: [rows] with `dispersive=False`, else [rows, length], taps one sample
    apart. Each row holds for `hold` symbols. At the end of the recording it begins anew (`at_end="repeat"`), or that is
    an error. With `normalize` the recording is scaled so that the mean of |h|^2 (of sum_l |h_l|^2) over all of it is 1,
    and `esn0_db` is the average Es/N0; without, Es/N0 is that times the recorded power. The receiver is given h.

    Raises:
        MediaError: see `load_gains`; in `start`, before anything is sent.
    """

    symbols = In(Symbols, "n", finite=True)
    received = Out(Received, "n", response="{response}")

    path: str | os.PathLike[str] = setting(doc=".npy, or .npz")
    key: str = setting("gain", doc="name of the array in an .npz")
    esn0_db: float = setting(10.0, ge=-100, le=100, unit="dB", doc="average symbol energy over noise", live=True)
    hold: int = setting(1, ge=1, unit="symbols", doc="how long each row of the recording holds")
    dispersive: bool = setting(False, doc="the recording holds impulse responses")
    normalize: bool = setting(True, doc="scale the recording to unit mean power")
    begin: int = setting(0, ge=0, unit="rows", doc="where in the recording to begin")
    at_end: str = setting("repeat", choices=("repeat", "error"))
    symbol_count: int = dataclasses.field(default=0, init=False)

    @property
    def response(self) -> str:
        return "dispersive" if self.dispersive else "flat"

    def start(self) -> None:
        self.symbol_count, self._noise = 0, NoiseStream(self.rng)
        gains = load_gains(self.path, self.key)
        if (gains.ndim == 2) != self.dispersive:
            kind, other = ("gains", "False") if gains.ndim == 1 else ("impulse responses", "True")
            raise MediaError(f"'{self.path}' holds {kind} of shape {list(gains.shape)}: set dispersive={other}.")
        if self.begin >= len(gains):
            raise MediaError(f"'{self.path}' has {len(gains)} rows; begin={self.begin} lies behind its end.")
        if self.normalize:
            power = float(np.sum(np.abs(gains) ** 2, dtype=np.float64)) / len(gains)
            if not 0 < power < np.inf:
                raise MediaError(f"'{self.path}' has a mean power of {power:g}, which cannot be scaled to 1.")
            gains = gains / np.float32(np.sqrt(power))
        self._rows = gains
        self._history = np.zeros(gains.shape[1] - 1 if self.dispersive else 0, np.complex64)

    def work(self, symbols: np.ndarray) -> Received:
        symbols = burst_of(symbols, Symbols)
        first, used = divmod(self.symbol_count, self.hold)
        places = self.begin + np.arange(first, first + max(-(-(used + symbols.size) // self.hold), 1))
        if self.at_end == "error" and symbols.size and places[-1] >= len(self._rows):
            raise MediaError(
                f"'{self.path}' is at its end: {len(self._rows) - self.begin} rows last for "
                f"{(len(self._rows) - self.begin) * self.hold} symbols. Send less, or set at_end='repeat'."
            )
        rows = self._rows[places % len(self._rows)]
        self.symbol_count += symbols.size
        variance = noise_variance(self.esn0_db)
        if self.dispersive:
            clean, self._history = disperse(symbols, self._history, rows, self.hold, used)
            noisy = add_noise(clean, float(variance), self._noise)
            return Dispersed(noisy, np.array(1, np.complex64), np.array(variance), rows, self.hold, used)
        gain = np.repeat(rows, self.hold)[used : used + symbols.size]
        return Received(add_noise(gain * symbols, float(variance), self._noise), gain, np.array(variance))
