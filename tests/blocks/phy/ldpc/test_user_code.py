import os

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from lgvsc_flow.blocks.phy.ldpc import user_code as module
from lgvsc_flow.blocks.phy.ldpc.alist import format_alist, write_alist
from lgvsc_flow.blocks.phy.ldpc.code import CODE_RATES, LENGTHS, wifi_code
from lgvsc_flow.blocks.phy.ldpc.decode import decode
from lgvsc_flow.blocks.phy.ldpc.encode import encode
from lgvsc_flow.blocks.phy.ldpc.fixed import decode_int8
from lgvsc_flow.blocks.phy.ldpc.general_encode import encode_general
from lgvsc_flow.blocks.phy.ldpc.parity_check import MatrixError, ParityCheck
from lgvsc_flow.blocks.phy.ldpc.qc import QcTable, format_qc, parse_qc
from lgvsc_flow.blocks.phy.ldpc.user_blocks import EXAMPLE
from lgvsc_flow.blocks.phy.ldpc.user_code import user_code

HOW = {"max_iterations": 30, "early_stop": True, "factor": 0.8125}


def alist_of(dense):
    return format_alist(ParityCheck.of_dense(np.asarray(dense)))


def noisy(coded, sigma, rng):
    y = 1 - 2.0 * coded + sigma * rng.normal(size=coded.size)
    return (2 * y / sigma**2).astype(np.float32)


@pytest.mark.parametrize(("n", "rate"), [(n, rate) for n in LENGTHS for rate in CODE_RATES])
def test_a_code_of_802_11_is_itself_again(n, rate):
    """From an alist: the same table of circulants, the same fast encoder, the same decoded bits."""
    code = wifi_code(n, rate)
    own = user_code(alist_of(code.parity_check()))
    assert (own.n, own.k, own.code.z) == (code.n, code.k, code.z)
    assert np.array_equal(own.code.base, code.base)
    assert own.fast
    rng = np.random.default_rng(n)
    bits = rng.integers(0, 2, 20 * code.k, np.uint8)
    coded = own.encode(bits)
    assert np.array_equal(coded, encode(bits, code))
    assert np.array_equal(coded, encode_general(bits, own.encoder))
    llrs = noisy(coded, {"1/2": 0.9, "2/3": 0.72, "3/4": 0.65, "5/6": 0.56}[rate], rng)
    found = own.decode(llrs, precision="float32", **HOW)
    assert np.array_equal(found, decode(llrs, code, max_iterations=30, factor=0.8125).words[:, : code.k].ravel())
    found = own.decode(llrs, precision="int8", **HOW)
    assert np.array_equal(found, decode_int8(llrs, code, max_iterations=30, wanted=code.k).words.ravel())


def test_a_table_is_its_alist():
    table = user_code(EXAMPLE)
    listed = user_code(alist_of(table.encoder.matrix.dense()))
    assert (table.k, table.n, table.code.z) == (64, 128, 16)
    assert table.digest == listed.digest
    assert np.array_equal(table.code.base, listed.code.base)
    assert np.array_equal(table.code.parity_check(), table.encoder.matrix.dense())


def some_codes():
    """Checks of few different sizes: int8 is compiled for each set of them."""
    rng = np.random.default_rng(5)
    rows = rng.permutation(np.resize(np.arange(40), 240)).reshape(80, 3)
    dense = np.zeros((40, 80), np.uint8)
    dense[rows, np.arange(80)[:, None]] = 1
    stairs = np.eye(40, dtype=np.uint8) + np.eye(40, k=1, dtype=np.uint8)
    punctured = QcTable(16, parse_qc(EXAMPLE.replace(";", "\n")).base, np.arange(8) > 0)
    return {
        "random": (alist_of(dense), "auto"),
        "dependent and empty rows": (alist_of(np.vstack([dense, dense[:10], 0 * dense[:2]])), "auto"),
        "parity in front": (alist_of(np.hstack([stairs, dense])), "auto"),
        "information last": (EXAMPLE, "last"),
        "punctured": (format_qc(punctured), "auto"),
    }


@pytest.mark.parametrize("name", some_codes())
def test_round_trip(name):
    code = user_code(*some_codes()[name])
    rng = np.random.default_rng(1)
    bits = rng.integers(0, 2, 70 * code.k, np.uint8)
    coded = code.encode(bits)
    assert coded.size == 70 * code.n
    if name == "punctured":
        assert (code.k, code.n, code.code.n) == (64, 112, 128)
    else:
        checks = coded.reshape(70, -1).astype(int) @ code.code.parity_check().T
        assert not (checks % 2).any()
    llrs = noisy(coded, 0.4, rng)
    for precision in ("float32",) if name == "parity in front" else ("float32", "int8"):
        assert np.array_equal(code.decode(llrs, precision=precision, **HOW), bits)
        assert code.decode(llrs[:0], precision=precision, **HOW).size == 0


