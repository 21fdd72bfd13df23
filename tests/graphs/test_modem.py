"""Whole modems through the runtime, against theory."""

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm

from lgvsc_flow.blocks.channel import AwgnChannel, RayleighChannel, TdlChannel
from lgvsc_flow.errors import WiringError
from lgvsc_flow.graphs.modem import Modem, coded, uncoded

Z99 = norm.ppf(0.995)


def pam_bit_errors(levels, esn0):
    """Mean and variance of the wrong bits of one Gray-labelled dimension (0, 1, 2 ... in natural order), sliced.

    `levels` amplitudes of both dimensions together have unit power; noise variance per dimension 1 / (2 esn0).
    """
    position = np.arange(levels)
    gray = position ^ position >> 1
    amplitude = (2 * position - levels + 1) / np.sqrt(2 * (levels**2 - 1) / 3)
    edges = np.r_[-np.inf, (amplitude[1:] + amplitude[:-1]) / 2, np.inf]
    below = norm.cdf((edges[None, :] - amplitude[:, None]) * np.sqrt(2 * esn0))
    decided = np.diff(below, axis=1) / levels
    wrong = np.array([[int(a ^ b).bit_count() for b in gray] for a in gray])
    mean = (decided * wrong).sum()
    return mean, (decided * wrong**2).sum() - mean**2


@pytest.mark.parametrize("esn0_db", [4.0, 8.0, 12.0, 16.0])
def test_16qam_over_awgn_is_theory(esn0_db):
    """Exact theory, each point inside the 99 % interval (with the exact variance of the errors of a dimension)."""
    graph = uncoded(order=16, channel=AwgnChannel(esn0_db=esn0_db), n=16384, count=300, seed=11)
    graph.run()
    meter = graph["BerMeter"]
    mean, variance = pam_bit_errors(4, 10 ** (esn0_db / 10))
    dimensions = meter.bits / 2
    assert meter.bits == 300 * 16384
    assert abs(meter.errors - dimensions * mean) < Z99 * np.sqrt(dimensions * variance)
    assert meter.errors > 50


@pytest.mark.parametrize(("order", "esn0_db"), [(4, 6.0), (64, 16.0), (256, 22.0), (1024, 28.0)])
def test_other_orders_over_awgn_are_theory(order, esn0_db):
    """99 % interval, as above."""
    graph = uncoded(order=order, channel=AwgnChannel(esn0_db=esn0_db), n=30720, count=100, seed=12)
    graph.run()
    meter = graph["BerMeter"]
    half = (order.bit_length() - 1) // 2
    mean, variance = pam_bit_errors(1 << half, 10 ** (esn0_db / 10))
    dimensions = meter.bits / half
    assert abs(meter.errors - dimensions * mean) < Z99 * np.sqrt(dimensions * variance)


@pytest.mark.parametrize("channel", [AwgnChannel, RayleighChannel])
@pytest.mark.parametrize("order", [4, 16, 64, 256, 1024])
def test_hard_and_soft_decisions_are_the_same_bits(order, channel):
    """Symbols on the very edge of two decisions aside: at most 1 of a million bits."""
    errors = []
    for decision in ("soft", "hard"):
        graph = uncoded(order=order, channel=channel(esn0_db=12.0), decision=decision, n=30720, count=32, seed=14)
        graph.run()
        errors.append(graph["BerMeter"].errors)
    assert abs(errors[0] - errors[1]) <= 1
    assert errors[0] > 0 or order == 4


def test_a_decision_is_hard_or_soft():
    with pytest.raises(ValueError, match="decision is one of soft, hard; got 'firm'"):
        uncoded(decision="firm")


