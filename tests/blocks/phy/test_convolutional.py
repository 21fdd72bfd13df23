import math

import numpy as np
import pytest
from commpy.channelcoding.convcode import Trellis, conv_encode, viterbi_decode
from hypothesis import given, settings, strategies as st

from lgvsc_flow import Graph
from lgvsc_flow.blocks.channel import AwgnChannel, Equalizer
from lgvsc_flow.blocks.metrics import BerMeter
from lgvsc_flow.blocks.phy import ConvolutionalEncoder, QamDemodulator, QamModulator, RandomBits, ViterbiDecoder
from lgvsc_flow.blocks.phy.convolutional import PUNCTURING, convolutional_code, decode, encode
from lgvsc_flow.errors import BlockError, SettingError, WiringError
from lgvsc_flow.testing import run_block

RATES, ENDS = tuple(PUNCTURING), ("zero", "truncated", "tail-biting")
REGISTERS = np.arange(128)
SIGNS = 1 - 2.0 * np.array([[(r & g).bit_count() & 1 for g in (0o133, 0o171)] for r in range(128)])


def viterbi(llrs, code, start=0, end=0):
    """The textbook decoder in float64, of words [words, n]: bits [words, k] and correlation; None: any state."""
    full = np.zeros((len(llrs), 2 * code.steps))
    full[:, code.sent] = llrs
    metric = np.full((len(llrs), 64), 0.0 if start is None else -np.inf)
    if start is not None:
        metric[:, start] = 0
    decisions = []
    for step in full.reshape(len(llrs), -1, 2).swapaxes(0, 1):
        paths = (metric[:, REGISTERS & 63] + step @ SIGNS.T).reshape(len(llrs), 64, 2)
        decisions.append(paths.argmax(2))
        metric = paths.max(2)
    states = metric.argmax(1) if end is None else np.full(len(llrs), end)
    best = metric[np.arange(len(llrs)), states]
    bits = []
    for odd in decisions[::-1]:
        bits.append(states >> 5)
        states = (states << 1 & 63) | odd[np.arange(len(llrs)), states]
    return np.array(bits[::-1], np.uint8).T[:, : code.k], best


def noisy(code, words, seed, deviation, step=1 / 16):
    """Random words and their LLRs [words, n], on a grid so coarse that the decoder's quantisation is exact."""
    rng = np.random.default_rng(seed)
    bits = rng.integers(0, 2, words * code.k, dtype=np.uint8)
    llrs = 4 * (1 - 2.0 * encode(bits, code) + deviation * rng.normal(size=words * code.n))
    return bits, (np.clip(np.round(llrs / step), -480, 480) * step).astype(np.float32).reshape(words, code.n)


@pytest.mark.parametrize("termination", ENDS)
@pytest.mark.parametrize("code_rate", RATES)
def test_the_encoder_is_two_convolutions(code_rate, termination):
    """Against products of polynomials; with tail-biting, modulo x^k + 1."""
    rng = np.random.default_rng(1)
    taps = [[int(c) for c in f"{g:07b}"] for g in (0o133, 0o171)]
    for k in (6, 7, 10, 63, 64, 200):
        code = convolutional_code(k, code_rate, termination)
        bits = rng.integers(0, 2, 3 * k, dtype=np.uint8)
        expected = []
        for word in bits.reshape(3, k):
            streams = [np.convolve(word, tap) % 2 for tap in taps]
            if termination == "tail-biting":
                streams = [np.bincount(np.arange(k + 6) % k, s, k) % 2 for s in streams]
            for t in range(code.steps):
                for s, pattern in zip(streams, PUNCTURING[code_rate], strict=True):
                    if pattern[t % len(pattern)] == "1":
                        expected.append(int(s[t]))
        assert encode(bits, code).tolist() == expected
        assert code.n == len(expected) // 3


