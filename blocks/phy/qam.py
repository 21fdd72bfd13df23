"""Gray-labelled square QAM: the mapper, and the demapper's block (its maths: `qam_soft`)."""

from __future__ import annotations

import numpy as np
from numba import njit

from lgvsc_flow import Block, In, Out, setting
from lgvsc_flow.blocks.phy.constellation import ORDERS, amplitudes, constellation
from lgvsc_flow.blocks.phy.qam_soft import LLR_MAX, demodulate
from lgvsc_flow.items import Bits, Llrs, Received, Symbols

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


@njit(nogil=True, cache=True)
def _modulate_4(bits: np.ndarray, near: np.float32) -> np.ndarray:
    symbols = np.empty(bits.size // 2, np.complex64)
    x = symbols.view(np.float32)
    for i in range(2 * symbols.size):
        x[i] = -near if bits[i] & 1 else near
    return symbols


@njit(nogil=True, cache=True)
def _modulate_16(bits: np.ndarray, near: np.float32, far: np.float32) -> np.ndarray:
    symbols = np.empty(bits.size // 4, np.complex64)
    x = symbols.view(np.float32)
    for i in range(symbols.size):
        re = far if bits[4 * i + 2] & 1 else near
        im = far if bits[4 * i + 3] & 1 else near
        x[2 * i] = -re if bits[4 * i] & 1 else re
        x[2 * i + 1] = -im if bits[4 * i + 1] & 1 else im
    return symbols


@njit(nogil=True, cache=True)
def _modulate_64(bits: np.ndarray, levels: np.ndarray) -> np.ndarray:
    symbols = np.empty(bits.size // 6, np.complex64)
    x = symbols.view(np.float32)
    for i in range(symbols.size):
        at = 6 * i
        x[2 * i] = levels[(bits[at] & 1) << 2 | (bits[at + 2] & 1) << 1 | bits[at + 4] & 1]
        x[2 * i + 1] = levels[(bits[at + 1] & 1) << 2 | (bits[at + 3] & 1) << 1 | bits[at + 5] & 1]
    return symbols


@njit(nogil=True, cache=True)
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


def modulate(bits: np.ndarray, order: int) -> np.ndarray:
    """uint8 bits [n], of which the lowest bit counts, to complex64 symbols [n / bits_per_symbol].

    Raises:
        ValueError: the bits are not whole symbols.
    """
    bits_per_symbol = order.bit_length() - 1
    if bits.size % bits_per_symbol:
        raise ValueError(f"a burst must hold whole symbols of {bits_per_symbol} bits.")
    if order == 4:
        return _modulate_4(bits, _NEAR[4])
    if order == 16:
        return _modulate_16(bits, _NEAR[16], _FAR)
    return (_modulate_64 if order == 64 else _modulate_256)(bits, amplitudes(order))


_NEAR, _FAR = {order: amplitudes(order)[0] for order in (4, 16)}, amplitudes(16)[1]


class QamModulator(Block):
    """Map bits to unit-power Gray-labelled QAM symbols, first bit highest.

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

    received = In(Received, "n", constellation="{order}-QAM")
    llrs = Out(Llrs, "n * bits_per_symbol")

    order: int = setting(16, choices=ORDERS, doc="constellation points")
    method: str = setting("max-log", choices=("max-log", "exact"))

    @property
    def bits_per_symbol(self) -> int:
        return self.order.bit_length() - 1

    def work(self, received: Received) -> np.ndarray:
        return demodulate(received, self.order, self.method)
