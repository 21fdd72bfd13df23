import numpy as np
import pytest

from lgvsc_flow.blocks.phy.ldpc.code import wifi_code
from lgvsc_flow.blocks.phy.ldpc.nr_code import LIFTING_SIZES, nr_code
from lgvsc_flow.blocks.phy.ldpc.nr_encode import nr_encode


def syndromes(words, code):
    """H x per base row and position, straight from the definition: row r of a block meets bit (r + shift) mod z."""
    blocks = words.reshape(len(words), -1, code.z)
    sums = np.zeros((len(words), code.base.shape[0], code.z), np.uint8)
    for row, column in np.argwhere(code.base >= 0):
        sums[:, row] ^= np.roll(blocks[:, column], -int(code.base[row, column]), axis=1)
    return sums


@pytest.mark.parametrize("base_graph", [1, 2])
@pytest.mark.parametrize("rows", [None, 4, 5, 17])
def test_every_lifting_size_satisfies_every_check(base_graph, rows):
    rng = np.random.default_rng(1)
    for z in LIFTING_SIZES:
        code = nr_code(base_graph, z, rows)
        words = rng.integers(0, 2, (3, code.k), dtype=np.uint8)
        coded = nr_encode(words, code)
        assert coded.shape == (3, code.n)
        assert np.array_equal(coded[:, : code.k], words)
        assert not syndromes(coded, code).any(), code.name


@pytest.mark.parametrize(("base_graph", "z"), [(1, 3), (2, 13)])
def test_against_the_parity_check_matrix(base_graph, z):
    """The test's own syndromes, too, are those of the full matrix."""
    code = nr_code(base_graph, z)
    words = np.random.default_rng(2).integers(0, 2, (4, code.n), dtype=np.uint8)
    dense = words @ code.parity_check().T.astype(int) % 2
    assert np.array_equal(dense, syndromes(words, code).reshape(4, -1))


def test_no_words():
    assert nr_encode(np.zeros((0, 44), np.uint8), nr_code(1, 2)).shape == (0, 136)


def test_message():
    with pytest.raises(ValueError, match=r"NR BG1 Z=2 encodes words \[frames, 44\], got \[2, 45\]"):
        nr_encode(np.zeros((2, 45), np.uint8), nr_code(1, 2))
    with pytest.raises(ValueError, match="bits are 0 or 1, got 3"):
        nr_encode(np.full((1, 44), 3, np.uint8), nr_code(1, 2))
    code = wifi_code(648, "1/2")
    with pytest.raises(ValueError, match=r"802.11n n=648 r=1/2 is not one of the NR codes, which alone this encoder"):
        nr_encode(np.zeros((1, code.k), np.uint8), code)
