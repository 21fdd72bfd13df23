"""Text files of numbers, line by line: what the readers of alist and quasi-cyclic tables share."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from lgvsc_flow.blocks.phy.ldpc.parity_check import MAX_BITS, MatrixError

__all__ = ["MAX_BYTES", "Lines", "read_text", "write_text"]

MAX_BYTES = 2**27
_NUMBERS = re.compile(r"(?:\s*+-?[0-9]{1,9}+(?!\S))++\s*+", re.ASCII)  # possessive: lines are long


class Lines:
    """The lines of a text that hold numbers; `#` begins a comment, empty lines are passed over."""

    def __init__(self, text: str) -> None:
        self._lines = self._numbers(text)
        self._next = next(self._lines, None)
        self.number = 0  # of the line read last

    def _numbers(self, text: str) -> Iterator[tuple[int, str]]:
        for number, line in enumerate(text.splitlines(), 1):
            content = line.partition("#")[0].strip()
            if content:
                yield number, content

    def take(self, expected: str) -> list[int]:
        """The numbers of the next line; `expected` says in messages what they should be.

        Raises:
            MatrixError: there is no line left, or it holds something else.
        """
        if self._next is None:
            raise MatrixError(f"the text ends after line {self.number}; expected {expected}")
        self.number, content = self._next
        parts = content.split(None, MAX_BITS + 1)
        if len(parts) > MAX_BITS:
            raise self.wrong(f"there are more than {MAX_BITS} numbers", expected)
        if not _NUMBERS.fullmatch(content):
            wrong = next(part for part in parts if not re.fullmatch("-?[0-9]{1,9}", part, re.ASCII))
            raise self.wrong(f"{wrong[:20]!r} is no whole number of at most 9 digits", expected)
        self._next = next(self._lines, None)
        return [int(part) for part in parts]

    def peek(self) -> str:
        """The next line, empty at the end."""
        return "" if self._next is None else self._next[1]

    def wrong(self, found: str, expected: str) -> MatrixError:
        return MatrixError(f"line {self.number}: {found}; expected {expected}")


def read_text(path: str | os.PathLike[str]) -> str:
    """The text of a file.

    Raises:
        MatrixError: the file cannot be read, is larger than 128 MiB, or is no text.
    """
    try:
        with Path(path).open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:  # a path with a NUL is a ValueError
        raise MatrixError(f"'{path}' cannot be read: {getattr(error, 'strerror', None) or error}") from None
    if len(content) > MAX_BYTES:
        raise MatrixError(f"'{path}' is larger than {MAX_BYTES // 2**20} MiB; no matrix here is")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise MatrixError(f"'{path}' is no text; expected an alist file or a quasi-cyclic table") from None


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write a file, whole or not at all.

    Raises:
        MatrixError: it cannot be written.
    """
    temporary = Path(f"{os.fspath(path)}.tmp")
    try:
        temporary.write_text(text, encoding="ascii")
        os.replace(temporary, path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise MatrixError(f"'{path}' cannot be written: {error.strerror or error}") from None
