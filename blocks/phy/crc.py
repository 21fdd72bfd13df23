"""Cyclic redundancy checks over bits, one per block."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit
from numba.core import cgutils, types
from numba.extending import intrinsic

from lgvsc_flow import Block, In, Out, setting
from lgvsc_flow.blocks.given import bits_of, burst_of
from lgvsc_flow.items import Bits, Checked
from lgvsc_flow.kernels import kernel

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


ONES = 0x0101010101010101
WORD = 64  # bits that are packed at a time


def generated(function: Callable[..., Any]) -> Any:
    return intrinsic(function)


@cache
def tables(polynomial: int, bits: int) -> np.ndarray:
    """uint32 [16, 256]: what a byte followed by 0 to 15 zero bytes leaves in the register, first bit lowest in both."""
    reflected = int(f"{polynomial:0{bits}b}"[::-1], 2)
    entries = np.empty((16, 256), np.uint32)
    for byte in range(256):
        register = byte
        for _ in range(8):
            register = (register >> 1) ^ (reflected if register & 1 else 0)
        entries[0, byte] = register
    for zeros in range(1, 16):
        before = entries[zeros - 1]
        entries[zeros] = (before >> np.uint32(8)) ^ entries[0, before & np.uint32(255)]
    return entries


@generated
def _carry(typing: Any, source: Any, start: Any, target: Any, at: Any, packed: Any, words: Any) -> Any:
    """Copy `words` times WORD bits, and pack them: uint8 source[start:] to target[at:], and to uint64 packed [words].

    Returns all their bytes or-ed together. A loop over bytes would be several times slower.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        source, start, target, at, packed, words = (
            context.make_array(kind)(context, builder, value).data if isinstance(kind, types.Array) else value
            for kind, value in zip(signature.args, arguments, strict=True)
        )
        number, vector = ir.IntType(64), ir.VectorType(ir.IntType(8), WORD)
        wide = ir.VectorType(number, WORD // 8)
        ones, zeros = (ir.Constant(vector, [value] * WORD) for value in (1, 0))
        source, target = builder.gep(source, [start]), builder.gep(target, [at])
        seen = cgutils.alloca_once_value(builder, zeros)
        with cgutils.for_range(builder, words, intp=number) as loop:
            first = builder.mul(loop.index, ir.Constant(number, WORD))
            bits = builder.load(builder.bitcast(builder.gep(source, [first]), vector.as_pointer()))
            copy = builder.store(bits, builder.bitcast(builder.gep(target, [first]), vector.as_pointer()))
            bits.align = copy.align = 1
            flags = builder.icmp_unsigned("!=", builder.and_(bits, ones), zeros)
            builder.store(builder.bitcast(flags, number), builder.gep(packed, [loop.index]))
            builder.store(builder.or_(builder.load(seen), bits), seen)
        name, kind = f"llvm.vector.reduce.or.v{WORD // 8}i64", ir.FunctionType(number, (wide,))
        reduce = cgutils.get_or_insert_function(builder.module, kind, name)
        return builder.call(reduce, (builder.bitcast(builder.load(seen), wide),))

    return types.uint64(source, types.int64, target, types.int64, packed, types.int64), generate


@njit(nogil=True)
def _move(source: np.ndarray, start: int, target: np.ndarray, at: int, packed: np.ndarray, block: int) -> np.uint64:
    """Copy a block, and pack it, first bit lowest; returns all its bytes or-ed together."""
    words, rest = block // WORD, block % WORD
    seen = _carry(source, start, target, at, packed, words)
    if rest == 0:
        return seen
    if words:  # the last WORD bits, some of them again
        seen |= _carry(source, start + block - WORD, target, at + block - WORD, packed[words:], 1)
        packed[words] >>= np.uint64(WORD - rest)
        return seen
    packed[0] = 0
    for i in range(block):
        value = source[start + i]
        target[at + i] = value
        packed[0] |= np.uint64(value & 1) << np.uint64(i)
        seen |= np.uint64(value)
    return seen


@njit(nogil=True)
def _left(entries: np.ndarray, word: np.uint64, zeros: int) -> np.uint64:
    """What the low four bytes of a word, followed by some of zeros, leave in the register."""
    a = entries[zeros + 3, word & np.uint64(255)] ^ entries[zeros + 2, (word >> np.uint64(8)) & np.uint64(255)]
    word >>= np.uint64(16)
    return np.uint64(
        a ^ entries[zeros + 1, word & np.uint64(255)] ^ entries[zeros, (word >> np.uint64(8)) & np.uint64(255)]
    )


@njit(nogil=True)
def _register(packed: np.ndarray, block: int, entries: np.ndarray, initial: int) -> np.uint64:
    """The register after `block` packed bits, the bit that falls out next lowest."""
    register, words, rest = np.uint64(initial), block // WORD, np.uint64(block % WORD)
    half = np.uint64(WORD // 2)
    for i in range(0, words - 1, 2):
        # Only four of the sixteen bytes have to wait for the register.
        a, b = packed[i], packed[i + 1]
        behind = _left(entries, a >> half, 8) ^ _left(entries, b, 4) ^ _left(entries, b >> half, 0)
        register = _left(entries, a ^ register, 12) ^ behind
    if words % 2:
        a = packed[words - 1]
        register = _left(entries, a ^ register, 4) ^ _left(entries, a >> half, 0)
    if rest:
        # Zeros in front of the last bits change nothing once the register is part of them.
        last = (packed[words] ^ register) << (np.uint64(WORD) - rest)
        kept = register >> rest if rest < half else np.uint64(0)
        register = _left(entries, last, 4) ^ _left(entries, last >> half, 0) ^ kept
    return register


@kernel
def _append(
    bits: np.ndarray, block: int, pitch: int, length: int, entries: np.ndarray, initial: int, final: int
) -> tuple[np.ndarray, np.uint64]:
    """Blocks and their CRCs in rows of `pitch`, filled with zeros; and all bytes or-ed together."""
    blocks = bits.size // block
    out, packed = np.empty(blocks * pitch, np.uint8), np.empty(block // WORD + 1, np.uint64)
    seen = np.uint64(0)
    for b in range(blocks):
        at = b * pitch
        seen |= _move(bits, b * block, out, at, packed, block)
        register = _register(packed, block, entries, initial) ^ np.uint64(final)
        tail = out[at + block : at + pitch]
        for i in range(length):
            tail[i] = (register >> np.uint64(i)) & np.uint64(1)
        for i in range(length, tail.size):
            tail[i] = 0
    return out, seen


@kernel
def _check(
    bits: np.ndarray, pitch: int, block: int, length: int, entries: np.ndarray, initial: int, final: int
) -> tuple[np.ndarray, np.ndarray, np.uint64]:
    """The inverse: blocks without their CRCs, whether these held, and all bytes or-ed together."""
    blocks = bits.size // pitch
    out, packed = np.empty(blocks * block, np.uint8), np.empty(block // WORD + 1, np.uint64)
    ok = np.empty(blocks, np.bool_)
    seen = np.uint64(0)
    for b in range(blocks):
        at = b * pitch
        seen |= _move(bits, at, out, b * block, packed, block)
        register = _register(packed, block, entries, initial) ^ np.uint64(final)
        found = np.uint64(0)
        for i in range(length):
            value = np.uint64(bits[at + block + i])
            seen |= value
            found |= (value & np.uint64(1)) << np.uint64(i)
        ok[b] = found == register
    return out, ok, seen


def _code(name: str) -> CrcCode:
    if name not in CRCS:
        raise ValueError(f"there are the CRCs {', '.join(CRCS)}; got {name!r}.")
    return CRCS[name]


@cache
def _constants(name: str) -> tuple[int, np.ndarray, int, int]:
    code = _code(name)
    initial, final = (int(f"{value:0{code.bits}b}"[::-1], 2) for value in (code.initial, code.final))
    return code.bits, tables(code.polynomial, code.bits), initial, final


def crc(bits: np.ndarray, name: str = "24A") -> int:
    """The CRC of a run of bits (uint8 [n], first bit first) as a number, its first sent bit highest.

    Raises:
        ValueError: no CRC of that name, or the bits are of another dtype, or not 0 and 1.
    """
    bits = bits_of(bits)
    if not bits.size:
        return _code(name).initial ^ _code(name).final
    out = append_blocks(bits, bits.size, name)
    return int("".join(map(str, out[bits.size :])), 2)


def append_blocks(bits: np.ndarray, block_bits: int, name: str, pitch: int | None = None) -> np.ndarray:
    """`append_crc` of a burst of whole blocks, each with its CRC made up to `pitch` bits by zeros.

    Raises:
        ValueError: a value is neither 0 nor 1.
    """
    length, entries, initial, final = _constants(name)
    out, seen = _append(bits, block_bits, pitch or block_bits + length, length, entries, initial, final)
    if seen & ~ONES:
        bits_of(bits)
    return out


def check_blocks(words: np.ndarray, block_bits: int, name: str) -> tuple[np.ndarray, np.ndarray]:
    """`check_crc` of blocks that begin words [blocks, block_bits + crc bits or more], in one piece.

    Raises:
        ValueError: a value is neither 0 nor 1.
    """
    out, ok, seen = _check(words.reshape(-1), words.shape[1], block_bits, *_constants(name))
    if seen & ~ONES:
        bits_of(words[:, : block_bits + _constants(name)[0]].reshape(-1))
    return out, ok


def append_crc(bits: np.ndarray, block_bits: int, name: str = "24A") -> np.ndarray:
    """Put a CRC behind every `block_bits` bits: uint8 [blocks * block_bits] to [blocks * (block_bits + crc bits)].

    Raises:
        ValueError: the bits are not whole blocks, of another dtype, or not 0 and 1; no CRC of that name.
    """
    bits, _ = burst_of(bits, Bits), _code(name)
    if block_bits < 1 or bits.size % block_bits:
        bits_of(bits)
        raise ValueError(f"a burst must hold whole blocks of block_bits={block_bits}.")
    return append_blocks(bits, block_bits, name)


def check_crc(bits: np.ndarray, block_bits: int, name: str = "24A") -> tuple[np.ndarray, np.ndarray]:
    """Take the CRC off every block: bits [blocks * block_bits] and, per block, whether the CRC was right (bool).

    Raises:
        ValueError: the bits are not whole blocks of `block_bits` and a CRC, of another dtype, or not 0 and 1; no CRC
            of that name.
    """
    bits, length = burst_of(bits, Bits), _code(name).bits
    if block_bits < 1 or bits.size % (block_bits + length):
        bits_of(bits)
        raise ValueError(f"a burst must hold whole blocks of block_bits={block_bits} and {length} CRC bits.")
    return check_blocks(bits.reshape(-1, block_bits + length), block_bits, name)


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