def test_where_the_information_bits_stand():
    stairs = np.tril(np.ones((8, 8), np.uint8))
    other = np.zeros((8, 12), np.uint8)
    other[:3] = 1
    front, back = np.hstack([stairs, other]), np.hstack([other, stairs])
    expected = {"first": range(12), "last": range(8, 20)}
    for matrix, choice, place in (
        (front, "auto", "last"),
        (front, "last", "last"),
        (back, "auto", "first"),
        (back, "first", "first"),
        (np.hstack([stairs, other[:, 8:], stairs]), "auto", "first"),
    ):
        found = user_code(alist_of(matrix), choice).encoder.information
        assert found.tolist() == [i for i in expected[place] if i < matrix.shape[1]][: found.size]
    neither = user_code(alist_of(np.hstack([other[:, :6], stairs, other[:, :6]])))
    assert neither.k == 12
    assert not neither.in_front
    assert set(range(6)) <= set(neither.encoder.information.tolist())  # no parity bit is so far in front


def test_the_parity_part_of_802_11_is_told_from_others():
    assert user_code(EXAMPLE).fast
    assert not user_code(EXAMPLE, "last").fast
    for old, new in (
        ("15 8 4 -1 1 ", "15 8 4 -1 2 "),
        ("0 0 0 -1;", "1 0 0 -1;"),
        ("-1 0 0;", "-1 1 0;"),
        ("13 1 0 -1 -1;", "13 1 0 3 -1;"),
    ):
        changed = EXAMPLE.replace(old, new)
        assert changed != EXAMPLE
        code = user_code(changed)
        assert not code.fast
        bits = np.random.default_rng(2).integers(0, 2, 5 * code.k, np.uint8)
        words = code.encode(bits).reshape(5, -1)
        assert not (words.astype(int) @ code.code.parity_check().T % 2).any()


@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(st.integers(3, 6), st.integers(1, 5), st.integers(6, 70), st.integers(0, 2**32))
def test_both_encoders_give_the_same_words(rows, extra, z, seed):
    """Random tables with the parity part of 802.11."""
    rng = np.random.default_rng(seed)
    base = np.full((rows, extra + rows), -1)
    base[:, :extra] = np.where(rng.random((rows, extra)) < 0.7, rng.integers(0, z, (rows, extra)), -1)
    base[[0, -1], extra] = rng.integers(z)
    base[rng.integers(1, rows - 1), extra] = 0
    for i in range(rows - 1):
        base[[i, i + 1], extra + 1 + i] = 0
    code = user_code(format_qc(QcTable(z, base, np.ones(extra + rows, bool))))
    assert code.fast == (extra * z >= 16)
    bits = rng.integers(0, 2, code.k * rng.integers(1, 100), np.uint8)
    assert np.array_equal(code.encode(bits), encode_general(bits, code.encoder))


def test_a_changed_file_is_read_again(tmp_path, monkeypatch):
    path = tmp_path / "h.alist"
    write_alist(path, ParityCheck.of_dense(wifi_code(648, "1/2").parity_check()))
    first = user_code(str(path))
    monkeypatch.setattr(module, "_build", None)
    assert user_code(str(path)) is first
    assert user_code(path.read_text()) is first
    monkeypatch.undo()
    write_alist(path, ParityCheck.of_dense(wifi_code(648, "2/3").parity_check()))
    assert user_code(str(path)).k == 432
    assert first.k == 324
    os.remove(path)
    with pytest.raises(MatrixError, match=r"h.alist' cannot be read: No such file"):
        user_code(str(path))


def test_few_codes_are_kept():
    for i in range(2 * module.KEPT):
        user_code(f"4 2 8; 0 {i % 8} 1 0; {i // 8} -1 0 0")
    assert len(module._codes) <= module.KEPT


@pytest.mark.parametrize(
    ("matrix", "message"),
    [
        ("3;", "line 1: there are 1 numbers; expected the numbers of columns and rows (alist), and z (quasi-cyclic"),
        ("3 2 1 1;", "line 1: there are 4 numbers; expected the numbers of columns and rows (alist), and z"),
        ("4 2 8; 0 1", "line 2: there are 2 numbers; expected the 4 shifts of row 1, -1 for a zero block"),
        ("2 1 4; -1 -1", "the matrix has no ones, and so no checks"),
        ("2 2 4; 0 0; 0 -1", "the 8 checks leave no information bit in a word of n=8"),
    ],
)
def test_what_makes_no_code(matrix, message, tmp_path):
    with pytest.raises(MatrixError) as error:
        user_code(matrix)
    assert str(error.value).startswith(message)
    path = tmp_path / "file"
    path.write_text(matrix.replace(";", "\n"))
    with pytest.raises(MatrixError) as error:
        user_code(str(path))
    assert str(error.value).startswith(f"'{path}', {message}")


def test_what_int8_cannot_decode():
    wide = user_code(alist_of(np.hstack([np.ones((4, 40), np.uint8), np.eye(4, dtype=np.uint8)])))
    assert wide.without_int8 == "int8 decodes checks of at most 32 bits, this matrix has one of 41"
    short = user_code("7 3;3 4;1 1 2 1 2 2 3;4 4 4;1;2;1 2;3;1 3;2 3;1 2 3;1 3 5 7;2 3 6 7;4 5 6 7")
    assert short.without_int8 == "int8 decodes codewords of at least 16 bits, this matrix has 7"
    assert user_code(EXAMPLE).without_int8 == ""
    for code in (wide, short):
        bits = np.random.default_rng(0).integers(0, 2, 9 * code.k, np.uint8)
        llrs = (4 - 8.0 * code.encode(bits)).astype(np.float32)
        assert np.array_equal(code.decode(llrs, precision="float32", **HOW), bits)
