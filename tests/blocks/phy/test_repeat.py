import numpy as np
import pytest

from lgvsc_flow.blocks.phy import BitRepeat, LlrCombine
from lgvsc_flow.errors import BlockError
from lgvsc_flow.testing import run_block


def test_whole_bursts_are_repeated_and_their_llrs_summed():
    bits = np.array([0, 1, 1], np.uint8)
    (sent,) = run_block(BitRepeat(times=3), [bits])
    assert sent.tolist() == [0, 1, 1, 0, 1, 1, 0, 1, 1]
    llrs = np.array([1, -2, -3, 0.5, -1, 4, 0, 0, -2], np.float32)
    (summed,) = run_block(LlrCombine(times=3), [llrs])
    assert summed.dtype == np.float32
    assert summed.tolist() == [1.5, -3.0, -1.0]


@pytest.mark.parametrize("size", [0, 5])
def test_once_changes_nothing(size):
    bits = np.ones(size, np.uint8)
    assert np.array_equal(run_block(BitRepeat(times=1), [bits])[0], bits)
    assert run_block(LlrCombine(times=4), [np.zeros(0, np.float32)])[0].size == 0


def test_message():
    with pytest.raises(BlockError, match=r"got Llrs\[7\]; a burst must hold times=2 copies of equal length"):
        run_block(LlrCombine(times=2), [np.zeros(7, np.float32)])
