"""Per-picture correction of the hyperprior: how much stronger every frequency band really is than sigma says.

z tells where a picture is busy; it is too coarse to tell that a whole picture has weak colour or strong detail. Twenty-
four small integers do, in some seven bytes. Without them dimensions go to latents that are not there.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from lgvsc_flow.blocks.ntscc.transform import frequency_order

STEP = 0.2  # nepers
LARGEST = 7  # steps either way
LUMA_EDGES = (0.5, 1.5, 2.5, 3.5, 5.0, 6.5, 8.0, 9.5, 11.0, 12.5, 14.0)  # radial frequency, cycles per 32 pixels
CHROMA_EDGES = (0.5, 1.5, 2.5, 4.0, 6.0)
BANDS = len(LUMA_EDGES) + 1 + 2 * (len(CHROMA_EDGES) + 1)
SMALLEST = 32  # positions of a picture that is worth a correction


def steps_table() -> np.ndarray:
    """Whole-number frequencies of steps, as `entropy.integer_tables` has for z: int32 [127], sum 65536."""
    k = np.arange(-63, 64)
    share = np.where(np.abs(k) <= LARGEST, np.exp(-np.abs(k) / 1.2), 0.0)
    table = 1 + np.floor(share / share.sum() * (65536 - k.size)).astype(np.int32)
    table[k == 0] += 65536 - table.sum()
    return table


def spectrum_planes(rows: int, columns: int) -> tuple[list[tuple[int]], list[np.ndarray]]:
    """Shapes and frequency tables of the integers in front of z: one plane, none for a picture of few positions."""
    return ([(BANDS,)], [steps_table()]) if rows * columns >= SMALLEST else ([], [])


def band_of(channels: tuple[int, int, int]) -> Tensor:
    """Band of every latent: int64 [M]."""
    radius = np.array([math.hypot(*f) for f in frequency_order()])
    bands, first = [], 0
    for count, edges in zip(channels, (LUMA_EDGES, CHROMA_EDGES, CHROMA_EDGES), strict=True):
        bands.append(first + np.searchsorted(edges, radius[:count]))
        first += len(edges) + 1
    return torch.from_numpy(np.concatenate(bands))


def measure(error: Tensor, log_sigma: Tensor, band: Tensor) -> Tensor:
    """Steps by which the true energy of a picture's bands lies above sigma's, not yet rounded.

    Args:
        error: y - mean, [B, M, h, w]: B crops that stand for one picture.
        log_sigma: in nepers, like `error`.
        band: from `band_of`.

    Returns:
        float64 [BANDS] within -7..7, differentiable in log_sigma; 0 for an empty band.
    """
    energy = error.detach().double().square().sum((0, 2, 3))
    expected = (2 * log_sigma.double()).exp().sum((0, 2, 3))
    sums = torch.zeros(2, BANDS, dtype=torch.float64)
    sums = sums.index_add(1, band, torch.stack([energy, expected]).cpu())
    steps = 0.5 * ((sums[0] + 1e-12) / (sums[1] + 1e-12)).log() / STEP
    return steps.clamp(-LARGEST, LARGEST)


def correction(steps: Tensor, band: Tensor) -> Tensor:
    """What to add to log sigma: [1, M, 1, 1] nepers."""
    return (STEP * steps.double().clamp(-LARGEST, LARGEST)[band.to(steps.device)]).view(1, -1, 1, 1)
