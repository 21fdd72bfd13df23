"""Text-Only (paper, section III-B): nothing but the captions is sent."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lgvsc_flow import Graph
from lgvsc_flow.blocks.channel import Equalizer
from lgvsc_flow.blocks.metrics import ConstellationMeter, SegmentLog, TextCbrLedger
from lgvsc_flow.blocks.phy import NoPayload, QamModulator, StreamJoiner
from lgvsc_flow.blocks.semantic import SegmentSplitter, TextDecoder, TextEncoder
from lgvsc_flow.blocks.video import VideoFile, VideoInfo
from lgvsc_flow.blocks.world import TextWorldModel
from lgvsc_flow.graphs.lgvsc import Scheme, channel_block, control_mcs, receive, transmit, watch
from lgvsc_flow.probe import Probe

__all__ = ["text_only"]


def text_only(scheme: Scheme, video: Path, info: VideoInfo, out: Path | None = None) -> Graph:
    """The link from a video file to the received captions, with its meters. Arguments as in `lgvsc`.

    With a world model that generates from text it goes on to a video made from them (`scheme.rebuilds`).

    Raises:
        SettingError: the world model that is named does not generate from text.
    """
    mcs = control_mcs(scheme)
    graph = Graph(f"Text-Only, {scheme.channel} {scheme.esn0_db:g} dB", seed=scheme.seed)
    skem, splitter, captions = (
        scheme.semantics.skem(scheme.threshold),
        SegmentSplitter(),
        TextEncoder(model=scheme.captions),
    )
    joiner, modulator = StreamJoiner(), QamModulator(order=mcs.order)
    graph.connect(VideoFile(path=str(video)), skem, splitter)
    graph.connect(splitter.captions, captions, joiner.captions)
    graph.connect(captions, NoPayload(stream="side"), joiner.side)
    graph.connect(captions, NoPayload(stream="hyperprior"), joiner.hyperprior)
    transmit(graph, mcs, joiner, modulator)

    equalizer = Equalizer()
    graph.connect(modulator, channel_block(scheme), equalizer)
    arrived = receive(graph, mcs, equalizer, joiner)
    texts = TextDecoder(model=scheme.captions)
    graph.connect(arrived.captions, texts, Probe(name="received captions", keep=None))
    size: dict[str, Any] = {"height": info.height, "width": info.width, "num_frames": info.num_frames}
    if scheme.rebuilds:
        world = TextWorldModel(fps=info.fps, **size, **scheme.receiver)
        graph.connect(texts, world)
        watch(graph, world, video, info, out)

    ledger = TextCbrLedger(code_rate=mcs.code_rate, **size)
    graph.connect(captions, ledger.captions)
    graph.connect(joiner, ledger.bits)
    graph.connect(modulator, ledger.digital)
    graph.connect(modulator, ledger.channel)
    graph.connect(equalizer, ConstellationMeter(name="digital symbols"))
    graph.connect(skem, SegmentLog())
    return graph
