"""Modems over a channel. After `graph.run()`, `graph["BerMeter"]` holds the errors of the information bits."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from lgvsc_flow import Block, Graph
from lgvsc_flow.blocks.channel import AwgnChannel, Equalizer
from lgvsc_flow.blocks.metrics import BerMeter
from lgvsc_flow.blocks.phy import (
    BitRepeat,
    Deinterleaver,
    HardDecision,
    Interleaver,
    LdpcDecoder,
    LdpcEncoder,
    LlrCombine,
    QamDecision,
    QamDemodulator,
    QamModulator,
    RandomBits,
)
from lgvsc_flow.blocks.phy.nr_mcs import REFERENCE_SYMBOLS, NrMcs, transport_block_size
from lgvsc_flow.blocks.phy.qam import ORDERS
from lgvsc_flow.graphs.channels import Channel, channel as channel_of
from lgvsc_flow.graphs.codes import Code, code as code_of
from lgvsc_flow.graphs.spec import SpecError, split
from lgvsc_flow.ports import BoundPort

__all__ = ["Modem", "coded", "uncoded"]

BURST = 16384  # sent bits, roughly: what stays in the cache
ENDLESS = 2**62
_NAMED = ("code_rate", "k", "rv")  # settings that the names of codes tell already


@dataclass(frozen=True)
class Modem:
    """Random bits, a code, QAM, a channel, and all that back: `modem(esn0_db)` is the graph at that Es/N0.

    It names each part by a short text, and is what `ber_curve` takes.

    Args:
        code: as in `lgvsc_flow.graphs.codes.code`.
        order: constellation points.
        channel: as in `lgvsc_flow.graphs.channels.channel`.
        method: of the demapper, "max-log" or "exact".
        interleave: spread the words of a burst over all of it; None: yes, but for 5G NR, which has its own interleaver.
        burst_bits: sent bits per burst at least; None: about 16384. A burst holds whole words and whole symbols.

    Raises:
        SpecError: there is no such code, channel or constellation, or they do not go together.
    """

    code: str = "none"
    order: int = 16
    channel: str = "awgn"
    method: Literal["max-log", "exact"] = "max-log"
    interleave: bool | None = None
    burst_bits: int | None = None

    def __post_init__(self) -> None:
        if self.order not in ORDERS:
            raise SpecError(f"order is one of {', '.join(map(str, ORDERS))}; got {self.order}")
        if self.method not in ("max-log", "exact"):
            raise SpecError(f"method is max-log or exact; got {self.method!r}")
        if self.burst_bits is not None and not 1 <= self.burst_bits <= 2**26:
            raise SpecError(f"burst_bits is 1 to {2**26}; got {self.burst_bits}")
        self.parsed_channel.build(0.0, self.words * self.parsed_code.n // self.bits_per_symbol)

    @classmethod
    def of_mcs(cls, mcs: NrMcs, symbols: int = REFERENCE_SYMBOLS, **settings: Any) -> Modem:
        """The modem of a row of an NR MCS table, one transport block in so many symbols; settings but code and order.

        `Modem.of_mcs(best_mcs(esn0_db, target_bler=0.1))` is the link that link adaptation chooses.
        """
        size = transport_block_size(symbols, mcs)
        text = f"nr:{size}/{symbols * mcs.bits_per_symbol}:code_rate={mcs.code_rate!r}"
        return cls(code=text, order=mcs.order, **settings)

    @cached_property
    def parsed_code(self) -> Code:
        return code_of(self.code, self.order)

    @cached_property
    def parsed_channel(self) -> Channel:
        return channel_of(self.channel)

    @property
    def name(self) -> str:
        """What tells it from other modems: the code with the settings given, the constellation, the channel."""
        given = {k: v for k, v in split(self.code).settings.items() if k not in _NAMED}
        code = self.parsed_code.name + (f" ({', '.join(f'{k}={v}' for k, v in given.items())})" if given else "")
        demapper = " exact" if self.method == "exact" and self.order > 4 else ""
        spread = "" if self.interleave is None else (", interleaved" if self.interleave else ", not interleaved")
        return f"{code}, {self.order}-QAM{demapper}, {self.channel}{spread}"

    @property
    def bits_per_symbol(self) -> int:
        return self.order.bit_length() - 1

    @property
    def efficiency(self) -> float:
        """Information bits per channel symbol; Eb/N0 = Es/N0 / efficiency. Pilots and prefixes do not count."""
        return self.bits_per_symbol * self.parsed_code.code_rate

    @property
    def block_bits(self) -> int | None:
        """Information bits of a codeword, whose errors are counted together; None without a code."""
        return self.parsed_code.k if self.parsed_code.coded else None

    @property
    def words(self) -> int:
        """Codewords per burst, such that they fill whole symbols (and antennas)."""
        n = self.parsed_code.n
        antennas = self.parsed_channel.settings.get("transmitters", 2) if "mimo" in self.channel else 1
        step = self.bits_per_symbol * antennas
        step //= math.gcd(n, step)
        wanted = self.burst_bits or BURST
        return max(1, -(-wanted // (n * step)) if self.burst_bits else wanted // (n * step)) * step

    def __call__(self, esn0_db: float, *, count: int = ENDLESS, seed: int = 0) -> Graph:
        """The graph of `count` bursts; without a count it runs until it is stopped."""
        code, n = self.parsed_code, self.parsed_code.n
        interleave = code.coded and (code.interleaved if self.interleave is None else self.interleave)
        symbols = self.words * n // self.bits_per_symbol
        source, meter = RandomBits(n=self.words * code.k, count=count), BerMeter()
        graph = Graph(self.name, seed=seed)
        graph.connect(
            source,
            *code.encoder(),
            *([Interleaver(columns=n)] if interleave else []),
            QamModulator(order=self.order),
            self.parsed_channel.build(esn0_db, symbols),
            QamDemodulator(order=self.order, method=self.method),
            *([Deinterleaver(columns=n)] if interleave else []),
            *(decoder := code.decoder()),
        )
        graph.connect(BoundPort(decoder[-1], decoder[-1].ports["bits"]), meter.received)
        graph.connect(source, meter.sent)
        return graph


def uncoded(
    *,
    order: int = 16,
    channel: Block | None = None,
    decision: Literal["soft", "hard"] = "soft",
    n: int = 16384,
    count: int = 64,
    seed: int = 0,
) -> Graph:
    """Random bits -> QAM -> channel -> LLRs -> hard decision; or from the channel straight to a decision.

    There is no equalizer: the demapper and the decision use the gain and the noise variance of each symbol themselves.

    Args:
        order: constellation points.
        channel: any block from Symbols to Received; AWGN at 10 dB if None.
        decision: `soft`, the signs of LLRs, or `hard`, the nearest point (the same bits).
        n: bits per burst, whole symbols.
        count: bursts.
        seed: the root seed.
    """
    receivers: dict[str, Callable[[], list[Block]]] = {
        "soft": lambda: [QamDemodulator(order=order), HardDecision()],
        "hard": lambda: [QamDecision(order=order)],
    }
    if decision not in receivers:
        raise ValueError(f"decision is one of {', '.join(receivers)}; got {decision!r}")
    source, meter = RandomBits(n=n, count=count), BerMeter()
    graph = Graph(f"{order}-QAM", seed=seed)
    graph.connect(
        source,
        QamModulator(order=order),
        channel or AwgnChannel(esn0_db=10.0),
        *receivers[decision](),
        meter.received,
    )
    graph.connect(source, meter.sent)
    return graph


def coded(
    *,
    order: int = 4,
    n: int = 648,
    code_rate: str = "1/2",
    repeats: int = 1,
    max_iterations: int = 40,
    channel: Block | None = None,
    words: int = 16,
    count: int = 64,
    seed: int = 0,
) -> Graph:
    """Random bits -> 802.11 LDPC -> interleaver -> repetition -> QAM -> channel, and all that back.

    Args:
        order: constellation points.
        n: bits per codeword; `code_rate` as in `LdpcEncoder`.
        repeats: copies of each burst.
        max_iterations: of the decoder.
        channel: any block from Symbols to Received; AWGN at 3 dB if None.
        words: codewords per burst; with 1, the meter's burst errors are block errors.
        count: bursts.
        seed: the root seed.
    """
    encoder = LdpcEncoder(n=n, code_rate=code_rate)
    source, meter = RandomBits(n=words * encoder.k, count=count), BerMeter()
    graph = Graph(f"{order}-QAM, {encoder.code.name}", seed=seed)
    graph.connect(
        source,
        encoder,
        Interleaver(columns=n),
        BitRepeat(times=repeats),
        QamModulator(order=order),
        channel or AwgnChannel(esn0_db=3.0),
        Equalizer(),
        QamDemodulator(order=order),
        LlrCombine(times=repeats),
        Deinterleaver(columns=n),
        LdpcDecoder(n=n, code_rate=code_rate, max_iterations=max_iterations),
        meter.received,
    )
    graph.connect(source, meter.sent)
    return graph
