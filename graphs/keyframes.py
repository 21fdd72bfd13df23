"""The keyframe path alone: pictures over NTSCC, the digital link and a channel, in one process or in two.

What both ends agree on beforehand is a `KeyframeSession` and nothing else. Besides, the receiver is given what the
channel puts out: for each burst the symbols received, the gain and the noise variance of the channel, and where the
burst begins and ends (frame synchronisation is ideal). All else it reads from the burst: the SIG field says where the
digital symbols end, the digital symbols carry the side information, and that says sizes, rate and power.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from lgvsc_flow import Block, Graph, Out, setting
from lgvsc_flow.blocks.channel import AwgnChannel, Equalizer, ReceivedSink, ReceivedSource
from lgvsc_flow.blocks.ntscc import NtsccDecoder, NtsccEncoder
from lgvsc_flow.blocks.ntscc.ledger import KeyframeLedger
from lgvsc_flow.blocks.ntscc.rate import link_mcs
from lgvsc_flow.blocks.phy import (
    LinkMcs,
    NoPayload,
    QamDemodulator,
    QamModulator,
    StreamJoiner,
    StreamSplitter,
    TimeDemultiplexer,
    TimeMultiplexer,
    TransportDecoder,
    TransportEncoder,
)
from lgvsc_flow.errors import SettingError
from lgvsc_flow.items import Keyframe
from lgvsc_flow.ports import BoundPort
from lgvsc_flow.probe import Probe

__all__ = ["KeyframeLink", "KeyframeSession", "Pictures", "keyframe_link", "receiver", "transmitter"]


@dataclass(frozen=True, kw_only=True)
class KeyframeSession:
    """What transmitter and receiver agree on before the first burst.

    Attributes:
        height, width: of every picture, in pixels; None: any, as each picture's side information says.
        snr_db: the Es/N0 that the symbols are designed for.
        fading: choose the scheme of the digital link for block Rayleigh fading.
        link_snr_db: the Es/N0 that the digital link is designed for, None for `snr_db`; it chooses the scheme. A lower
            one keeps the side information, and with it the pictures, down to worse channels; it costs more symbols.
        weights: the NTSCC model: a safetensors file, or `embedded`.
    """

    height: int | None = None
    width: int | None = None
    snr_db: float = 10.0
    fading: bool = False
    link_snr_db: float | None = None
    weights: str = "embedded"

    @property
    def mcs(self) -> LinkMcs:
        """Constellation and code rate of the digital link."""
        return link_mcs(self.snr_db if self.link_snr_db is None else self.link_snr_db, self.fading)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the session to a JSON file."""
        Path(path).write_text(json.dumps(asdict(self), indent=2) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> KeyframeSession:
        """Read a session from a JSON file.

        Raises:
            SettingError: there is no such file, or it describes no session.
        """
        try:
            values = json.loads(Path(path).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise SettingError(f"'{path}' is no description of a session: {error}") from error
        kinds = {
            "height": int | None,
            "width": int | None,
            "snr_db": float | int,
            "fading": bool,
            "link_snr_db": float | int | None,
            "weights": str,
        }
        known = {field.name for field in fields(cls)}
        if not isinstance(values, dict) or not set(values) <= known:
            raise SettingError(f"'{path}' is no description of a session; it has the fields {', '.join(sorted(known))}")
        for name, value in values.items():
            if not isinstance(value, kinds[name]) or (isinstance(value, bool) and name != "fading"):
                raise SettingError(f"'{path}': {name} cannot be {value!r}")
        return cls(**values)


class Pictures(Block):
    """Send pictures from memory as keyframes."""

    keyframes = Out(Keyframe)

    pictures: Sequence[np.ndarray] = setting(doc="uint8 [height, width, 3], RGB")

    def work(self) -> Iterator[Keyframe]:
        for index, pixels in enumerate(self.pictures):
            yield Keyframe(index, pixels)


@dataclass(frozen=True)
class KeyframeLink:
    """The path in one process. `received` holds the keyframes after the run, the lost ones with `pixels` None."""

    graph: Graph
    source: Block
    encoder: NtsccEncoder
    channel: Block | Graph
    ledger: KeyframeLedger
    decoder: NtsccDecoder
    received: Probe

    @property
    def pictures(self) -> list[np.ndarray | None]:
        """The pictures received, None for a lost one."""
        return [keyframe.pixels for keyframe in self.received.items]


def _encoder(session: KeyframeSession, rate: dict[str, Any]) -> NtsccEncoder:
    agreed = {n: getattr(session, n) for n in ("snr_db", "fading", "link_snr_db", "weights")}
    return NtsccEncoder(**agreed, **rate)


def _send(graph: Graph, session: KeyframeSession, source: Block, encoder: NtsccEncoder) -> tuple[Block, KeyframeLedger]:
    """Wire pictures to bursts, with the ledger: the block that puts out what goes on the channel, and the ledger."""
    mcs = session.mcs
    settings: dict[str, Any] = {"order": mcs.order, "code_rate": mcs.code_rate}
    joiner, modulator, burst = (
        StreamJoiner(),
        QamModulator(order=mcs.order),
        TimeMultiplexer(sig_repeats=mcs.sig_repeats),
    )
    graph.connect(source, encoder)
    graph.connect(encoder.payloads, NoPayload(stream="caption", name="no captions"), joiner.captions)
    graph.connect(encoder.payloads, NoPayload(stream="side", name="no side information"), joiner.side)
    graph.connect(encoder.payloads, joiner.hyperprior)
    graph.connect(joiner, TransportEncoder(**settings), modulator, burst.digital)
    graph.connect(encoder.symbols, burst.analog)

    ledger = KeyframeLedger(**settings)
    graph.connect(encoder.payloads, ledger.payloads)
    graph.connect(joiner, ledger.bits)
    graph.connect(modulator, ledger.digital)
    graph.connect(encoder.symbols, ledger.keyframes)
    graph.connect(burst, ledger.channel)
    return burst, ledger


def _receive(graph: Graph, session: KeyframeSession, received: Block | BoundPort | Graph) -> tuple[NtsccDecoder, Probe]:
    """Wire what the channel puts out to pictures."""
    mcs = session.mcs
    bursts, split = TimeDemultiplexer(sig_repeats=mcs.sig_repeats), StreamSplitter()
    decoder = NtsccDecoder(height=session.height, width=session.width, weights=session.weights)
    pictures = Probe(name="received keyframes", keep=None)
    graph.connect(received, Equalizer(), bursts)
    graph.connect(
        bursts.digital,
        QamDemodulator(order=mcs.order),
        TransportDecoder(order=mcs.order, code_rate=mcs.code_rate),
        split,
    )
    graph.connect(bursts.analog, decoder.received)
    graph.connect(split.hyperprior, decoder.side)
    graph.connect(decoder, pictures)
    return decoder, pictures


def keyframe_link(
    session: KeyframeSession,
    source: Block | Sequence[np.ndarray],
    channel: Block | Graph | None = None,
    *,
    record: str | os.PathLike[str] | None = None,
    state: str = "perfect",
    seed: int = 0,
    **rate: Any,
) -> KeyframeLink:
    """Pictures to pictures over a channel, in one graph.

    Args:
        session: what both ends agree on.
        source: pictures uint8 [height, width, 3], or a block that sends keyframes.
        channel: any block or composite from Symbols to Received; AWGN at `session.snr_db` if None.
        record: a SigMF recording to write of what crosses the channel.
        state: where the channel's gain and noise variance come from, as the recording says it; see `ReceivedSink`.
        seed: the root seed.
        rate: `target_cbr` or `quality`, and other settings of `NtsccEncoder`.
    """
    graph = Graph(f"keyframes, designed for {session.snr_db:g} dB", seed=seed)
    begin = source if isinstance(source, Block) else Pictures(pictures=source)
    channel = AwgnChannel(esn0_db=session.snr_db) if channel is None else channel
    encoder = _encoder(session, rate)
    burst, ledger = _send(graph, session, begin, encoder)
    graph.connect(burst, channel)
    if record is not None:
        graph.connect(channel, ReceivedSink(path=record, state=state))
    decoder, pictures = _receive(graph, session, channel)
    return KeyframeLink(graph, begin, encoder, channel, ledger, decoder, pictures)


def transmitter(
    session: KeyframeSession,
    source: Block | Sequence[np.ndarray],
    path: str | os.PathLike[str],
    channel: Block | Graph | None = None,
    *,
    state: str = "perfect",
    seed: int = 0,
    **rate: Any,
) -> tuple[Graph, KeyframeLedger]:
    """Pictures to a recording of what crossed the channel, and the ledger. Arguments as in `keyframe_link`."""
    graph = Graph(f"keyframes sent, designed for {session.snr_db:g} dB", seed=seed)
    begin = source if isinstance(source, Block) else Pictures(pictures=source)
    burst, ledger = _send(graph, session, begin, _encoder(session, rate))
    channel = AwgnChannel(esn0_db=session.snr_db) if channel is None else channel
    graph.connect(burst, channel, ReceivedSink(path=path, state=state))
    return graph, ledger


def receiver(session: KeyframeSession, path: str | os.PathLike[str]) -> tuple[Graph, Probe]:
    """A recording of what crossed the channel to pictures: the graph, and what holds the keyframes after its run."""
    graph = Graph(f"keyframes received, designed for {session.snr_db:g} dB")
    return graph, _receive(graph, session, ReceivedSource(path=path))[1]
