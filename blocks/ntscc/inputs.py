"""What the codec takes: pictures it can send, and what of a received burst can be used."""

from __future__ import annotations

import numpy as np

from lgvsc_flow.blocks.ntscc.header import LARGEST_SIDE

LARGEST_PICTURE = 1 << 25  # pixels (8K has 33.2 million): both ends refuse more
ERASED = 1e6  # noise variance that stands for "nothing came"
LARGEST_SYMBOL = 1e4  # magnitude that no burst of unit power reaches, noise of variance below ERASED included
#: Noise variance (Es/N0 17 dB) below which the networks were hardly ever trained: told of less they fail badly.
CLEANEST = 0.02


def check_pixels(pixels: np.ndarray) -> None:
    """Raises ValueError for what is no picture of uint8 [height, width, 3], or one that is too large."""
    if not isinstance(pixels, np.ndarray) or pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3:
        got = f"{pixels.dtype} {list(pixels.shape)}" if isinstance(pixels, np.ndarray) else type(pixels).__name__
        grey = isinstance(pixels, np.ndarray) and (pixels.ndim == 2 or (pixels.ndim == 3 and pixels.shape[2] == 1))
        advice = "; repeat a grey picture's plane three times" if grey else ""
        raise ValueError(f"a keyframe is uint8 [height, width, 3] RGB, got {got}{advice}")
    height, width = pixels.shape[:2]
    if not (1 <= height <= LARGEST_SIDE and 1 <= width <= LARGEST_SIDE):
        raise ValueError(f"a keyframe has sides of 1 to {LARGEST_SIDE} pixels, got {width}x{height}")
    if height * width > LARGEST_PICTURE:
        raise ValueError(f"a keyframe has at most {LARGEST_PICTURE} pixels, got {width}x{height}")


def usable_symbols(
    symbols: np.ndarray, noise_variance: np.ndarray | float, count: int
) -> tuple[np.ndarray, np.ndarray, int]:
    """Symbols and noise variances, [count] each, and how many are erased.

    A symbol counts as erased where it or its noise variance is not finite, the variance is negative or 1e6 and more,
    or its magnitude is 1e4 and more. Variances below `CLEANEST` are raised to it.

    Raises:
        ValueError: another number of symbols or noise variances.
    """
    symbols = np.asarray(symbols, np.complex128)
    if symbols.shape != (count,):
        got = f"has {symbols.size} symbols" if symbols.ndim == 1 else f"is no row of symbols but {list(symbols.shape)}"
        raise ValueError(f"the burst {got}, its side information announces {count}")
    noise = np.asarray(noise_variance, float)
    if noise.shape not in ((), (1,), (count,)):
        raise ValueError(f"noise_variance is one number or [{count}], one for each symbol; got {list(noise.shape)}")
    noise = np.broadcast_to(noise, symbols.shape)
    with np.errstate(invalid="ignore"):
        usable = np.isfinite(symbols) & (np.abs(symbols) < LARGEST_SYMBOL) & (noise >= 0) & (noise < ERASED)
    erased = count - int(np.count_nonzero(usable))
    return np.where(usable, symbols, 0), np.where(usable, np.maximum(noise, CLEANEST), ERASED), erased
