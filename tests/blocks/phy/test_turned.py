import numpy as np
import pytest

from lgvsc_flow.blocks.phy.interleaver import permutation
from lgvsc_flow.blocks.phy.turned import turn, turn_back


@pytest.mark.parametrize("columns", [16, 17, 31, 32, 33, 100])
def test_tiles_are_the_permutation(columns):
    """Every number of rows around one, two and four tiles; NaN, infinities and -0.0 come back as they are."""
    rng = np.random.default_rng(columns)
    for rows in [*range(1, 36), 63, 64, 65]:
        order = permutation(rows * columns, columns)
        bits = rng.integers(0, 2, order.size, dtype=np.uint8)
        assert np.array_equal(turn(bits, columns), bits[order])
        llrs = rng.normal(size=order.size).astype(np.float32)
        llrs[rng.random(llrs.size) < 0.1] = np.nan
        llrs[rng.random(llrs.size) < 0.1] = -0.0
        llrs[rng.random(llrs.size) < 0.1] = -np.inf
        assert turn_back(llrs[order], columns).tobytes() == llrs.tobytes()
