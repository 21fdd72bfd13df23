"""The training-free linear analog code."""

import numpy as np
import pytest

from lgvsc_flow.blocks.ntscc.linear import linear_code
from lgvsc_flow.blocks.ntscc.rate import digital_symbols


@pytest.fixture(scope="module")
def astronaut():
    data = pytest.importorskip("skimage.data")
    return data.astronaut()[:256, :256]


def _psnr(a, b):
    return 10 * np.log10(255**2 / max(np.square(a.astype(float) - b).mean(), 1e-9))


def test_rate_is_met_with_side_information(astronaut):
    result = linear_code(astronaut, 0.05, 10, np.random.default_rng(0))
    assert result.analog_symbols + result.side_symbols == round(0.05 * astronaut.size)
    assert result.side_symbols >= digital_symbols(8, 10)


def test_error_falls_with_rate_and_snr(astronaut):
    def quality(cbr, snr_db):
        return _psnr(linear_code(astronaut, cbr, snr_db, np.random.default_rng(0)).pixels, astronaut)

    assert quality(0.1, 10) > quality(0.05, 10) + 1 > quality(0.05, 5) + 2


def test_everything_sent_without_noise_comes_back(astronaut):
    result = linear_code(astronaut, 0.6, 60, np.random.default_rng(0))
    assert _psnr(result.pixels, astronaut) > 50


@pytest.mark.parametrize("shape", [(17, 33), (48, 16)])
def test_odd_sizes(shape):
    pixels = np.random.default_rng(0).integers(0, 256, (*shape, 3), np.uint8)
    assert linear_code(pixels, 0.8, 10, np.random.default_rng(0)).pixels.shape == (*shape, 3)


def test_side_information_that_does_not_fit(astronaut):
    with pytest.raises(ValueError, match=r"side information takes .* symbols, CBR 0.003 gives 590"):
        linear_code(astronaut, 0.003, 0, np.random.default_rng(0))