@pytest.mark.parametrize("order", [4, 16, 64, 256, 1024])
def test_rayleigh_is_theory(order):
    """The AWGN error rate averaged over |h|^2 ~ Exp(1). 99 % interval, with whole symbols taken as the trials."""
    esn0 = 10 ** (12 / 10)
    half = (order.bit_length() - 1) // 2
    graph = uncoded(order=order, channel=RayleighChannel(esn0_db=12.0, coherence=1), n=15360, count=100, seed=13)
    graph.run()
    meter = graph["BerMeter"]
    ber = quad(lambda p: np.exp(-p) * pam_bit_errors(1 << half, p * esn0)[0] / half, 0, 50, limit=200)[0]
    if order == 4:  # the closed form (Proakis, Digital Communications, eq. 14-3-7) with Eb/N0 = Es/N0 / 2
        assert ber == pytest.approx((1 - np.sqrt(esn0 / 2 / (1 + esn0 / 2))) / 2, rel=1e-6)
    symbols = meter.bits / (2 * half)
    assert abs(meter.ber - ber) < Z99 * np.sqrt(ber * (1 - ber) / symbols)


def test_a_coded_link_without_errors():
    graph = coded(order=16, code_rate="2/3", channel=AwgnChannel(esn0_db=13.0), words=4, count=5)
    graph.run()
    meter = graph["BerMeter"]
    assert meter.bits == 4 * 5 * 432
    assert meter.errors == 0


def test_repetition_carries_on_below_the_code():
    """At -3 dB one copy loses every block (BLER > 0.99); eight copies act like +6 dB and lose fewer than 1 in 50."""
    once = coded(channel=AwgnChannel(esn0_db=-3.0), words=1, count=50, seed=2)
    eight = coded(channel=AwgnChannel(esn0_db=-3.0), repeats=8, words=1, count=50, seed=2)
    once.run()
    eight.run()
    assert once["BerMeter"].burst_errors == 50
    assert eight["BerMeter"].burst_errors == 0


def test_interleaving_helps_over_fading():
    """QPSK r=1/2 at 7.5 dB, bursts of 8 codewords: fewer than 1 in 50 are lost; of codewords sent one by one,
    with nothing to interleave, more than 1 in 50. 99 % each (binomial, blocks of one burst taken as independent)."""
    lost = []
    for words, count in ((8, 50), (1, 600)):
        graph = coded(channel=RayleighChannel(esn0_db=7.5, coherence=64), words=words, count=count, seed=3)
        graph.run()
        lost.append(graph["BerMeter"].burst_errors)
    assert lost[0] <= 1  # of 400 blocks; as few with a probability of 0.3 % if 1 in 50 were lost
    assert lost[1] >= 22  # of 600 blocks; as many with a probability of 0.6 % if 1 in 50 were lost


def test_engines_agree_bit_for_bit():
    errors = []
    for engine in ("inline", "threads"):
        graph = coded(channel=RayleighChannel(esn0_db=4.0, coherence=81), count=20, seed=5)
        graph.run(engine=engine)
        meter = graph["BerMeter"]
        errors.append((meter.bits, meter.errors, meter.burst_errors))
    assert errors[0] == errors[1]
    assert errors[0][1] > 0


def test_a_demodulator_of_another_order_is_found_before_the_run():
    graph = uncoded(order=16)
    graph["QamDemodulator"].order = 64
    with pytest.raises(WiringError, match=r"constellation is 16-QAM \(set by QamModulator.order=16\)"):
        graph.check()


def test_a_decoder_of_another_code_is_found_before_the_run():
    graph = coded(code_rate="1/2")
    graph["LdpcDecoder"].code_rate = "2/3"
    with pytest.raises(WiringError, match=r"code is 802.11n n=648 r=1/2 \(set by LdpcEncoder.n=648, code_rate=1/2\)"):
        graph.check()


def test_bits_that_do_not_fill_symbols_are_found_before_the_run():
    graph = uncoded(order=64, n=4096)
    with pytest.raises(WiringError, match=r"4096 // 6 leaves a remainder"):
        graph.check()


