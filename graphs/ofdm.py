"""A channel inside OFDM: what stands in place of a channel block, and makes flat symbols of a dispersive channel."""

from __future__ import annotations

from typing import Any

from lgvsc_flow import Block, Graph
from lgvsc_flow.blocks.channel import TdlChannel
from lgvsc_flow.blocks.phy import BurstPad, BurstTrim, ChannelEstimator, OfdmDemodulator, OfdmModulator

__all__ = ["ofdm"]


def ofdm(
    channel: Block | Graph | None = None,
    *,
    receiver: str = "genie",
    delay_spread_s: float | None = None,
    doppler_hz: float = 0.0,
    any_size: bool = False,
    sig_repeats: int = 2,
    **settings: Any,
) -> Graph:
    """OFDM modulator -> channel -> OFDM demodulator, as a composite from Symbols to Received.

    It takes the place of a channel in a modem: `uncoded(channel=ofdm(TdlChannel(esn0_db=20), frame_data=8192))`. The
    bursts must be whole frames: set `frame_data` to their symbols, or `any_size`.

    Args:
        channel: any block from Symbols to Received or Dispersed, its sample rate that of the OFDM; TDL-A with a delay
            spread of 100 ns at 10 dB if None.
        receiver: "genie" knows the channel; "ls" and "lmmse" estimate it from the pilots.
        delay_spread_s: what the estimator assumes, as `doppler_hz`; see `ChannelEstimator`.
        doppler_hz: as above.
        any_size: take bursts of any size: a SIG field tells the receiver how long each is (see `BurstPad`).
        sig_repeats: copies of that field; it must outlive what it announces.
        settings: of the OFDM blocks, as in `OfdmModulator` and from `nr_numerology`.

    Raises:
        ValueError: an unknown receiver.
    """
    if receiver not in ("genie", "ls", "lmmse"):
        raise ValueError(f"receiver is genie, ls or lmmse, got {receiver!r}")
    modulator, demodulator = OfdmModulator(**settings), OfdmDemodulator(**settings)
    if channel is None:
        channel = TdlChannel(sample_rate_hz=modulator.sample_rate_hz)
    graph = Graph("ofdm")
    graph.connect(modulator, channel, demodulator)
    entry, result = modulator.symbols, demodulator.data
    if receiver != "genie":
        estimator = ChannelEstimator(method=receiver, delay_spread_s=delay_spread_s, doppler_hz=doppler_hz, **settings)
        graph.connect(demodulator.data, estimator.data)
        graph.connect(demodulator.pilots, estimator.pilots)
        result = estimator.estimated
    if any_size:
        frame = modulator.frame_symbols
        pad = BurstPad(frame=frame, sig_repeats=sig_repeats)
        trim = BurstTrim(frame=frame, sig_repeats=sig_repeats)
        graph.connect(pad, entry)
        graph.connect(result, trim)
        entry, result = pad.symbols, trim.trimmed
    return graph.open(symbols=entry, received=result)
