import numpy as np
import pytest

from lgvsc_flow.blocks.phy import Deinterleaver, Interleaver
from lgvsc_flow.blocks.phy.interleaver import permutation
from lgvsc_flow.errors import BlockError
from lgvsc_flow.testing import run_block


@pytest.mark.parametrize("rows", [0, 1, 2, 3, 4, 8, 13])
@pytest.mark.parametrize("columns", [1, 6, 648])
def test_round_trip(rows, columns):
    n = rows * columns
    assert np.array_equal(np.sort(permutation(n, columns)), np.arange(n))
    bits = np.random.default_rng(rows).integers(0, 2, n, dtype=np.uint8)
    (sent,) = run_block(Interleaver(columns=columns), [bits])
    (back,) = run_block(Deinterleaver(columns=columns), [1 - 2 * sent.astype(np.float32)])
    assert back.dtype == np.float32
    assert np.array_equal(back < 0, bits == 1)


@pytest.mark.parametrize("rows", [2, 3, 4, 8, 13])
def test_any_stretch_takes_as_much_of_every_codeword(rows):
    """A fade over `rows` * m bits in a row, wherever it begins, hits each codeword m - 1 to m + 1 times."""
    codeword = permutation(rows * 648, 648) // 648
    for length in (10, 128):
        for start in range(0, rows * 648 - rows * length, 61):
            hits = np.bincount(codeword[start : start + rows * length], minlength=rows)
            assert hits.min() >= length - 1
            assert hits.max() <= length + 1


@pytest.mark.parametrize("rows", [2, 3, 4, 6, 8, 12])
@pytest.mark.parametrize("order", [16, 64, 256])
def test_no_codeword_gets_the_weak_bits_alone(rows, order):
    """The later a bit pair stands in a QAM label, the weaker it is: each codeword has its share of every pair."""
    m = order.bit_length() - 1
    codeword = permutation(rows * 648, 648) // 648
    pair = np.arange(rows * 648) % m // 2
    for row in range(rows):
        share = np.bincount(pair[codeword == row], minlength=m // 2) / 648
        assert np.allclose(share, 2 / m, atol=0.01)


def test_message():
    with pytest.raises(BlockError, match=r"got Bits\[700\]; a burst must hold whole rows of columns=648"):
        run_block(Interleaver(columns=648), [np.zeros(700, np.uint8)])
