import numpy as np
import pytest

from lgvsc_flow.blocks.semantic.suffixes import DEPTH, first_at_least, sort_suffixes


@pytest.mark.parametrize("seed", range(6))
def test_suffixes_are_in_order(seed):
    rng = np.random.default_rng(seed)
    letters = rng.integers(97, 97 + (2, 3, 5, 26, 100, 150)[seed], 3000, dtype=np.uint8)
    text = letters.tobytes()
    _, order = sort_suffixes(text)
    assert sorted(order.tolist()) == list(range(len(text)))
    found = [text[i : i + DEPTH] for i in order]
    assert found == sorted(found)


@pytest.mark.parametrize("text", [b"", b"a", b"aa", b"\0\0\xff", b"ab" * 500, b"x" * 700])
def test_short_and_repetitive_texts(text):
    padded, order = sort_suffixes(text)
    found = [padded[i : i + DEPTH].tobytes() for i in order]
    assert len(order) == len(text)
    assert found == sorted(found)


def test_ranges_tell_what_follows_a_context():
    text = b"the cat, the car, the dog, a cat"
    padded, order = sort_suffixes(text)
    low, high = 0, len(text)
    for depth, letter in enumerate(b"the ca"):
        low = first_at_least(padded, order, low, high, depth, letter)
        high = first_at_least(padded, order, low, high, depth, letter + 1)
    assert sorted(text[order[i] + 6] for i in range(low, high)) == sorted(b"tr")
    assert first_at_least(padded, order, low, high, 6, ord("s")) == low + 1
