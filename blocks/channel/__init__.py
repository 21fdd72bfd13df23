"""Channels: symbols in, received symbols with the channel's state out."""

from typing import TYPE_CHECKING

from lgvsc_flow.lazy import exports

if TYPE_CHECKING:
    from lgvsc_flow.blocks.channel.awgn import AwgnChannel as AwgnChannel
    from lgvsc_flow.blocks.channel.dispersed import Dispersed as Dispersed
    from lgvsc_flow.blocks.channel.doppler import JakesChannel as JakesChannel
    from lgvsc_flow.blocks.channel.equalizer import Equalizer as Equalizer
    from lgvsc_flow.blocks.channel.erasures import GilbertElliottChannel as GilbertElliottChannel
    from lgvsc_flow.blocks.channel.ideal import DropState as DropState, IdealChannel as IdealChannel
    from lgvsc_flow.blocks.channel.impairments import (
        CarrierFrequencyOffset as CarrierFrequencyOffset,
        IqImbalance as IqImbalance,
        PhaseNoise as PhaseNoise,
    )
    from lgvsc_flow.blocks.channel.mimo import (
        MimoChannel as MimoChannel,
        MimoEqualizer as MimoEqualizer,
        MimoReceived as MimoReceived,
    )
    from lgvsc_flow.blocks.channel.rayleigh import RayleighChannel as RayleighChannel
    from lgvsc_flow.blocks.channel.recording import ReceivedSink as ReceivedSink, ReceivedSource as ReceivedSource
    from lgvsc_flow.blocks.channel.replay import ReplayChannel as ReplayChannel
    from lgvsc_flow.blocks.channel.rician import RicianChannel as RicianChannel
    from lgvsc_flow.blocks.channel.sigmf import SigmfSink as SigmfSink, SigmfSource as SigmfSource
    from lgvsc_flow.blocks.channel.tdl import TdlChannel as TdlChannel

__getattr__, __dir__, __all__ = exports(
    __name__,
    {
        "awgn": ["AwgnChannel"],
        "dispersed": ["Dispersed"],
        "doppler": ["JakesChannel"],
        "equalizer": ["Equalizer"],
        "erasures": ["GilbertElliottChannel"],
        "ideal": ["DropState", "IdealChannel"],
        "impairments": ["CarrierFrequencyOffset", "IqImbalance", "PhaseNoise"],
        "mimo": ["MimoChannel", "MimoEqualizer", "MimoReceived"],
        "rayleigh": ["RayleighChannel"],
        "recording": ["ReceivedSink", "ReceivedSource"],
        "replay": ["ReplayChannel"],
        "rician": ["RicianChannel"],
        "sigmf": ["SigmfSink", "SigmfSource"],
        "tdl": ["TdlChannel"],
    },
)
