"""Local correction of the hyperprior: in every cell of 32 pixels, is there more detail one way than z says?

Which latents are sent hangs on the few whose worth is near the threshold, and choosing has no gradient that could teach
z to tell them apart. So the encoder looks at just those: for luminance detail across, along and aslant, it measures how
far the true energy lies above sigma's, and sends it as one small integer per cell and direction beside z. Both ends add
it to sigma, which also sets power and estimate.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from lgvsc_flow.blocks.ntscc.entropy import LARGEST as LARGEST_CODED, TOTAL
from lgvsc_flow.blocks.ntscc.spectrum import SMALLEST
from lgvsc_flow.blocks.ntscc.transform import frequency_order

CELL = 2  # positions of latents along a side of a cell: a cell is one position of z
SECTORS = 3  # mostly horizontal, mostly vertical, and both
STEP = 0.4  # nepers
LARGEST = 4  # steps either way
NEAR = 1.0  # nepers from the threshold within which a latent is looked at
DOUBT = 4.0  # latents that behave as expected, put to those of every cell: few latents prove little
CENTRE, SPREAD = -0.6, 0.45  # of the logistic law of the steps, whose entropy it is that they cost
FIRST_LEVEL = 5  # of z, from which on the cells' bits are worth it


@lru_cache
def steps_table() -> np.ndarray:
    """Whole-number frequencies of steps, as `entropy.integer_tables` has for z: int32 [127], sum 65536."""
    k = np.arange(-LARGEST_CODED, LARGEST_CODED + 1)
    share = np.where(np.abs(k) <= LARGEST, _mass(torch.from_numpy(k).double()).numpy(), 0.0)
    table = 1 + np.floor(share / share.sum() * (TOTAL - k.size)).astype(np.int32)
    table[k == 0] += TOTAL - table.sum()
    return table


def _mass(t: Tensor) -> Tensor:
    t = t - CENTRE
    return torch.sigmoid((t + 0.5) / SPREAD) - torch.sigmoid((t - 0.5) / SPREAD)


def direction_planes(level: int, rows: int, columns: int) -> tuple[list[tuple[int, int]], list[np.ndarray]]:
    """Shapes and frequency tables of the integers in front of z: three planes of its size.

    There are none where z is coarse, nor for a picture of few positions.
    """
    count = SECTORS if level >= FIRST_LEVEL and rows * columns >= SMALLEST else 0
    return [(-(-rows // CELL), -(-columns // CELL))] * count, [steps_table()] * count


def sector_of(channels: tuple[int, int, int]) -> Tensor:
    """Sector of every latent, -1 for colour and for the lowest frequencies of luminance: int64 [M]."""
    sectors = np.full(sum(channels), -1)
    for i, (v, h) in enumerate(frequency_order()[: channels[0]]):
        if v + h > 1:
            angle = math.atan2(v, h) / math.pi
            sectors[i] = 0 if angle < 1 / 6 else 1 if angle > 1 / 3 else 2
    return torch.from_numpy(sectors)


def measure_directions(
    error: Tensor, log_sigma: Tensor, worth: Tensor, log_theta: Tensor | float, sector: Tensor
) -> Tensor:
    """Steps by which the energy of the latents that hang in the balance lies above sigma's.

    Args:
        error: y - mean, [B, M, h, w].
        log_sigma: in nepers, like `error`.
        worth: `NtsccNet.worth` of it.
        log_theta: worth of the least latent that is sent, about; broadcast.
        sector: from `sector_of`.

    Returns:
        [B, SECTORS, ceil(h / CELL), ceil(w / CELL)] within -LARGEST..LARGEST, not yet rounded; differentiable in
        log_sigma.
    """
    near = ((worth - log_theta).abs() < NEAR).to(log_sigma.dtype)
    whitened = (error.detach() / log_sigma.exp()).square() * near
    ratios = []
    for number in range(SECTORS):
        members = (sector == number).nonzero().flatten().to(error.device)
        sums = [_per_cell(t.index_select(1, members).sum(1, keepdim=True)) for t in (whitened, near)]
        ratios.append((sums[0] + DOUBT) / (sums[1] + DOUBT))
    return (0.5 * torch.cat(ratios, 1).log() / STEP).clamp(-LARGEST, LARGEST)


def _per_cell(t: Tensor) -> Tensor:
    padded = functional.pad(t, (0, -t.shape[-1] % CELL, 0, -t.shape[-2] % CELL))
    return functional.avg_pool2d(padded, CELL, divisor_override=1)


def direction_correction(steps: Tensor, sector: Tensor, height: int, width: int) -> Tensor:
    """What to add to log sigma for whole steps [B, SECTORS, ...]: [B, M, height, width] nepers."""
    fine = STEP * steps.clamp(-LARGEST, LARGEST)
    fine = fine.repeat_interleave(CELL, 2).repeat_interleave(CELL, 3)[..., :height, :width]
    padded = torch.cat([fine, torch.zeros_like(fine[:, :1])], 1)  # sector -1 takes the last, which is zero
    return padded[:, sector.to(steps.device)]


def direction_bits(steps: Tensor) -> Tensor:
    """What steps cost under the law of `steps_table`, whole or not: bits [B], differentiable."""
    return -_mass(steps).clamp_min(1e-7).log2().flatten(1).sum(1)