CODES = ("none", "wifi:648/1/2", "nr:256/512", "conv:1/2:k=256")
CHANNELS = (
    "awgn",
    "rayleigh:coherence=8",
    "rician:k_db=6,coherence=8",
    "jakes:doppler_hz=100000,coherence=4",
    "tdl-a:delay_spread_s=50e-9",
    "tdl-e:receiver=lmmse",
    "gilbert-elliott:bad_rate=0.02,mean_run=2",
    "mimo",
    "awgn+iq+phase-noise+cfo",
)


@pytest.mark.parametrize("channel", CHANNELS)
@pytest.mark.parametrize("code", CODES)
def test_every_code_goes_over_every_channel(code, channel):
    """At 60 dB only erasures leave errors in uncoded bits; at -20 dB every code fails."""
    clear = Modem(code=code, order=4, channel=channel, burst_bits=4096)(60.0, count=2)
    clear.run()
    assert clear["BerMeter"].bits > 0
    assert clear["BerMeter"].ber <= (0.1 if (code, channel[:7]) == ("none", "gilbert") else 0)
    lost = Modem(code=code, order=4, channel=channel, burst_bits=4096)(-20.0, count=2)
    lost.run()
    assert lost["BerMeter"].ber > 0.3


@pytest.mark.parametrize("order", [4, 16, 64, 256])
@pytest.mark.parametrize("code", ["none", "wifi:648/5/6", "nr:120/240", "conv:3/4:k=100"])
def test_bursts_hold_whole_words_and_symbols(code, order):
    modem = Modem(code=code, order=order, channel="mimo")
    assert modem.words * modem.parsed_code.n % (2 * modem.bits_per_symbol) == 0
    modem(10.0, count=1).check()
    assert modem.efficiency == pytest.approx(modem.bits_per_symbol * modem.parsed_code.k / modem.parsed_code.n)


def test_a_modem_interleaves_what_needs_it():
    def interleaves(**settings):
        return any("Interleaver" in b.name for b in Modem(**settings)(0.0).blocks)

    assert interleaves(code="wifi:648/1/2")
    assert not interleaves(code="nr:256/512")
    assert interleaves(code="nr:256/512", interleave=True)
    assert not interleaves(code="conv:1/2", interleave=False)
    assert not interleaves(code="none")


def test_names_tell_modems_apart():
    """They are the legend of a plot."""
    names = [
        Modem(**settings).name
        for settings in (
            {"code": "wifi:648/1/2"},
            {"code": "wifi:648/1/2:precision=int8"},
            {"code": "wifi:648/1/2", "method": "exact"},
            {"code": "wifi:648/1/2", "interleave": False},
            {"code": "conv:1/2:k=100"},
            {"code": "conv:1/2:k=100,termination=tail-biting"},
        )
    ]
    assert len(set(names)) == len(names)
    assert names[1] == "802.11n n=648 r=1/2 (precision=int8), 16-QAM, awgn"
    assert names[2:4] == [
        "802.11n n=648 r=1/2, 16-QAM exact, awgn",
        "802.11n n=648 r=1/2, 16-QAM, awgn, not interleaved",
    ]
    assert names[5] == "convolutional K=7 r=1/2 k=100 (termination=tail-biting), 16-QAM, awgn"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"order": 32}, "order is one of 4, 16, 64, 256"),
        ({"method": "soft"}, "method is max-log or exact; got 'soft'"),
        ({"burst_bits": 0}, "burst_bits is 1 to 67108864; got 0"),
        ({"code": "lpdc"}, "there is no code 'lpdc'"),
        ({"channel": "ocean"}, "there is no channel 'ocean'"),
    ],
)
def test_a_wrong_modem_is_said_at_once(settings, message):
    with pytest.raises(ValueError, match=message):
        Modem(**settings)


@pytest.mark.parametrize("decision", ["soft", "hard"])
def test_echoes_are_not_left_to_a_receiver_of_one_gain(decision):
    with pytest.raises(WiringError, match=r"TdlChannel.received -> Qam\w+.received: the channel is dispersive"):
        uncoded(channel=TdlChannel(), decision=decision).check()
