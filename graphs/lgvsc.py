"""The whole LGVSC link as a graph (paper, fig. 2): SKEM with DSA, or SKIM with SFA, over any channel block."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from lgvsc_flow import Block, Graph
from lgvsc_flow.blocks.channel import AwgnChannel, Equalizer, RayleighChannel
from lgvsc_flow.blocks.metrics import (
    CbrLedger,
    ConstellationMeter,
    PacketMeter,
    PsnrMeter,
    SegmentLog,
    SsimMeter,
)
from lgvsc_flow.blocks.metrics.distortion import SSIM_WINDOW
from lgvsc_flow.blocks.ntscc import NtsccDecoder, NtsccEncoder
from lgvsc_flow.blocks.phy import (
    LinkMcs,
    QamDemodulator,
    QamModulator,
    StreamJoiner,
    StreamSplitter,
    TimeDemultiplexer,
    TimeMultiplexer,
    TransportDecoder,
    TransportEncoder,
    choose_link_mcs,
)
from lgvsc_flow.blocks.phy.link_mcs import MARGIN_DB
from lgvsc_flow.blocks.semantic import FlowDecoder, FlowEncoder, SegmentSplitter, TextDecoder, TextEncoder
from lgvsc_flow.blocks.video import SideBySideWriter, VideoFile, VideoInfo, VideoWriter
from lgvsc_flow.blocks.world import DsaWorldModel, SfaWorldModel
from lgvsc_flow.blocks.world.dsa import WorldModelBlock
from lgvsc_flow.graphs.profiles import Semantics, profile_named, semantics
from lgvsc_flow.ports import BoundPort
from lgvsc_flow.probe import Probe

__all__ = [
    "CHANNELS",
    "SCHEMES",
    "ChannelBlock",
    "Scheme",
    "Sender",
    "channel_block",
    "control_mcs",
    "lgvsc",
    "receive",
    "sender",
    "transmit",
    "watch",
]

ChannelBlock = AwgnChannel | RayleighChannel
CHANNELS: dict[str, type[AwgnChannel] | type[RayleighChannel]] = {"awgn": AwgnChannel, "rayleigh": RayleighChannel}
SCHEMES = ("skem-dsa", "skim-sfa", "text-only")

SHORT_FADING_DB = 5.0
"""More margin for captions alone over fading. The schemes' thresholds are those of 128 bytes; bursts of 10 to 25 see
few fades. Of 1500 at each Es/N0 from -5 to 20 dB this loses 3 % at most, while without it 10 % were lost at 10 dB.
"""


@dataclass(frozen=True, kw_only=True)
class Scheme:
    """What is sent, and how.

    Attributes:
        name: one of `SCHEMES`.
        channel: one of `CHANNELS`.
        esn0_db: mean Es/N0 of the channel, in dB.
        threshold: eta_th of SKEM (paper, section II-C2).
        segment_length: frames of a SKIM segment.
        quality: rate of the keyframes; an average one takes a CBR of 0.01 * quality, see `NtsccEncoder`.
        weights: the NTSCC model: a safetensors file, or `embedded`.
        captions: code of the captions: `letters`, or a language model that both ends hold, see `TextEncoder`.
        side: side information: a motion `score`, or a motion `field` beside it, see `FlowEncoder`.
        seed: the root seed.
        profile: one of `profiles.PROFILES`: who describes and judges.
        describer, judge, strategy, sample_fps: instead of the profile's own, where not None; as in `Skem`.
        focus, search, device, dtype, floor, quantisation, batch_size: as in `Skem`.
        world: the receiver's world model, as `DsaWorldModel.model`; instead of the profile's own, where not None.
        world_settings: its settings, as `DsaWorldModel.world_settings`.
    """

    name: str = "skem-dsa"
    channel: str = "awgn"
    esn0_db: float = 10.0
    threshold: float = 0.35
    segment_length: int = 20
    quality: float = 1.5
    weights: str = "embedded"
    captions: str = "letters"
    side: str = "score"
    seed: int = 0
    profile: str = "embedded"
    describer: Any = None
    judge: Any = None
    strategy: str | None = None
    sample_fps: float | None = None
    focus: str = "general"
    search: str = "exact"
    device: str = "auto"
    dtype: str = "auto"
    floor: float | None = None
    quantisation: str | None = None
    batch_size: int = 1
    world: Any = None
    world_settings: Mapping[str, Any] | None = None

    @property
    def semantics(self) -> Semantics:
        """The settings of the semantic layer.

        Raises:
            SettingError: there is no such profile.
        """
        own = [f.name for f in fields(Semantics) if f.name != "profile"]
        return semantics(self.profile, **{name: getattr(self, name) for name in own})

    @property
    def receiver(self) -> dict[str, Any]:
        """The settings of a world model block that say which model rebuilds the video.

        Raises:
            SettingError: there is no such profile.
        """
        model = profile_named(self.profile).world if self.world is None else self.world
        return {"model": model, "world_settings": self.world_settings}

    @property
    def rebuilds(self) -> bool:
        """Whether a video is made again; captions alone are not enough for the interpolator, unless it is asked to."""
        asked = self.world is not None or bool(self.world_settings)
        return self.name != "text-only" or asked or self.receiver["model"] != "interpolator"


@dataclass(frozen=True)
class Sender:
    """The blocks of the sending half that the other half and the meters are wired to."""

    cutter: Block
    joiner: StreamJoiner
    burst: TimeMultiplexer
    ledger: CbrLedger


def channel_block(scheme: Scheme) -> ChannelBlock:
    """The one block that is the channel."""
    return CHANNELS[scheme.channel](esn0_db=scheme.esn0_db)


def control_mcs(scheme: Scheme) -> LinkMcs:
    """The modulation and coding of the digital link, with a margin: it is not what fails first."""
    fading = scheme.channel != "awgn"
    margin_db = MARGIN_DB + SHORT_FADING_DB * (fading and scheme.name == "text-only")
    return choose_link_mcs(scheme.esn0_db, margin_db=margin_db, fading=fading)


def transmit(graph: Graph, mcs: LinkMcs, joiner: StreamJoiner, modulator: QamModulator) -> None:
    """Wire the payloads of a segment to symbols: one transport block with CRC and channel code, modulation."""
    graph.connect(joiner, TransportEncoder(order=mcs.order, code_rate=mcs.code_rate), modulator)


def receive(graph: Graph, mcs: LinkMcs, received: BoundPort | Block, joiner: StreamJoiner) -> StreamSplitter:
    """Wire equalized symbols to payloads, the reverse of `transmit`, and count what is lost of what `joiner` sent."""
    decoder, splitter = TransportDecoder(order=mcs.order, code_rate=mcs.code_rate), StreamSplitter()
    graph.connect(received, QamDemodulator(order=mcs.order), decoder, splitter)
    lost = PacketMeter(block_bits=None)
    graph.connect(joiner, lost.sent)
    graph.connect(decoder, lost.received)
    return splitter


def sender(
    graph: Graph, scheme: Scheme, source: Block, cutter: Block, keyframes: NtsccEncoder, info: VideoInfo
) -> Sender:
    """Wire the sending half, from frames to the burst on the channel, with the ledger of what it costs."""
    mcs = control_mcs(scheme)
    splitter, captions, side = SegmentSplitter(), TextEncoder(model=scheme.captions), FlowEncoder(kind=scheme.side)
    joiner, modulator = StreamJoiner(), QamModulator(order=mcs.order)
    burst = TimeMultiplexer(sig_repeats=mcs.sig_repeats)
    graph.connect(source, cutter, splitter)
    graph.connect(splitter.captions, captions, joiner.captions)
    graph.connect(splitter.side, side, joiner.side)
    graph.connect(splitter.keyframes, keyframes)
    graph.connect(keyframes.payloads, joiner.hyperprior)
    transmit(graph, mcs, joiner, modulator)
    graph.connect(modulator, burst.digital)
    graph.connect(keyframes.symbols, burst.analog)

    size: dict[str, Any] = {"height": info.height, "width": info.width, "num_frames": info.num_frames}
    ledger = CbrLedger(code_rate=mcs.code_rate, **size)
    graph.connect(captions, ledger.captions)
    graph.connect(side, ledger.side)
    graph.connect(keyframes.payloads, ledger.hyperprior)
    graph.connect(joiner, ledger.bits)
    graph.connect(modulator, ledger.digital)
    graph.connect(keyframes.symbols, ledger.keyframes)
    graph.connect(burst, ledger.channel)
    return Sender(cutter, joiner, burst, ledger)


def lgvsc(scheme: Scheme, video: Path, info: VideoInfo, out: Path | None = None) -> Graph:
    """The link from a video file to the rebuilt video, with its meters.

    Args:
        scheme: `skem-dsa` or `skim-sfa`, the channel and its Es/N0.
        video: the file to send.
        info: its size, frame rate and number of frames, agreed with the receiver beforehand.
        out: a folder for `received.mp4` and `side_by_side.mp4`; None writes neither.
    """
    mcs = control_mcs(scheme)
    session: dict[str, Any] = {"height": info.height, "width": info.width, "num_frames": info.num_frames}
    session |= {"fps": info.fps, **scheme.receiver}
    cutter: Block
    world: DsaWorldModel | SfaWorldModel
    if scheme.name == "skem-dsa":
        cutter, world = scheme.semantics.skem(scheme.threshold), DsaWorldModel(**session)
    else:
        cutter = scheme.semantics.skim(scheme.segment_length)
        world = SfaWorldModel(segment_length=scheme.segment_length, **session)
    graph = Graph(f"LGVSC {scheme.name}, {scheme.channel} {scheme.esn0_db:g} dB", seed=scheme.seed)

    keyframes = NtsccEncoder(snr_db=scheme.esn0_db, quality=scheme.quality, weights=scheme.weights)
    sent = sender(graph, scheme, VideoFile(path=str(video)), cutter, keyframes, info)

    bursts = TimeDemultiplexer(sig_repeats=mcs.sig_repeats)
    equalizer, decoder, texts = (
        Equalizer(),
        NtsccDecoder(height=info.height, width=info.width, weights=scheme.weights),
        TextDecoder(model=scheme.captions),
    )
    graph.connect(sent.burst, channel_block(scheme), equalizer, bursts)
    arrived = receive(graph, mcs, bursts.digital, sent.joiner)
    graph.connect(bursts.analog, decoder.received)
    graph.connect(arrived.hyperprior, decoder.side)
    graph.connect(decoder.keyframes, world.keyframes)
    graph.connect(arrived.captions, texts, world.captions)
    graph.connect(texts, Probe(name="received captions", keep=None))
    graph.connect(arrived.side, FlowDecoder(), world.side)

    graph.connect(bursts.digital, ConstellationMeter(name="digital symbols"))
    graph.connect(bursts.analog, ConstellationMeter(name="keyframe symbols"))
    graph.connect(cutter, SegmentLog())
    watch(graph, world, video, info, out)
    return graph


def watch(graph: Graph, world: WorldModelBlock, video: Path, info: VideoInfo, out: Path | None) -> None:
    """Wire the rebuilt video to the meters that compare it with the one sent, and to the files in the folder `out`."""
    reference = VideoFile(path=str(video), name="Reference")
    meters = [PsnrMeter()] if min(info.height, info.width) < SSIM_WINDOW else [PsnrMeter(), SsimMeter()]
    for meter in meters:
        graph.connect(reference, meter.sent)
        graph.connect(world, meter.received)
    if out is not None:
        both = SideBySideWriter(path=str(out / "side_by_side.mp4"), fps=info.fps)
        graph.connect(world, VideoWriter(path=str(out / "received.mp4"), fps=info.fps))
        graph.connect(reference, both.left)
        graph.connect(world, both.right)
