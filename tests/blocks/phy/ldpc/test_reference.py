import itertools

import numpy as np
import pytest

from lgvsc_flow.blocks.phy.ldpc.reference import sum_product


def test_exact_on_a_code_without_cycles():
    """On a tree sum-product is bitwise maximum a posteriori decoding: compare with a sum over all codewords."""
    h = np.array([[1, 1, 1, 0, 0, 0, 0], [0, 0, 1, 1, 1, 0, 0], [0, 0, 0, 0, 1, 1, 1]], np.uint8)
    words = np.array([w for w in itertools.product((0, 1), repeat=7) if not (h @ w % 2).any()])
    llrs = np.random.default_rng(1).normal(0.3, 2.0, (300, 7))
    likelihood = np.exp((1 - 2.0 * words) @ llrs.T / 2)
    posterior = np.array([likelihood[words[:, i] == 1].sum(0) / likelihood.sum(0) for i in range(7)]).T
    found = sum_product(llrs, h, max_iterations=10)
    # A frame stops once its word is valid; where that happens at once, the word need not be the bitwise optimum.
    went_on = ((llrs < 0).astype(int) @ h.T % 2).any(axis=1)
    settled = ~(found @ h.T % 2).any(axis=1)
    clear = went_on & ~settled
    assert clear.sum() > 10
    assert np.array_equal(found[clear], (posterior[clear] > 0.5).astype(np.uint8))
    assert (found[settled] == (posterior[settled] > 0.5)).mean() > 0.95


def test_a_codeword_is_left_alone():
    h = np.array([[1, 1, 0, 1], [0, 1, 1, 1]], np.uint8)
    assert sum_product(np.array([[-3.0, -1.0, -2.0, 2.0]]), h).tolist() == [[1, 1, 1, 0]]


def test_message():
    with pytest.raises(ValueError, match=r"LLRs are \[frames, 4\], got \[1, 5\]"):
        sum_product(np.zeros((1, 5)), np.ones((2, 4), np.uint8))
