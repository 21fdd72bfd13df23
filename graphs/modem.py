"""Modems over a channel block. After `graph.run()`, `graph["BerMeter"]` holds the errors of the information bits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

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

__all__ = ["coded", "uncoded"]


def uncoded(
    *,
    order: int = 16,
    channel: Block | None = None,
    decision: Literal["soft", "hard"] = "soft",
    n: int = 16384,
    count: int = 64,
    seed: int = 0,
) -> Graph:
    """Random bits -> QAM -> channel -> equalizer -> LLRs -> hard decision; or from the channel straight to a decision.

    Args:
        order: constellation points.
        channel: any block from Symbols to Received; AWGN at 10 dB if None.
        decision: `soft`, the signs of LLRs behind an equalizer, or `hard`, the nearest point (the same bits).
        n: bits per burst, whole symbols.
        count: bursts.
        seed: the root seed.
    """
    receivers: dict[str, Callable[[], list[Block]]] = {
        "soft": lambda: [Equalizer(), QamDemodulator(order=order), HardDecision()],
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
