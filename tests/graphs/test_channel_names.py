"""Channels by name."""

import pytest

from lgvsc_flow import Graph
from lgvsc_flow.blocks.channel import GilbertElliottChannel, RicianChannel, TdlChannel
from lgvsc_flow.errors import FlowError
from lgvsc_flow.graphs.channels import channel


def test_a_text_names_a_channel():
    found = channel("rician:k_db=9,coherence=3").block(12.5)
    assert isinstance(found, RicianChannel)
    assert (found.k_factor_db, found.coherence, found.esn0_db) == (9, 3, 12.5)
    assert isinstance(channel("gilbert-elliott:bad_rate=0.1").block(1), GilbertElliottChannel)
    assert channel("jakes:doppler_hz=200").block(0.0).doppler_hz == 200


def test_a_tapped_delay_line_stands_in_ofdm():
    found = channel("tdl-c:delay_spread_s=300e-9,receiver=ls")
    graph = found.build(10.0, 4096)
    assert isinstance(graph, Graph)
    line = graph.find(TdlChannel)
    assert (line.profile, line.delay_spread_s, line.fading) == ("TDL-C", 300e-9, "block")
    assert graph["ChannelEstimator"].method == "ls"
    assert graph["OfdmModulator"].frame_data == 4096
    assert channel("tdl-a:doppler_hz=70").block(0).fading == "jakes"


def test_impairments_stand_behind():
    graph = channel("rayleigh:coherence=1+iq:amplitude_db=1+phase-noise").build(10.0, 100)
    assert [type(b).__name__ for b in graph.blocks] == ["RayleighChannel", "IqImbalance", "PhaseNoise"]
    assert graph["IqImbalance"].amplitude_db == 1
    inside = channel("awgn:receiver=genie+cfo:offset_hz=1e+3").build(10.0, 100)
    assert inside["channel/CarrierFrequencyOffset"].offset_hz == 1000


def test_a_channel_is_built_anew_each_time():
    found = channel("awgn+iq")
    assert found.build(1.0, 10)["IqImbalance"] is not found.build(1.0, 10)["IqImbalance"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("rice", "there is no channel 'rice' (did you mean rician?); there are awgn, rayleigh, rician, jakes, tdl-a,"),
        ("rician:k=6", "rician:k=6: no setting 'k'; it has k_factor_db, coherence"),
        ("rician:6", "settings are written key=value, as in rician:k_db=6; got '6'"),
        ("rician:k_db=much", "RicianChannel.k_factor_db takes float, got str 'much'"),
        ("rician:k_db=1,k_factor_db=2", "k_db is k_factor_db, give one of them"),
        ("awgn:esn0_db=3", "awgn:esn0_db=3: esn0_db is set elsewhere, leave it out"),
        ("tdl-a:profile=TDL-B", "profile is set elsewhere"),
        ("tdl-a:receiver=zf", "receiver is one of genie, ls, lmmse; got 'zf'"),
        ("tdl-a:delay_spread_s=100", "TdlChannel.delay_spread_s must be <= 0.001 s"),
        ("awgn+fog", "there is no impairment 'fog' (did you mean cfo?); there are cfo, phase-noise, iq"),
        ("mimo:method=ml", "method is zf or mmse; got 'ml'"),
        ("mimo:method=zf,transmitters=4", "method='zf' separates at most as many streams as antennas"),
        ("mimo+iq", "OFDM and impairments are for one antenna"),
        (
            "rayleigh:receiver=ls",
            "say how long its gain holds, in samples; an OFDM symbol has 1096, as in rayleigh:rec",
        ),
        ("rician:coherence=064", "rician:coherence=064: coherence=064 begins with a 0; several numbers have spaces"),
        ("jakes:receiver=ls", "inside OFDM take a TDL channel with doppler_hz"),
        ("replay", "replay: needs path, as in replay:path=..."),
    ],
)
def test_what_names_none_is_said_in_one_line(text, message):
    with pytest.raises(FlowError) as caught:
        channel(text)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
