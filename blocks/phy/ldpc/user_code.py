"""A code of the user's own: from a matrix as text to what encodes and decodes."""

from __future__ import annotations

import hashlib
import threading
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from lgvsc_flow.blocks.given import bits_of, burst_of
from lgvsc_flow.blocks.phy.ldpc.alist import parse_alist
from lgvsc_flow.blocks.phy.ldpc.code import LdpcCode
from lgvsc_flow.blocks.phy.ldpc.decode import decode
from lgvsc_flow.blocks.phy.ldpc.encode import encode
from lgvsc_flow.blocks.phy.ldpc.fixed import MAX_DEGREE, decode_int8
from lgvsc_flow.blocks.phy.ldpc.general_encode import Encoder, encode_general, encoder_of
from lgvsc_flow.blocks.phy.ldpc.matrix_text import Lines, read_text
from lgvsc_flow.blocks.phy.ldpc.parity_check import MatrixError, ParityCheck
from lgvsc_flow.blocks.phy.ldpc.qc import QcTable, parse_qc
from lgvsc_flow.items import Llrs

__all__ = ["INFORMATION", "UserCode", "user_code"]

INFORMATION = ("auto", "first", "last")
KEPT = 16  # codes in memory
MIN_INT8 = 16  # bits of a codeword that the int8 decoder takes


