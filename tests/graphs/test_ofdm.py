"""Modems over dispersive channels, against theory."""

import numpy as np
import pytest
from scipy.stats import norm

from lgvsc_flow.blocks.channel import AwgnChannel, JakesChannel, TdlChannel
from lgvsc_flow.errors import WiringError
from lgvsc_flow.graphs.modem import coded, uncoded
from lgvsc_flow.graphs.ofdm import ofdm

SMALL = {"fft_size": 64, "cp": 16, "subcarriers": 48, "slot_symbols": 2, "pilot_spacing": 4, "pilot_symbols": 1}
RATE = 64 * 15e3
CHANNEL = {"fading": "block", "delay_spread_s": 1.2 / RATE, "sample_rate_hz": RATE}


def link(receiver, esn0_db, count=3000, **settings):
    channel = ofdm(TdlChannel(esn0_db=esn0_db, **CHANNEL), receiver=receiver, **SMALL, **settings)
    graph = uncoded(order=4, channel=channel, n=2 * 83, count=count, seed=5)
    graph.run()
    return graph["BerMeter"]


def test_qpsk_over_tdl_is_rayleigh_on_every_subcarrier():
    """The closed form of a flat Rayleigh channel, (1 - sqrt(g / (1 + g))) / 2 with g = Eb/N0. A burst meets one
    channel, bursts are independent: 99 % by the spread of the bursts' own error rates."""
    esn0_db, bits = 10.0, 166
    channel = ofdm(TdlChannel(esn0_db=esn0_db, **CHANNEL), **SMALL)
    graph = uncoded(order=4, channel=channel, n=bits, count=3000, seed=5)
    sent, decided = graph.probe(graph["RandomBits"].bits, keep=None), graph.probe(graph["HardDecision"].bits, keep=None)
    graph.run()
    errors = np.array([np.mean(a != b) for a, b in zip(sent.items, decided.items, strict=True)])
    g = 10 ** (esn0_db / 10) / 2
    theory = (1 - np.sqrt(g / (1 + g))) / 2
    assert abs(errors.mean() - theory) < 2.58 * errors.std() / np.sqrt(errors.size)
    assert errors.std() / np.sqrt(errors.size) < 0.05 * theory


def test_estimates_cost_what_they_should():
    """Error rates at 10 dB: genie < LMMSE < LS < twice genie, with the same channels and noise in all three."""
    ber = {r: link(r, 10.0, 1000, delay_spread_s=CHANNEL["delay_spread_s"]).ber for r in ("ls", "lmmse")}
    genie = link("genie", 10.0, 1000).ber
    assert genie < ber["lmmse"] < ber["ls"] < 2 * genie


def test_ofdm_changes_nothing_on_a_flat_channel():
    """QPSK over AWGN at 6 dB: theory within 99 %."""
    graph = uncoded(order=4, channel=ofdm(AwgnChannel(esn0_db=6.0), **SMALL, frame_data=8192), n=16384, count=40)
    graph.run()
    meter = graph["BerMeter"]
    low, high = meter.interval(0.99)
    assert low < norm.sf(10 ** (6 / 20)) < high


def test_a_coded_link_over_tdl():
    """802.11n r=1/2 over TDL-C with Doppler and pilots, 14 dB: no errors."""
    channel = TdlChannel(
        profile="TDL-C", esn0_db=14.0, delay_spread_s=1.2 / RATE, sample_rate_hz=RATE, doppler_hz=50.0, coherence=16
    )
    wrapped = ofdm(
        channel, receiver="lmmse", delay_spread_s=1.2 / RATE, **{**SMALL, "slot_symbols": 7}, frame_data=5184
    )
    graph = coded(order=4, channel=wrapped, words=16, count=10, seed=3)
    graph.run()
    assert graph["BerMeter"].errors == 0


def test_bursts_of_any_size():
    """QPSK at 30 dB over a steady TDL-E: no errors in bursts that fill no frame."""
    channel = TdlChannel(profile="TDL-E", esn0_db=30.0, delay_spread_s=0.5 / RATE, sample_rate_hz=RATE)
    graph = uncoded(order=4, channel=ofdm(channel, receiver="ls", any_size=True, **SMALL), n=1234, count=9)
    graph.run()
    assert graph["BerMeter"].bits == 9 * 1234
    assert graph["BerMeter"].errors == 0


def test_engines_agree_bit_for_bit():
    errors = []
    for engine in ("inline", "threads"):
        graph = uncoded(
            order=16, channel=ofdm(TdlChannel(**CHANNEL), **SMALL, receiver="ls"), n=4 * 83, count=50, seed=5
        )
        graph.run(engine=engine)
        errors.append(graph["BerMeter"].errors)
    assert errors[0] == errors[1] > 0


def test_two_sample_rates_are_found_before_the_run():
    graph = uncoded(order=4, channel=ofdm(TdlChannel(sample_rate_hz=1e6), **SMALL), n=166)
    with pytest.raises(WiringError, match=r"sample_rate is 960000 Hz \(set by .*\), ofdm/TdlChannel takes 1000000 Hz"):
        graph.check()
    graph = uncoded(order=4, channel=ofdm(JakesChannel(symbol_rate_hz=1e6), **SMALL), n=166)
    with pytest.raises(WiringError, match=r"ofdm/JakesChannel takes 1000000 Hz \(symbol_rate_hz=1000000.0\)"):
        graph.check()


def test_ends_that_differ_are_found_before_the_run():
    graph = uncoded(order=4, channel=ofdm(AwgnChannel(), **SMALL), n=166)
    graph["ofdm/OfdmDemodulator"].cp = 15
    with pytest.raises(WiringError, match=r"ofdm is 48 of 64\+16, .* takes 48 of 64\+15"):
        graph.check()


def test_bursts_that_are_no_frames_are_found_before_the_run():
    graph = uncoded(order=4, channel=ofdm(AwgnChannel(), **SMALL), n=164)
    with pytest.raises(WiringError, match=r"82 does not divide into whole blocks of frame_symbols=83"):
        graph.check()


def test_an_unknown_receiver():
    with pytest.raises(ValueError, match="receiver is genie, ls or lmmse, got 'zf'"):
        ofdm(receiver="zf")
