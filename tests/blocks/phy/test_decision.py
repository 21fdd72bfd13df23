import numpy as np

from lgvsc_flow.blocks.phy import HardDecision
from lgvsc_flow.testing import run_block


def test_one_iff_below_zero():
    llrs = np.array([1, -1, 0, -0.0, np.inf, -np.inf, np.nan, -1e-30], np.float32)
    (bits,) = run_block(HardDecision(), [llrs])
    assert bits.dtype == np.uint8
    assert bits.tolist() == [0, 1, 0, 0, 0, 1, 0, 1]


def test_empty_burst():
    (bits,) = run_block(HardDecision(), [np.zeros(0, np.float32)])
    assert bits.size == 0