def test_the_order_of_the_punctured_bits():
    """IEEE Std 802.11-2016: 3/4 sends A1 B1 A2 B3, 2/3 A1 B1 A2, 5/6 A1 B1 A2 B3 A4 B5."""
    sent = {rate: convolutional_code(30, rate, "truncated").sent[:6].tolist() for rate in RATES}
    a, b = (lambda i: 2 * i - 2), (lambda i: 2 * i - 1)
    assert sent["2/3"] == [a(1), b(1), a(2), a(3), b(3), a(4)]
    assert sent["3/4"] == [a(1), b(1), a(2), b(3), a(4), b(4)]
    assert sent["5/6"] == [a(1), b(1), a(2), b(3), a(4), b(5)]
    for rate, n in {"1/2": 60, "2/3": 45, "3/4": 40, "5/6": 36}.items():
        assert convolutional_code(30, rate, "truncated").n == n


def test_bit_for_bit_as_commpy():
    """On soft values without ties, right and wrong words, and on hard decisions with up to four errors.

    commpy reads generators from their lowest bit and takes the best end state: 24 clean zeros make it state 0.
    """
    trellis = Trellis(np.array([6]), np.array([[0o155, 0o117]]))
    rng = np.random.default_rng(2)
    wrong = 0
    for k, deviation in ((30, 0.9), (41, 1.1), (50, 1.3)):
        code = convolutional_code(k + 24)
        bits = np.append(rng.integers(0, 2, k, dtype=np.uint8), np.zeros(24, np.uint8))
        coded = encode(bits, code)
        assert np.array_equal(coded, conv_encode(bits, trellis))
        noise = deviation * rng.normal(size=2 * k + 12)
        received = 1 - 2.0 * coded + np.append(noise, np.zeros(code.n - noise.size))
        theirs = viterbi_decode(-received, trellis, tb_depth=code.steps, decoding_type="unquantized")
        assert np.array_equal(decode(received.astype(np.float32), code), theirs[: code.k])
        wrong += int((theirs[: code.k] != bits).any())
        coded[rng.choice(code.n, 4, replace=False)] ^= 1
        theirs = viterbi_decode(coded.astype(float), trellis, tb_depth=code.steps, decoding_type="hard")
        assert np.array_equal(decode(1 - 2 * coded.astype(np.float32), code), theirs[: code.k])
        assert np.array_equal(theirs[: code.k], bits)
    assert 0 < wrong < 3


@pytest.mark.parametrize("termination", ["zero", "truncated"])
@pytest.mark.parametrize("code_rate", RATES)
def test_maximum_likelihood_as_in_float64(code_rate, termination):
    """Of every word the path found has the largest correlation there is, noise or none, for odd and even lengths."""
    for k in (1, 2, 3, 6, 11, 30, 47, 96):
        code = convolutional_code(k, code_rate, termination)
        for deviation in (0.3, 0.8, 1.5):
            _, llrs = noisy(code, 40, k, deviation)
            expected, best = viterbi(llrs, code, 0, 0 if termination == "zero" else None)
            found = decode(llrs.ravel(), code)
            correlation = ((1 - 2.0 * encode(found, code)).reshape(40, -1) * llrs).sum(1)
            assert np.array_equal(correlation, best)
            different = (found.reshape(40, k) != expected).any(1).mean()
            assert different < 0.2  # ties, which the two decide differently: common in short punctured words only


@pytest.mark.parametrize("code_rate", RATES)
def test_tail_biting_against_every_start_state(code_rate):
    """The wrap-around decoder beside the best of 64 float decoders, each with one state for start and end.

    Where it misses the best circular path, both are mostly wrong. Over 150 words its word error rate may not be above
    that of maximum likelihood by more than two standard deviations of the difference (97.5 % one-sided).
    """
    k, words = 36, 150
    code = convolutional_code(k, code_rate, "tail-biting")
    bits, llrs = noisy(code, words, 5, {"1/2": 0.85, "2/3": 0.7, "3/4": 0.62, "5/6": 0.52}[code_rate])
    trials = [viterbi(llrs, code, s, s) for s in range(64)]
    scores = np.array([best for _, best in trials])
    best, winner = scores.max(0), scores.argmax(0)
    expected = np.array([trials[s][0][w] for w, s in enumerate(winner)])
    found = decode(llrs.ravel(), code).reshape(words, k)
    correlation = ((1 - 2.0 * encode(found.ravel(), code)).reshape(words, -1) * llrs).sum(1)
    assert (correlation <= best).all()
    assert (correlation == best).mean() > 0.93
    ours = (found != bits.reshape(words, k)).any(1)
    theirs = (expected != bits.reshape(words, k)).any(1)
    assert 3 < theirs.sum() < words / 2
    assert ours.sum() - theirs.sum() <= 2 * math.sqrt(max((ours ^ theirs).sum(), 1))


