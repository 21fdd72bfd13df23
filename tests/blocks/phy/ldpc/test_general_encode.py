import time

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from lgvsc_flow.blocks.phy.ldpc import general_encode
from lgvsc_flow.blocks.phy.ldpc.alist import parse_alist
from lgvsc_flow.blocks.phy.ldpc.code import CODE_RATES, LENGTHS, wifi_code
from lgvsc_flow.blocks.phy.ldpc.encode import encode
from lgvsc_flow.blocks.phy.ldpc.general_encode import encode_general, encoder_of
from lgvsc_flow.blocks.phy.ldpc.nr_code import nr_code
from lgvsc_flow.blocks.phy.ldpc.nr_encode import nr_encode
from lgvsc_flow.blocks.phy.ldpc.parity_check import MatrixError, ParityCheck

quick = settings(max_examples=150, deadline=None, derandomize=True, database=None)

# A matrix as GNU Radio's ldpc_par_mtrx_encoder takes it, with a gap of 2; it wants the parity bits in front.
GNU_RADIO = """20 10
4 8
1 3 3 4 2 3 2 3 1 4 1 2 4 3 2 2 3 1 1 2
4 3 5 8 4 2 5 4 6 6
1\n1 2 9\n2 3 9\n3 4 9 10\n4 5\n5 6 10\n6 7\n7 8 10\n7\n4 8 9 10
5\n4 10\n1 2 7 10\n1 5 9\n3 4\n4 9\n3 7 8\n4\n4\n3 8
1 2 13 14\n2 3 13\n3 4 15 17 20\n4 5 10 12 15 16 18 19\n5 6 11 14\n6 7\n7 8 9 13 17\n8 10 17 20\n2 3 4 10 14 16
4 6 8 10 12 13
"""
# What GNU Radio 3.10 made of four words.
SENT = ["1100111110", "0101100100", "0100100010", "0011111000"]
CODED = ["11110111101100111110", "01100111010101100100", "11101110100100100010", "11001000010011111000"]


def rank(dense):
    """Over GF(2), by the book."""
    rows, found = [int("".join(map(str, row)), 2) for row in dense.tolist()], 0
    while rows:
        pivot = rows.pop()
        if pivot:
            found += 1
            low = pivot & -pivot
            rows = [row ^ pivot if row & low else row for row in rows]
    return found


