"""What the encoder adds to the hyperprior's sigma, for the whole picture and for every cell of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from lgvsc_flow.blocks.ntscc.direction import (
    direction_bits,
    direction_correction,
    direction_planes,
    measure_directions,
    sector_of,
)
from lgvsc_flow.blocks.ntscc.nets import NtsccNet
from lgvsc_flow.blocks.ntscc.spectrum import band_of, correction, measure, spectrum_planes


class Corrected(NamedTuple):
    """Corrected log deviations, the whole steps that say how (planes as `correction_planes` lists them), their bits.

    `bits` counts the cells' steps; those of the bands, some fifty for a whole picture, are left out.
    """

    log_sigma: Tensor
    planes: list[Tensor]
    bits: Tensor


def correction_planes(level: int, rows: int, columns: int) -> tuple[list[tuple[int, ...]], list[np.ndarray]]:
    """Shapes and frequency tables of the integers that go in front of z."""
    shapes, tables = spectrum_planes(rows, columns)
    more_shapes, more_tables = direction_planes(level, rows, columns)
    return [*shapes, *more_shapes], [*tables, *more_tables]


def corrected(net: NtsccNet, error: Tensor, log_sigma: Tensor, level: int, dimensions: int) -> Corrected:
    """Measure and add the corrections of one picture, or of crops that stand for one.

    Rounding is straight-through, so that no step drives the hyperprior away from what it would say without corrections.

    Args:
        net: whose latents they are.
        error: y - mean, [B, M, h, w].
        log_sigma: in nepers, like `error`.
        level: of z.
        dimensions: sent, about.
    """
    crops, _, height, width = error.shape
    planes: list[Tensor] = []
    bits = torch.zeros((), dtype=log_sigma.dtype, device=log_sigma.device)
    if spectrum_planes(crops * height, width)[0]:
        band = band_of(net.settings.channels)
        planes.append(_whole(measure(error, log_sigma, band)))
        log_sigma = log_sigma + correction(planes[0], band).to(log_sigma.device, log_sigma.dtype)
    if direction_planes(level, crops * height, width)[0]:
        sector = sector_of(net.settings.channels)
        worth = net.worth(log_sigma)
        rank = max(1, worth.numel() - dimensions)
        theta = worth.flatten().kthvalue(rank).values
        steps = measure_directions(error, log_sigma, worth, theta, sector)
        bits = direction_bits(steps).sum()
        planes.extend(_whole(steps).unbind(1))
        log_sigma = log_sigma + direction_correction(_whole(steps), sector, height, width)
    return Corrected(log_sigma, planes, bits)


def _whole(steps: Tensor) -> Tensor:
    return steps + (steps.round() - steps).detach() if steps.requires_grad else steps.round()


def with_planes(channels: tuple[int, int, int], log_sigma: Tensor, planes: Sequence[np.ndarray]) -> Tensor:
    """The corrected log deviations [1, M, h, w] that whole steps describe: the same at both ends."""
    rest = [torch.from_numpy(np.asarray(plane, np.float64)) for plane in planes]
    if rest and rest[0].dim() == 1:
        log_sigma = log_sigma + correction(rest.pop(0), band_of(channels)).to(log_sigma.dtype)
    if rest:
        steps = torch.stack(rest)[None].to(log_sigma.dtype)
        log_sigma = log_sigma + direction_correction(steps, sector_of(channels), *log_sigma.shape[2:])
    return log_sigma