def test_a_tail_biting_word_may_be_turned():
    """Turning the bits of a word turns its code bits by two places per bit, at rate 1/2."""
    code = convolutional_code(50, "1/2", "tail-biting")
    bits, llrs = noisy(code, 1, 7, 0.5)
    for turn in (1, 6, 25):
        assert np.array_equal(encode(np.roll(bits, turn), code), np.roll(encode(bits, code), 2 * turn))
        assert np.array_equal(decode(np.roll(llrs.ravel(), 2 * turn), code), np.roll(bits, turn))


WEIGHTS = {10: 36, 12: 211, 14: 1404, 16: 11633, 18: 77433, 20: 502690, 22: 3322763, 24: 21292910}
"""Information weight of all paths of a Hamming weight: J. Proakis and J. Conan, the code of d_free = 10."""


@pytest.mark.parametrize("ebn0_db", [4.0, 4.5])
def test_the_bit_error_rate_meets_the_union_bound(ebn0_db):
    """BPSK over AWGN: the union bound is above the true rate, by some per cent here.

    With the standard deviation of the mean over words as measured, the 99 % interval must reach below the bound and
    above two thirds of it; the first term of the bound alone, paths at d_free = 10, is under the measured rate.
    """
    k, words, bursts = 2048, 250, {4.0: 8, 4.5: 20}[ebn0_db]
    code = convolutional_code(k)
    ebn0 = 10 ** (ebn0_db / 10)
    bound, first = (
        sum(b * math.erfc(math.sqrt(d * ebn0 / 2)) / 2 for d, b in WEIGHTS.items() if d <= limit) for limit in (24, 10)
    )
    rng = np.random.default_rng(11)
    deviation = np.float32(math.sqrt(1 / ebn0))  # Es/N0 = Eb/N0 / 2, and half of N0 in the real part
    errors = []
    for _ in range(bursts):
        bits = rng.integers(0, 2, words * k, dtype=np.uint8)
        received = 1 - 2 * encode(bits, code).astype(np.float32)
        received += deviation * rng.standard_normal(received.size, np.float32)
        wrong = decode(2 / deviation**2 * received, code) != bits
        errors.append(wrong.reshape(words, k).sum(1))
    per_word = np.concatenate(errors)
    rate, spread = per_word.mean() / k, 2.576 * per_word.std() / math.sqrt(per_word.size) / k
    assert rate - spread < bound
    assert rate + spread > max(first, bound * 2 / 3)


def test_the_free_distance_is_ten():
    """No nonzero word is lighter, the single bit is not the lightest, and rate 3/4 keeps 5, 2/3 6, 5/6 4."""
    distances = {}
    for code_rate in RATES:
        code = convolutional_code(20, code_rate)
        words = (np.arange(1, 1 << 14)[:, None] >> np.arange(20) & 1).astype(np.uint8)
        shifted = np.concatenate([np.roll(words, s, axis=1) for s in range(6)])
        distances[code_rate] = int(encode(shifted.ravel(), code).reshape(len(shifted), -1).sum(1).min())
    assert distances == {"1/2": 10, "2/3": 6, "3/4": 5, "5/6": 4}


def test_a_word_does_not_depend_on_its_neighbours():
    for termination in ENDS:
        code = convolutional_code(77, "2/3", termination)
        _, llrs = noisy(code, 5, 13, 0.9)
        llrs[2] *= 2**12
        together = decode(llrs.ravel(), code, llr_clip=1e6).reshape(5, -1)
        for word, bits in zip(llrs, together, strict=True):
            assert np.array_equal(decode(word, code, llr_clip=1e6), bits)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 300), st.sampled_from(RATES), st.sampled_from(ENDS), st.integers(0, 3), st.integers(0, 2**32 - 1))
