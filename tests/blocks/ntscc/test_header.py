"""The side information's header."""

import numpy as np
import pytest

from lgvsc_flow.blocks.ntscc.header import SideInformation, check_value, payload_bytes, snr_code

SIDE = SideInformation(272, 640, 15672, 5, snr_code(10), 16 * 2048, 171, 77, b"hyperprior")


def test_round_trip():
    assert SideInformation.unpack(SIDE.pack()) == SIDE
    assert SIDE.snr_db == 10
    assert SIDE.rms == 1
    assert len(SIDE.pack()) - len(SIDE.hyperprior) <= 15
    assert payload_bytes(272, 640, 15672, 10) == len(SIDE.pack())


def test_check_value():
    assert check_value(b"123456789") == bytes([0xD6, 0x4E])  # CRC-16/GENIBUS


@pytest.mark.parametrize("snr_db", [-20, -1.75, 0, 14.25, 43.75])
def test_snr_is_kept_in_quarter_decibels(snr_db):
    side = SideInformation(1, 1, 1, 0, snr_code(snr_db), 0, 0, 0, b"")
    assert SideInformation.unpack(side.pack()).snr_db == snr_db


def test_any_flipped_bit_is_found():
    data = bytearray(SIDE.pack())
    for bit in range(8 * len(data)):
        data[bit // 8] ^= 1 << bit % 8
        with pytest.raises(ValueError, match=r"keyframe side information .* is damaged"):
            SideInformation.unpack(bytes(data))
        data[bit // 8] ^= 1 << bit % 8


def test_short_payload():
    with pytest.raises(ValueError, match="of 3 bytes is shorter than its header"):
        SideInformation.unpack(b"abc")


def test_absurd_sizes_and_versions_are_refused():
    huge = SideInformation(1 << 20, 640, 5, 5, 0, 0, 0, 0, b"")
    with pytest.raises(ValueError, match="announces 640x1048576 pixels"):
        SideInformation.unpack(huge.pack())
    body = bytes([0x35]) + SIDE.pack()[1:-2]
    with pytest.raises(ValueError, match="of version 3, this decoder reads 2"):
        SideInformation.unpack(body + check_value(body))


def test_random_bytes_never_crash():
    rng = np.random.default_rng(0)
    for _ in range(200):
        with pytest.raises(ValueError, match="side information"):
            SideInformation.unpack(rng.bytes(int(rng.integers(0, 40))))
