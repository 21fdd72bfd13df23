import os

import pytest

from lgvsc_flow.blocks.phy.ldpc import matrix_text
from lgvsc_flow.blocks.phy.ldpc.matrix_text import Lines, read_text, write_text
from lgvsc_flow.blocks.phy.ldpc.parity_check import MatrixError
from lgvsc_flow.errors import FlowError


def test_lines_hold_numbers():
    lines = Lines("# first\n\n 1 -2\t3 # three\r\n   \n#\n4")
    assert lines.peek() == "1 -2\t3"
    assert (lines.take("some"), lines.number) == ([1, -2, 3], 3)
    assert (lines.take("one"), lines.number) == ([4], 6)
    assert lines.peek() == ""
    with pytest.raises(MatrixError, match=r"^the text ends after line 6; expected no more$"):
        lines.take("no more")


@pytest.mark.parametrize(
    "wrong", ["x", "1.5", "1e3", "+1", "--1", "1_000", "1234567890", "9" * 10000, "\u0663", "-", "0x10", "1,2", "\0"]
)
def test_what_is_no_number(wrong):
    with pytest.raises(MatrixError) as error:
        Lines(f"\n1 2 {wrong} 3").take("four numbers")
    assert str(error.value) == (f"line 2: {wrong[:20]!r} is no whole number of at most 9 digits; expected four numbers")


def test_endless_lines():
    assert len(Lines("1 " * 2**20).take("a line")) == 2**20
    with pytest.raises(MatrixError, match=r"^line 1: there are more than 1048576 numbers; expected a line"):
        Lines("1 " * (2**20 + 1)).take("a line")
    with pytest.raises(MatrixError, match=r"^line 1: 'x' is no whole number"):
        Lines("1 " * 2**16 + " " * 2**16 + "x").take("a line")


def test_files(tmp_path):
    write_text(tmp_path / "a", "1 2\n")
    assert read_text(tmp_path / "a") == "1 2\n"
    (tmp_path / "mark").write_bytes(b"\xef\xbb\xbf1 2\r\n")
    assert read_text(str(tmp_path / "mark")) == "1 2\r\n"
    assert sorted(os.listdir(tmp_path)) == ["a", "mark"]


def test_files_that_cannot_be_read(tmp_path, monkeypatch):
    (tmp_path / "binary").write_bytes(bytes(range(256)))
    monkeypatch.setattr(matrix_text, "MAX_BYTES", 2**20)
    (tmp_path / "large").write_bytes(bytes(2**20 + 1))
    for name, message in (
        ("none", "No such file or directory"),
        (".", "Is a directory"),
        ("binary", "is no text; expected an alist file or a quasi-cyclic table"),
        ("large", "is larger than 1 MiB; no matrix here is"),
        ("a\0b", "embedded null"),
    ):
        with pytest.raises(FlowError) as error:
            read_text(f"{tmp_path}/{name}")
        assert message in str(error.value)
        assert str(error.value).startswith(f"'{tmp_path}/{name}'")


def test_files_that_cannot_be_written(tmp_path):
    with pytest.raises(MatrixError, match="/none/a' cannot be written: No such file or directory"):
        write_text(tmp_path / "none" / "a", "")
    (tmp_path / "folder").mkdir()
    with pytest.raises(MatrixError, match="folder' cannot be written"):
        write_text(tmp_path / "folder", "")
    assert os.listdir(tmp_path) == ["folder"]
