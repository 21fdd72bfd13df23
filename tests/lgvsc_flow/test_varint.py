import pytest

from lgvsc_flow.varint import read_varint, write_varint


@pytest.mark.parametrize("number", [0, 1, 127, 128, 16383, 16384, 2**28, 2**32 - 1])
def test_there_and_back(number):
    data = write_varint(number)
    assert len(data) == max(1, -(-number.bit_length() // 7))
    assert read_varint(b"x" + data + b"rest", 1) == (number, 1 + len(data))


@pytest.mark.parametrize("data", [b"", b"\x80", b"\xff\xff\xff\xff\xff", b"\x80\x00", write_varint(2**32)])
def test_malformed(data):
    assert read_varint(data, 0) is None


def test_limit():
    assert read_varint(b"\x10", 0, limit=16) is None
    assert read_varint(b"\x0f", 0, limit=16) == (15, 1)
