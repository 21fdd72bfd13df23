"""Packets: three byte streams of one segment in, one burst of fixed-size blocks out, and back.

A burst carries one string of bytes: the table (the three lengths), then side information, caption and hyperprior, the
short ones first, so that they ride in the first packets. The string is cut into fragments; each block is a header and
one fragment, the last one filled up with zeros.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from lgvsc_flow import Block, In, Out, setting
from lgvsc_flow.blocks.given import bits_of, checked_of
from lgvsc_flow.items import Bits, Checked, Payload
from lgvsc_flow.varint import read_varint, write_varint

__all__ = [
    "HEADER_BITS",
    "MAX_FRAGMENTS",
    "STREAMS",
    "Depacketizer",
    "NoPayload",
    "Packetizer",
    "fragment",
    "gather",
    "join_streams",
    "read_header",
    "split_streams",
]

STREAMS = ("side", "caption", "hyperprior")
"""The streams of a burst, in the order in which they are sent."""

INDEX_BITS, NUMBER_BITS = 12, 10
HEADER_BITS = INDEX_BITS + 2 * NUMBER_BITS
MAX_FRAGMENTS = (1 << NUMBER_BITS) - 1
LENGTH_LIMIT = 1 << 28  # of a length in the table


def join_streams(streams: Mapping[str, bytes | None]) -> bytes:
    """One byte string from the streams, the table in front; a stream that is None is marked as not sent.

    Raises:
        ValueError: a stream is no bytes, or too long.
    """
    parts = [streams.get(name) for name in STREAMS]
    wrong = [part for part in parts if not isinstance(part, bytes | bytearray | None)]
    if wrong:
        raise ValueError(f"a stream is bytes, or None where it is not sent; got {type(wrong[0]).__name__}.")
    lengths = [0 if part is None else len(part) + 1 for part in parts]
    if max(lengths) >= LENGTH_LIMIT:
        raise ValueError(f"a stream of {max(lengths) - 1} bytes is too long for a packet table")
    return b"".join([*map(write_varint, lengths), *(part or b"" for part in parts)])


def split_streams(data: np.ndarray, known: np.ndarray) -> dict[str, bytes | None]:
    """The streams of which every byte is there: None for one that is not, or was not sent, or has a broken table.

    Args:
        data: uint8 [n], the byte string.
        known: bool [n], which of its bytes arrived.

    Raises:
        ValueError: these are no such arrays of one length.
    """
    if data.dtype != np.uint8 or known.dtype != np.bool_ or data.ndim != 1 or data.shape != known.shape:
        raise ValueError(
            f"data is uint8 [n] and known bool [n], got {data.dtype} {list(data.shape)} and {known.dtype} "
            f"{list(known.shape)}."
        )
    lost: dict[str, bytes | None] = dict.fromkeys(STREAMS)
    table = data[: data.size if known.all() else int(np.argmin(known))].tobytes()
    lengths, at = [], 0
    for _ in STREAMS:
        number = read_varint(table, at, LENGTH_LIMIT)
        if number is None:
            return lost
        lengths.append(number[0])
        at = number[1]
    found = dict(lost)
    for name, length in zip(STREAMS, lengths, strict=True):
        if length == 0:
            continue
        stop = at + length - 1
        if stop <= data.size and known[at:stop].all():
            found[name] = data[at:stop].tobytes()
        at = stop
    return found


def _number(bits: np.ndarray) -> int:
    """Bits, highest first, as a number."""
    return int("".join("1" if b else "0" for b in bits), 2)


def _check_length(block_bits: int) -> None:
    if block_bits <= HEADER_BITS:
        raise ValueError(f"a packet has a header of {HEADER_BITS} bits and more; got block_bits={block_bits}.")


def fragment(data: bytes, index: int, block_bits: int) -> np.ndarray:
    """Cut bytes into blocks of `block_bits` bits, each with its header: uint8 [fragments * block_bits].

    The header is the segment's index modulo 2^12, the fragment's number, and the count of fragments (never 0: an
    all-zero block has no valid header).

    Raises:
        ValueError: the bytes take more fragments than a burst can number, or a block has no room behind its header.
    """
    _check_length(block_bits)
    content = block_bits - HEADER_BITS
    bits = np.unpackbits(np.frombuffer(data, np.uint8))
    count = max(1, -(-bits.size // content))
    if count > MAX_FRAGMENTS:
        raise ValueError(
            f"a segment of {len(data)} bytes takes {count} packets of block_bits={block_bits}; "
            f"a burst holds at most {MAX_FRAGMENTS}. Use a longer code or send less."
        )
    blocks = np.zeros((count, block_bits), np.uint8)
    for number in range(count):
        header = (index % (1 << INDEX_BITS)) << (2 * NUMBER_BITS) | number << NUMBER_BITS | count
        blocks[number, :HEADER_BITS] = [header >> i & 1 for i in reversed(range(HEADER_BITS))]
        piece = bits[number * content : (number + 1) * content]
        blocks[number, HEADER_BITS : HEADER_BITS + piece.size] = piece
    return blocks.ravel()


def read_header(block: np.ndarray) -> tuple[int, int, int] | None:
    """(index modulo 2^12, fragment number, fragment count) of a block, None when it cannot be a header.

    Raises:
        ValueError: the block is shorter than a header, or its values are no bits.
    """
    block = bits_of(block)
    _check_length(block.size)
    header = _number(block[:HEADER_BITS])
    index, number, count = header >> (2 * NUMBER_BITS), header >> NUMBER_BITS & MAX_FRAGMENTS, header & MAX_FRAGMENTS
    return (index, number, count) if number < count else None


def gather(checked: Checked, index: int, block_bits: int) -> tuple[np.ndarray, np.ndarray]:
    """Put the fragments of segment `index` back in place: bytes uint8 [n], and which of them arrived, bool [n].

    Blocks whose CRC failed, whose header is malformed, that belong to another segment, or that disagree on the count
    with the first good one are left out.

    Raises:
        ValueError: the bits are no whole blocks of this length with a verdict each.
    """
    _check_length(block_bits)
    checked = checked_of(checked)
    if checked.bits.size != checked.ok.size * block_bits:
        raise ValueError(f"a burst must hold whole packets of block_bits={block_bits}.")
    content = block_bits - HEADER_BITS
    bits = np.zeros(0, np.uint8)
    known = np.zeros(0, bool)
    total = 0
    for block, ok in zip(checked.bits.reshape(-1, block_bits), checked.ok, strict=True):
        header = read_header(block) if ok else None
        if header is None or header[0] != index % (1 << INDEX_BITS):
            continue
        _, number, count = header
        if not total:
            total = count
            bits, known = np.zeros(count * content, np.uint8), np.zeros(count * content, bool)
        if count == total:
            bits[number * content : (number + 1) * content] = block[HEADER_BITS:]
            known[number * content : (number + 1) * content] = True
    whole = bits.size // 8
    arrived: np.ndarray = np.all(known[: 8 * whole].reshape(whole, 8), axis=1)
    return np.packbits(bits[: 8 * whole]), arrived


class Packetizer(Block):
    """Lay the three payloads of a segment into one burst of whole blocks of `block_bits` bits.

    `block_bits` is what one codeword carries beside its CRC, as a rule k - 24. A payload without data is not sent.
    """

    captions = In(Payload)
    side = In(Payload)
    hyperprior = In(Payload)
    bits = Out(Bits, "packets * block_bits")

    block_bits: int = setting(300, ge=HEADER_BITS + 32, unit="bits", doc="length of a packet without its CRC")

    def work(self, captions: Payload, side: Payload, hyperprior: Payload) -> np.ndarray:
        indices = {captions.index, side.index, hyperprior.index}
        if len(indices) != 1:
            raise ValueError(
                f"caption, side information and hyperprior of one burst are of segments "
                f"{captions.index}, {side.index} and {hyperprior.index}."
            )
        data = join_streams({"side": side.data, "caption": captions.data, "hyperprior": hyperprior.data})
        return fragment(data, captions.index, self.block_bits)


class Depacketizer(Block):
    """Recover from a burst each payload whose bytes all arrived; the others are lost, and are sent on as such.

    The burst's number in the stream, from 0, is the index of its segment. Malformed packets count as lost.
    """

    checked = In(Checked, "packets * block_bits")
    captions = Out(Payload)
    side = Out(Payload)
    hyperprior = Out(Payload)

    block_bits: int = setting(300, ge=HEADER_BITS + 32, unit="bits", doc="length of a packet without its CRC")

    def start(self) -> None:
        self._index = 0

    def work(self, checked: Checked) -> tuple[Payload, Payload, Payload]:
        checked = checked_of(checked)
        if checked.bits.size != checked.ok.size * self.block_bits:
            raise ValueError(f"a burst must hold whole packets of block_bits={self.block_bits}.")
        index, self._index = self._index, self._index + 1
        found = split_streams(*gather(checked, index, self.block_bits))
        caption, side, hyperprior = (
            Payload(index, name, found[name], lost=found[name] is None) for name in ("caption", "side", "hyperprior")
        )
        return caption, side, hyperprior


class NoPayload(Block):
    """For every payload, one of another stream that is not sent: for links that do without it."""

    payloads = In(Payload)
    omitted = Out(Payload)

    stream: str = setting("hyperprior", choices=STREAMS)

    def work(self, payload: Payload) -> Payload:
        return Payload(payload.index, self.stream, None)
