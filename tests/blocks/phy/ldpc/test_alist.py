from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from lgvsc_flow.blocks.phy.ldpc.alist import format_alist, parse_alist, read_alist, write_alist
from lgvsc_flow.blocks.phy.ldpc.parity_check import MatrixError, ParityCheck

quick = settings(max_examples=80, deadline=None, derandomize=True, database=None)
GNU_RADIO = sorted(Path("/usr/share/gnuradio/fec/ldpc").glob("n_*_gap_*.alist"))
HAMMING = np.array([[1, 0, 1, 0, 1, 0, 1], [0, 1, 1, 0, 0, 1, 1], [0, 0, 0, 1, 1, 1, 1]], np.uint8)
PADDED = """7 3
3 4
1 1 2 1 2 2 3
4 4 4
1 0 0
2 0 0
1 2 0
3 0 0
1 3 0
2 3 0
1 2 3
1 3 5 7
2 3 6 7
4 5 6 7
"""
BARE = PADDED.replace(" 0", "")


def test_the_hamming_code():
    assert np.array_equal(parse_alist(PADDED).dense(), HAMMING)
    assert np.array_equal(parse_alist(BARE).dense(), HAMMING)
    assert format_alist(ParityCheck.of_dense(HAMMING)) == PADDED
    assert format_alist(ParityCheck.of_dense(HAMMING), zero_padding=False) == BARE


def test_forms_that_are_read_too():
    """Comments, empty lines, long lists broken, more padding than needed, higher maxima, places in any order."""
    text = PADDED.replace("7 3\n", "# Hamming\n7 3 # columns, rows\n\n", 1).replace("3 4\n", "3 5\n", 1)
    text = text.replace("1 1 2 1 2 2 3\n", "1 1 2\n1 2\n2 3\n").replace("4 5 6 7\n", "7 5 6 4 0 0 0\n")
    assert np.array_equal(parse_alist(text.replace("\n", "\r\n")).dense(), HAMMING)


@quick
@given(st.integers(1, 25), st.integers(1, 25), st.floats(0, 1), st.booleans(), st.integers(0, 2**32))
def test_round_trip(m, n, density, zero_padding, seed):
    dense = (np.random.default_rng(seed).random((m, n)) < density).astype(np.uint8)
    text = format_alist(ParityCheck.of_dense(dense), zero_padding=zero_padding)
    assert np.array_equal(parse_alist(text).dense(), dense)
    # Columns and rows without ones may have no line at all.
    bare = "\n".join(line for line in text.splitlines()[4:] if line.replace("0", "").strip())
    assert np.array_equal(parse_alist("\n".join(text.splitlines()[:4]) + "\n" + bare).dense(), dense)


def test_files(tmp_path):
    path = tmp_path / "hamming.alist"
    write_alist(path, ParityCheck.of_dense(HAMMING))
    assert path.read_text() == PADDED
    assert np.array_equal(read_alist(path).dense(), HAMMING)
    path.write_text(PADDED[:20])
    with pytest.raises(MatrixError, match=r"hamming.alist', the text ends after line 3; expected the number of ones"):
        read_alist(path)
    with pytest.raises(MatrixError, match=r"^'.*/none' cannot be read: No such file or directory$"):
        read_alist(tmp_path / "none")


@pytest.mark.parametrize("path", GNU_RADIO, ids=lambda path: path.name)
def test_files_of_gnu_radio(path):
    matrix = read_alist(path)
    assert matrix.n == int(path.name[2:6])
    assert matrix.n - matrix.m == int(path.name[9:13])
    assert np.array_equal(parse_alist(format_alist(matrix)).dense(), matrix.dense())


