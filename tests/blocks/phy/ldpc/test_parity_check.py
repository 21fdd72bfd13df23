import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from lgvsc_flow.blocks.phy.ldpc.code import wifi_code
from lgvsc_flow.blocks.phy.ldpc.nr_code import nr_code
from lgvsc_flow.blocks.phy.ldpc.parity_check import ParityCheck

quick = settings(max_examples=60, deadline=None, derandomize=True, database=None)


@quick
@given(st.integers(1, 30), st.integers(1, 30), st.floats(0, 1), st.integers(0, 2**32))
def test_dense_and_back(m, n, density, seed):
    dense = (np.random.default_rng(seed).random((m, n)) < density).astype(np.uint8)
    matrix = ParityCheck.of_dense(dense)
    assert (matrix.m, matrix.n, matrix.columns.size) == (m, n, dense.sum())
    assert np.array_equal(matrix.dense(), dense)
    assert np.array_equal(matrix.transposed().dense(), dense.T)


def expand(z, shape, rows, columns, shifts):
    dense = np.zeros(shape, np.uint8)
    for row, column, shift in zip(rows, columns, shifts, strict=True):
        dense[row * z : row * z + z, column * z : column * z + z] += np.roll(np.eye(z, dtype=np.uint8), shift, axis=1)
    return dense


def is_quasi_cyclic(dense, z):
    """Straight from the definition."""
    m, n = dense.shape
    if m % z or n % z:
        return False
    for block in dense.reshape(m // z, z, n // z, z).swapaxes(1, 2).reshape(-1, z, z):
        first = np.flatnonzero(block[0])
        whole = np.roll(np.eye(z, dtype=np.uint8), first[0], axis=1) if first.size == 1 else 0 * block
        if not np.array_equal(block, whole):
            return False
    return True


@quick
@given(st.integers(1, 6), st.integers(1, 4), st.integers(1, 5), st.integers(0, 2**32))
def test_circulants_are_found(z, height, width, seed):
    rng = np.random.default_rng(seed)
    rows, columns = np.nonzero(rng.random((height, width)) < 0.6)
    dense = expand(z, (height * z, width * z), rows, columns, rng.integers(0, z, rows.size))
    if rng.random() < 0.3 and dense.any():
        dense[tuple(rng.choice(np.argwhere(dense)))] = 0  # no longer quasi-cyclic
    found, *blocks = ParityCheck.of_dense(dense).circulants()
    largest = max(size for size in range(1, dense.shape[0] + 1) if size == 1 or is_quasi_cyclic(dense, size))
    assert found == largest
    assert np.array_equal(expand(found, dense.shape, *blocks), dense)
    assert (np.diff(blocks[0]) >= 0).all()


@pytest.mark.parametrize("code", [wifi_code(648, "1/2"), wifi_code(1944, "5/6"), nr_code(2, 22)])
def test_codes_of_standards_are_recognised(code):
    z, rows, columns, shifts = ParityCheck.of_dense(code.parity_check()).circulants()
    base = np.full(code.base.shape, -1)
    base[rows, columns] = shifts
    assert z == code.z
    assert np.array_equal(base, code.base)


def test_two_circulants_in_a_block_are_none():
    dense = np.eye(4, dtype=np.uint8) + np.roll(np.eye(4, dtype=np.uint8), 1, axis=1)
    assert ParityCheck.of_dense(dense).circulants()[0] == 1
