import numpy as np
import pytest

from lgvsc_flow.blocks.phy import RandomBits
from lgvsc_flow.errors import SettingError
from lgvsc_flow.testing import run_block


def test_bits_are_fair_and_repeat_from_the_seed():
    bursts = run_block(RandomBits(n=100_001, count=3), seed=4)
    again = run_block(RandomBits(n=100_001, count=3), seed=4)
    other = run_block(RandomBits(n=100_001, count=3), seed=5)
    assert [b.dtype for b in bursts] == [np.uint8] * 3
    assert all(np.array_equal(a, b) for a, b in zip(bursts, again, strict=True))
    assert not np.array_equal(bursts[0], other[0])
    ones = sum(int(b.sum()) for b in bursts)
    assert abs(ones - 150_001) < 2.576 * np.sqrt(300_003) / 2  # 99 %
    assert set(np.unique(np.concatenate(bursts))) == {0, 1}


def test_the_cut_into_bursts_changes_nothing():
    whole = np.concatenate(run_block(RandomBits(n=3000, count=2), seed=4))
    assert np.array_equal(np.concatenate(run_block(RandomBits(n=1, count=6000), seed=4)), whole)


def test_no_bursts():
    assert run_block(RandomBits(n=8, count=0)) == []


def test_a_burst_has_bits():
    with pytest.raises(SettingError, match=r"RandomBits.n must be >= 1, got 0"):
        RandomBits(n=0)
