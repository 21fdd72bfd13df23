import numpy as np
import pytest
from scipy.special import j0

from lgvsc_flow.blocks.channel import TdlChannel
from lgvsc_flow.blocks.channel.tdl import PROFILES, pulses
from lgvsc_flow.errors import SettingError
from lgvsc_flow.testing import run_block


def signal(n, seed=0):
    rng = np.random.default_rng(seed)
    return (rng.normal(size=(n, 2)) @ [1, 1j]).astype(np.complex64)


def many_taps(channel, bursts, seed=1):
    """Taps of independent realisations, [bursts, length]."""
    received = run_block(channel, [np.zeros(1, np.complex64)] * bursts, seed=seed)
    return np.concatenate([r.taps for r in received]).astype(complex)


@pytest.mark.parametrize(("name", "paths"), [("TDL-A", 23), ("TDL-B", 23), ("TDL-C", 24), ("TDL-D", 14), ("TDL-E", 15)])
def test_tables_have_unit_delay_spread_and_the_stated_k_factor(name, paths):
    """The standard's tables are scaled to an rms delay spread of 1: a wrong entry would show."""
    profile = PROFILES[name]
    assert len(profile.delays) == len(profile.powers_db) == paths
    assert profile.rms_delay == pytest.approx(1, abs=0.007 if name == "TDL-D" else 0.0003)
    assert profile.powers.sum() == pytest.approx(1)
    k_factor = {"TDL-D": 13.3, "TDL-E": 22.0}
    if name in k_factor:
        assert profile.los
        assert profile.powers_db[0] - profile.powers_db[1] == pytest.approx(k_factor[name])


@pytest.mark.parametrize(("name", "lead"), [("TDL-A", 0), ("TDL-B", 6), ("TDL-C", 0), ("TDL-D", 0), ("TDL-E", 6)])
def test_power_delay_profile(name, lead):
    """Mean power of each tap over 4000 realisations against the table (99.9 % each, by the sample's own spread), mean
    total power 1, and the rms delay spread where the sampling is fine."""
    channel = TdlChannel(profile=name, delay_spread_s=1e-6, sample_rate_hz=10e6, fading="block", lead=lead)
    power = np.abs(many_taps(channel, 4000)) ** 2
    bound = 3.9 * power.std(axis=0) / np.sqrt(len(power)) + 1e-7
    assert (np.abs(power.mean(axis=0) - channel.tap_powers) < bound).all()
    total = power.sum(axis=1)
    assert abs(total.mean() - channel.tap_powers.sum()) < 3.29 * total.std() / np.sqrt(len(total)) + 1e-6
    assert channel.tap_powers.sum() == pytest.approx(1, abs=0.05 if lead else 1e-6)
    response = np.fft.fft(np.sqrt(PROFILES[name].powers)[:, None] * channel.pulses, 256, axis=1)
    in_band = np.abs(np.fft.fftfreq(256)) < 0.3
    assert np.allclose(np.sum(np.abs(response[:, in_band]) ** 2, axis=0), 1, atol=0.02)
    assert channel.rms_delay_s == pytest.approx(1e-6 * PROFILES[name].rms_delay, rel=0.02)


def test_paths_between_samples_keep_their_delay():
    """The band-limited pulse delays a tone inside the band by the path's delay plus the lead."""
    delays = np.array([0.0, 0.31, 2.5, 7.77])
    pulse = pulses(delays, 12).astype(float)
    assert np.allclose(pulse[0], np.arange(33) == 12, atol=1e-6)
    for frequency in (-0.4, 0.05, 0.3):
        response = pulse @ np.exp(-2j * np.pi * frequency * np.arange(pulse.shape[1]))
        assert np.allclose(response, np.exp(-2j * np.pi * frequency * (delays + 12)), atol=0.02)


