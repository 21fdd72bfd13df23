"""Text-Only (paper, section III-B): nothing but the captions is sent."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lgvsc_flow import Graph
from lgvsc_flow.blocks.channel import Equalizer
from lgvsc_flow.blocks.metrics import ConstellationMeter, PacketMeter, SegmentLog, TextCbrLedger
from lgvsc_flow.blocks.phy import CrcAppend, CrcCheck, Depacketizer, NoPayload, Packetizer, QamModulator
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
    packets, crc, modulator = (
        Packetizer(block_bits=mcs.block_bits),
        CrcAppend(block_bits=mcs.block_bits),
        QamModulator(order=mcs.order),
    )
    graph.connect(VideoFile(path=str(video)), skem, splitter)
    graph.connect(splitter.captions, captions, packets.captions)
    graph.connect(captions, NoPayload(stream="side"), packets.side)
    graph.connect(captions, NoPayload(stream="hyperprior"), packets.hyperprior)
    transmit(graph, mcs, packets, crc, modulator)

    equalizer, checked, arrived = (
        Equalizer(),
        CrcCheck(block_bits=mcs.block_bits),
        Depacketizer(block_bits=mcs.block_bits),
    )
    graph.connect(modulator, channel_block(scheme), equalizer)
    receive(graph, mcs, equalizer, checked)
    graph.connect(checked, arrived)
    texts = TextDecoder(model=scheme.captions)
    graph.connect(arrived.captions, texts, Probe(name="received captions", keep=None))
    if scheme.rebuilds:
        size: dict[str, Any] = {"height": info.height, "width": info.width, "num_frames": info.num_frames}
        world = TextWorldModel(fps=info.fps, **size, **scheme.receiver)
        graph.connect(texts, world)
        watch(graph, world, video, info, out)

    ledger = TextCbrLedger(height=info.height, width=info.width, num_frames=info.num_frames)
    lost = PacketMeter(block_bits=mcs.block_bits)
    graph.connect(captions, ledger.captions)
    graph.connect(crc, ledger.bits)
    graph.connect(modulator, ledger.digital)
    graph.connect(modulator, ledger.channel)
    graph.connect(packets, lost.sent)
    graph.connect(checked, lost.received)
    graph.connect(equalizer, ConstellationMeter(name="digital symbols"))
    graph.connect(skem, SegmentLog())
    return graph
