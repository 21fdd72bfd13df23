"""What a block makes, its inverse takes apart again, for all settings and sizes: every pair of the PHY."""

from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from lgvsc_flow.blocks import channel, phy
from lgvsc_flow.blocks.phy.constellation import ORDERS
from lgvsc_flow.blocks.phy.convolutional import ENDS, PUNCTURING
from lgvsc_flow.blocks.phy.crc import CRCS
from lgvsc_flow.blocks.phy.ldpc.code import CODE_RATES, LENGTHS
from lgvsc_flow.blocks.phy.ldpc.nr_encode import nr_encode
from lgvsc_flow.blocks.phy.ldpc.nr_rate_matching import RateMatching, match, recover
from lgvsc_flow.blocks.phy.ldpc.nr_segmentation import join, segment, segmentation
from lgvsc_flow.blocks.phy.mux import MAX_COUNT, decode_sig, encode_sig
from lgvsc_flow.blocks.phy.packet import HEADER_BITS, STREAMS, fragment, gather, join_streams, split_streams
from lgvsc_flow.blocks.phy.resource_grid import resource_grid
from lgvsc_flow.blocks.phy.scrambler import SELF_SYNC, SEQUENCES
from lgvsc_flow.items import Checked, Payload, Received
from lgvsc_flow.registry import home, known_blocks
from lgvsc_flow.testing import run_block

PAIRS = {
    "BitRepeat": ["LlrCombine"],
    "BurstPad": ["BurstTrim"],
    "ConvolutionalEncoder": ["ViterbiDecoder"],
    "CrcAppend": ["CrcCheck"],
    "IdealChannel": ["DropState"],
    "Interleaver": ["Deinterleaver"],
    "LdpcEncoder": ["LdpcDecoder", "LdpcSoftDecoder"],
    "MimoChannel": ["MimoEqualizer"],
    "NrInterleaver": ["NrDeinterleaver"],
    "NrLdpcEncoder": ["NrLdpcDecoder"],
    "OfdmModulator": ["OfdmDemodulator"],
    "Packetizer": ["Depacketizer"],
    "QamModulator": ["QamDecision", "QamDemodulator"],
    "RandomInterleaver": ["RandomDeinterleaver"],
    "RayleighChannel": ["Equalizer"],
    "ReceivedSink": ["ReceivedSource"],  # test_recording.py
    "Scrambler": ["Descrambler", "LlrDescrambler"],
    "SelfSyncScrambler": ["SelfSyncDescrambler"],
    "SigmfSink": ["SigmfSource"],
    "StreamJoiner": ["StreamSplitter"],  # test_streams.py
    "TimeMultiplexer": ["TimeDemultiplexer"],
    "TransportEncoder": ["TransportDecoder"],  # test_transport.py
    "UserLdpcEncoder": ["UserLdpcDecoder"],
    "UserPointsModulator": ["UserPointsDecision", "UserPointsDemodulator"],
}
ALONE = {  # sources, channels that cannot be undone, and what reads without changing
    "AwgnChannel", "CarrierFrequencyOffset", "ChannelEstimator", "GilbertElliottChannel", "HardDecision",
    "IqImbalance", "JakesChannel", "NoPayload", "PhaseNoise", "Prbs", "RandomBits", "ReplayChannel", "RicianChannel",
    "TdlChannel",
}  # fmt: skip

some = settings(max_examples=25, deadline=None, derandomize=True, database=None)
few = settings(max_examples=10, deadline=None, derandomize=True, database=None)
seeds = st.integers(0, 2**32)


def random_bits(n, seed):
    return np.random.default_rng(seed).integers(0, 2, n, dtype=np.uint8)


def random_symbols(n, seed):
    return np.random.default_rng(seed).normal(size=(n, 2)).astype(np.float32).view(np.complex64).reshape(-1)


def soft(bits, size=1.0):
    return np.float32(size) * (1 - 2 * bits.astype(np.float32))


def clean(symbols, seed=None, noise=1e-3):
    """What arrives without noise, turned and scaled by any gain."""
    if seed is None:
        return Received(symbols, np.array(1, np.complex64), np.array(noise, np.float32))
    gain = random_symbols(symbols.size, seed) + np.complex64(5)
    return Received(symbols * gain, gain, np.full(symbols.size, noise, np.float32))


def one(block, *items):
    found = run_block(block, *[[item] for item in items])
    return {name: sent[0] for name, sent in found.items()} if isinstance(found, dict) else found[0]


def decided(block, received):
    found = one(block, received)
    return found if found.dtype == np.uint8 else (found < 0).astype(np.uint8)