def test_each_path_has_jakes_doppler():
    """Autocorrelation of 23 paths, each on a tap of its own, over 150 runs: 99.9 % for every lag; and the paths are
    not correlated with each other (|mean|^2 of n products is exponential)."""
    lags, products, cross = [0, 10, 25, 60], [], []
    settings = {"profile": "TDL-B", "doppler_hz": 1e3, "sample_rate_hz": 1e6, "coherence": 10, "delay_spread_s": 4e-4}
    places = np.floor(np.array(PROFILES["TDL-B"].delays) * 400 + 0.5).astype(int)
    assert np.unique(places).size == 23
    for seed in range(150):
        (received,) = run_block(TdlChannel(**settings), [np.zeros(700, np.complex64)], seed=seed)
        assert (received.hold, received.used, len(received.taps)) == (10, 0, 70)
        h = received.taps[:, places] / np.sqrt(PROFILES["TDL-B"].powers)
        products.append(h[0] * h[lags].conj())
        cross.append(h[0, 1:] * h[0, :-1].conj())
    products = np.moveaxis(np.array(products), 1, 0).reshape(len(lags), -1)
    for lag, product in zip(lags, products, strict=True):
        spread = product.real.std() / np.sqrt(product.size)
        assert abs(product.real.mean() - j0(2 * np.pi * 1e3 * lag * 1e-5)) < 3.6 * spread
    assert abs(np.mean(cross)) < 2.63 / np.sqrt(np.size(cross))


def test_the_samples_are_the_convolution_of_the_stated_taps():
    x = signal(2000)
    channel = TdlChannel(profile="TDL-C", esn0_db=100.0, doppler_hz=5000.0, coherence=30, sample_rate_hz=20e6)
    first, second = run_block(channel, [x[:777], x[777:]], seed=3)
    assert channel.symbol_count == 2000
    expected = np.zeros(2000, complex)
    for received, start in ((first, 0), (second, 777)):
        for i in range(received.symbols.size):
            row = received.taps[(received.used + i) // received.hold]
            for delay, tap in enumerate(row):
                if start + i >= delay:
                    expected[start + i] += tap * x[start + i - delay]
    assert np.allclose(np.concatenate([first.symbols, second.symbols]), expected, atol=1e-4)
    assert second.used == 777 % 30


@pytest.mark.parametrize("settings", [{}, {"doppler_hz": 4000.0, "coherence": 48}, {"profile": "TDL-E", "lead": 5}])
def test_the_cut_into_bursts_changes_nothing(settings):
    x = signal(1500)
    cuts = [x[:1], x[1:4], x[4:4], x[4:900], x[900:]]
    (whole,) = run_block(TdlChannel(esn0_db=3.0, **settings), [x], seed=5)
    parts = run_block(TdlChannel(esn0_db=3.0, **settings), cuts, seed=5)
    assert np.array_equal(whole.symbols, np.concatenate([p.symbols for p in parts]))


def test_a_block_fading_channel_is_redrawn_for_each_burst_and_a_still_one_is_not():
    x = signal(100)
    a, b = run_block(TdlChannel(fading="block"), [x, x])
    assert not np.array_equal(a.taps, b.taps)
    c, d = run_block(TdlChannel(), [x, x])
    assert np.array_equal(c.taps, d.taps)
    assert c.taps.shape == (1, TdlChannel().max_delay + 1)


def test_noise_has_the_stated_variance():
    (received,) = run_block(TdlChannel(esn0_db=3.0), [np.zeros(100_000, np.complex64)], seed=2)
    assert received.noise_variance == pytest.approx(10**-0.3, rel=1e-6)
    assert abs(np.mean(np.abs(received.symbols) ** 2) / 10**-0.3 - 1) < 3.29 / np.sqrt(100_000)  # 99.9 %


def test_settings_against_each_other():
    with pytest.raises(SettingError, match=r"makes 148358 taps, at most 4096\. Is the delay spread in seconds\?"):
        TdlChannel(delay_spread_s=1e-3)
    with pytest.raises(SettingError, match=r"TdlChannel: doppler_hz=1e\+06 means 4.17 turns"):
        TdlChannel(doppler_hz=1e6)
