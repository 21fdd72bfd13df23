"""Cyclic redundancy checks over bits, one per block."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numba import njit

from lgvsc_flow import Block, In, Out, setting
from lgvsc_flow.blocks.given import bits_of
from lgvsc_flow.items import Bits, Checked

__all__ = ["CRCS", "CrcAppend", "CrcCheck", "CrcCode", "append_crc", "check_crc", "crc"]


@dataclass(frozen=True)
class CrcCode:
    """A CRC over a bit stream, first bit highest: `polynomial` without its leading term, `initial`, `final` XOR."""

    bits: int
    polynomial: int
    initial: int = 0
    final: int = 0


CRCS: dict[str, CrcCode] = {
    "24A": CrcCode(24, 0x864CFB),
    "24B": CrcCode(24, 0x800063),
    "24C": CrcCode(24, 0xB2B117),
    "16": CrcCode(16, 0x1021),
    "11": CrcCode(11, 0x621),
    "8": CrcCode(8, 0x9B),
    "32": CrcCode(32, 0x04C11DB7, 0xFFFFFFFF, 0xFFFFFFFF),
}
"""24A to 11: TS 38.212, clause 5.1. 8: TS 36.212, clause 5.1.1. 32: IEEE 802.3, clause 3.2.9, in sending order."""


ONES = np.uint64(0x0101010101010101)
GATHER = np.uint64(0x8040201008040201)


@cache
def tables(polynomial: int, bits: int) -> np.ndarray:
    """uint32 [8, 256]: what a byte followed by 0 to 7 zero bytes leaves in the register, left-aligned in 32 bits."""
    aligned = polynomial << (32 - bits)
    entries = np.empty((8, 256), np.uint32)
    for byte in range(256):
        register = byte << 24
        for _ in range(8):
            register = ((register << 1) ^ (aligned if register & 0x80000000 else 0)) & 0xFFFFFFFF
        entries[0, byte] = register
    for zeros in range(1, 8):
        before = entries[zeros - 1]
        entries[zeros] = (before << np.uint32(8)) ^ entries[0, before >> np.uint32(24)]
    return entries


@njit(nogil=True, cache=True)
def _register(bits: np.ndarray, start: int, stop: int, entries: np.ndarray, initial: np.uint32) -> np.uint32:
    """The left-aligned register after bits[start:stop]: odd bits one by one, then 64 at a time by tables."""
    register = initial
    one = entries[0, 1]  # the byte 1 leaves the polynomial itself: its only set bit falls out last
    head = start + (stop - start) % 64
    for i in range(start, head):
        feedback = (register >> np.uint32(31)) ^ np.uint32(bits[i] & 1)
        register = np.uint32(register << np.uint32(1))
        if feedback:
            register ^= one
    body = bits[head:stop].view(np.uint64)
    for i in range(0, body.size, 8):
        after = np.uint32(0)
        for j in range(8):
            # Eight bytes of a bit each, first bit lowest: this product gathers them in its top byte, first bit highest.
            byte = ((body[i + j] & ONES) * GATHER) >> np.uint64(56)
            if j < 4:
                byte ^= np.uint64((register >> np.uint32(24 - 8 * j)) & np.uint32(255))
            after ^= entries[7 - j, byte]
        register = after
    return register


@njit(nogil=True, cache=True)
def _copy(to: np.ndarray, bits: np.ndarray) -> None:
    """to[:] = bits, which would look for overlaps first."""
    for i in range(to.size):
        to[i] = bits[i]


@njit(nogil=True, cache=True)
def _append(
    bits: np.ndarray, block: int, length: int, entries: np.ndarray, initial: np.uint32, final: np.uint32
) -> np.ndarray:
    blocks = bits.size // block
    out = np.empty(blocks * (block + length), np.uint8)
    for b in range(blocks):
        at = b * (block + length)
        _copy(out[at : at + block], bits[b * block : (b + 1) * block])
        register = _register(bits, b * block, (b + 1) * block, entries, initial) ^ final
        for i in range(length):
            out[at + block + i] = (register >> np.uint32(31 - i)) & np.uint32(1)
    return out


@njit(nogil=True, cache=True)
def _check(
    bits: np.ndarray, block: int, length: int, entries: np.ndarray, initial: np.uint32, final: np.uint32
) -> tuple[np.ndarray, np.ndarray]:
    blocks = bits.size // (block + length)
    out = np.empty(blocks * block, np.uint8)
    ok = np.empty(blocks, np.bool_)
    for b in range(blocks):
        at = b * (block + length)
        _copy(out[b * block : (b + 1) * block], bits[at : at + block])
        register = _register(bits, at, at + block, entries, initial) ^ final
        same = True
        for i in range(length):
            if bits[at + block + i] != (register >> np.uint32(31 - i)) & np.uint32(1):
                same = False
        ok[b] = same
    return out, ok


def _code(name: str) -> CrcCode:
    if name not in CRCS:
        raise ValueError(f"there are the CRCs {', '.join(CRCS)}; got {name!r}.")
    return CRCS[name]


def _constants(name: str) -> tuple[int, np.ndarray, np.uint32, np.uint32]:
    code = _code(name)
    left = 32 - code.bits
    entries = tables(code.polynomial, code.bits)
    return code.bits, entries, np.uint32(code.initial << left), np.uint32(code.final << left)


def crc(bits: np.ndarray, name: str = "24A") -> int:
    """The CRC of a run of bits (uint8 [n], first bit first) as a number, its first sent bit highest.

    Raises:
        ValueError: no CRC of that name, or the bits are of another dtype, or not 0 and 1.
    """
    bits = bits_of(bits)
    length, entries, initial, final = _constants(name)
    register = _register(bits, 0, bits.size, entries, initial)
    return (int(register) ^ int(final)) >> (32 - length)


def append_crc(bits: np.ndarray, block_bits: int, name: str = "24A") -> np.ndarray:
    """Put a CRC behind every `block_bits` bits: uint8 [blocks * block_bits] to [blocks * (block_bits + crc bits)].

    Raises:
        ValueError: the bits are not whole blocks, of another dtype, or not 0 and 1; no CRC of that name.
    """
    bits = bits_of(bits)
    if block_bits < 1 or bits.size % block_bits:
        raise ValueError(f"a burst must hold whole blocks of block_bits={block_bits}.")
    return _append(bits, block_bits, *_constants(name))


def check_crc(bits: np.ndarray, block_bits: int, name: str = "24A") -> tuple[np.ndarray, np.ndarray]:
    """Take the CRC off every block: bits [blocks * block_bits] and, per block, whether the CRC was right (bool).

    Raises:
        ValueError: the bits are not whole blocks of `block_bits` and a CRC, of another dtype, or not 0 and 1; no CRC
            of that name.
    """
    bits, length = bits_of(bits), _code(name).bits
    if block_bits < 1 or bits.size % (block_bits + length):
        raise ValueError(f"a burst must hold whole blocks of block_bits={block_bits} and {length} CRC bits.")
    return _check(bits, block_bits, *_constants(name))


class CrcAppend(Block):
    """Put a CRC behind each block of `block_bits` bits.

    Ref: 3GPP TS 38.212, clause 5.1.
    """

    bits = In(Bits, "blocks * block_bits")
    coded = Out(Bits, "blocks * (block_bits + crc_bits)", crc="CRC{crc}")

    block_bits: int = setting(300, ge=1, doc="bits per block, without the CRC")
    crc: str = setting("24A", choices=tuple(CRCS))

    @property
    def crc_bits(self) -> int:
        return CRCS[self.crc].bits

    def work(self, bits: np.ndarray) -> np.ndarray:
        return append_crc(bits, self.block_bits, self.crc)


class CrcCheck(Block):
    """Check and remove the CRC of each block; every block is passed on, right or wrong, with its verdict.

    With an all-zero block the CRCs of TS 38.212 are all zero too: a receiver must not fill in zeros for lost bits.

    Ref: 3GPP TS 38.212, clause 5.1.
    """

    bits = In(Bits, "blocks * (block_bits + crc_bits)", crc="CRC{crc}")
    checked = Out(Checked, "blocks * block_bits")

    block_bits: int = setting(300, ge=1, doc="bits per block, without the CRC")
    crc: str = setting("24A", choices=tuple(CRCS))

    @property
    def crc_bits(self) -> int:
        return CRCS[self.crc].bits

    def work(self, bits: np.ndarray) -> Checked:
        return Checked(*check_crc(bits, self.block_bits, self.crc))