def test_every_block_is_here():
    """A new block is the inverse of one here, or has none."""
    ours = {n for n, k in known_blocks().items() if home(k) in ("lgvsc_flow.blocks.phy", "lgvsc_flow.blocks.channel")}
    listed = set(PAIRS) | {name for names in PAIRS.values() for name in names} | ALONE
    assert ours == listed, f"add to PAIRS, with a test, or to ALONE: {ours ^ listed}"


@some
@given(st.sampled_from(list(CRCS)), st.integers(1, 200), st.integers(0, 5), seeds)
def test_crc(name, block_bits, blocks, seed):
    bits = random_bits(blocks * block_bits, seed)
    coded = one(phy.CrcAppend(crc=name, block_bits=block_bits), bits)
    checked = one(phy.CrcCheck(crc=name, block_bits=block_bits), coded)
    assert np.array_equal(checked.bits, bits)
    assert checked.ok.tolist() == [True] * blocks


@some
@given(st.sampled_from(["nr", *SEQUENCES]), st.integers(1, 127), st.integers(0, 2000), seeds)
def test_additive_scrambler(sequence, initial, n, seed):
    bits, same = random_bits(n, seed), {"sequence": sequence, "initial": initial}
    sent = one(phy.Scrambler(**same), bits)
    assert np.array_equal(one(phy.Descrambler(**same), sent), bits)
    assert np.array_equal(one(phy.LlrDescrambler(**same), soft(sent)), soft(bits))


@some
@given(st.sampled_from(list(SELF_SYNC)), st.integers(0, 300), seeds)
def test_self_synchronising_scrambler(polynomial, n, seed):
    bits = random_bits(n, seed)
    sent = one(phy.SelfSyncScrambler(polynomial=polynomial), bits)
    assert np.array_equal(one(phy.SelfSyncDescrambler(polynomial=polynomial), sent), bits)


@some
@given(st.integers(1, 60), st.integers(0, 40), st.integers(1, 12), seeds)
def test_interleavers(columns, rows, m, seed):
    bits = random_bits(columns * rows * m, seed)
    for forth, back, same in (
        (phy.Interleaver, phy.Deinterleaver, {"columns": columns}),
        (phy.RandomInterleaver, phy.RandomDeinterleaver, {"seed": seed}),
        (phy.NrInterleaver, phy.NrDeinterleaver, {"n": columns * m, "bits_per_symbol": m}),
    ):
        assert np.array_equal(one(back(**same), soft(one(forth(**same), bits))), soft(bits))


@some
@given(st.integers(1, 64), st.integers(0, 300), seeds)
def test_repetition(times, n, seed):
    bits = random_bits(n, seed)
    repeated = one(phy.BitRepeat(times=times), bits)
    assert np.array_equal(one(phy.LlrCombine(times=times), soft(repeated)), soft(bits, times))


@some
@given(st.integers(6, 300), st.sampled_from(list(PUNCTURING)), st.sampled_from(list(ENDS)), st.integers(0, 3), seeds)
def test_convolutional_code(k, code_rate, termination, words, seed):
    same, bits = {"k": k, "code_rate": code_rate, "termination": termination}, random_bits(words * k, seed)
    if termination == "truncated" and code_rate != "1/2":
        # The last bits have next to no code bits of their own.
        bits.reshape(-1, k)[:, -6:] = 0
    coded = one(phy.ConvolutionalEncoder(**same), bits)
    got = one(phy.ViterbiDecoder(**same), soft(coded, 3))
    safe = k - (8 if termination == "truncated" else 0)
    assert np.array_equal(got.reshape(-1, k)[:, :safe], bits.reshape(-1, k)[:, :safe])
    assert np.array_equal(one(phy.ConvolutionalEncoder(**same), got), coded)


@some
@given(st.sampled_from(ORDERS), st.integers(0, 300), st.none() | seeds, seeds)
def test_qam(order, symbols, gains, seed):
    bits = random_bits(symbols * (order.bit_length() - 1), seed)
    received = clean(one(phy.QamModulator(order=order), bits), gains)
    for method in ("max-log", "exact"):
        assert np.array_equal(decided(phy.QamDemodulator(order=order, method=method), received), bits)
    assert np.array_equal(decided(phy.QamDecision(order=order), received), bits)


@few
@given(st.integers(1, 7), st.integers(0, 100), st.none() | seeds, seeds)
def test_user_points(m, symbols, gains, seed):
    points = 0.2 * random_symbols(1 << m, seed).astype(complex).clip(-2 - 2j, 2 + 2j) + np.arange(1 << m)
    text = ", ".join(str(p).strip("()") for p in points / np.sqrt(np.mean(np.abs(points) ** 2)))
    bits = random_bits(symbols * m, seed)
    received = clean(one(phy.UserPointsModulator(points=text), bits), gains, 1e-8)
    for method in ("max-log", "exact"):
        assert np.array_equal(decided(phy.UserPointsDemodulator(points=text, method=method), received), bits)
    assert np.array_equal(decided(phy.UserPointsDecision(points=text), received), bits)


