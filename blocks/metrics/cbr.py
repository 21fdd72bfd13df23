"""The ledger of the channel bandwidth ratio: every channel symbol, charged to the stream that caused it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from io import StringIO
from typing import ClassVar

import numpy as np

from lgvsc_flow.block import Block, setting
from lgvsc_flow.blocks.phy.transport import information_bits
from lgvsc_flow.items import Bits, Payload, Symbols
from lgvsc_flow.ports import In

__all__ = ["CbrLedger", "LedgerRow", "TextCbrLedger", "charge", "ledger_table"]

KEYFRAMES = "keyframe symbols"
HYPERPRIOR = "hyperprior"
CAPTIONS = "captions"
SIDE = "side information"
HEADERS = "headers and CRC"
SIGNALLING = "burst length (SIG)"


@dataclass(frozen=True)
class LedgerRow:
    """One row: complex channel symbols, their share of the channel bandwidth ratio, and the payload in bytes."""

    name: str
    symbols: int
    cbr: float
    payload_bytes: int


def charge(payload_bits: dict[str, int], info_bits: int, digital: int, channel: int, analog: int = 0) -> dict[str, int]:
    """Split the symbols of one burst over the streams; the parts sum to `channel` exactly.

    A stream of b payload bits among `info_bits` information bits causes floor(digital * b / info_bits) of the
    `digital` symbols: channel coding and repetition are shared in proportion. Their rest (packet headers, CRC, padding,
    rounding) is the row "headers and CRC", and what the multiplexer adds to signal the burst "burst length (SIG)".

    Args:
        payload_bits: bits of each stream's payload in this burst.
        info_bits: information bits of the burst, with headers, CRC and padding, before channel coding.
        digital: modulated symbols of the burst.
        channel: all symbols that the burst puts on the channel.
        analog: keyframe symbols of the burst.

    Raises:
        ValueError: more payload than information bits, or more symbols in the parts than on the channel.
    """
    payload = sum(payload_bits.values())
    if payload > info_bits:
        raise ValueError(f"the payloads have {payload} bits, but the burst carries only {info_bits} information bits")
    if digital + analog > channel:
        raise ValueError(
            f"{digital} digital and {analog} keyframe symbols went into the multiplexer, "
            f"but only {channel} came out; wire the multiplexer's output to the ledger's input channel"
        )
    parts = {name: digital * bits // info_bits if info_bits else 0 for name, bits in payload_bits.items()}
    parts[HEADERS] = digital - sum(parts.values())
    parts[SIGNALLING] = channel - analog - digital
    return parts


def ledger_table(title: str, rows: Sequence[LedgerRow]) -> str:
    """A ledger as text: symbols, their share of all, the channel bandwidth ratio, and bytes before coding."""
    from rich.console import Console
    from rich.table import Table

    total = sum(row.symbols for row in rows)
    table = Table(title=title, show_footer=True)
    table.add_column("sent for", "all")
    table.add_column("symbols", f"{total:,}", justify="right")
    table.add_column("share", "100.0 %" if total else "", justify="right")
    table.add_column("CBR", f"{sum(row.cbr for row in rows):.5f}", justify="right")
    table.add_column("bytes", f"{sum(row.payload_bytes for row in rows):,}", justify="right")
    for row in rows:
        share = f"{row.symbols / total:.1%}".replace("%", " %") if total else ""
        sent = f"{row.payload_bytes:,}" if row.payload_bytes else ""
        table.add_row(row.name, f"{row.symbols:,}", share, f"{row.cbr:.5f}", sent)
    text = StringIO()
    Console(width=100, file=text).print(table)
    return text.getvalue()


class _Ledger:
    """The sums of a ledger."""

    def __init__(self, rows: tuple[str, ...]) -> None:
        self.symbols = dict.fromkeys(rows, 0)
        self.bytes = dict.fromkeys(rows, 0)

    def add(self, payloads: dict[str, Payload], info_bits: int, digital: int, channel: int, analog: int) -> None:
        sizes = {name: len(p.data or b"") for name, p in payloads.items()}
        parts = charge({n: 8 * s for n, s in sizes.items()}, info_bits, digital, channel, analog)
        parts[KEYFRAMES] = analog
        for name, count in parts.items():
            if count or name in self.symbols:
                self.symbols[name] = self.symbols.get(name, 0) + count
        for name, count in sizes.items():
            self.bytes[name] += count


class _LedgerBlock(Block):
    """What the ledgers share. CBR = B / (C * H * W * F) with C = 3 colour channels (paper, footnote 1)."""

    height: int = setting(ge=1, unit="pixels")
    width: int = setting(ge=1, unit="pixels")
    num_frames: int = setting(ge=1, unit="frames", doc="frames of the whole video")
    code_rate: float | None = setting(
        None,
        ge=0.02,
        le=0.9,
        doc="of TransportEncoder, if the bits are those in front of it; None if they hold all CRCs",
    )

    _names: ClassVar[tuple[str, ...]] = (CAPTIONS, HEADERS)

    def validate(self) -> None:
        self._sums = _Ledger(self._names)

    def start(self) -> None:
        self._sums = _Ledger(self._names)

    def _information(self, bits: np.ndarray) -> int:
        """Information bits of a burst, with CRC and padding."""
        return bits.size if self.code_rate is None else information_bits(bits.size, self.code_rate)

    @property
    def source_samples(self) -> int:
        """C * H * W * F: the numbers that make up the source video."""
        return 3 * self.height * self.width * self.num_frames

    @property
    def symbols(self) -> dict[str, int]:
        """Complex channel symbols per row."""
        return dict(self._sums.symbols)

    @property
    def total_symbols(self) -> int:
        """All complex channel symbols, B; the rows sum to it."""
        return sum(self._sums.symbols.values())

    @property
    def cbr(self) -> float:
        """The channel bandwidth ratio of everything sent so far."""
        return self.total_symbols / self.source_samples

    @property
    def rows(self) -> list[LedgerRow]:
        """The ledger, a row per stream."""
        sums = self._sums
        return [LedgerRow(n, s, s / self.source_samples, sums.bytes[n]) for n, s in sums.symbols.items()]

    def table(self) -> str:
        """The ledger as text: symbols, their share of all, the channel bandwidth ratio, bytes before coding."""
        return ledger_table(f"{self.num_frames} frames of {self.width}x{self.height}", self.rows)


class CbrLedger(_LedgerBlock):
    """Charge every channel symbol of the link to keyframes, hyperprior, captions, side information or headers.

    One item per segment on every input: the three payloads, the burst's information bits (behind `CrcAppend`, or behind
    `StreamJoiner` with `code_rate` set), its digital and keyframe symbols, and the burst on the channel (the
    multiplexer's output). See `charge`.
    """

    captions = In(Payload)
    side = In(Payload)
    hyperprior = In(Payload)
    bits = In(Bits)
    digital = In(Symbols)
    keyframes = In(Symbols)
    channel = In(Symbols)

    _names = (KEYFRAMES, HYPERPRIOR, CAPTIONS, SIDE, HEADERS, SIGNALLING)

    def work(
        self,
        captions: Payload,
        side: Payload,
        hyperprior: Payload,
        bits: np.ndarray,
        digital: np.ndarray,
        keyframes: np.ndarray,
        channel: np.ndarray,
    ) -> None:
        payloads = {HYPERPRIOR: hyperprior, CAPTIONS: captions, SIDE: side}
        self._sums.add(payloads, self._information(bits), digital.size, channel.size, keyframes.size)


class TextCbrLedger(_LedgerBlock):
    """The ledger of a link that sends nothing but captions. Inputs as in `CbrLedger`."""

    captions = In(Payload)
    bits = In(Bits)
    digital = In(Symbols)
    channel = In(Symbols)

    def work(self, captions: Payload, bits: np.ndarray, digital: np.ndarray, channel: np.ndarray) -> None:
        self._sums.add({CAPTIONS: captions}, self._information(bits), digital.size, channel.size, 0)
