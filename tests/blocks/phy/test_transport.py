import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from lgvsc_flow.blocks.phy import NrLdpcDecoder, NrLdpcEncoder, TransportDecoder, TransportEncoder
from lgvsc_flow.blocks.phy.transport import (
    LARGEST_BITS,
    block_bits,
    block_symbols,
    information_bits,
    transport_block,
)
from lgvsc_flow.errors import BlockError
from lgvsc_flow.testing import run_block

SCHEMES = [(4, 30), (4, 120), (4, 251), (4, 449), (16, 378), (16, 575), (64, 616), (256, 841)]


def bits(n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 2, n, dtype=np.uint8)


def llrs(coded: np.ndarray, size: float = 4.0) -> np.ndarray:
    return (size * (1 - 2.0 * coded)).astype(np.float32)


@pytest.mark.parametrize(("order", "rate"), SCHEMES)
def test_the_number_of_symbols_tells_the_block(order, rate):
    sizes = [*range(1, 60), *range(450, 500), *range(1050, 1060), 2047, 2048, 5000, 20_000, LARGEST_BITS // 8]
    found = {}
    for size in sizes:
        a = block_bits(8 * size, rate / 1024)
        assert 8 * size <= a <= 8 * size + 8 * (size // 400 + 1)  # a byte for each code block, at most
        symbols = block_symbols(a, order, rate / 1024)
        assert found.setdefault(symbols, a) == a  # no two blocks take as many symbols
        assert transport_block(symbols, order, rate / 1024) == a
    assert transport_block(1, order, rate / 1024) is None


@pytest.mark.parametrize(("size", "expected"), [(1, 24), (478, 8 * 478 + 16), (479, 8 * 479 + 24)])
def test_the_code_carries_the_burst_and_its_crc(size, expected):
    """TS 38.212, clause 6.2.1: 16 bits up to 3824, else 24."""
    assert information_bits(8 * size, 0.5) == information_bits(8 * size - 7, 0.5) == expected


def test_each_of_several_code_blocks_has_a_crc():
    a = block_bits(8 * 1500, 0.5)
    assert information_bits(8 * 1500, 0.5) == a + 24 + 2 * 24
    with pytest.raises(ValueError, match="a burst of the digital link holds 1 to"):
        information_bits(0, 0.5)


def test_one_code_block_is_not_padded():
    assert [block_bits(8 * n, 0.5) for n in range(1, 1054)] == [8 * n for n in range(1, 1054)]


@settings(max_examples=20, deadline=None, derandomize=True, database=None)
@given(st.integers(1, 1200), st.sampled_from(SCHEMES), st.integers(0, 1000))
def test_what_is_sent_arrives(size, scheme, seed):
    sent, both = bits(8 * size, seed), {"order": scheme[0], "code_rate": scheme[1] / 1024}
    (coded,) = run_block(TransportEncoder(**both), [sent])
    assert coded.size == block_symbols(block_bits(sent.size, both["code_rate"]), **both) * (scheme[0].bit_length() - 1)
    decoder = TransportDecoder(**both)
    (checked,) = run_block(decoder, [llrs(coded)])
    assert checked.ok.tolist() == [True]
    assert np.array_equal(checked.bits[: sent.size], sent)
    assert not checked.bits[sent.size :].any()
    assert (decoder.blocks, decoder.lost) == (1, 0)


@pytest.mark.parametrize("size", [3, 40, 477, 478, 1000])
def test_the_chain_is_that_of_the_nr_blocks(size):
    """The transport block and its LLRs through NrLdpcEncoder and NrLdpcDecoder, of the same number of bits."""
    sent = bits(8 * size)
    (coded,) = run_block(TransportEncoder(order=16, code_rate=0.5), [sent])
    same = {"a": sent.size, "e": coded.size, "code_rate": 0.5, "order": 16}
    assert np.array_equal(run_block(NrLdpcEncoder(**same), [sent])[0], coded)
    noisy = llrs(coded) + np.random.default_rng(1).normal(0, 3.5, coded.size).astype(np.float32)
    (checked,) = run_block(TransportDecoder(order=16, code_rate=0.5), [noisy])
    expected = run_block(NrLdpcDecoder(**same), [noisy])["checked"][0]
    assert np.array_equal(checked.bits, expected.bits)
    assert np.array_equal(checked.ok, expected.ok)


def test_bursts_that_nobody_sent_are_lost():
    decoder = TransportDecoder(order=16, code_rate=0.5)
    (coded,) = run_block(TransportEncoder(order=16, code_rate=0.5), [bits(800)])
    odd = next(n for n in range(coded.size // 4, 0, -1) if transport_block(n, 16, 0.5) is None)
    noise = np.random.default_rng(2).normal(size=coded.size).astype(np.float32)
    bursts = [llrs(coded)[: 4 * odd], llrs(coded)[:-1], llrs(coded)[:0], np.ones(3, np.float32), noise]
    got = run_block(decoder, bursts)
    assert [c.bits.size for c in got] == [0, 0, 0, 0, 800]
    assert [c.ok.tolist() for c in got] == [[], [], [], [], [False]]
    assert (decoder.blocks, decoder.lost) == (5, 5)


def test_nan_llrs_are_erasures():
    (coded,) = run_block(TransportEncoder(order=4, code_rate=0.25), [bits(800)])
    erased = llrs(coded)
    erased[::3] = np.nan
    (checked,) = run_block(TransportDecoder(order=4, code_rate=0.25), [erased])
    assert checked.ok.all()
    assert np.array_equal(checked.bits, bits(800))


@pytest.mark.parametrize("size", [0, LARGEST_BITS + 8])
def test_bursts_out_of_range(size):
    with pytest.raises(BlockError, match=f"holds 1 to {LARGEST_BITS} bits, got {size}"):
        run_block(TransportEncoder(), [np.zeros(size, np.uint8)])
