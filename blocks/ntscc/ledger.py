"""The ledger of the keyframe path: every channel symbol, and what it was sent for."""

from __future__ import annotations

import numpy as np

from lgvsc_flow.block import Block, setting
from lgvsc_flow.blocks.metrics.cbr import KEYFRAMES, SIGNALLING, LedgerRow, ledger_table
from lgvsc_flow.blocks.ntscc.header import SideInformation
from lgvsc_flow.blocks.phy.ldpc.nr_segmentation import choose_base_graph, segmentation
from lgvsc_flow.blocks.phy.transport import ORDERS, block_bits, block_symbols
from lgvsc_flow.items import Bits, Payload, Symbols
from lgvsc_flow.ports import In

__all__ = ["KeyframeLedger"]

HYPERPRIOR = "hyperprior z"
HEADER = "keyframe header"
LENGTHS = "lengths and padding"
CRC = "CRC"
ROWS = (KEYFRAMES, HYPERPRIOR, HEADER, LENGTHS, CRC, SIGNALLING)


class KeyframeLedger(Block):
    """Charge every channel symbol of the keyframe path; the rows sum to what the channel counts, exactly.

    One item per keyframe on every input: its payload, the bits of the burst (behind `StreamJoiner`), its digital and
    its keyframe symbols, and the burst on the channel (the multiplexer's output). The rows:

    - keyframe symbols: the latents, as they are;
    - hyperprior z: its range-coded bytes; keyframe header: sizes, number of symbols, scales, check value;
    - lengths and padding: of the streams of a burst, and zeros up to a transport block;
    - CRC: of transport block and code blocks, and what rounding leaves;
    - burst length (SIG): the field in front of a burst that says how long its parts are, coded and repeated.

    The digital symbols are charged in proportion to information bits: a bit brings its share of the channel code. There
    are no pilots: the channel state comes with the channel block.
    """

    payloads = In(Payload)
    bits = In(Bits)
    digital = In(Symbols)
    keyframes = In(Symbols)
    channel = In(Symbols)

    order: int = setting(16, choices=ORDERS, doc="as in TransportEncoder")
    code_rate: float = setting(0.5, ge=0.02, le=0.9, doc="as in TransportEncoder")

    def validate(self) -> None:
        self._clear()

    def start(self) -> None:
        self._clear()

    def _clear(self) -> None:
        self.symbols, self.bytes = dict.fromkeys(ROWS, 0), dict.fromkeys(ROWS, 0)
        self.source_samples = self.pictures = 0

    def work(
        self,
        payload: Payload,
        bits: np.ndarray,
        digital: np.ndarray,
        keyframes: np.ndarray,
        channel: np.ndarray,
    ) -> None:
        data = payload.data or b""
        side = SideInformation.unpack(data)
        a = block_bits(bits.size, self.code_rate)
        cut = segmentation(a, choose_base_graph(a, self.code_rate))
        expected = block_symbols(a, self.order, self.code_rate)
        if digital.size != expected:
            raise ValueError(
                f"{bits.size} bits take {expected} symbols of {self.order}-QAM at rate {self.code_rate:.4g}, but "
                f"{digital.size} were sent; give the ledger the settings of TransportEncoder, and wire its input bits "
                "behind StreamJoiner"
            )
        if keyframes.size + digital.size > channel.size:
            raise ValueError(
                f"{digital.size} digital and {keyframes.size} keyframe symbols went into the multiplexer, "
                f"but only {channel.size} came out; wire the multiplexer's output to the ledger's input channel"
            )
        hyperprior = 8 * len(side.hyperprior)
        information = {HYPERPRIOR: hyperprior, HEADER: 8 * len(data) - hyperprior, LENGTHS: a - 8 * len(data)}
        parts = {n: digital.size * b // (cut.code_blocks * cut.k_prime) for n, b in information.items()}
        parts[CRC] = digital.size - sum(parts.values())
        parts[KEYFRAMES] = keyframes.size
        parts[SIGNALLING] = channel.size - digital.size - keyframes.size
        for name, count in parts.items():
            self.symbols[name] += count
            self.bytes[name] += information.get(name, 0) // 8
        self.source_samples += 3 * side.height * side.width
        self.pictures += 1

    @property
    def total_symbols(self) -> int:
        """All complex channel symbols; the rows sum to it."""
        return sum(self.symbols.values())

    @property
    def cbr(self) -> float:
        """Channel symbols per colour sample of all keyframes sent so far; NaN before the first."""
        return self.total_symbols / self.source_samples if self.source_samples else float("nan")

    @property
    def rows(self) -> list[LedgerRow]:
        """The ledger, a row per cause."""
        samples = self.source_samples or float("nan")
        return [LedgerRow(n, s, s / samples, self.bytes[n]) for n, s in self.symbols.items()]

    def table(self) -> str:
        """The ledger as text: symbols, their share of all, the channel bandwidth ratio, bytes before coding."""
        return ledger_table(f"{self.pictures} keyframe{'s' * (self.pictures != 1)}", self.rows)