def test_round_trip(k, code_rate, termination, words, seed):
    code = convolutional_code(max(k, 6) if termination == "tail-biting" else k, code_rate, termination)
    bits = np.random.default_rng(seed).integers(0, 2, words * code.k, dtype=np.uint8)
    assert np.array_equal(decode(1 - 2 * encode(bits, code).astype(np.float32), code), bits)


def test_scale_and_clip():
    code = convolutional_code(200)
    _, llrs = noisy(code, 20, 17, 0.75)
    expected = decode(llrs.ravel(), code)
    for power in (-60, -5, -1):
        assert np.array_equal(decode(llrs.ravel() * np.float32(2.0**power), code), expected)
    assert np.array_equal(decode(llrs.ravel() * 4096, code, llr_clip=1e6), expected)
    hard = np.sign(llrs.ravel())
    assert np.array_equal(decode(llrs.ravel() * 2**20, code), decode(hard, code))


def test_a_deep_fade_in_half_of_a_word_costs_nothing():
    """LLRs 30 dB apart, of which the small ones decide: word errors as in float64, to 2 in 300."""
    code = convolutional_code(150)
    rng = np.random.default_rng(31)
    bits = rng.integers(0, 2, 300 * code.k, dtype=np.uint8)
    esn0 = np.where(np.arange(code.n) < code.n // 2, 10**-0.15, 10**2.85)
    received = 1 - 2.0 * encode(bits, code).reshape(300, -1) + rng.normal(size=(300, code.n)) / np.sqrt(2 * esn0)
    llrs = (4 * esn0 * received).astype(np.float32)
    expected, _ = viterbi(llrs, code)
    ours, theirs = (
        (b.reshape(300, -1) != bits.reshape(300, -1)).any(1) for b in (decode(llrs.ravel(), code), expected)
    )
    assert theirs.sum() > 10
    assert abs(int(ours.sum()) - int(theirs.sum())) <= 2


@pytest.mark.parametrize("termination", ENDS)
@pytest.mark.parametrize("code_rate", ["1/2", "3/4"])
def test_nan_infinite_and_missing_llrs(code_rate, termination):
    code = convolutional_code(120, code_rate, termination)
    bits, _ = noisy(code, 8, 19, 0)
    llrs = (5 - 10.0 * encode(bits, code)).astype(np.float32).reshape(8, -1)
    llrs[0] = np.where(llrs[0] > 0, np.inf, -np.inf)
    llrs[1, ::9] = np.nan
    llrs[2, ::9] = 0
    llrs[3, 40] = -np.inf if llrs[3, 40] < 0 else np.inf
    llrs[4] *= 1e30
    found = decode(llrs.ravel(), code).reshape(8, -1)
    assert np.array_equal(found, bits.reshape(8, -1))
    for value in (0, np.nan, 1e-38):
        nothing = decode(np.full(2 * code.n, value, np.float32), code)
        assert (nothing == 1).all()
    one_side = decode(np.full(code.n, np.inf, np.float32), code)
    assert (one_side == 0).all()


def test_hostile_llrs_stay_bits():
    """Whatever the bit patterns of the floats, the result is bits, and twice the same."""
    rng = np.random.default_rng(23)
    for k in (1, 6, 33, 500):
        for termination in ENDS:
            code = convolutional_code(max(k, 6), "5/6", termination)
            raw = rng.integers(0, 2**32, 7 * code.n, dtype=np.uint32).view(np.float32)
            found = decode(raw, code)
            assert found.dtype == np.uint8
            assert set(np.unique(found)) <= {0, 1}
            assert np.array_equal(found, decode(raw, code))


def test_strong_llrs_for_long_do_not_overflow():
    """Metrics are normalised: a long word at the largest LLRs, right or wrong by turns, decodes like a weak one."""
    code = convolutional_code(20000)
    rng = np.random.default_rng(29)
    bits = rng.integers(0, 2, code.k, dtype=np.uint8)
    llrs = (64 - 128.0 * encode(bits, code)).astype(np.float32)
    llrs[rng.choice(code.n // 20, code.n // 50, replace=False) * 20] *= -1
    assert np.array_equal(decode(llrs, code), bits)
    uncertain = rng.choice([-64, 64], code.n).astype(np.float32)
    assert np.array_equal(decode(uncertain, code), decode(uncertain / 64, code))


def test_in_a_graph():
    """Two blocks of one code over QPSK at 5 dB; the block's traits and shapes fit, its result is right."""
    source, meter = RandomBits(n=4 * 1000, count=8), BerMeter()
    graph = Graph("convolutional", seed=3)
    settings = {"k": 1000, "code_rate": "3/4", "termination": "tail-biting"}
    graph.connect(
        source,
        ConvolutionalEncoder(**settings),
        QamModulator(order=4),
        AwgnChannel(esn0_db=9.0),
        Equalizer(),
        QamDemodulator(order=4),
        ViterbiDecoder(**settings),
        meter.received,
    )
    graph.connect(source, meter.sent)
    graph.run()
    assert meter.ber == 0


def test_another_code_at_the_other_end_is_found_before_the_run():
    graph = Graph("clash")
    source = RandomBits(n=600)
    channel = AwgnChannel()
    graph.connect(
        source, ConvolutionalEncoder(k=600), QamModulator(order=4), channel, Equalizer(), QamDemodulator(order=4)
    )
    decoder, meter = ViterbiDecoder(k=600, code_rate="3/4"), BerMeter()
    graph.connect(graph["QamDemodulator"], decoder, meter.received)
    graph.connect(source, meter.sent)
    with pytest.raises(WiringError) as error:
        graph.run()
    assert "code is convolutional k=600 r=1/2 zero (set by ConvolutionalEncoder.k=600" in str(error.value)
    assert "ViterbiDecoder takes convolutional k=600 r=3/4 zero" in str(error.value)


def test_empty_bursts():
    for termination in ENDS:
        (coded,) = run_block(ConvolutionalEncoder(k=9, termination=termination), [np.zeros(0, np.uint8)])
        (bits,) = run_block(ViterbiDecoder(k=9, termination=termination), [np.zeros(0, np.float32)])
        assert coded.size == bits.size == 0
        assert (coded.dtype, bits.dtype) == (np.uint8, np.uint8)


def test_messages():
    with pytest.raises(BlockError, match=r"got Bits\[701\]; a burst must hold whole words of k=700"):
        run_block(ConvolutionalEncoder(k=700), [np.zeros(701, np.uint8)])
    with pytest.raises(BlockError, match=r"got Llrs\[1411\]; a burst must hold whole words of n=1412"):
        run_block(ViterbiDecoder(k=700), [np.zeros(1411, np.float32)])
    with pytest.raises(BlockError, match="one-dimensional float32, got float64"):
        run_block(ViterbiDecoder(k=700), [np.zeros(1412)])
    with pytest.raises(SettingError, match=r"ViterbiDecoder\.k must be >= 6 bits for tail-biting words, got 5"):
        ViterbiDecoder(k=5, termination="tail-biting")
    with pytest.raises(SettingError, match=r"ConvolutionalEncoder\.code_rate is one of 1/2, 2/3, 3/4, 5/6; got '7/8'"):
        ConvolutionalEncoder(code_rate="7/8")
    with pytest.raises(ValueError, match="bits are 0 or 1, got 2"):
        encode(np.full(8, 2, np.uint8), convolutional_code(8))
    with pytest.raises(ValueError, match="one-dimensional float32, got float64"):
        decode(np.zeros(28), convolutional_code(8))
    with pytest.raises(ValueError, match="one-dimensional uint8, got int64"):
        encode(np.zeros(8, np.int64), convolutional_code(8))
    with pytest.raises(ValueError, match="a tail-biting word holds at least k=6 bits, got k=5"):
        convolutional_code(5, "1/2", "tail-biting")
    with pytest.raises(ValueError, match="code_rate is one of 1/2, 2/3, 3/4, 5/6"):
        convolutional_code(50, "4/5")
    for wrong in ({"llr_clip": 0}, {"llr_clip": float("nan")}, {"max_wraps": 0}):
        with pytest.raises(ValueError, match="llr_clip and max_wraps are positive"):
            decode(np.zeros(28, np.float32), convolutional_code(8), **wrong)
