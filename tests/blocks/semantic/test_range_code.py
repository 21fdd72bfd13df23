import math

import numpy as np
import pytest

from lgvsc_flow.blocks.semantic.range_code import LARGEST_TOTAL, RangeDecoder, RangeEncoder


def draw(seed, count):
    """Symbols as (start, frequency, total), of tables as lopsided as they come."""
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(count):
        total = int(rng.integers(1, LARGEST_TOTAL, endpoint=True))
        start = int(rng.integers(0, total))
        found.append((start, int(rng.integers(1, total - start, endpoint=True)), total))
    return found


@pytest.mark.parametrize("seed", range(20))
def test_symbols_come_back_at_their_cost(seed):
    symbols = draw(seed, 200)
    coder = RangeEncoder()
    for symbol in symbols:
        coder.encode(*symbol)
    code = coder.finish()
    bits = sum(math.log2(total / frequency) for _, frequency, total in symbols)
    assert len(code) <= bits / 8 * 1.01 + 2
    decoder = RangeDecoder(code)
    for start, frequency, total in symbols:
        assert start <= decoder.target(total) < start + frequency
        decoder.consume(start, frequency)


def test_nothing_costs_nothing():
    assert RangeEncoder().finish() == b""
    coder = RangeEncoder()
    for _ in range(1000):
        coder.encode(0, 7, 7)
    assert coder.finish() == b""


def test_any_bytes_give_symbols():
    rng = np.random.default_rng(1)
    for _ in range(300):
        decoder = RangeDecoder(rng.bytes(int(rng.integers(0, 12))))
        for _ in range(30):
            total = int(rng.integers(1, LARGEST_TOTAL, endpoint=True))
            place = decoder.target(total)
            assert 0 <= place < total
            start, end = int(rng.integers(0, place, endpoint=True)), int(rng.integers(place, total)) + 1
            decoder.consume(start, end - start)
