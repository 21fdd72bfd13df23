import numpy as np
import pytest

from lgvsc_flow.blocks.phy import LdpcEncoder
from lgvsc_flow.blocks.phy.ldpc.code import CODE_RATES, LENGTHS, wifi_code
from lgvsc_flow.blocks.phy.ldpc.encode import encode
from lgvsc_flow.blocks.phy.ldpc.nr_code import nr_code
from lgvsc_flow.errors import BlockError, SettingError
from lgvsc_flow.testing import run_block

CODES = [(n, rate) for n in LENGTHS for rate in CODE_RATES]


@pytest.mark.parametrize(("n", "rate"), CODES)
def test_codewords_are_systematic_and_satisfy_every_check(n, rate):
    code = wifi_code(n, rate)
    bits = np.random.default_rng(n).integers(0, 2, 20 * code.k, dtype=np.uint8)
    words = encode(bits, code).reshape(20, n)
    assert np.array_equal(words[:, : code.k].ravel(), bits)
    checks = words.astype(np.float32) @ code.parity_check().T.astype(np.float32)
    assert not (checks % 2).any()


@pytest.mark.parametrize(("n", "rate"), [(648, "1/2"), (1296, "3/4"), (1944, "5/6")])
def test_every_unit_vector(n, rate):
    """The code is linear: with each single bit encoded rightly, and sums too, every word is."""
    code = wifi_code(n, rate)
    rows = encode(np.eye(code.k, dtype=np.uint8).ravel(), code).reshape(code.k, n)
    bits = np.random.default_rng(1).integers(0, 2, code.k, dtype=np.uint8)
    assert np.array_equal(encode(bits, code), np.bitwise_xor.reduce(rows[bits == 1], axis=0))
    checks = rows.astype(np.float32) @ code.parity_check().T.astype(np.float32)
    assert not (checks % 2).any()


@pytest.mark.parametrize(("n", "rate"), CODES)
def test_block(n, rate):
    encoder = LdpcEncoder(n=n, code_rate=rate)
    bits = np.random.default_rng(2).integers(0, 2, 3 * encoder.k, dtype=np.uint8)
    coded, nothing = run_block(encoder, [bits, bits[:0]])
    assert coded.size == 3 * n
    assert coded.dtype == np.uint8
    assert nothing.size == 0


def test_messages():
    with pytest.raises(BlockError) as error:
        run_block(LdpcEncoder(n=648, code_rate="1/2"), [np.zeros(323, np.uint8)])
    assert str(error.value) == (
        "LdpcEncoder, item 0: got Bits[323]; a burst must hold whole information words of k=324. (from ValueError)"
    )
    with pytest.raises(SettingError, match=r"LdpcEncoder.code_rate is one of 1/2, 2/3, 3/4, 5/6; got '7/8'"):
        LdpcEncoder(code_rate="7/8")


def test_other_codes_and_what_is_no_bit_are_refused():
    code = nr_code(2, 16)
    with pytest.raises(ValueError, match=r"NR BG2 Z=16 is not one of the 802.11 codes, which alone this encoder"):
        encode(np.zeros(code.k, np.uint8), code)
    with pytest.raises(ValueError, match="bits are 0 or 1, got 2"):
        encode(np.full(324, 2, np.uint8), wifi_code(648, "1/2"))
