from itertools import pairwise

import numpy as np
import pytest

from lgvsc_flow.blocks.phy.weave import NO_GAPS, unweave, unweave_words, weave

WIDTHS = range(1, 13)
COLUMNS = (1, 5, 15, 16, 17, 63, 64, 65, 131)


def plan(width, columns, cut):
    """Rows that lie in reverse order in a codeword, 3 apart, in two pieces: shares, starts, pieces, n."""
    firsts = [(width - 1 - row) * (columns + 3) + 3 for row in range(width)]
    cuts = sorted({0, min(cut, columns), columns})
    pieces = [[a, b, *(first + a for first in firsts)] for a, b in pairwise(cuts)]
    return np.array([width * columns]), np.array([0, len(pieces)]), np.array(pieces), width * (columns + 3) + 3


def written_out(width, columns):
    """Where each bit sent stands in the codeword."""
    return [(width - 1 - row) * (columns + 3) + 3 + column for column in range(columns) for row in range(width)]


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("columns", COLUMNS)
def test_there_and_back(width, columns):
    *how, n = plan(width, columns, 20)
    rng = np.random.default_rng(columns)
    words = rng.integers(0, 2, (3, n), dtype=np.uint8)
    places = written_out(width, columns)
    out = np.empty(3 * width * columns, np.uint8)
    weave(words, *how, out)
    assert np.array_equal(out.reshape(3, -1), words[:, places])

    llrs = rng.normal(size=out.size).astype(np.float32)
    llrs[::7] = np.nan
    known = np.nan_to_num(llrs).reshape(3, -1)
    back = np.full((3, n), 5, np.float32)
    unweave_words(llrs, *how, back)
    assert back[:, places].tobytes() == llrs.tobytes()

    back = np.full((3, n), 5, np.float32)
    unweave(llrs, 0, width * columns, np.arange(3), *how, NO_GAPS, back, False)
    assert np.array_equal(back[:, places], known)
    assert np.count_nonzero(back == 5) == back.size - llrs.size
    unweave(llrs, 0, width * columns, np.arange(3), *how, NO_GAPS, back, True)
    assert np.array_equal(back[:, places], 2 * known)


def test_some_bursts_and_gaps():
    """Bursts 2 and 0 of three; share 0 is filled with 0 from 0 to 3, and with infinity from 5 to 6."""
    how = np.array([2]), np.array([0, 1]), np.array([[0, 1, 4, 3]])
    words = np.full((2, 7), 9, np.float32)
    unweave(
        np.arange(9, dtype=np.float32), 1, 3, np.array([2, 0]), *how, np.array([[0, 0, 3], [~0, 5, 6]]), words, False
    )
    assert words.tolist() == [[0, 0, 0, 8, 7, np.inf, 9], [0, 0, 0, 2, 1, np.inf, 9]]