def some_matrix(m, n, density, kind, rng):
    dense = (rng.random((m, n)) < density).astype(np.uint8)
    if kind == "dependent rows":
        for _ in range(1 + m // 4):
            dense[rng.integers(m)] = dense[rng.integers(m)] ^ dense[rng.integers(m)]
    elif kind == "parity in front":
        dense[:, -m:] = 0
    elif kind == "stairs" and m <= n:
        dense[:, n - m :] = np.eye(m, dtype=np.uint8) + np.eye(m, k=-1, dtype=np.uint8)
    return dense


@quick
@given(
    st.integers(1, 40),
    st.integers(1, 70),
    st.sampled_from([0.02, 0.05, 0.1, 0.5]),
    st.sampled_from(["plain", "dependent rows", "parity in front", "stairs"]),
    st.booleans(),
    st.sampled_from([0, 1, 3, 64, 65, 513]),
    st.integers(0, 2**32),
)
def test_any_matrix(m, n, density, kind, front, words, seed):
    rng = np.random.default_rng(seed)
    dense = some_matrix(m, n, density, kind, rng)
    k = n - rank(dense)
    if k == 0:
        with pytest.raises(MatrixError, match=f"the {m} checks leave no information bit in a word of n={n}"):
            encoder_of(ParityCheck.of_dense(dense), front)
        return
    encoder = encoder_of(ParityCheck.of_dense(dense), front)
    assert (encoder.k, encoder.rank) == (k, n - k)
    assert (np.diff(encoder.information) > 0).all()
    bits = rng.integers(0, 2, k * words, np.uint8)
    coded = encode_general(bits, encoder).reshape(words, n)
    assert coded.dtype == np.uint8
    assert np.array_equal(coded[:, encoder.information].ravel(), bits)
    assert not (coded.astype(int) @ dense.T % 2).any()
    # Where the columns at one end are independent, the information bits stand together at the other.
    if m <= n and rank(dense[:, n - m :] if front else dense[:, :m]) == m:
        assert encoder.information.tolist() == (list(range(n - m)) if front else list(range(m, n)))


@pytest.mark.parametrize(("n", "rate"), [(n, rate) for n in LENGTHS for rate in CODE_RATES])
def test_codes_of_802_11(n, rate):
    code = wifi_code(n, rate)
    encoder = encoder_of(ParityCheck.of_dense(code.parity_check()))
    bits = np.random.default_rng(n).integers(0, 2, 70 * code.k, np.uint8)
    assert np.array_equal(encode_general(bits, encoder), encode(bits, code))


@pytest.mark.parametrize("code", [nr_code(1, 24), nr_code(2, 52, 12)])
def test_codes_of_nr(code):
    encoder = encoder_of(ParityCheck.of_dense(code.parity_check()))
    words = np.random.default_rng(1).integers(0, 2, (5, code.k), np.uint8)
    assert np.array_equal(encode_general(words.ravel(), encoder), nr_encode(words, code).ravel())


def test_the_words_of_gnu_radio():
    encoder = encoder_of(parse_alist(GNU_RADIO), front=False)
    bits = np.array([list(map(int, word)) for word in SENT], np.uint8).ravel()
    words = encode_general(bits, encoder).reshape(4, -1)
    assert ["".join(map(str, word)) for word in words] == CODED


def regular(n, m, weight, rng):
    """A random matrix with `weight` ones in each column and about as many in each row as in any other."""
    rows = rng.permutation(np.resize(np.arange(m), n * weight)).reshape(n, weight)
    ones = np.unique(rows * n + np.arange(n)[:, None])
    return ParityCheck.of_ones(m, n, ones // n, ones % n)


def repeat_accumulate(n, m, weight, rng):
    """Like the codes of DVB-S2: random columns, then stairs."""
    k = n - m
    rows = np.concatenate([rng.integers(0, m, k * weight), np.arange(m), np.arange(1, m)])
    columns = np.concatenate([np.repeat(np.arange(k), weight), k + np.arange(m), k + np.arange(m - 1)])
    ones = np.unique(rows.astype(np.int64) * n + columns)
    return ParityCheck.of_ones(m, n, ones // n, ones % n)


def checks_hold(matrix, words):
    sums = np.zeros((matrix.m, len(words)), np.uint8)
    np.bitwise_xor.at(sums, matrix.rows, words.T[matrix.columns])
    return not sums.any()


@pytest.mark.parametrize("kind", [regular, repeat_accumulate])
@pytest.mark.parametrize("m", [32400, 6480])
def test_as_large_as_dvb(kind, m):
    """Set up within 20 s of processor time (0.1 to 1 s measured); random codes, and such with stairs."""
    rng = np.random.default_rng(m)
    matrix = kind(64800, m, 3, rng)
    begun = time.process_time()
    encoder = encoder_of(matrix)
    assert time.process_time() - begun < 20
    assert encoder.k >= 64800 - m
    bits = rng.integers(0, 2, 2 * encoder.k, np.uint8)
    words = encode_general(bits, encoder).reshape(2, -1)
    assert np.array_equal(words[:, encoder.information].ravel(), bits)
    assert checks_hold(matrix, words)
    if kind is repeat_accumulate:
        assert np.array_equal(encoder.information, np.arange(64800 - m))
        assert encoder.dense.size == 0


def test_what_is_not_sparse_enough(monkeypatch):
    monkeypatch.setattr(general_encode, "MAX_GAP", 20)
    dense = np.random.default_rng(0).integers(0, 2, (50, 100))
    with pytest.raises(
        MatrixError, match=r"\d\d of the 50 checks cannot be solved one after the other, at most 20 may"
    ):
        encoder_of(ParityCheck.of_dense(dense))
    monkeypatch.setattr(general_encode, "MAX_GAP", 100)
    monkeypatch.setattr(general_encode, "MAX_DENSE", 100)
    dense[:, 50:] = 0
    with pytest.raises(MatrixError, match="50 parity bits are not at the end of the word where the others are"):
        encoder_of(ParityCheck.of_dense(dense))


def test_message():
    encoder = encoder_of(parse_alist(GNU_RADIO))
    with pytest.raises(ValueError, match=r"a burst must hold whole information words of k=10\."):
        encode_general(np.zeros(11, np.uint8), encoder)
