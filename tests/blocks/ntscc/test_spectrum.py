"""The per-picture correction of sigma."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from lgvsc_flow.blocks.ntscc.spectrum import (  # noqa: E402
    BANDS,
    LARGEST,
    STEP,
    band_of,
    correction,
    measure,
    spectrum_planes,
    steps_table,
)

CHANNELS = (256, 72, 56)


def test_every_band_has_latents_and_rising_frequencies():
    band = band_of(CHANNELS).numpy()
    assert band.shape == (384,)
    assert set(band) == set(range(BANDS))
    for start, stop in ((0, 256), (256, 328), (328, 384)):
        assert (np.diff(band[start:stop]) >= 0).all()


def test_a_correction_finds_the_energy_of_every_band():
    generator, band = torch.Generator().manual_seed(1), band_of(CHANNELS)
    true = torch.linspace(-6, 6, BANDS).round() * STEP
    log_sigma = 0.3 * torch.randn(1, 384, 20, 30, generator=generator, dtype=torch.float64)
    error = torch.randn(log_sigma.shape, generator=generator) * (log_sigma + true[band].view(1, -1, 1, 1)).exp()
    steps = measure(error, log_sigma, band)
    # A band has 600 positions at least: half the log of its energy is within 0.1 of the truth with more than 99 %.
    assert (steps * STEP - true).abs().max() < STEP / 2
    assert torch.allclose(correction(steps, band).flatten(), (steps * STEP)[band])


def test_corrections_are_bounded_and_an_empty_band_has_none():
    band = band_of((20, 6, 6))
    steps = measure(torch.full((1, 32, 2, 2), 1e9), torch.zeros(1, 32, 2, 2), band)
    assert steps.abs().max() == LARGEST
    assert steps[~torch.isin(torch.arange(BANDS), band)].abs().max() == 0
    far = torch.full((BANDS,), 63.0)
    assert correction(far, band).max() == pytest.approx(LARGEST * STEP)


def test_the_table_is_whole_and_small_pictures_have_no_correction():
    table = steps_table()
    assert table.sum() == 65536
    assert table.min() >= 1
    assert spectrum_planes(4, 7) == ([], [])
    assert spectrum_planes(4, 8)[0] == [(BANDS,)]
