import numpy as np
import pytest

from lgvsc_flow.blocks.channel import DropState, IdealChannel
from lgvsc_flow.testing import run_block


def test_there_and_back():
    symbols = np.arange(5).astype(np.complex64)
    (received,) = run_block(IdealChannel(esn0_db=10.0), [symbols])
    assert np.array_equal(received.symbols, symbols)
    assert received.gain == 1
    assert received.noise_variance == pytest.approx(0.1)
    (back,) = run_block(DropState(), [received])
    assert np.array_equal(back, symbols)
