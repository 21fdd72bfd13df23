from itertools import islice

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from lgvsc_flow import Graph
from lgvsc_flow.blocks.phy import (
    Deinterleaver,
    HardDecision,
    Interleaver,
    NrDeinterleaver,
    NrInterleaver,
    QamDemodulator,
    QamModulator,
    RandomBits,
    RandomDeinterleaver,
    RandomInterleaver,
)
from lgvsc_flow.blocks.phy.interleaver import nr_permutation, permutation, random_permutation
from lgvsc_flow.errors import BlockError, SettingError, WiringError
from lgvsc_flow.testing import run_block


@pytest.mark.parametrize("rows", [0, 1, 2, 3, 4, 8, 13])
@pytest.mark.parametrize("columns", [1, 6, 648])
def test_round_trip(rows, columns):
    n = rows * columns
    assert np.array_equal(np.sort(permutation(n, columns)), np.arange(n))
    bits = np.random.default_rng(rows).integers(0, 2, n, dtype=np.uint8)
    (sent,) = run_block(Interleaver(columns=columns), [bits])
    (back,) = run_block(Deinterleaver(columns=columns), [1 - 2 * sent.astype(np.float32)])
    assert back.dtype == np.float32
    assert np.array_equal(back < 0, bits == 1)


@pytest.mark.parametrize("rows", [2, 3, 4, 8, 13])
def test_any_stretch_takes_as_much_of_every_codeword(rows):
    """A fade over `rows` * m bits in a row, wherever it begins, hits each codeword m - 1 to m + 1 times."""
    codeword = permutation(rows * 648, 648) // 648
    for length in (10, 128):
        for start in range(0, rows * 648 - rows * length, 61):
            hits = np.bincount(codeword[start : start + rows * length], minlength=rows)
            assert hits.min() >= length - 1
            assert hits.max() <= length + 1


@pytest.mark.parametrize("rows", [2, 3, 4, 6, 8, 12])
@pytest.mark.parametrize("order", [16, 64, 256])
def test_no_codeword_gets_the_weak_bits_alone(rows, order):
    """The later a bit pair stands in a QAM label, the weaker it is: each codeword has its share of every pair."""
    m = order.bit_length() - 1
    codeword = permutation(rows * 648, 648) // 648
    pair = np.arange(rows * 648) % m // 2
    for row in range(rows):
        share = np.bincount(pair[codeword == row], minlength=m // 2) / 648
        assert np.allclose(share, 2 / m, atol=0.01)


def test_message():
    with pytest.raises(BlockError, match=r"got Bits\[700\]; a burst must hold whole rows of columns=648"):
        run_block(Interleaver(columns=648), [np.zeros(700, np.uint8)])


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 3000), st.integers(0, 2**64 - 1))
def test_random_round_trip(n, seed):
    assert np.array_equal(np.sort(random_permutation(n, seed)), np.arange(n))
    bits = np.random.default_rng(n).integers(0, 2, n, dtype=np.uint8)
    (sent,) = run_block(RandomInterleaver(seed=seed), [bits])
    (back,) = run_block(RandomDeinterleaver(seed=seed), [1 - 2 * sent.astype(np.float32)])
    assert np.array_equal(back < 0, bits == 1)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 5), st.integers(1, 200), st.sampled_from([1, 2, 4, 6, 8, 10]))
def test_nr_round_trip(words, symbols, m):
    n = symbols * m
    bits = np.random.default_rng(n).integers(0, 2, words * n, dtype=np.uint8)
    (sent,) = run_block(NrInterleaver(n=n, bits_per_symbol=m), [bits])
    (back,) = run_block(NrDeinterleaver(n=n, bits_per_symbol=m), [1 - 2 * sent.astype(np.float32)])
    assert np.array_equal(back < 0, bits == 1)


def splitmix64(state):
    """The published generator, one number at a time."""
    while True:
        state = (state + 0x9E3779B97F4A7C15) % 2**64
        z = (state ^ state >> 30) * 0xBF58476D1CE4E5B9 % 2**64
        z = (z ^ z >> 27) * 0x94D049BB133111EB % 2**64
        yield z ^ z >> 31


def test_a_random_order_is_the_same_for_ever():
    """Both ends may run other versions of everything: the order is fixed by the published generator alone.

    Its first numbers from 1234567 are 6457827717110365317 and 3203168211198807973.
    """
    assert list(islice(splitmix64(1234567), 2)) == [6457827717110365317, 3203168211198807973]
    for n, seed in ((8, 0), (1000, 7)):
        (start,) = islice(splitmix64((seed - 0x9E3779B97F4A7C15) % 2**64), 1)
        numbers = list(islice(splitmix64(start), n))
        assert random_permutation(n, seed).tolist() == sorted(range(n), key=numbers.__getitem__)


def test_every_order_is_equally_likely():
    """The 24 orders of four, over 4800 seeds: chi-square with 23 degrees of freedom is below 41.6 (99 %)."""
    counts = {}
    for seed in range(4800):
        key = tuple(random_permutation(4, seed).tolist())
        counts[key] = counts.get(key, 0) + 1
    assert len(counts) == 24
    assert sum((c - 200) ** 2 / 200 for c in counts.values()) < 41.6


def test_nr_order_by_the_formula():
    """TS 38.212, clause 5.4.2.2: f(i + j Q_m) = e(i E / Q_m + j)."""
    for n, m in ((24, 2), (24, 4), (30, 6), (80, 8)):
        e, f = np.arange(n), np.empty(n, int)
        for j in range(n // m):
            for i in range(m):
                f[i + j * m] = e[i * n // m + j]
        assert np.array_equal(nr_permutation(n, m), f)


def test_another_order_at_the_other_end_is_found_before_the_run():
    graph = Graph("clash")
    graph.connect(
        RandomBits(n=64),
        RandomInterleaver(seed=1),
        QamModulator(order=4),
        QamDemodulator(order=4),
        RandomDeinterleaver(seed=2),
        HardDecision(),
    )
    with pytest.raises(WiringError, match=r"interleaving is random, seed 1 .* takes random, seed 2"):
        graph.run()


def test_messages_of_the_nr_pair():
    with pytest.raises(SettingError, match="n=10 bits is not whole symbols of bits_per_symbol=4"):
        NrInterleaver(n=10, bits_per_symbol=4)
    with pytest.raises(BlockError, match=r"got Llrs\[13\]; a burst must hold whole codewords of n=12"):
        run_block(NrDeinterleaver(n=12), [np.zeros(13, np.float32)])
