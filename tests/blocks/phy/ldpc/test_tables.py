import hashlib

import numpy as np
import pytest

from lgvsc_flow.blocks.phy.ldpc.code import CODE_RATES, LENGTHS, wifi_code

CODES = [(n, rate) for n in LENGTHS for rate in CODE_RATES]
ROWS = {"1/2": 12, "2/3": 8, "3/4": 6, "5/6": 4}


@pytest.mark.parametrize(("n", "rate"), CODES)
def test_shape_and_dual_diagonal(n, rate):
    """The parity part of every table: one column of three entries, outer two alike, then a staircase of zeros."""
    code = wifi_code(n, rate)
    rows = ROWS[rate]
    assert code.base.shape == (rows, 24)
    assert code.base.max() < code.z == n // 24
    assert code.n == n
    assert code.k == n * int(rate[0]) // int(rate[2])
    first = code.base[:, 24 - rows]
    (where,) = np.nonzero(first >= 0)
    assert where.tolist() == [0, where[1], rows - 1]
    assert 0 < where[1] < rows - 1
    assert first[0] == first[-1] == 1
    assert first[where[1]] == 0
    stairs = code.base[:, 25 - rows :]
    expected = np.full((rows, rows - 1), -1)
    for i in range(rows - 1):
        expected[i, i] = expected[i + 1, i] = 0
    assert np.array_equal(stairs, expected)


@pytest.mark.parametrize(("n", "rate"), CODES)
def test_no_check_is_redundant(n, rate):
    """Rank of H over GF(2), by elimination on rows kept as integers."""
    rows = [int("".join(map(str, row)), 2) for row in wifi_code(n, rate).parity_check()]
    pivots: dict[int, int] = {}
    for value in rows:
        while value and value.bit_length() in pivots:
            value ^= pivots[value.bit_length()]
        if value:
            pivots[value.bit_length()] = value
    assert len(pivots) == len(rows)


@pytest.mark.parametrize(("n", "rate"), CODES)
def test_four_cycles(n, rate):
    """Two bits share two checks nowhere but in three of the standard's tables, which do have such short cycles."""
    code = wifi_code(n, rate)
    base, z = code.base.astype(int), code.z
    cycles = 0
    for upper in range(base.shape[0]):
        for lower in range(upper + 1, base.shape[0]):
            both = (base[upper] >= 0) & (base[lower] >= 0)
            turns = (base[upper] - base[lower])[both] % z
            cycles += sum(int(c * (c - 1) // 2) for c in np.bincount(turns))
    assert cycles == {(648, "3/4"): 2, (1296, "2/3"): 2, (1944, "2/3"): 1}.get((n, rate), 0)


@pytest.mark.parametrize(
    ("n", "edges"),
    [(648, [88, 88, 88, 88]), (1296, [86, 88, 88, 85]), (1944, [86, 88, 85, 79])],
)
def test_number_of_entries(n, edges):
    """Circulants in the tables F-1 to F-3."""
    assert [wifi_code(n, rate).columns.size for rate in CODE_RATES] == edges


@pytest.mark.parametrize(("n", "rate"), CODES)
def test_column_weights(n, rate):
    """Every information bit is in at least two checks, and at rate 1/2 the heavy columns are in 8 or more."""
    code = wifi_code(n, rate)
    weights = (code.base >= 0).sum(axis=0)
    information = weights[: code.k // code.z]
    assert information.min() >= 2
    assert weights[code.k // code.z] == 3
    assert (weights[code.k // code.z + 1 :] == 2).all()
    if rate == "1/2":
        assert information.max() >= 11


def test_shift_direction_is_that_of_an_independent_matrix():
    """SHA-256 over the sorted (check, bit) pairs of AFF3CT's WIFI_540_648.alist, which is n=648 r=5/6."""
    pairs = np.argwhere(wifi_code(648, "5/6").parity_check()).astype("<u2")
    assert (
        hashlib.sha256(pairs.tobytes()).hexdigest()
        == "d35ad9bc39f80f6ed5ef3339d0372a708f08c277d7985d3990607acd8e9b598d"
    )


@pytest.mark.parametrize(("n", "rate"), CODES)
def test_numbers_are_those_of_five_independent_copies(n, rate):
    """SHA-256 of each table as compared, entry by entry, with five independent implementations of the standard."""
    digest = hashlib.sha256(wifi_code(n, rate).base.astype("<i2").tobytes()).hexdigest()
    assert digest[:16] == DIGESTS[n, rate]


DIGESTS = {
    (648, "1/2"): "a5516544017bfa42",
    (648, "2/3"): "cf4da61a27b4536a",
    (648, "3/4"): "057c0a8be38f0cfc",
    (648, "5/6"): "7239c3129da99bd3",
    (1296, "1/2"): "778390aaa04c0d9c",
    (1296, "2/3"): "2392df134f9d5bdf",
    (1296, "3/4"): "54b01d928c3914d2",
    (1296, "5/6"): "c5044e78ef98034f",
    (1944, "1/2"): "79223e617a8590cf",
    (1944, "2/3"): "2e1415e37d697021",
    (1944, "3/4"): "b4b38c5e58f134cc",
    (1944, "5/6"): "b3e068f9d2e27c2d",
}


def test_message():
    with pytest.raises(ValueError, match=r"802.11 has n of \(648, 1296, 1944\).*got n=650, code_rate='1/2'"):
        wifi_code(650, "1/2")