@few
@given(st.sampled_from(LENGTHS), st.sampled_from(CODE_RATES), st.integers(0, 20), seeds)
def test_ldpc(n, code_rate, words, seed):
    same = {"n": n, "code_rate": code_rate}
    encoder = phy.LdpcEncoder(**same)
    bits = random_bits(words * encoder.k, seed)
    coded = one(encoder, bits)
    for precision in ("float32", "int8"):
        assert np.array_equal(one(phy.LdpcDecoder(**same, precision=precision), soft(coded, 2)), bits)
    found = one(phy.LdpcSoftDecoder(**same), soft(coded, 2))
    assert np.array_equal(found["posterior"] < 0, coded == 1)
    assert np.array_equal(found["decoded"].bits, bits)
    assert found["decoded"].ok.all()


@some
@given(
    st.integers(1, 4000),
    st.floats(0.2, 0.85),
    st.sampled_from([2, 4, 16, 64, 256, 1024]),
    st.sampled_from([0, "0 2", "0 2 3 1"]),
    st.integers(0, 2),
    seeds,
)
def test_nr_ldpc(a, code_rate, order, rv, blocks, seed):
    m = order.bit_length() - 1
    e = int((a + 100) / code_rate / m + 1) * m  # with its CRC, the block is of this rate or less
    same = {"a": a, "code_rate": code_rate, "e": e, "order": order, "rv": rv}
    bits = random_bits(blocks * a, seed)
    coded = one(phy.NrLdpcEncoder(**same), bits)
    found = one(phy.NrLdpcDecoder(**same), soft(coded, 2))
    assert np.array_equal(found["bits"], bits)
    assert found["checked"].ok.all()


@some
@given(st.integers(1, 8999), st.sampled_from([1, 2]), st.integers(1, 3), st.integers(1, 8), st.integers(0, 3), seeds)
def test_nr_segments_and_rate_matching(a, graph, blocks, m, rv, seed):
    """All bits of a codeword that are sent come back to their places, and the others are untouched."""
    a += a % 2 if graph == 1 else 0  # two code blocks are of one size
    cut = segmentation(a, graph) if a > 8424 or a <= 3824 or graph == 1 else segmentation(3824, graph)
    a = cut.a
    words = segment(random_bits(blocks * a, seed), cut)
    joined = join(words, cut)
    assert joined.ok.all()
    assert joined.code_blocks_ok.all()
    assert np.array_equal(joined.bits, random_bits(blocks * a, seed))
    matching = RateMatching(cut, m * cut.code_blocks * 40, m)
    code = matching.code(rv)
    sent = nr_encode(words, code)
    buffer = np.zeros((words.shape[0], code.n), np.float32)
    recover(soft(match(sent, matching, rv)), matching, rv, buffer)
    assert np.array_equal(buffer[buffer != 0] < 0, sent[buffer != 0] == 1)
    assert 0 < np.count_nonzero(buffer) <= blocks * matching.e


@few
@given(st.integers(0, 30), st.sampled_from(["float32", "int8"]), seeds)
def test_user_ldpc(words, precision, seed):
    encoder = phy.UserLdpcEncoder()
    bits = random_bits(words * encoder.k, seed)
    coded = one(encoder, bits)
    assert np.array_equal(one(phy.UserLdpcDecoder(precision=precision), soft(coded, 2)), bits)


@few
@given(st.integers(0, 700), st.integers(1, 500), st.integers(1, 4), st.none() | seeds, seeds)
def test_padding(n, frame, sig_repeats, gains, seed):
    same, symbols = {"frame": frame, "sig_repeats": sig_repeats}, random_symbols(n, seed)
    padded = one(phy.BurstPad(**same), symbols)
    assert padded.size % frame == 0
    trimmed = one(phy.BurstTrim(**same), clean(padded, gains))
    assert np.allclose(trimmed.symbols, symbols * trimmed.gain, rtol=1e-5, atol=1e-5)


@few
@given(st.integers(0, 500), st.integers(0, 500), st.integers(1, 4), seeds)
def test_time_multiplex(digital, analog, sig_repeats, seed):
    parts = {"digital": random_symbols(digital, seed), "analog": random_symbols(analog, seed + 1)}
    burst = one(phy.TimeMultiplexer(sig_repeats=sig_repeats), *parts.values())
    found = one(phy.TimeDemultiplexer(sig_repeats=sig_repeats), clean(burst))
    for name, part in parts.items():
        assert np.array_equal(found[name].symbols, part)


