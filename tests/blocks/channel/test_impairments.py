import numpy as np
import pytest
from scipy import stats

from lgvsc_flow import Graph
from lgvsc_flow.blocks.channel import (
    AwgnChannel,
    CarrierFrequencyOffset,
    IqImbalance,
    MimoChannel,
    PhaseNoise,
    RayleighChannel,
    TdlChannel,
)
from lgvsc_flow.blocks.channel.impairments import image_rejection_db, imbalance
from lgvsc_flow.blocks.phy import QamModulator
from lgvsc_flow.errors import SettingError, WiringError
from lgvsc_flow.items import Received
from lgvsc_flow.testing import run_block


def plain(n, variance=0.0):
    return Received(np.ones(n, np.complex64), np.array(1, np.complex64), np.array(variance, np.float32))


def symbols(n, seed=0):
    return (np.random.default_rng(seed).normal(size=(n, 2)) @ [1, 1j] / np.sqrt(2)).astype(np.complex64)


def test_offset_is_the_exact_rotation():
    block = CarrierFrequencyOffset(offset_hz=-1234.5, sample_rate_hz=1e6)
    parts = run_block(block, [plain(1000), plain(1), plain(0), plain(60_000)])
    found = np.concatenate([p.symbols for p in parts])
    assert np.allclose(found, np.exp(-2j * np.pi * 1234.5e-6 * np.arange(61_001)), atol=1e-6)
    assert np.array_equal(found, np.concatenate([np.broadcast_to(p.gain, p.symbols.shape) for p in parts]))
    (whole,) = run_block(block, [plain(61_001)])
    assert np.array_equal(found, whole.symbols)


def test_a_changed_offset_makes_no_jump():
    block = CarrierFrequencyOffset(offset_hz=1e4, sample_rate_hz=1e6)
    block.start()
    first = block.work(plain(100)).symbols
    block.apply({"offset_hz": -3e4})
    second = block.work(plain(100)).symbols
    phase = np.r_[0.01 * np.arange(100), 1 - 0.03 * np.arange(100)]
    assert np.allclose(np.r_[first, second], np.exp(2j * np.pi * phase), atol=1e-5)


@pytest.mark.parametrize("block", [CarrierFrequencyOffset(offset_hz=3e4), PhaseNoise(linewidth_hz=1e3)])
def test_rotations_keep_the_channels_state_true(block):
    """Behind a fading channel y' - gain' x is still noise of the stated variance: 99.9 %."""
    x = symbols(40_000)
    (out,) = run_block(block, run_block(RayleighChannel(esn0_db=10.0), [x], seed=1), seed=1)
    noise = out.symbols - out.gain * x
    assert out.symbols.dtype == out.gain.dtype == np.complex64
    assert abs(np.mean(np.abs(noise) ** 2) / 0.1 - 1) < 3.29 / np.sqrt(noise.size)
    (wide,) = run_block(block, run_block(TdlChannel(), [x]))
    assert wide.gain.shape == (40_000,)
    assert wide.taps.shape[0] == 1


def test_phase_noise_variance_grows_linearly():
    """E(phase(t) - phase(0))^2 = 2 pi linewidth t over 2000 runs (chi-square), steps Gaussian; 99.9 % each. The
    spectrum's half width follows: E exp(j (phase(t) - phase(0))) = exp(-pi linewidth t)."""
    block = PhaseNoise(linewidth_hz=100.0, sample_rate_hz=1e6)
    walks = []
    for seed in range(2000):
        block.rng = np.random.default_rng(seed)
        block.start()
        walks.append(np.unwrap(np.angle(block.work(plain(200)).symbols)))
    walks = np.array(walks)
    for i in (0, 19, 199):
        total = np.sum(walks[:, i] ** 2) / (2 * np.pi * 1e-4 * (i + 1))
        assert stats.chi2.ppf(0.0005, 2000) < total < stats.chi2.ppf(0.9995, 2000)
        mean = np.mean(np.cos(walks[:, i]))
        assert abs(mean - np.exp(-np.pi * 1e-4 * (i + 1))) < 3.6 * np.std(np.cos(walks[:, i])) / np.sqrt(2000)
    step = np.diff(walks, axis=1)[:, ::7].ravel() / np.sqrt(2 * np.pi * 1e-4)
    assert stats.kstest(step, "norm").pvalue > 1e-3


def test_phase_noise_goes_on_over_the_bursts():
    block = PhaseNoise(linewidth_hz=100.0, sample_rate_hz=1e6)
    (whole,) = run_block(block, [plain(500)], seed=3)
    parts = run_block(block, [plain(1), plain(0), plain(199), plain(300)], seed=3)
    assert np.array_equal(whole.symbols, np.concatenate([p.symbols for p in parts]))


