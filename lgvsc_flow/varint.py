"""Whole numbers in as few bytes as they need: seven bits a byte, lowest first; the top bit says that more follow."""

from __future__ import annotations

__all__ = ["read_varint", "write_varint"]

LONGEST = 5  # bytes


def write_varint(number: int) -> bytes:
    """The bytes of a number from 0."""
    groups = bytearray()
    while number >= 0x80:
        groups.append(number & 0x7F | 0x80)
        number >>= 7
    groups.append(number)
    return bytes(groups)


def read_varint(data: bytes, at: int, limit: int = 1 << 32) -> tuple[int, int] | None:
    """The number at offset `at` and the offset behind it.

    None where it is cut off, not below `limit` (at most 2^35), or not written in the shortest way.
    """
    number = 0
    for place, byte in enumerate(data[at : at + LONGEST]):
        number |= (byte & 0x7F) << (7 * place)
        if byte < 0x80:
            shortest = byte != 0 or place == 0
            return (number, at + place + 1) if number < limit and shortest else None
    return None
