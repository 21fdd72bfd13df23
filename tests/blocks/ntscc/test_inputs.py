"""What the codec takes: pictures, and what of a burst can be used."""

import math

import numpy as np
import pytest

from lgvsc_flow.blocks.ntscc.inputs import CLEANEST, ERASED, LARGEST_PICTURE, check_pixels, usable_symbols

BURST = np.array([1, 1j, -1, -1j], np.complex64)


@pytest.mark.parametrize("shape", [(1, 1, 3), (17, 9, 3), (2160, 3840, 3)])
def test_pictures_of_any_size(shape):
    check_pixels(np.zeros(shape, np.uint8))


@pytest.mark.parametrize("shape", [(4, 5), (4, 5, 1)])
def test_grey_pictures_are_refused_with_advice(shape):
    with pytest.raises(ValueError, match=r"RGB, got uint8 \[4, 5.*\]; repeat a grey picture's plane three times"):
        check_pixels(np.zeros(shape, np.uint8))


def test_other_arrays_are_refused():
    with pytest.raises(ValueError, match=r"got uint8 \[4, 5, 4\]$"):
        check_pixels(np.zeros((4, 5, 4), np.uint8))
    with pytest.raises(ValueError, match=r"sides of 1 to 16384 pixels, got 7x0"):
        check_pixels(np.zeros((0, 7, 3), np.uint8))
    wide = np.broadcast_to(np.zeros(1, np.uint8), (8192, 8192, 3))  # takes no memory
    with pytest.raises(ValueError, match=f"at most {LARGEST_PICTURE} pixels, got 8192x8192"):
        check_pixels(wide)


def test_clean_symbols_pass():
    symbols, noise, erased = usable_symbols(BURST, 0.1, 4)
    assert np.array_equal(symbols, BURST)
    assert np.array_equal(noise, np.full(4, 0.1))
    assert erased == 0


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, complex(0, np.nan), complex(np.inf, -np.inf), 1e4, 1e30])
def test_unusable_symbols_are_erased(value):
    burst = BURST.copy()
    burst[2] = value
    symbols, noise, erased = usable_symbols(burst, 0.1, 4)
    assert symbols[2] == 0
    assert noise.tolist() == [0.1, 0.1, ERASED, 0.1]
    assert erased == 1


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, -1e-9, 1e6])
def test_unusable_noise_variances_erase(value):
    symbols, noise, erased = usable_symbols(BURST, np.array([value, 0.1, 0.1, 0.1]), 4)
    assert symbols[0] == 0
    assert noise[0] == ERASED
    assert erased == 1
    assert usable_symbols(BURST, value, 4)[2] == 4


@pytest.mark.parametrize("value", [0.0, 1e-6, CLEANEST])
def test_noise_below_the_trained_range_is_taken_for_its_end(value):
    symbols, noise, erased = usable_symbols(BURST, value, 4)
    assert np.array_equal(symbols, BURST)
    assert (noise == CLEANEST).all()
    assert erased == 0


def test_wrong_lengths_are_named():
    with pytest.raises(ValueError, match="the burst has 4 symbols, its side information announces 5"):
        usable_symbols(BURST, 0.1, 5)
    with pytest.raises(ValueError, match="the burst has 0 symbols"):
        usable_symbols(np.zeros(0), 0.1, 5)
    with pytest.raises(ValueError, match=r"the burst is no row of symbols but \[2, 2\]"):
        usable_symbols(BURST.reshape(2, 2), 0.1, 4)
    with pytest.raises(ValueError, match=r"noise_variance is one number or \[4\], one for each symbol; got \[3\]"):
        usable_symbols(BURST, np.ones(3), 4)
    assert math.isfinite(CLEANEST)
