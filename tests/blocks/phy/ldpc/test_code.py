import numpy as np
import pytest

from lgvsc_flow.blocks.phy.ldpc.code import LdpcCode, wifi_code
from lgvsc_flow.blocks.phy.ldpc.nr_code import nr_code


@pytest.mark.parametrize("code", [wifi_code(648, "3/4"), nr_code(2, 6), nr_code(1, 384, 7)])
def test_a_code_of_blocks_is_the_code_of_their_table(code):
    rows, columns = np.nonzero(code.base >= 0)
    same = LdpcCode.of_blocks("same", code.z, code.base.shape, rows, columns, code.base[rows, columns])
    for part in ("starts", "columns", "shifts"):
        mine, theirs = getattr(same, part), getattr(code, part)
        assert mine.dtype == theirs.dtype == np.int32
        assert np.array_equal(mine, theirs)
    assert np.array_equal(same.base, code.base)
    assert same.base.dtype == code.base.dtype
    assert (same.n, same.m, same.k) == (code.n, code.m, code.k)
    assert np.array_equal(same.parity_check(), code.parity_check())


def test_dependent_rows_leave_more_information_bits():
    code = LdpcCode.of_blocks("twice", 2, (2, 3), np.array([0, 1]), np.array([1, 1]), np.array([0, 0]), rank=2)
    assert (code.n, code.m, code.k) == (6, 4, 4)
    assert code.parity_check().tolist() == [[0, 0, 1, 0, 0, 0], [0, 0, 0, 1, 0, 0]] * 2


def test_a_code_cannot_be_changed():
    with pytest.raises(AttributeError):
        wifi_code(648, "1/2").z = 3