def changed(line, text):
    lines = PADDED.splitlines()
    lines[line - 1 : line] = [] if text is None else [text]
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the text ends after line 0; expected the numbers of columns and of rows, as in '7 3'"),
        ("# 7 3\n", "the text ends after line 0; expected the numbers of columns and of rows, as in '7 3'"),
        ("7 3", "the text ends after line 1; expected the most ones in a column and in a row"),
        (changed(1, "7"), "line 1: '7'; expected the numbers of columns and of rows, each 1 to 1048576"),
        (changed(1, "0 3"), "line 1: '0 3'; expected the numbers of columns and of rows, each 1 to 1048576"),
        (
            changed(1, "7 2000000"),
            "line 1: '7 2000000'; expected the numbers of columns and of rows, each 1 to 1048576",
        ),
        (changed(1, "7 x"), "line 1: 'x' is no whole number of at most 9 digits; expected the numbers of columns and"),
        (changed(2, "4 4"), "line 2: '4 4'; expected the most ones in a column, at most 3, and in a row, at most 7"),
        (changed(2, "3"), "line 2: '3'; expected the most ones in a column, at most 3, and in a row, at most 7"),
        (
            changed(3, "1 1 2 1 2 2 4"),
            "line 3: column 7 has 4; expected the number of ones of each column, 7 numbers from 0 to 3",
        ),
        (
            changed(3, "1 1 2 1 2 2 3 1"),
            "line 3: there are 8 numbers; expected the number of ones of each column, 7 numbers from 0 to 3",
        ),
        (changed(3, "1 1 2 1 2 2"), "line 4: column 7 has 4; expected the number of ones of each column, 7 numbers"),
        (changed(4, "4 4 3"), "line 4: the columns have 12 ones, the rows 11; expected the same number, at most"),
        (
            changed(7, "1 0 0"),
            "line 7: '1 0 0'; expected the rows of the 2 ones of column 3, each 1 to 3, then zeros or none",
        ),
        (changed(7, "1 4 0"), "line 7: '1 4 0'; expected the rows of the 2 ones of column 3, each 1 to 3, then zeros"),
        (changed(7, "1 2 3"), "line 7: '1 2 3'; expected the rows of the 2 ones of column 3, each 1 to 3, then zeros"),
        (changed(7, "0 1 2"), "line 7: '0 1 2'; expected the rows of the 2 ones of column 3, each 1 to 3, then zeros"),
        (changed(7, "1 -2"), "line 7: '1 -2'; expected the rows of the 2 ones of column 3, each 1 to 3, then zeros"),
        (changed(7, "2 2 0"), "line 7: a row is there twice; expected the rows of the 2 ones of column 3"),
        (changed(7, None), "line 7: '3 0 0'; expected the rows of the 2 ones of column 3, each 1 to 3, then zeros"),
        (changed(12, "1 3 5 8"), "line 12: '1 3 5 8'; expected the columns of the 4 ones of row 1, each 1 to 7, then"),
        (changed(14, None), "the text ends after line 13; expected the columns of the 4 ones of row 3, each 1 to 7"),
        (PADDED + "1\n", "line 15: there is more behind the last row; expected the end of the text"),
        (
            changed(13, "1 3 6 7"),
            "line 13: row 2 lists column 1, but column 1 (line 5) does not list row 2; expected the same ones in both "
            "parts",
        ),
        (
            changed(13, "2 3 5 7"),
            "line 13: row 2 lists column 5, but column 5 (line 9) does not list row 2; expected the same ones in both",
        ),
        (changed(5, "2 0 0"), "line 12: row 1 lists column 1, but column 1 (line 5) does not list row 1; "),
    ],
)
def test_malformed_text_is_named_with_its_line(text, message):
    with pytest.raises(MatrixError) as error:
        parse_alist(text)
    assert str(error.value).startswith(message)
    assert "\n" not in str(error.value)


@quick
@given(st.integers(0, 2**32), st.sampled_from([PADDED, BARE]))
def test_damaged_text_is_refused_or_is_a_matrix(seed, text):
    rng = np.random.default_rng(seed)
    for _ in range(rng.integers(1, 4)):
        at = rng.integers(len(text) + 1)
        piece = rng.choice(["", "0", "1", "9", " ", "\n", "-", "#", "x", "99999"])
        text = text[:at] + piece + text[at + rng.integers(0, 3) :]
    try:
        matrix = parse_alist(text)
    except MatrixError:
        return
    assert np.array_equal(parse_alist(format_alist(matrix)).dense(), matrix.dense())


def test_sizes_promised_cost_nothing():
    """A short text does not make large arrays."""
    for text in ("1048576 1048576\n1048576 1048576\n" + "1 " * 100, "1048576 1\n0 0\n0\n0"):
        with pytest.raises(MatrixError, match="expected"):
            parse_alist(text)