@dataclass(frozen=True, eq=False)
class UserCode:
    """`k` information bits become `n` sent bits: the bits `sent` of a codeword of `code.n`, the rest is punctured.

    The information bits stand at `encoder.information` in the codeword.
    """

    code: LdpcCode
    encoder: Encoder
    sent: np.ndarray

    @property
    def k(self) -> int:
        return self.encoder.k

    @property
    def n(self) -> int:
        return self.sent.size

    @cached_property
    def digest(self) -> str:
        """Eight hexadecimal digits that tell one code from another."""
        matrix = self.encoder.matrix
        parts = (matrix.starts, matrix.columns, self.sent, self.encoder.information)
        content = b"".join(part.astype("<i8").tobytes() for part in parts)
        return hashlib.sha256(content).hexdigest()[:8]

    @property
    def format(self) -> str:
        """The code in words."""
        return f"LDPC {self.k}/{self.n} {self.digest}"

    @cached_property
    def in_front(self) -> bool:
        """Whether the information bits are the first bits of a codeword, in their order."""
        return int(self.encoder.information[-1]) == self.k - 1

    @cached_property
    def fast(self) -> bool:
        """Whether the encoder of the 802.11 codes does it."""
        return self.in_front and _dual_diagonal(self.code)

    @cached_property
    def without_int8(self) -> str:
        """Why the int8 decoder cannot decode it; empty where it can."""
        most = int(np.diff(self.code.starts).max(initial=0))
        if most > MAX_DEGREE:
            return f"int8 decodes checks of at most {MAX_DEGREE} bits, this matrix has one of {most}"
        if self.code.n < MIN_INT8:
            return f"int8 decodes codewords of at least {MIN_INT8} bits, this matrix has {self.code.n}"
        return ""

    def encode(self, bits: np.ndarray) -> np.ndarray:
        """uint8 [words * k] to [words * n].

        Raises:
            ValueError: the bits are no bits, or not whole information words.
        """
        bits = bits_of(bits)
        coded = encode(bits, self.code) if self.fast else encode_general(bits, self.encoder)
        if self.n == self.code.n:
            return coded
        return np.ascontiguousarray(coded.reshape(-1, self.code.n)[:, self.sent]).ravel()

    def decode(
        self, llrs: np.ndarray, *, max_iterations: int, early_stop: bool, precision: str, factor: float | None = None
    ) -> np.ndarray:
        """Float32 LLRs [words * n] to information bits, uint8 [words * k]; a bit that was not sent is an erasure.

        Raises:
            ValueError: the LLRs are not float32 or not whole codewords, or int8 cannot decode the code.
        """
        llrs = burst_of(llrs, Llrs)
        if llrs.size % self.n:
            raise ValueError(f"a burst must hold whole codewords of n={self.n}.")
        if self.n < self.code.n:
            full = np.zeros((llrs.size // self.n, self.code.n), np.float32)
            full[:, self.sent] = llrs.reshape(-1, self.n)
            llrs = full.ravel()
        if precision == "float32":
            words = decode(llrs, self.code, max_iterations=max_iterations, factor=factor).words
        else:
            wanted = max(MIN_INT8, int(self.encoder.information[-1]) + 1)
            words = decode_int8(
                llrs, self.code, max_iterations=max_iterations, early_stop=early_stop, wanted=wanted
            ).words
        return words[:, : self.k].ravel() if self.in_front else words[:, self.encoder.information].ravel()


def _dual_diagonal(code: LdpcCode) -> bool:
    """Whether the parity part is that of 802.11: a column of three blocks, the outer alike, then stairs."""
    rows, width = code.shape
    first = width - rows
    if rows < 3 or first * code.z < 16 or rows * code.z < 16:
        return False
    at = np.repeat(np.arange(rows), np.diff(code.starts))
    blocks = zip(at.tolist(), (code.columns - first).tolist(), code.shifts.tolist(), strict=True)
    parity = {(row, column): shift for row, column, shift in blocks if column >= 0}
    head = sorted((row, shift) for (row, column), shift in parity.items() if column == 0)
    stairs = {(row + i, row + 1): 0 for row in range(rows - 1) for i in (0, 1)}
    return (
        len(head) == 3
        and (head[0][0], head[2][0], head[1][1]) == (0, rows - 1, 0)
        and head[0][1] == head[2][1]
        and {place: shift for place, shift in parity.items() if place[1] > 0} == stairs
    )


_codes: dict[tuple[str, str], UserCode] = {}
_building = threading.Lock()


def user_code(matrix: str, information: str = "auto") -> UserCode:
    """The code of a matrix, kept in memory for as long as its text stays the same.

    Args:
        matrix: the path of a file, or the text itself, with line breaks or `;` between its lines. Where the first line
            has two numbers it is an alist, where it has three a table of shifts.
        information: "first" puts the parity bits to the end of the codeword as far as the matrix allows, so that the
            information bits come first; "last" to the front; "auto" to the end where they all fit, else to the front
            where they all fit there, else to the end.

    Raises:
        MatrixError: the file cannot be read, or holds no matrix of a code; the message names file and line.
    """
    own = "\n" in matrix or ";" in matrix
    text = matrix.replace(";", "\n") if own else read_text(matrix)
    key = (hashlib.sha256(text.encode()).hexdigest(), information)
    with _building:
        if key not in _codes:
            try:
                code = _build(text, information)
            except MatrixError as error:
                raise error if own else MatrixError(f"'{matrix}', {error}") from None
            while len(_codes) >= KEPT:
                del _codes[next(iter(_codes))]
            _codes[key] = code
        return _codes[key]


def _build(text: str, information: str) -> UserCode:
    lines = Lines(text)
    expected = "the numbers of columns and rows (alist), and z (quasi-cyclic table)"
    header = lines.take(expected)
    if len(header) not in (2, 3):
        raise lines.wrong(f"there are {len(header)} numbers", expected)
    if len(header) == 3:
        table = parse_qc(text)
        matrix, z, (rows, columns) = _expanded(table), table.z, np.nonzero(table.base >= 0)
        shifts = table.base[rows, columns]
        sent = np.flatnonzero(np.repeat(table.sent, table.z))
    else:
        matrix = parse_alist(text)
        z, rows, columns, shifts = matrix.circulants()
        sent = np.arange(matrix.n)
    if not columns.size:
        raise MatrixError("the matrix has no ones, and so no checks")
    encoder = _encoder(matrix, information)
    kept, rows = np.unique(rows, return_inverse=True)  # rows without ones check nothing
    name = f"LDPC {encoder.k}/{sent.size}"
    code = LdpcCode.of_blocks(name, z, (kept.size, matrix.n // z), rows, columns, shifts, encoder.rank)
    return UserCode(code, encoder, sent)


def _expanded(table: QcTable) -> ParityCheck:
    z, (height, width) = table.z, table.base.shape
    rows, columns = np.nonzero(table.base >= 0)
    lane, shifts = np.arange(z), table.base[rows, columns][:, None]
    places = (rows[:, None] * z + lane).ravel(), (columns[:, None] * z + (lane + shifts) % z).ravel()
    return ParityCheck.of_ones(height * z, width * z, *places)


def _encoder(matrix: ParityCheck, information: str) -> Encoder:
    first = encoder_of(matrix, front=information != "last")
    if information != "auto" or first.information[-1] == first.k - 1:
        return first
    last = encoder_of(matrix, front=False)
    return last if last.information[0] == matrix.n - last.k else first
