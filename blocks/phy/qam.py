"""Gray-labelled square QAM: the mapper, and the demapper's block (its maths: `qam_soft`)."""

from __future__ import annotations

import numpy as np
from llvmlite import ir

from lgvsc_flow import Block, In, Out, setting
from lgvsc_flow.blocks.flat import FLAT
from lgvsc_flow.blocks.given import burst_of
from lgvsc_flow.blocks.phy.constellation import ORDERS, amplitudes, check_order, constellation
from lgvsc_flow.blocks.phy.qam_soft import LLR_MAX, demodulate
from lgvsc_flow.blocks.simd import LANES, U32, Memory, Vector, each_step
from lgvsc_flow.items import Bits, Llrs, Received, Symbols
from lgvsc_flow.kernels import kernel

__all__ = [
    "LLR_MAX",
    "ORDERS",
    "QamDemodulator",
    "QamModulator",
    "amplitudes",
    "constellation",
    "demodulate",
    "modulate",
]


@kernel
def _modulate_4(bits: np.ndarray, near: np.float32) -> np.ndarray:
    symbols = np.empty(bits.size // 2, np.complex64)
    x = symbols.view(np.float32)
    for i in range(2 * symbols.size):
        x[i] = -near if bits[i] & 1 else near
    return symbols


def _emit_16(memory: list[Memory], step: ir.Value, numbers: list[Vector]) -> None:
    """16 symbols from 16 words of four bits, a byte each: amplitude and sign are chosen in the bits of the floats."""
    out, bits, _ = memory
    near, far = (int(a.view(np.uint32)) for a in amplitudes(16)[:2])
    word = bits.load(bits.step(step, 4 * LANES), U32)
    real = (word << 15).signed_rshift(31) & (near ^ far)
    imag = (word << 7).signed_rshift(31) & (near ^ far)
    # Amplitudes are positive: the sign comes in by addition.
    real = real ^ ((word << 31) + near)
    imag = imag ^ (((word << 23) & (1 << 31)) + near)
    both = [lane for i in range(LANES) for lane in (i, i + LANES)]
    for i in range(2):
        out.store(out.step(step, 8 * LANES, 4 * LANES * i), real.shuffle(imag, both[LANES * i : LANES * (i + 1)]))


_steps_of_16 = each_step(_emit_16)


@kernel
def _modulate_16(bits: np.ndarray) -> np.ndarray:
    n = bits.size // 4
    symbols = np.empty(n, np.complex64)
    steps = n // LANES
    done = steps * LANES
    zero = np.float32(0)
    _steps_of_16(symbols, bits, bits, steps, 0, zero, zero, zero)
    few_bits, few = np.zeros(4 * LANES, np.uint8), np.empty(LANES, np.complex64)
    few_bits[: 4 * (n - done)] = bits[4 * done :]
    _steps_of_16(few, few_bits, few_bits, 1, 0, zero, zero, zero)
    symbols[done:] = few[: n - done]
    return symbols


@kernel
def _modulate_64(bits: np.ndarray, levels: np.ndarray) -> np.ndarray:
    symbols = np.empty(bits.size // 6, np.complex64)
    x = symbols.view(np.float32)
    for i in range(symbols.size):
        at = 6 * i
        x[2 * i] = levels[(bits[at] & 1) << 2 | (bits[at + 2] & 1) << 1 | bits[at + 4] & 1]
        x[2 * i + 1] = levels[(bits[at + 1] & 1) << 2 | (bits[at + 3] & 1) << 1 | bits[at + 5] & 1]
    return symbols


@kernel
def _modulate_256(bits: np.ndarray, levels: np.ndarray) -> np.ndarray:
    symbols = np.empty(bits.size // 8, np.complex64)
    x = symbols.view(np.float32)
    for i in range(symbols.size):
        at = 8 * i
        re = (bits[at] & 1) << 3 | (bits[at + 2] & 1) << 2 | (bits[at + 4] & 1) << 1 | bits[at + 6] & 1
        im = (bits[at + 1] & 1) << 3 | (bits[at + 3] & 1) << 2 | (bits[at + 5] & 1) << 1 | bits[at + 7] & 1
        x[2 * i] = levels[re]
        x[2 * i + 1] = levels[im]
    return symbols


@kernel
def _modulate_1024(bits: np.ndarray, levels: np.ndarray) -> np.ndarray:
    symbols = np.empty(bits.size // 10, np.complex64)
    x = symbols.view(np.float32)
    for i in range(symbols.size):
        at = 10 * i
        re = (bits[at] & 1) << 4 | (bits[at + 2] & 1) << 3 | (bits[at + 4] & 1) << 2 | (bits[at + 6] & 1) << 1
        im = (bits[at + 1] & 1) << 4 | (bits[at + 3] & 1) << 3 | (bits[at + 5] & 1) << 2 | (bits[at + 7] & 1) << 1
        re, im = re | bits[at + 8] & 1, im | bits[at + 9] & 1
        x[2 * i] = levels[re]
        x[2 * i + 1] = levels[im]
    return symbols


_BY_TABLE = {64: _modulate_64, 256: _modulate_256, 1024: _modulate_1024}
_QPSK_AMPLITUDE = amplitudes(4)[0]


def modulate(bits: np.ndarray, order: int) -> np.ndarray:
    """uint8 bits [n], of which the lowest bit counts, to complex64 symbols [n / bits_per_symbol].

    Raises:
        ValueError: the bits are not whole symbols, or of another dtype; no QAM of that order.
    """
    check_order(order)
    bits, bits_per_symbol = burst_of(bits, Bits), order.bit_length() - 1
    if bits.size % bits_per_symbol:
        raise ValueError(f"a burst must hold whole symbols of {bits_per_symbol} bits.")
    if order == 4:
        return _modulate_4(bits, _QPSK_AMPLITUDE)
    if order == 16:
        return _modulate_16(bits)
    return _BY_TABLE[order](bits, amplitudes(order))


class QamModulator(Block):
    """Map bits to unit-power Gray-labelled QAM symbols, first bit highest.

    Of a value that is neither 0 nor 1 the lowest bit counts.

    Ref: 3GPP TS 38.211, clause 5.1.
    """

    bits = In(Bits, "n")
    symbols = Out(Symbols, "n // bits_per_symbol", constellation="{order}-QAM")

    order: int = setting(16, choices=ORDERS, doc="constellation points")

    @property
    def bits_per_symbol(self) -> int:
        return self.order.bit_length() - 1

    def work(self, bits: np.ndarray) -> np.ndarray:
        return modulate(bits, self.order)


class QamDemodulator(Block):
    """Soft bits of QAM symbols, with the gain and the noise variance of each symbol.

    `method="max-log"` keeps the nearest point per bit value; "exact" sums over all points (log-MAP).

    Ref: 3GPP TS 38.211, clause 5.1 (labels).
    """

    received = In(Received, "n", constellation="{order}-QAM", response=FLAT)
    llrs = Out(Llrs, "n * bits_per_symbol")

    order: int = setting(16, choices=ORDERS, doc="constellation points")
    method: str = setting("max-log", choices=("max-log", "exact"))

    @property
    def bits_per_symbol(self) -> int:
        return self.order.bit_length() - 1

    def work(self, received: Received) -> np.ndarray:
        return demodulate(received, self.order, self.method)
