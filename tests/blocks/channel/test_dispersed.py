import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from lgvsc_flow.blocks.channel import Dispersed
from lgvsc_flow.blocks.channel.dispersed import disperse


def signal(*shape, seed=0):
    return (np.random.default_rng(seed).normal(size=(*shape, 2)) @ [1, 1j]).astype(np.complex64)


def test_constant_taps_are_a_convolution():
    x, taps = signal(300), signal(1, 20, seed=1)
    y, history = disperse(x, np.zeros(19, np.complex64), taps, 300)
    assert np.allclose(y, np.convolve(x, taps[0])[:300], atol=1e-4)
    assert np.array_equal(history, x[-19:])
    later, _ = disperse(x[:7], history, taps, 300)
    assert np.allclose(later, np.convolve(np.r_[x, x[:7]], taps[0])[300:307], atol=1e-4)


@settings(max_examples=60, deadline=None)
@given(
    cuts=st.lists(st.integers(0, 120), max_size=6),
    length=st.integers(1, 40),
    hold=st.integers(1, 130),
    seed=st.integers(0, 2**32),
)
def test_no_cut_changes_a_bit(cuts, length, hold, seed):
    x, taps = signal(120, seed=seed), signal(-(-120 // hold), length, seed=seed + 1)
    none = np.zeros(length - 1, np.complex64)
    whole, _ = disperse(x, none, taps, hold)
    parts, history, done = [], none, 0
    for burst in np.split(x, sorted(cuts)):
        first, used = divmod(done, hold)
        part, history = disperse(burst, history, taps[min(first, len(taps) - 1) :], hold, used)
        assert history.size == length - 1
        parts.append(part)
        done += burst.size
    assert np.array_equal(whole, np.concatenate(parts))
    places = np.arange(120)
    padded = np.r_[none, x].astype(complex)
    direct = sum(taps[places // hold, d] * padded[places + length - 1 - d] for d in range(length))
    assert np.allclose(whole, direct, atol=1e-4)


def test_power():
    taps = np.array([[1, 1j], [2, 0]], np.complex64)
    one = np.array(1, np.complex64)
    assert Dispersed(one.reshape(1), one, one.real, taps, 4).power == pytest.approx(3)
