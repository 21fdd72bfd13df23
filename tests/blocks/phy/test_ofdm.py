import numpy as np
import pytest
from hypothesis import assume, given, settings as limits, strategies as st

from lgvsc_flow.blocks.channel import AwgnChannel, JakesChannel, TdlChannel
from lgvsc_flow.blocks.phy import OfdmDemodulator, OfdmModulator, nr_numerology
from lgvsc_flow.errors import BlockError, SettingError
from lgvsc_flow.items import Received
from lgvsc_flow.testing import run_block

SMALL = {"fft_size": 64, "cp": 16, "subcarriers": 50, "slot_symbols": 7, "pilot_spacing": 5, "pilot_symbols": 2}


def qpsk(n, seed=0):
    bits = np.random.default_rng(seed).integers(0, 2, (n, 2))
    return ((1 - 2 * bits) @ [1, 1j] / np.sqrt(2)).astype(np.complex64)


def clean(samples):
    return Received(samples, np.array(1, np.complex64), np.array(0.5, np.float32))


def link(channel, symbols, settings=SMALL, seed=0):
    modulator = OfdmModulator(**settings)
    received = run_block(channel, run_block(modulator, [symbols]), seed=seed)
    out = run_block(OfdmDemodulator(**modulator.settings), received)
    return out["data"][0], out["pilots"][0]


@pytest.mark.parametrize(
    "settings",
    [SMALL, {}, nr_numerology(1, 24), {**SMALL, "pilot_symbols": 0, "cp": 0}, {**SMALL, "subcarriers": 64}],
    ids=["small", "default", "nr", "bare", "full"],
)
def test_round_trip(settings):
    """Nothing between the ends: symbols come back to single precision, gains are 1, energies as stated."""
    modulator = OfdmModulator(**settings)
    x = qpsk(3 * modulator.frame_symbols)
    (samples,) = run_block(modulator, [x])
    assert samples.dtype == np.complex64
    assert samples.size == 3 * modulator.frame_samples
    out = run_block(OfdmDemodulator(**modulator.settings), [clean(samples)])
    (data,), (pilots,) = out["data"], out["pilots"]
    assert np.allclose(data.symbols, x, atol=1e-5)
    assert np.allclose(data.gain, 1, atol=1e-5)
    assert (data.noise_variance == 0.5).all()
    assert pilots.symbols.size == 3 * modulator.frame_pilots
    assert np.allclose(np.abs(pilots.symbols), 1, atol=1e-5)
    body = samples.reshape(-1, modulator.fft_size + modulator.cp)[:, modulator.cp :]
    power = np.mean(np.abs(body) ** 2)  # Parseval: every resource element has energy 1
    assert power == pytest.approx(modulator.subcarriers / modulator.fft_size, rel=1e-5)


