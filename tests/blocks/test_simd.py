import numpy as np
from numba import njit

from lgvsc_flow.blocks.simd import F32, LANES, U32, each_step

RNG = np.random.default_rng(1)


def _sum_and_product(memory, step, numbers):
    out, x, y = memory
    a, b = (m.load(m.step(step, 4 * LANES), F32) for m in (x, y))
    scale, plus, _ = numbers
    out.store(out.step(step, 8 * LANES), (a + b) * scale - plus)
    out.store(out.step(step, 8 * LANES, 4 * LANES), a * b * 0.5 + a / b)


def _choices(memory, step, numbers):
    out, x, y = memory
    a, b = (m.load(m.step(step, 4 * LANES), F32) for m in (x, y))
    out.store(out.step(step, 8 * LANES), a.minimum(b).maximum(-1.0).sqrt())
    swapped = a.shuffle(b, [i ^ 1 for i in range(LANES)])
    out.store(out.step(step, 8 * LANES, 4 * LANES), a.compare("<", 0.0).where(swapped, b))


def _integers(memory, step, numbers):
    out, x, _ = memory
    w = x.load(x.step(step, 4 * LANES), U32)
    out.store(out.step(step, 8 * LANES), ((w << 3 | w >> 7) ^ w) & 0xFFFF0F)
    out.store(out.step(step, 8 * LANES, 4 * LANES), w.signed_rshift(5) - 77)


_steps = each_step(_sum_and_product, _choices, _integers)


@njit
def run(out, x, y, which):
    _steps(out, x, y, x.size // LANES, which, np.float32(3), np.float32(0.25), np.float32(0))


def both(which, x, y):
    """The two vectors of each of five steps, which must leave the elements behind them alone."""
    out = np.full(2 * x.size + 1, 99, x.dtype)
    run(out, x, y, which)
    assert out[-1] == 99
    pairs = out[:-1].reshape(-1, 2, LANES)
    return pairs[:, 0].ravel(), pairs[:, 1].ravel()


def floats():
    return RNG.normal(size=(2, 5 * LANES)).astype(np.float32)


def test_arithmetic_is_that_of_numpy_bit_for_bit():
    x, y = floats()
    first, second = both(0, x, y)
    assert np.array_equal(first, (x + y) * np.float32(3) - np.float32(0.25))
    assert np.array_equal(second, x * y * np.float32(0.5) + x / y)


def test_choices_and_shuffles():
    x, y = floats()
    y[3] = np.nan
    first, second = both(1, x, y)
    least = np.where(x < y, x, y)
    with np.errstate(invalid="ignore"):
        assert np.array_equal(first, np.sqrt(np.where(least > -1, least, np.float32(-1))), equal_nan=True)
    swapped = x.reshape(-1, 2)[:, ::-1].ravel()
    assert np.array_equal(second, np.where(x < 0, swapped, y), equal_nan=True)


def test_integers():
    w = RNG.integers(0, 2**32, 5 * LANES, np.uint32)
    first, second = both(2, w, w)
    assert np.array_equal(first, ((w << 3 | w >> 7) ^ w) & 0xFFFF0F)
    assert np.array_equal(second, ((w.view(np.int32) >> 5) - 77).view(np.uint32))