@few
@given(st.integers(0, MAX_COUNT), st.integers(0, MAX_COUNT), st.integers(1, 4), seeds)
def test_sig_field(digital, analog, repeats, gains):
    assert decode_sig(clean(encode_sig(digital, analog, repeats), gains), repeats) == (digital, analog)


contents = st.fixed_dictionaries({name: st.none() | st.binary(max_size=300) for name in STREAMS})


@some
@given(contents, st.integers(HEADER_BITS + 32, 700), st.integers(0, 5000))
def test_packets(streams, block_bits, index):
    payloads = [Payload(index, name, streams[name]) for name in ("caption", "side", "hyperprior")]
    bits = one(phy.Packetizer(block_bits=block_bits), *payloads)
    assert np.array_equal(bits, fragment(join_streams(streams), index, block_bits))
    checked = Checked(bits, np.ones(bits.size // block_bits, bool))
    assert split_streams(*gather(checked, index, block_bits)) == streams
    if index == 0:
        found = one(phy.Depacketizer(block_bits=block_bits), checked)
        assert [found[port].data for port in ("captions", "side", "hyperprior")] == [p.data for p in payloads]


grids = st.tuples(st.integers(8, 70), st.integers(0, 8), st.integers(8, 70), st.integers(1, 6), st.integers(1, 9))


@some
@given(grids, st.integers(1, 3), st.integers(0, 3), seeds)
def test_ofdm(sizes, pilot_symbols, frames, seed):
    fft_size, cp, subcarriers, slot_symbols, pilot_spacing = sizes
    names = ("fft_size", "cp", "subcarriers", "slot_symbols", "pilot_spacing", "pilot_symbols", "frame_data")
    chosen = fft_size, cp, min(subcarriers, fft_size), slot_symbols, pilot_spacing + 1, min(pilot_symbols, slot_symbols)
    modulator = phy.OfdmModulator(**dict(zip(names, (*chosen, 37), strict=True)))
    symbols = random_symbols(37 * frames, seed)
    found = one(phy.OfdmDemodulator(**modulator.settings), clean(one(modulator, symbols)))
    assert np.allclose(found["data"].symbols, symbols, atol=1e-5)
    grid = resource_grid(*chosen)
    elements = random_symbols(5 * grid.subcarriers, seed).reshape(5, -1)
    assert np.allclose(grid.demodulate(grid.modulate(elements)), elements, atol=1e-5)


@few
@given(st.lists(st.integers(0, 300), max_size=5), st.booleans(), seeds)
def test_sigmf(tmp_path_factory, sizes, annotations, seed):
    path = tmp_path_factory.mktemp("sigmf") / "recording"
    bursts = [random_symbols(n, seed + i) for i, n in enumerate(sizes)]
    run_block(channel.SigmfSink(path=path, sample_rate_hz=1e6), bursts)
    found = run_block(channel.SigmfSource(path=path, bursts="annotations" if annotations else "equal", burst=64))
    assert np.array_equal(np.concatenate([*found, []]), np.concatenate([*bursts, []]))
    assert not annotations or [b.size for b in found] == sizes


@some
@given(st.integers(0, 300), seeds)
def test_channels_that_are_undone(n, seed):
    symbols = random_symbols(n, seed)
    assert np.array_equal(one(channel.DropState(), one(channel.IdealChannel(), symbols)), symbols)
    faded = partial(one, channel.RayleighChannel(esn0_db=100, coherence=7))
    for method in ("zf", "mmse"):
        equalized = one(channel.Equalizer(method=method), faded(symbols))
        spread = 6 * np.sqrt(equalized.noise_variance + 1e-9) + 1e-5 * np.abs(symbols)
        assert (np.abs(equalized.symbols - equalized.gain * symbols) <= spread).all()


@pytest.mark.parametrize("method", ["zf", "mmse"])
@few
@given(st.integers(1, 4), st.integers(0, 4), st.integers(0, 60), seeds)
def test_antennas(method, transmitters, more, uses, seed):
    antennas = {"transmitters": transmitters, "receivers": transmitters + more}
    symbols = random_symbols(uses * transmitters, seed)
    received = one(channel.MimoChannel(esn0_db=100, coherence=9, **antennas), symbols)
    equalized = one(channel.MimoEqualizer(method=method, **antennas), received)
    spread = 7 * np.sqrt(equalized.noise_variance) + 1e-4 * (1 + np.abs(symbols))
    assert (np.abs(equalized.symbols - equalized.gain * symbols) <= spread).all()
