import numpy as np
import pytest

from lgvsc_flow.blocks.phy.crc import CRCS, CrcAppend, CrcCheck, append_crc, check_crc, crc
from lgvsc_flow.errors import BlockError
from lgvsc_flow.testing import run_block

CHECK = np.frombuffer(b"123456789", np.uint8)


@pytest.mark.parametrize(
    ("name", "value"),
    [("24A", 0xCDE703), ("24B", 0x23EF52), ("24C", 0xF48279), ("16", 0x31C3), ("8", 0xEA), ("32", 0xFC891918)],
)
def test_published_check_values(name, value):
    """The catalogue's check values: CRC-24/LTE-A, 24/LTE-B, 24/5GNR-C (as 0xB2B117), XMODEM, 8/LTE, 32/BZIP2."""
    assert crc(np.unpackbits(CHECK), name) == value


def test_ethernet_sends_bytes_lowest_bit_first():
    """CRC-32/ISO-HDLC of "123456789" is 0xCBF43926, in bytes sent lowest bit first."""
    sent = format(crc(np.unpackbits(CHECK, bitorder="little"), "32"), "032b")
    assert int(sent[::-1], 2) == 0xCBF43926


def test_crc11_divides_by_its_published_generator():
    """D^11 + D^10 + D^9 + D^5 + 1 (TS 38.212, clause 5.1): its multiples leave nothing, and D^11 leaves the rest."""
    generator = np.zeros(12, np.uint8)
    generator[[0, 1, 2, 6, 11]] = 1
    assert crc(generator, "11") == 0
    assert crc(np.array([1], np.uint8), "11") == 0b11000100001


def long_division(bits, code):
    """The remainder by schoolbook division over GF(2), preset by inverting the first bits."""
    work = [int(b) for b in bits] + [0] * code.bits
    for i in range(code.bits):
        work[i] ^= code.initial >> (code.bits - 1 - i) & 1
    divisor = [1] + [code.polynomial >> (code.bits - 1 - i) & 1 for i in range(code.bits)]
    for i in range(len(bits)):
        if work[i]:
            for j, d in enumerate(divisor):
                work[i + j] ^= d
    return int("".join(map(str, work[-code.bits :])), 2) ^ code.final


@pytest.mark.parametrize("name", list(CRCS))
def test_every_length_against_long_division(name):
    rng = np.random.default_rng(1)
    for n in [*range(32, 50), 299, 300, 1001]:
        bits = rng.integers(0, 2, n, dtype=np.uint8)
        assert crc(bits, name) == long_division(bits, CRCS[name])


@pytest.mark.parametrize("name", list(CRCS))
def test_blocks_at_every_alignment_and_from_any_layout(name):
    """Blocks follow each other without padding, so that a whole word of bits may begin anywhere in memory."""
    length = CRCS[name].bits
    for block in (1, 63, 64, 65, 131):
        bits = np.random.default_rng(block).integers(0, 2, 9 * block, dtype=np.uint8)
        coded = append_crc(bits, block, name).reshape(9, -1)
        for word, row in zip(bits.reshape(9, -1), coded, strict=True):
            assert crc(word, name) == int("".join(map(str, row[-length:])), 2)
        spread = np.repeat(coded.ravel(), 2)[::2]
        assert check_crc(spread, block, name)[1].all()


@pytest.mark.parametrize("name", list(CRCS))
def test_round_trip_and_every_single_and_burst_error(name):
    """A CRC of degree r finds every error burst of at most r bits, for certain."""
    rng = np.random.default_rng(2)
    bits = rng.integers(0, 2, 5 * 77, dtype=np.uint8)
    coded = append_crc(bits, 77, name)
    back, ok = check_crc(coded, 77, name)
    assert np.array_equal(back, bits)
    assert ok.tolist() == [True] * 5
    length = CRCS[name].bits
    word = coded[: 77 + length]
    for at in range(word.size):
        for width in (1, 2, length):
            wrong = word.copy()
            wrong[at : at + width] ^= 1
            assert not check_crc(wrong, 77, name)[1][0]


def test_only_the_broken_block_is_marked():
    bits = np.random.default_rng(3).integers(0, 2, 900, dtype=np.uint8)
    (coded,) = run_block(CrcAppend(block_bits=300), [bits])
    assert coded.size == 972
    coded[324 + 17] ^= 1
    (checked,) = run_block(CrcCheck(block_bits=300), [coded])
    assert checked.ok.tolist() == [True, False, True]
    assert np.flatnonzero(checked.bits != bits).tolist() == [317]


def test_an_empty_burst_has_no_blocks():
    (checked,) = run_block(CrcCheck(block_bits=300), [np.zeros(0, np.uint8)])
    assert checked.bits.size == checked.ok.size == 0


def test_messages():
    with pytest.raises(BlockError) as error:
        run_block(CrcAppend(block_bits=300), [np.zeros(301, np.uint8)])
    assert str(error.value) == (
        "CrcAppend, item 0: got Bits[301]; a burst must hold whole blocks of block_bits=300. (from ValueError)"
    )
    with pytest.raises(BlockError, match="whole blocks of block_bits=300 and 24 CRC bits"):
        run_block(CrcCheck(block_bits=300), [np.zeros(300, np.uint8)])
