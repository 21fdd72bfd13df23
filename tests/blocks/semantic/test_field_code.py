import numpy as np
import pytest

from lgvsc_flow.blocks.semantic.field_code import (
    LEVELS,
    MAX_CODE,
    MAX_SIDE,
    decode_levels,
    encode_levels,
    to_levels,
    to_values,
)

SHAPES = [(1, 1), (1, 16), (16, 1), (2, 2), (5, 11), (16, 16)]


def smooth(rng, rows, cols):
    y, x = np.mgrid[0:rows, 0:cols]
    slope = rng.normal(size=(2, 3))
    return np.rint(np.stack([a + b * x + c * y for a, b, c in 2 * slope], -1)).clip(-LEVELS, LEVELS).astype(np.int64)


@pytest.mark.parametrize(("rows", "cols"), SHAPES)
def test_levels_come_back(rows, cols):
    rng = np.random.default_rng(rows * cols)
    wild = [rng.integers(-LEVELS, LEVELS, (rows, cols, 2), endpoint=True) for _ in range(5)]
    extreme = [rng.choice([-LEVELS, LEVELS], (rows, cols, 2)) for _ in range(5)]
    flat = [np.repeat(np.repeat(smooth(rng, 4, 4), 4, 0), 4, 1)[:rows, :cols] for _ in range(5)]
    for levels in [*wild, *extreme, *flat, *(smooth(rng, rows, cols) for _ in range(5))]:
        code = encode_levels(levels)
        assert len(code) <= MAX_CODE
        np.testing.assert_array_equal(decode_levels(code, rows, cols), levels)


def test_simple_fields_are_short():
    assert len(encode_levels(np.zeros((5, 11, 2), np.int64))) <= 3
    assert len(encode_levels(np.full((5, 11, 2), 9))) <= 5
    assert len(encode_levels(smooth(np.random.default_rng(0), 5, 11))) < 40


def test_steps_are_even_near_zero_and_a_sixteenth_further_out():
    every = np.arange(-LEVELS, LEVELS + 1)
    np.testing.assert_array_equal(to_levels(to_values(every)), every)
    np.testing.assert_array_equal(to_values(np.arange(-16, 17)), np.arange(-16, 17))
    steps = np.linspace(-900, 900, 20001)
    error = np.abs(to_values(to_levels(steps)) - steps)
    assert (error <= np.maximum(0.5, np.abs(steps) / 16)).all()
    assert to_values(to_levels(np.array([1e9])))[0] == to_values(np.array([LEVELS]))[0] > 900


def test_a_code_that_no_encoder_writes_is_refused():
    rng = np.random.default_rng(2)
    code = encode_levels(smooth(rng, 5, 11))
    assert decode_levels(code + b"\0", 5, 11) is None
    accepted = 0
    for _ in range(300):
        data = rng.bytes(int(rng.integers(0, 40)))
        rows, cols = rng.integers(1, MAX_SIDE, 2, endpoint=True)
        levels = decode_levels(data, int(rows), int(cols))
        if levels is not None:
            accepted += 1
            assert np.abs(levels).max() <= LEVELS
            assert encode_levels(levels) == data
    assert accepted < 150
