"""Random bits and Gaussian noise in bulk: xoshiro256++ in 16 lanes, Box-Muller with polynomials of our own.

The same seed gives the same bits on every processor: see `simd`.

Ref: D. Blackman, S. Vigna, Scrambled linear pseudorandom number generators, ACM TOMS 47 (4), 2021 (xoshiro256++).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from lgvsc_flow.blocks.simd import F32, LANES, U32, U64, Memory, Vector, spread
from lgvsc_flow.kernels import kernel

__all__ = ["LANES", "BitStream", "NoiseStream"]

_WORDS = 4 * LANES  # where the words drawn last stand in the state; before them the four words of each lane
_USED = 5 * LANES  # where it stands how much of those words is used: bits, or complex values
_STEP_BITS = 64 * LANES

# -2 ln(1 + t) / t on sqrt(1/2) - 1 <= t <= sqrt(2) - 1, least relative error (3e-7); highest power first.
_LOG = (0.20313694, -0.32501978, 0.34495857, -0.39792982, 0.49939355, -0.66670412, 1.0000075, -2.0)
# sin(x) / x - 1 and cos(x) - 1 over x^2 on |x| <= pi / 4, least error (1e-8); highest power first.
_SIN = (-1.9603840e-4, 8.3328756e-3, -1.6666667e-1)
_COS = (-1.3588226e-3, 4.1655235e-2, -4.9999860e-1)


def _horner(coefficients: Sequence[float], x: Vector) -> Vector:
    total = x * coefficients[0] + coefficients[1]
    for c in coefficients[2:]:
        total = total * x + c
    return total


def _next_words(state: list[Vector]) -> tuple[Vector, list[Vector]]:
    """One step of xoshiro256++ in every lane: the words, the new state."""
    s0, s1, s2, s3 = state
    words = (s0 + s3).rotate(23) + s0
    t = s1 << 17
    s2, s3 = s2 ^ s0, s3 ^ s1
    s1, s0 = s1 ^ s2, s0 ^ s3
    return words, [s0, s1, s2 ^ t, s3.rotate(45)]


def _normals(words: Vector, scale: Vector) -> tuple[Vector, Vector]:
    """16 complex values of variance 4 scale^2 from 16 words, as two vectors of interleaved real and imaginary parts.

    Box and Muller: radius sqrt(-2 ln u) with u of 32 bits, so that it ends at 6.7 sigma; the angle has 32 bits, of
    which 2 are the signs. cos(a) and sin(a) of a first quadrant come from a - pi / 4: (cos -+ sin) / sqrt(2).
    """
    halves = words.to("bitcast", ir.VectorType(ir.IntType(32), 2 * LANES))
    u, angle = (halves.shuffle(halves, range(i, i + LANES)) for i in (0, LANES))
    u_float = (u.to("uitofp", F32) + 0.5).to("bitcast", U32)  # u 2^32
    exponent = (u_float - 0x3F3504F3).signed_rshift(23)  # so that what is left lies between sqrt(1/2) and sqrt(2)
    t = (u_float - (exponent << 23)).to("bitcast", F32) - 1.0
    log = _horner(_LOG, t) * t + (exponent - 32).to("sitofp", F32) * (-2 * np.log(2))
    radius = log.sqrt() * scale
    x = (angle << 2).to("sitofp", F32) * (np.pi / 4 / 2**31)
    xx = x * x
    sin = _horner(_SIN, xx) * xx * x + x
    cos = _horner(_COS, xx) * xx + 1.0
    real = ((cos - sin) * radius).to("bitcast", U32) ^ (angle & (1 << 31))
    imag = ((cos + sin) * radius).to("bitcast", U32) ^ ((angle << 1) & (1 << 31))
    both = [lane for i in range(LANES) for lane in (i, i + LANES)]
    low, high = (real.shuffle(imag, both[i : i + LANES]) for i in (0, LANES))
    return low.to("bitcast", F32), high.to("bitcast", F32)


Emit = Callable[[Vector, list[Memory], ir.Value, Vector], None]


def _each_step(emit: Emit) -> Any:
    """An intrinsic `(state, in, out, steps, scale)`: `emit` makes the output of one step from its words.

    The words of the last step are left in the state. With `steps` 0 it is their output that is made.
    """

    def typed(typing: Any, state: Any, x: Any, y: Any, steps: Any, scale: Any) -> Any:
        def generate(context: Any, builder: ir.IRBuilder, signature: Any, values: Any) -> Any:
            data = [
                context.make_array(t)(context, builder, v).data
                for t, v in zip(signature.args[:3], values[:3], strict=True)
            ]
            memory = [Memory(builder, d) for d in data]
            factor = spread(builder, values[4])
            slots = [cgutils.alloca_once(builder, U64) for _ in range(5)]
            for i, slot in enumerate(slots):
                builder.store(memory[0].load(i * 8 * LANES, U64).value, slot)
            again = builder.icmp_signed("==", values[3], ir.Constant(values[3].type, 0))
            with builder.if_then(again):
                emit(Vector(builder, builder.load(slots[4])), memory[1:], ir.Constant(ir.IntType(64), 0), factor)
            with cgutils.for_range(builder, values[3]) as loop:
                words, state = _next_words([Vector(builder, builder.load(slot)) for slot in slots[:4]])
                for vector, slot in zip([*state, words], slots, strict=True):
                    builder.store(vector.value, slot)
                emit(words, memory[1:], loop.index, factor)
            for i, slot in enumerate(slots):
                memory[0].store(i * 8 * LANES, Vector(builder, builder.load(slot)))
            return context.get_dummy_value()

        return types.void(state, x, y, types.intp, types.float32), generate

    return intrinsic(typed)


def _emit_noise(words: Vector, memory: list[Memory], step: ir.Value, scale: Vector) -> None:
    """out = in + noise."""
    for i, noise in enumerate(_normals(words, scale)):
        at = memory[0].step(step, 8 * LANES, 4 * LANES * i)
        memory[1].store(at, memory[0].load(at, F32) + noise)


def _emit_bits(words: Vector, memory: list[Memory], step: ir.Value, scale: Vector) -> None:
    """Bit j of byte b of the words becomes element 128 j + b: no bit has to move to another byte."""
    for j in range(8):
        at = memory[0].step(step, _STEP_BITS, 8 * LANES * j)
        memory[1].store(at, (words >> j) & 0x0101010101010101)


_noise_steps = _each_step(_emit_noise)
_bit_steps = _each_step(_emit_bits)


@kernel
def _add_noise(state: np.ndarray, symbols: np.ndarray, scale: np.float32) -> np.ndarray:
    n, used = symbols.size, int(state[_USED])
    noisy = np.empty(n, np.complex64)
    few = np.zeros(LANES, np.complex64)
    done = min(n, LANES - used)
    if done > 0:
        _noise_steps(state, np.zeros(LANES, np.complex64), few, 0, scale)
        for i in range(done):
            noisy[i] = symbols[i] + few[used + i]
        used += done
    steps = (n - done) // LANES
    if steps > 0:
        _noise_steps(state, symbols[done:], noisy[done:], steps, scale)
        done += steps * LANES
        used = LANES
    if done < n:
        _noise_steps(state, np.zeros(LANES, np.complex64), few, 1, scale)
        for i in range(done, n):
            noisy[i] = symbols[i] + few[i - done]
        used = n - done
    state[_USED] = used
    return noisy


@kernel
def _random_bits(state: np.ndarray, n: int) -> np.ndarray:
    used = int(state[_USED])
    bits = np.empty(n, np.uint8)
    few = np.empty(_STEP_BITS, np.uint8)
    done = min(n, _STEP_BITS - used)
    if done > 0:
        _bit_steps(state, few, few, 0, np.float32(0))
        bits[:done] = few[used : used + done]
        used += done
    steps = (n - done) // _STEP_BITS
    if steps > 0:
        _bit_steps(state, bits, bits[done:], steps, np.float32(0))
        done += steps * _STEP_BITS
        used = _STEP_BITS
    if done < n:
        _bit_steps(state, few, few, 1, np.float32(0))
        bits[done:] = few[: n - done]
        used = n - done
    state[_USED] = used
    return bits


def _seeded(rng: np.random.Generator, used: int) -> np.ndarray:
    """A state whose lanes are seeded independently: 256 bits each."""
    state = np.zeros(_USED + 1, np.uint64)
    state[:_WORDS] = rng.integers(0, 2**64, _WORDS, np.uint64)
    state[_USED] = used
    return state


class BitStream:
    """Equiprobable, independent bits; how the stream is cut into bursts changes no bit.

    `rng` gives the seed, 64 words, when the stream is made.
    """

    def __init__(self, rng: np.random.Generator) -> None:
        self._state = _seeded(rng, _STEP_BITS)

    def take(self, n: int) -> np.ndarray:
        """The next n bits, uint8 [n]."""
        return _random_bits(self._state, n)


class NoiseStream:
    """Complex Gaussian noise; how the stream is cut into bursts changes no value.

    `rng` gives the seed, 64 words, when the stream is made. Values reach to 6.7 standard deviations.
    """

    def __init__(self, rng: np.random.Generator) -> None:
        self._state = _seeded(rng, LANES)

    def add(self, symbols: np.ndarray, variance: float) -> np.ndarray:
        """symbols + n, n ~ CN(0, variance), half of it in each dimension: complex64 [n]."""
        return _add_noise(self._state, np.ascontiguousarray(symbols, np.complex64), np.float32(0.5 * variance**0.5))
