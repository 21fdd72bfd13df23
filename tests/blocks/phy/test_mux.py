import numpy as np
import pytest

from lgvsc_flow import Graph
from lgvsc_flow.blocks.channel import AwgnChannel
from lgvsc_flow.blocks.channel.awgn import add_noise, noise_variance
from lgvsc_flow.blocks.phy import QamModulator, RandomBits, TimeDemultiplexer, TimeMultiplexer
from lgvsc_flow.blocks.phy.mux import MAX_COUNT, decode_sig, encode_sig, sig_symbols
from lgvsc_flow.errors import BlockError, WiringError
from lgvsc_flow.items import Received
from lgvsc_flow.testing import run_block


def clean(symbols, gain=1.0):
    gain = np.asarray(gain, np.complex64)
    return Received(np.asarray(gain * symbols, np.complex64), gain, np.array(1e-3, np.float32))


def random_symbols(n, seed):
    rng = np.random.default_rng(seed)
    return (rng.normal(size=n) + 1j * rng.normal(size=n)).astype(np.complex64)


@pytest.mark.parametrize(("digital", "analog"), [(0, 0), (162, 0), (0, 7), (324, 15_001)])
@pytest.mark.parametrize("repeats", [1, 2, 5])
def test_round_trip(digital, analog, repeats):
    parts = random_symbols(digital, 1), random_symbols(analog, 2)
    (burst,) = run_block(TimeMultiplexer(sig_repeats=repeats), [parts[0]], [parts[1]])
    assert burst.size == sig_symbols(repeats) + digital + analog
    assert burst.dtype == np.complex64
    received = run_block(TimeDemultiplexer(sig_repeats=repeats), [clean(burst)])
    assert np.array_equal(received["digital"][0].symbols, parts[0])
    assert np.array_equal(received["analog"][0].symbols, parts[1])
    assert received["analog"][0].gain.ndim == 0


def test_sig_has_unit_power_and_its_published_length():
    field = encode_sig(1234, MAX_COUNT, 3)
    assert field.size == sig_symbols(3) == 3 * 84
    assert np.allclose(np.abs(field), 1)
    assert decode_sig(clean(field), 3) == (1234, MAX_COUNT)


def test_channel_state_is_cut_with_the_symbols():
    parts = random_symbols(10, 1), random_symbols(20, 2)
    (burst,) = run_block(TimeMultiplexer(sig_repeats=1), [parts[0]], [parts[1]])
    gain = np.exp(1j * np.arange(burst.size)).astype(np.complex64)
    noise = np.linspace(1e-3, 1e-2, burst.size, dtype=np.float32)
    received = run_block(TimeDemultiplexer(sig_repeats=1), [Received(gain * burst, gain, noise)])
    for port, start, stop in (("digital", 84, 94), ("analog", 94, 114)):
        (part,) = received[port]
        assert np.array_equal(part.gain, gain[start:stop])
        assert np.array_equal(part.noise_variance, noise[start:stop])
        assert np.array_equal(part.symbols, (gain * burst)[start:stop])


@pytest.mark.parametrize(
    "case", ["nothing", "noise", "zero gain", "nan", "too short", "one symbol short", "one too many"]
)
def test_an_unreadable_burst_is_lost_whole(case):
    (burst,) = run_block(TimeMultiplexer(sig_repeats=2), [random_symbols(100, 1)], [random_symbols(50, 2)])
    arrived = {
        "nothing": clean(burst[:0]),
        "noise": clean(random_symbols(burst.size, 3)),
        "zero gain": Received(np.zeros_like(burst), np.zeros_like(burst), np.array(0.1, np.float32)),
        "nan": clean(np.full_like(burst, np.nan)),
        "too short": clean(burst[:100]),
        "one symbol short": clean(burst[:-1]),
        "one too many": clean(np.r_[burst, burst[:1]]),
    }[case]
    received = run_block(TimeDemultiplexer(sig_repeats=2), [arrived])
    for port in ("digital", "analog"):
        assert received[port][0].symbols.size == 0
        assert received[port][0].symbols.dtype == np.complex64


@pytest.mark.parametrize(("repeats", "esn0_db"), [(1, 2.7), (4, -3.3)])
def test_sig_outlives_noise(repeats, esn0_db):
    """1.3 dB above its measured threshold fewer than 1 in 100 are lost (99 %), and none is misread."""
    rng = np.random.default_rng(1)
    variance = noise_variance(esn0_db)
    lost = 0
    for i in range(1000):
        counts = (int(rng.integers(0, 20_000)), i)
        noisy = add_noise(encode_sig(*counts, repeats), float(variance), rng)
        found = decode_sig(Received(noisy, np.array(1, np.complex64), np.array(variance)), repeats)
        assert found in (None, counts)
        lost += found is None
    assert lost <= 3  # as few with a probability of 1 % if 1 in 100 were lost


def test_repeats_must_agree():
    graph, mux, demux = Graph(), TimeMultiplexer(sig_repeats=2), TimeDemultiplexer(sig_repeats=4)
    graph.connect(RandomBits(n=8), QamModulator(order=4), mux.digital)
    graph.connect(RandomBits(n=8), QamModulator(order=4), mux.analog)
    graph.connect(mux, AwgnChannel(), demux)
    with pytest.raises(WiringError, match=r"sig_repeats is 2 \(set by TimeMultiplexer.sig_repeats=2\)"):
        graph.check()


def test_message():
    with pytest.raises(BlockError, match=r"a burst holds at most 4194303 of each. Send shorter segments"):
        run_block(TimeMultiplexer(), [np.zeros(MAX_COUNT + 1, np.complex64)], [np.zeros(0, np.complex64)])
