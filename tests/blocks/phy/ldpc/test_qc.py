import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from lgvsc_flow.blocks.phy.ldpc.parity_check import MatrixError
from lgvsc_flow.blocks.phy.ldpc.qc import QcTable, format_qc, parse_qc, read_qc, write_qc

quick = settings(max_examples=60, deadline=None, derandomize=True, database=None)
TABLE = "4 2 8\n\n0 3 -1 1\n2 -1 7 0\n"


def test_a_table():
    table = parse_qc(TABLE)
    assert table.z == 8
    assert table.base.tolist() == [[0, 3, -1, 1], [2, -1, 7, 0]]
    assert table.sent.tolist() == [True] * 4
    assert parse_qc(TABLE + "\n1 1 0 1\n").sent.tolist() == [True, True, False, True]
    assert parse_qc(TABLE.replace("3", "19")).base.tolist() == table.base.tolist()  # modulo z


@quick
@given(st.integers(1, 8), st.integers(1, 8), st.integers(1, 400), st.integers(0, 2**32))
def test_round_trip(width, height, z, seed):
    rng = np.random.default_rng(seed)
    sent = rng.random(width) < 0.8
    sent[rng.integers(width)] = True
    table = QcTable(z, rng.integers(-1, z, (height, width), np.int32), sent)
    again = parse_qc(format_qc(table))
    assert again.z == z
    assert np.array_equal(again.base, table.base)
    assert np.array_equal(again.sent, sent)


def test_files(tmp_path):
    path = tmp_path / "my.qc"
    write_qc(path, parse_qc(TABLE))
    assert path.read_text() == TABLE.replace("\n\n", "\n")
    assert np.array_equal(read_qc(path).base, parse_qc(TABLE).base)
    path.write_text("4 2")
    with pytest.raises(
        MatrixError, match=r"/my.qc', line 1: '4 2'; expected the numbers of columns and of rows, and z"
    ):
        read_qc(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the text ends after line 0; expected the numbers of columns and of rows, and z, as in '24 12 27'"),
        ("4 2\n", "line 1: '4 2'; expected the numbers of columns and of rows, and z, each at least 1, with"),
        ("4 0 8\n", "line 1: '4 0 8'; expected the numbers of columns and of rows, and z, each at least 1, with"),
        (
            "4 2 300000\n",
            "line 1: '4 2 300000'; expected the numbers of columns and of rows, and z, each at least 1, with",
        ),
        (
            TABLE.replace("-1 1", "1"),
            "line 3: there are 3 numbers; expected the 4 shifts of row 1, -1 for a zero block",
        ),
        (TABLE.replace("-1 1", "-2 1"), "line 3: -2 is no shift; expected the 4 shifts of row 1, -1 for a zero block"),
        (TABLE.replace("7", "-"), "line 4: '-' is no whole number of at most 9 digits; expected the 4 shifts of row 2"),
        (TABLE[:16], "the text ends after line 3; expected the 4 shifts of row 2, -1 for a zero block"),
        (
            TABLE + "1 1 1",
            "line 5: there are 3 numbers, from 1 to 1; expected the end of the text, or 4 numbers: 1 for",
        ),
        (TABLE + "0 3 1 1", "line 5: there are 4 numbers, from 0 to 3; expected the end of the text, or 4 numbers"),
        (TABLE + "0 0 0 0", "line 5: no column is sent; expected the end of the text, or 4 numbers"),
        (TABLE + "1 1 1 1\n1", "line 6: there is more behind the line of what is sent; expected the end of the text"),
    ],
)
def test_malformed_tables_are_named_with_their_line(text, message):
    with pytest.raises(MatrixError) as error:
        parse_qc(text)
    assert str(error.value).startswith(message)


def test_too_many_ones():
    text = "64 64 16384\n" + ("0 " * 64 + "\n") * 64
    with pytest.raises(MatrixError, match="the matrix has 67108864 ones, at most 8388608"):
        parse_qc(text)