@limits(max_examples=60, deadline=None)
@given(data=st.data(), fft_size=st.integers(8, 130), slot_symbols=st.integers(1, 9), seed=st.integers(0, 2**32))
def test_round_trip_of_any_grid(data, fft_size, slot_symbols, seed):
    sizes = {
        "fft_size": fft_size,
        "slot_symbols": slot_symbols,
        "cp": data.draw(st.integers(0, fft_size)),
        "subcarriers": data.draw(st.integers(1, fft_size)),
        "pilot_spacing": data.draw(st.integers(1, 12)),
        "pilot_symbols": data.draw(st.integers(0, slot_symbols)),
        "frame_data": data.draw(st.none() | st.integers(1, 500)),
    }
    try:
        modulator = OfdmModulator(**sizes)
    except SettingError:
        assume(sizes["pilot_spacing"] > 1 and sizes["subcarriers"] > 2)  # else pilots may fill the slot
        raise
    x = qpsk(data.draw(st.integers(0, 3)) * modulator.frame_symbols, seed)
    (samples,) = run_block(modulator, [x])
    out = run_block(OfdmDemodulator(**modulator.settings), [clean(samples)])
    assert np.allclose(out["data"][0].symbols, x, atol=1e-5)
    assert out["pilots"][0].symbols.size == modulator.frame_pilots * (x.size // modulator.frame_symbols)


def test_the_prefix_is_the_end_and_the_grid_is_the_spectrum():
    modulator = OfdmModulator(**{**SMALL, "pilot_symbols": 0})
    x = qpsk(modulator.frame_symbols)
    (samples,) = run_block(modulator, [x])
    symbols = samples.reshape(7, 80)
    assert np.array_equal(symbols[:, :16], symbols[:, 64:])
    times, frequencies = np.arange(64), np.arange(-25, 25)  # by the definition of 38.211, 5.3.1
    direct = x.reshape(7, 50) @ np.exp(2j * np.pi * frequencies[:, None] * times / 64) / 8
    assert np.allclose(symbols[:, 16:], direct, atol=1e-5)


def test_frames_of_any_size():
    modulator = OfdmModulator(**SMALL, frame_data=1000)
    assert (modulator.frame_slots, modulator.grid.data_per_slot) == (4, 328)
    x = qpsk(2000)
    data, pilots = link(AwgnChannel(esn0_db=100.0), x, {**SMALL, "frame_data": 1000})
    assert np.allclose(data.symbols, x, atol=1e-4)
    assert pilots.symbols.size == 2 * modulator.frame_pilots


@pytest.mark.parametrize("profile", ["TDL-A", "TDL-C", "TDL-D"])
@pytest.mark.parametrize("lead", [0, 3])
def test_one_tap_per_subcarrier_is_exact_behind_the_prefix(profile, lead):
    """A constant channel no longer than the prefix: Y = H X to single precision, for data and for pilots; and H is the
    transform of the taps."""
    rate = 64 * 15e3
    settings = {"profile": profile, "delay_spread_s": 0.7 / rate, "sample_rate_hz": rate, "lead": lead}
    channel = TdlChannel(esn0_db=100.0, fading="block", **settings)
    assert 6 <= channel.max_delay <= 16
    x = qpsk(10 * OfdmModulator(**SMALL).frame_symbols)
    data, pilots = link(channel, x, seed=4)
    assert np.abs(data.symbols - data.gain * x).max() < 2e-4  # noise of -100 dB and rounding
    (received,) = run_block(channel, [np.zeros(80, np.complex64)], seed=4)
    expected = np.fft.fft(received.taps[0], 64)[(np.arange(50) - 25) % 64]
    grid = OfdmModulator(**SMALL).grid
    assert np.allclose(data.gain[: grid.subcarriers], expected[~grid.is_pilot[0]], atol=1e-4)
    assert np.allclose(pilots.gain[: grid.pilot_subcarriers.size], expected[grid.pilot_subcarriers], atol=1e-4)
    assert np.allclose(pilots.symbols, pilots.gain * np.tile(grid.pilots, 10), atol=2e-4)


def test_a_channel_longer_than_the_prefix_leaves_interference():
    rate = 64 * 15e3
    channel = TdlChannel(esn0_db=100.0, fading="block", delay_spread_s=2.4 / rate, sample_rate_hz=rate)
    assert channel.max_delay == 23
    x = qpsk(10 * OfdmModulator(**SMALL).frame_symbols)
    data, _ = link(channel, x)
    assert 1e-6 < np.mean(np.abs(data.symbols - data.gain * x) ** 2) < 0.1


def test_flat_channels_and_noise_per_sample():
    x = qpsk(OfdmModulator(**SMALL).frame_symbols)
    data, _ = link(JakesChannel(esn0_db=100.0, doppler_hz=0.01, symbol_rate_hz=1e6), x)
    assert np.allclose(data.symbols, data.gain * x, atol=1e-3)
    (samples,) = run_block(OfdmModulator(**SMALL), [x])
    variance = np.repeat(np.arange(7, dtype=np.float32), 80)
    variance[80] = 1e9  # in a prefix: nobody hears it
    variance[5 * 80 + 30] = np.inf
    received = Received(samples, np.array(2j, np.complex64), variance)
    out = run_block(OfdmDemodulator(**SMALL), [received])
    grid = OfdmDemodulator(**SMALL).grid
    symbol = np.nonzero(~grid.is_pilot)[0]
    expected = np.where(symbol == 5, np.inf, symbol)
    assert np.array_equal(out["data"][0].noise_variance, expected)
    assert np.allclose(out["data"][0].gain, 2j, atol=1e-5)


def test_noise_stays_white_and_of_the_stated_variance():
    """99.9 %."""
    x = qpsk(100 * OfdmModulator(**SMALL).frame_symbols)
    data, _ = link(AwgnChannel(esn0_db=3.0), x)
    noise = data.symbols - x
    assert abs(np.mean(np.abs(noise) ** 2) / 10**-0.3 - 1) < 3.29 / np.sqrt(noise.size)
    assert data.noise_variance[0] == pytest.approx(10**-0.3, rel=1e-5)


def test_numerology():
    settings = nr_numerology(0, 52)
    assert settings == {
        "fft_size": 1024, "cp": 72, "subcarriers": 624, "subcarrier_spacing_hz": 15e3, "slot_symbols": 14
    }  # fmt: skip
    assert OfdmModulator(**settings).sample_rate_hz == 15.36e6
    assert nr_numerology(1, 273)["fft_size"] == 4096
    with pytest.raises(ValueError, match="mu is 0 to 4"):
        nr_numerology(5, 10)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"subcarriers": 65}, "subcarriers=65 do not fit fft_size=64"),
        ({"cp": 65}, "cp=65 is longer than fft_size=64"),
        ({"pilot_symbols": 8}, "pilot_symbols=8 of a slot of slot_symbols=7"),
        ({"pilot_symbols": 7, "pilot_spacing": 1}, "pilots fill the slot, no data fit. Take a larger pilot_spacing"),
    ],
)
def test_settings_against_each_other(changes, message):
    with pytest.raises(SettingError, match=message):
        OfdmModulator(**{**SMALL, **changes})


def test_bursts_that_are_no_frames():
    with pytest.raises(BlockError, match=r"got Symbols\[5\]; a burst must hold whole frames of 328 symbols"):
        run_block(OfdmModulator(**SMALL), [np.zeros(5, np.complex64)])
    with pytest.raises(BlockError, match=r"a burst must hold whole frames of 560 samples"):
        run_block(OfdmDemodulator(**SMALL), [clean(np.zeros(5, np.complex64))])
    wrong = Received(np.zeros(560, np.complex64), np.ones(3, np.complex64), np.array(1, np.float32))
    with pytest.raises(BlockError, match=r"gain has 3 values for 560 symbols"):
        run_block(OfdmDemodulator(**SMALL), [wrong])
    (empty,) = run_block(OfdmModulator(**SMALL), [np.zeros(0, np.complex64)])
    assert empty.size == 0
    out = run_block(OfdmDemodulator(**SMALL), [clean(empty)])
    assert out["data"][0].symbols.size == out["pilots"][0].symbols.size == 0
