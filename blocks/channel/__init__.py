"""Channels: symbols in, received symbols with the channel's state out."""

from typing import TYPE_CHECKING

from lgvsc_flow.lazy import exports

if TYPE_CHECKING:
    from lgvsc_flow.blocks.channel.awgn import AwgnChannel
    from lgvsc_flow.blocks.channel.dispersed import Dispersed
    from lgvsc_flow.blocks.channel.doppler import JakesChannel
    from lgvsc_flow.blocks.channel.equalizer import Equalizer
    from lgvsc_flow.blocks.channel.erasures import GilbertElliottChannel
    from lgvsc_flow.blocks.channel.ideal import DropState, IdealChannel
    from lgvsc_flow.blocks.channel.impairments import CarrierFrequencyOffset, IqImbalance, PhaseNoise
    from lgvsc_flow.blocks.channel.mimo import MimoChannel, MimoEqualizer, MimoReceived
    from lgvsc_flow.blocks.channel.rayleigh import RayleighChannel
    from lgvsc_flow.blocks.channel.replay import ReplayChannel
    from lgvsc_flow.blocks.channel.rician import RicianChannel
    from lgvsc_flow.blocks.channel.sigmf import SigmfSink, SigmfSource
    from lgvsc_flow.blocks.channel.tdl import TdlChannel

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
        "replay": ["ReplayChannel"],
        "rician": ["RicianChannel"],
        "sigmf": ["SigmfSink", "SigmfSource"],
        "tdl": ["TdlChannel"],
    },
)