@pytest.mark.parametrize(("amplitude_db", "phase_deg"), [(0.5, 2.0), (-1.0, 0.0), (0.0, -5.0), (3.0, 10.0)])
def test_image_rejection_is_the_closed_form(amplitude_db, phase_deg):
    """A tone's image is as far below it as the formula says; power stays; and the branches are as described."""
    g, phase = 10 ** (amplitude_db / 20), np.deg2rad(phase_deg)
    closed = 10 * np.log10((1 + g**2 + 2 * g * np.cos(phase)) / (1 + g**2 - 2 * g * np.cos(phase)))
    block = IqImbalance(amplitude_db=amplitude_db, phase_deg=phase_deg)
    assert block.image_rejection_db == pytest.approx(closed)
    tone = np.exp(2j * np.pi * 3 * np.arange(64) / 64).astype(np.complex64)
    (out,) = run_block(block, [Received(tone, np.array(1, np.complex64), np.array(0.1, np.float32))])
    spectrum = np.abs(np.fft.fft(out.symbols)) ** 2 / 64**2
    assert 10 * np.log10(spectrum[3] / spectrum[-3]) == pytest.approx(closed, abs=0.01)
    assert spectrum[3] + spectrum[-3] == pytest.approx(1, abs=1e-5)
    mu, nu = imbalance(amplitude_db, phase_deg)
    assert abs(mu) ** 2 + abs(nu) ** 2 == pytest.approx(1)
    scale = np.sqrt(2 / (1 + g * g))
    assert np.allclose(out.symbols.real, scale * tone.real, atol=1e-5)
    quadrature = scale * g * (tone.imag * np.cos(phase) - tone.real * np.sin(phase))
    assert np.allclose(out.symbols.imag, quadrature, atol=1e-5)


def test_several_antennas_are_refused_before_the_run():
    graph = Graph()
    graph.connect(QamModulator(order=4), MimoChannel(), IqImbalance())
    with pytest.raises(WiringError, match=r"the signal is that of 2x2 antennas .*; MimoEqualizer goes before"):
        graph.check()


def test_no_imbalance_is_no_change():
    assert image_rejection_db(0.0, 0.0) == float("inf")
    (out,) = run_block(IqImbalance(amplitude_db=0.0, phase_deg=0.0), [plain(5, np.inf)])
    assert np.allclose(out.symbols, 1)
    assert np.isinf(out.noise_variance)


@pytest.mark.parametrize("channel", [AwgnChannel(esn0_db=15.0), RayleighChannel(esn0_db=15.0, coherence=4)])
def test_the_image_is_told_as_noise(channel):
    """E|y' - gain' x|^2 is the mean stated noise variance: 99.9 %, by the sample's own spread."""
    x = symbols(60_000, 3)
    (out,) = run_block(IqImbalance(amplitude_db=1.0, phase_deg=5.0), run_block(channel, [x], seed=4))
    surplus = np.abs(out.symbols - out.gain * x) ** 2 - out.noise_variance
    means = surplus.reshape(-1, 60).mean(axis=1)  # whole fading blocks
    assert abs(means.mean()) < 3.29 * means.std() / np.sqrt(means.size)


def test_the_image_behind_a_dispersive_channel():
    """The same over many channels, with the response's power counted: 99.9 % by bursts."""
    bursts = [symbols(200, i) for i in range(400)]
    received = run_block(TdlChannel(esn0_db=20.0, fading="block"), bursts, seed=5)
    out = run_block(IqImbalance(amplitude_db=2.0, phase_deg=0.0), received)
    mu, _ = imbalance(2.0, 0.0)
    surplus = [
        np.mean(np.abs(o.symbols - mu * r.symbols) ** 2) / (1 - mu**2) - r.power - 0.01
        for o, r in zip(out, received, strict=True)
    ]
    assert abs(np.mean(surplus)) < 3.29 * np.std(surplus) / np.sqrt(400)
    for o, r in zip(out, received, strict=True):
        assert o.noise_variance == pytest.approx(0.01 + (1 - abs(mu) ** 2) * r.power, rel=1e-4)


@pytest.mark.parametrize(
    ("kind", "name", "sample_rate_hz"),
    [(CarrierFrequencyOffset, "offset_hz", 1e-7), (PhaseNoise, "linewidth_hz", float("inf"))],
)
def test_frequencies_that_no_sample_could_show_are_refused(kind, name, sample_rate_hz):
    with pytest.raises(SettingError, match=rf"{name}=1 at sample_rate_hz={sample_rate_hz:g}; at most a million times"):
        kind(**{name: 1.0, "sample_rate_hz": sample_rate_hz})
