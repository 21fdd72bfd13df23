"""The orthonormal block transform that g_a and g_s begin from: colour rotation times 16 x 16 DCT."""

from __future__ import annotations

import numpy as np

BLOCK = 16

#: Orthonormal rows: luminance, red against blue, green against both. Squared error is the same as in RGB.
COLOUR = np.array([[1, 1, 1], [1, 0, -1], [1, -2, 1]]) / np.sqrt([[3], [2], [6]])


def dct_matrix(n: int = BLOCK) -> np.ndarray:
    """Orthonormal DCT-II, rows are basis functions (Ahmed, Natarajan, Rao 1974)."""
    k, i = np.arange(n)[:, None], np.arange(n)[None, :]
    matrix = np.sqrt(2 / n) * np.cos(np.pi * (i + 0.5) * k / n)
    matrix[0] /= np.sqrt(2)
    return matrix


def frequency_order(n: int = BLOCK) -> list[tuple[int, int]]:
    """(vertical, horizontal) frequencies by rising radius: which ones to keep when not all are kept."""
    return sorted(((v, h) for v in range(n) for h in range(n)), key=lambda f: (f[0] ** 2 + f[1] ** 2, f))


def block_dct(channels: tuple[int, int, int] = (256, 256, 256)) -> np.ndarray:
    """The lowest `channels[c]` frequencies of each colour plane: float64 [sum(channels), 3, 16, 16], orthonormal."""
    d, order = dct_matrix(), frequency_order()
    rows = [
        COLOUR[plane][:, None, None] * np.outer(d[v], d[h])
        for plane, count in enumerate(channels)
        for v, h in order[:count]
    ]
    return np.stack(rows)
