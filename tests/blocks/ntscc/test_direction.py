"""The local correction of sigma."""

import math

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from lgvsc_flow.blocks.ntscc.direction import (  # noqa: E402
    CELL,
    FIRST_LEVEL,
    LARGEST,
    SECTORS,
    STEP,
    direction_bits,
    direction_correction,
    direction_planes,
    measure_directions,
    sector_of,
    steps_table,
)
from lgvsc_flow.blocks.ntscc.transform import BLOCK, block_dct, frequency_order  # noqa: E402

CHANNELS = (256, 72, 56)


def test_sectors_are_the_directions_of_luminance():
    sector = sector_of(CHANNELS).numpy()
    order = frequency_order()
    assert (sector[CHANNELS[0] :] == -1).all()
    assert (sector[[order.index(f) for f in ((0, 0), (0, 1), (1, 0))]] == -1).all()
    assert (sector[[order.index(f) for f in ((0, 5), (1, 9))]] == 0).all()
    assert (sector[[order.index(f) for f in ((5, 0), (9, 1))]] == 1).all()
    assert (sector[[order.index(f) for f in ((1, 1), (7, 7))]] == 2).all()
    counts = np.bincount(sector[sector >= 0], minlength=SECTORS)
    assert counts[0] == counts[1]  # a picture on its side is as good


@pytest.mark.parametrize("rows", [8, 9])
def test_a_grating_is_found_where_it_is(rows):
    """Stripes in one cell of a picture: that cell's sector of that direction, and nothing else, goes up."""
    sector, columns = sector_of(CHANNELS), 10
    basis = torch.from_numpy(block_dct(CHANNELS)).reshape(sum(CHANNELS), -1)
    stripes = np.zeros((3, BLOCK, BLOCK)) + 0.2 * np.cos(np.arange(BLOCK) * 1.1)  # vary along the row
    latents = basis @ torch.from_numpy(stripes.ravel())
    log_sigma = torch.full((1, sum(CHANNELS), rows, columns), math.log(0.05), dtype=torch.float64)
    error = torch.randn(log_sigma.shape, generator=torch.Generator().manual_seed(1)).double() * 0.05
    error[:, :, 4:6, 2:4] += latents[None, :, None, None]
    steps = measure_directions(error, log_sigma, log_sigma, math.log(0.05), sector).round()
    assert steps.shape == (1, SECTORS, -(-rows // CELL), columns // CELL)
    assert steps[0, 0, 2, 1] >= 1
    steps[0, 0, 2, 1] = 0
    assert steps.abs().max() == 0  # ratios of some 300 latents are within a fifth of 1 with more than 99.9 %


def test_latents_far_from_the_threshold_and_empty_cells_say_nothing():
    sector = sector_of(CHANNELS)
    log_sigma = torch.zeros(1, sum(CHANNELS), 4, 4)
    steps = measure_directions(torch.full_like(log_sigma, 9.0), log_sigma, log_sigma, 5.0, sector)
    assert steps.abs().max() == 0


def test_steps_are_bounded_and_reach_their_own_latents():
    sector = sector_of(CHANNELS)
    log_sigma = torch.zeros(1, sum(CHANNELS), 5, 3)
    steps = measure_directions(torch.full_like(log_sigma, 1e6), log_sigma, log_sigma, 0.0, sector)
    assert steps.max() == LARGEST
    steps = torch.zeros(1, SECTORS, 3, 2)
    steps[0, 1, 2, 1] = -2
    added = direction_correction(steps, sector, 5, 3)
    assert added.shape == log_sigma.shape
    assert torch.equal(added[0, :, 4, 2], torch.where(sector == 1, -2 * STEP, 0.0))
    assert torch.count_nonzero(added) == (sector == 1).sum()
    assert direction_correction(100 * steps, sector, 5, 3).min() == pytest.approx(-LARGEST * STEP)


def test_bits_are_those_of_the_table_and_teach():
    whole = torch.arange(-LARGEST, 3).float()
    table = steps_table()
    assert table.sum() == 65536
    assert table.min() >= 1
    coded = -np.log2(table[63 - LARGEST : 63 + 3] / 65536)
    each = np.array([direction_bits(k.view(1, 1, 1, 1)).item() for k in whole])
    assert each == pytest.approx(coded, abs=0.1)
    steps = torch.tensor([[[[1.3]]]], requires_grad=True)
    direction_bits(steps).sum().backward()
    assert steps.grad.item() > 0


def test_where_z_is_coarse_or_the_picture_small_there_are_no_cells():
    assert direction_planes(FIRST_LEVEL - 1, 10, 10) == ([], [])
    assert direction_planes(FIRST_LEVEL, 5, 6) == ([], [])
    shapes, tables = direction_planes(FIRST_LEVEL, 5, 8)
    assert shapes == [(3, 4)] * SECTORS
    assert len(tables) == SECTORS
