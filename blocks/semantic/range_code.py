"""A range coder for short messages: whole-number arithmetic only, and the fewest bytes that name the message.

Ref: Martin, "Range encoding", 1979.
"""

from __future__ import annotations

__all__ = ["LARGEST_TOTAL", "RangeDecoder", "RangeEncoder"]

LARGEST_TOTAL = 1 << 16  # of the frequencies of one symbol's alternatives
_SMALLEST_SPAN = 1 << 24


class RangeEncoder:
    """Narrows an interval by a share for each symbol. For some thousand symbols at most: its number grows with them."""

    def __init__(self) -> None:
        self._low, self._span, self._bits = 0, 1 << 32, 32

    def encode(self, start: int, frequency: int, total: int) -> None:
        """Take the symbol that owns start to start + frequency of total, which is at most `LARGEST_TOTAL`."""
        unit = self._span // total
        self._low += unit * start
        self._span = unit * frequency
        while self._span < _SMALLEST_SPAN:
            self._low, self._span, self._bits = self._low << 8, self._span << 8, self._bits + 8

    def finish(self) -> bytes:
        """The shortest byte string whose decoder, reading zeros behind it, finds these symbols."""
        size = 0
        while True:
            rest = self._bits - 8 * size
            number = -(-self._low >> rest)  # the first multiple of 2^rest at or above the interval's start
            if number << rest < self._low + self._span:
                return number.to_bytes(size, "big")
            size += 1


class RangeDecoder:
    """Finds the symbols again, whatever the bytes are: damaged ones give some other symbols."""

    def __init__(self, code: bytes) -> None:
        self._code, self._at = code, 4
        self._rest, self._span = int.from_bytes(code[:4].ljust(4, b"\0"), "big"), 1 << 32
        self._unit = 1

    def target(self, total: int) -> int:
        """A place from 0 to total - 1 in the share of the next symbol; `consume` must follow."""
        self._unit = self._span // total
        return min(self._rest // self._unit, total - 1)

    def consume(self, start: int, frequency: int) -> None:
        """Take the symbol that owns start to start + frequency."""
        # What lies behind the last share belongs to no symbol; no encoder writes it.
        self._rest = min(self._rest - self._unit * start, self._unit * frequency - 1)
        self._span = self._unit * frequency
        while self._span < _SMALLEST_SPAN:
            byte = self._code[self._at] if self._at < len(self._code) else 0
            self._rest, self._span, self._at = self._rest << 8 | byte, self._span << 8, self._at + 1
