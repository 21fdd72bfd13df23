"""What a frequency-selective channel delivers: samples, and the impulse response behind each of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lgvsc_flow.blocks.given import burst_of, check_taps
from lgvsc_flow.items import Received, Symbols
from lgvsc_flow.kernels import kernel

__all__ = ["Dispersed", "disperse"]


@dataclass(frozen=True, eq=False)
class Dispersed(Received):
    """Channel output y[i] = gain[i] * sum_l taps[row(i), l] x[i - l] + n[i], row(i) = (used + i) // hold.

    `taps` is complex64 [rows, length]; row after row holds for `hold` samples, the first for `hold - used` only. x goes
    on over the bursts: the first samples of a burst still hear the burst before. `gain`, 1 behind the channel itself,
    is what multiplies the samples behind it (an oscillator, say). There is no gain per *symbol*: an OFDM demodulator
    makes one for each resource element.
    """

    taps: np.ndarray
    hold: int
    used: int = 0

    @property
    def power(self) -> float:
        """Mean of sum_l |taps|^2 over the rows: the power of the samples over that of x, noise and gain aside."""
        return float(np.mean(np.sum(np.abs(self.taps) ** 2, axis=1, dtype=np.float64))) if self.taps.size else 0.0


@kernel
def _disperse(x: np.ndarray, past: int, taps_re: np.ndarray, taps_im: np.ndarray, hold: int, used: int) -> np.ndarray:
    n = x.size - past
    x_re, x_im = x.real.copy(), x.imag.copy()
    re, im = np.zeros(n, np.float32), np.zeros(n, np.float32)
    begin = 0
    while begin < n:
        row = (used + begin) // hold
        end = min(n, (row + 1) * hold - used)
        for delay in range(taps_re.shape[1]):
            g_re, g_im = taps_re[row, delay], taps_im[row, delay]
            if g_re == 0 and g_im == 0:
                continue
            old_re, old_im = x_re[past - delay + begin :], x_im[past - delay + begin :]
            new_re, new_im = re[begin:end], im[begin:end]
            for i in range(end - begin):
                new_re[i] += g_re * old_re[i] - g_im * old_im[i]
                new_im[i] += g_re * old_im[i] + g_im * old_re[i]
        begin = end
    y = np.empty(n, np.complex64)
    for i in range(n):
        y[i] = complex(re[i], im[i])
    return y


def disperse(
    samples: np.ndarray, history: np.ndarray, taps: np.ndarray, hold: int, used: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Convolve a burst with taps that change in time; see `Dispersed` for their meaning.

    Args:
        samples: the burst, complex64 [n].
        history: the length - 1 samples before it, complex64; zeros at the beginning of a stream.
        taps: complex64 [rows, length], enough rows for the burst.
        hold: samples that a row holds for.
        used: how many of the first row's samples belong to the burst before.

    Returns:
        The convolved burst, complex64 [n], and the history of the next one. How a stream is cut into bursts does not
        change a bit of it.

    Raises:
        ValueError: the arrays are of another dtype or dimension, the taps do not last for the samples, or the history
            is not as long as they are.
    """
    samples, history = burst_of(samples, Symbols), burst_of(history, Symbols)
    check_taps(taps, hold, used, samples.size)
    past = taps.shape[1] - 1
    if history.size != past:
        raise ValueError(f"taps of length {past + 1} need a history of {past} samples, got {history.size}.")
    taps = taps.astype(np.complex64, copy=False)
    x = np.concatenate([history, samples])
    taps_re, taps_im = np.ascontiguousarray(taps.real), np.ascontiguousarray(taps.imag)
    return _disperse(x, past, taps_re, taps_im, hold, used), x[x.size - past :].copy()
