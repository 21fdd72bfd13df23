import numpy as np
from hypothesis import given, settings, strategies as st

from lgvsc_flow.blocks.phy.ldpc.gf2 import bits_of, dense_product, packed, peel, reduce_rows, units
from lgvsc_flow.blocks.phy.ldpc.parity_check import ParityCheck

quick = settings(max_examples=60, deadline=None, derandomize=True, database=None)
sizes = st.integers(1, 150)


def random_bits(shape, seed, density=0.5):
    return (np.random.default_rng(seed).random(shape) < density).astype(np.uint8)


@quick
@given(sizes, sizes, st.integers(0, 2**32))
def test_packed_and_back(height, columns, seed):
    bits = random_bits((height, columns), seed)
    rows = packed(bits)
    assert rows.dtype == np.uint64
    assert np.array_equal(bits_of(rows, columns), bits)
    assert not bits_of(rows, rows.shape[1] * 64)[:, columns:].any()


def test_units():
    assert np.array_equal(bits_of(units(130, 3), 130), np.eye(130))


@quick
@given(sizes, sizes, st.integers(1, 9), st.integers(0, 2**32))
def test_the_product_is_the_product(height, width, words, seed):
    matrix, values = random_bits((height, width), seed), random_bits((width, 64 * words), seed + 1)
    found = dense_product(packed(matrix), packed(values))
    assert np.array_equal(bits_of(found, 64 * words), matrix.astype(int) @ values % 2)


@quick
@given(sizes, sizes, st.sampled_from([0.02, 0.1, 0.5]), st.integers(0, 2**32))
def test_reduced_rows(height, columns, density, seed):
    """The rows are in reduced form, and what was done to them is in the bits behind."""
    bits = random_bits((height, columns), seed, density)
    both = np.hstack([packed(bits), units(height, -(-height // 64))])
    pivots = reduce_rows(both, columns)
    words = -(-columns // 64)
    reduced, made_of = bits_of(both[:, :words], columns), bits_of(both[:, words:], height)
    assert np.array_equal(made_of.astype(int) @ bits % 2, reduced)
    assert np.array_equal(reduced[: pivots.size, pivots], np.eye(pivots.size))
    assert not reduced[pivots.size :].any()
    first = [np.flatnonzero(row)[0] for row in reduced[: pivots.size]]
    assert np.array_equal(first, pivots)
    assert (np.diff(pivots) > 0).all()


@quick
@given(st.integers(1, 40), st.integers(1, 60), st.floats(0, 0.3), st.integers(0, 2**32))
def test_peeling_orders_rows(m, n, density, seed):
    """Each row has one open bit that is neither parked nor solved before; each open bit is solved or parked."""
    dense = random_bits((m, n), seed, density)
    is_open = random_bits(n, seed + 1).astype(bool)
    matrix = ParityCheck.of_dense(dense)
    down = matrix.transposed()
    rows, solved, parked = peel(matrix.starts, matrix.columns, down.starts, down.columns, is_open)
    assert sorted([*solved, *parked]) == np.flatnonzero(is_open).tolist()
    assert len(set(rows)) == rows.size
    known = ~is_open
    known[parked] = True
    for row, column in zip(rows, solved, strict=True):
        assert np.flatnonzero(dense[row].astype(bool) & ~known).tolist() == [column]
        known[column] = True


def test_a_staircase_needs_nothing_parked():
    dense = np.eye(500, dtype=np.uint8) + np.eye(500, k=-1, dtype=np.uint8)
    matrix = ParityCheck.of_dense(dense)
    down = matrix.transposed()
    rows, _, parked = peel(matrix.starts, matrix.columns, down.starts, down.columns, np.ones(500, bool))
    assert rows.tolist() == list(range(500))
    assert parked.size == 0
