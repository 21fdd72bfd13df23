import numpy as np
import pytest
from scipy.special import j0

from lgvsc_flow.blocks.channel import AwgnChannel, TdlChannel
from lgvsc_flow.blocks.phy import ChannelEstimator, OfdmDemodulator, OfdmModulator
from lgvsc_flow.blocks.phy.estimation import LmmseEstimator, LsEstimator, frequency_correlation, time_correlation
from lgvsc_flow.errors import BlockError, SettingError
from lgvsc_flow.items import Received
from lgvsc_flow.testing import run_block

SETTINGS = {"fft_size": 128, "cp": 20, "subcarriers": 96, "slot_symbols": 14, "pilot_spacing": 6, "pilot_symbols": 2}
GRID = OfdmModulator(**SETTINGS).grid
SPREAD, RATE = 1.5 / (128 * 15e3), 128 * 15e3


def drawn(time, frequency, slots, seed):
    """Channels of exactly this correlation."""
    rng = np.random.default_rng(seed)
    white = (rng.normal(size=(slots, *GRID.is_pilot.shape, 2)) @ [1, 1j]) / np.sqrt(2)

    def root(matrix):
        values, vectors = np.linalg.eigh(matrix)
        return vectors * np.sqrt(np.maximum(values, 0))

    return root(time) @ white @ root(frequency).T


def received(channel, frames=40, seed=1):
    modulator = OfdmModulator(**SETTINGS)
    bits = np.random.default_rng(seed).integers(0, 2, (frames, modulator.frame_symbols, 2))
    bursts = list(((1 - 2 * bits) @ [1, 1j] / np.sqrt(2)).astype(np.complex64))
    out = run_block(OfdmDemodulator(**SETTINGS), run_block(channel, run_block(modulator, bursts), seed=seed))
    return bursts, out["data"], out["pilots"]


def test_correlations():
    assert np.allclose(time_correlation(14, 1e-4, 300.0)[0], j0(2 * np.pi * 0.03 * np.arange(14)), atol=1e-12)
    assert np.allclose(time_correlation(3, 1.0, 300.0)[0], j0(2 * np.pi * 300 * np.arange(3)), atol=1e-9)
    tau = (np.arange(200_000) + 0.5) * 1e-10  # the profile itself, transformed by quadrature
    profile = np.exp(-tau / 2e-7) / 2e-7 * 1e-10
    apart = np.arange(40) * 15e3
    direct = np.exp(-2j * np.pi * apart[:, None] * (tau + 1e-7)) @ profile
    assert np.allclose(frequency_correlation(40, 15e3, 1e-7, 2e-7)[:, 0], direct, atol=1e-6)


@pytest.mark.parametrize("esn0_db", [0.0, 20.0])
def test_ls_at_the_pilots_has_the_error_of_the_noise(esn0_db):
    """E|H_ls - H|^2 = N0 / (pilot power), here 1, over every pilot: 99.9 %."""
    variance = 10 ** (-esn0_db / 10)
    h = drawn(time_correlation(14, 1e-4, 50.0), frequency_correlation(96, 15e3, 0, SPREAD), 300, 2)
    h = h[:, GRID.pilot_times][:, :, GRID.pilot_subcarriers]
    noise = np.random.default_rng(3).normal(size=(*h.shape, 2)) @ [1, 1j] * np.sqrt(variance / 2)
    found = LsEstimator(GRID)(h + noise, np.full(300, variance))
    at_pilots = found.gain[:, GRID.pilot_times][:, :, GRID.pilot_subcarriers]
    mse = np.mean(np.abs(at_pilots - h) ** 2)
    assert abs(mse / variance - 1) < 3.29 / np.sqrt(h.size)
    assert np.allclose(found.error[:, GRID.pilot_times][:, :, GRID.pilot_subcarriers], variance)


def test_ls_error_between_pilots_is_the_stated_one_over_a_flat_still_channel():
    """The noise alone, weighted by the squares of the interpolation; 99.9 % by slots, which are independent."""
    _, data, pilots = received(AwgnChannel(esn0_db=10.0), 300)
    estimated = run_block(ChannelEstimator(**SETTINGS), data, pilots)
    error = np.array([np.abs(e.gain - 1) ** 2 for e in estimated]).mean(axis=1)
    stated = np.mean(estimated[0].noise_variance - data[0].noise_variance)
    assert abs(error.mean() - stated) < 3.29 * error.std() / np.sqrt(error.size)


def test_lmmse_is_the_direct_solution():
    time, frequency = time_correlation(14, 1e-4, 200.0), frequency_correlation(96, 15e3, 0, SPREAD)
    seen = np.random.default_rng(5).normal(size=(2, 2, GRID.pilot_subcarriers.size, 2)) @ [1, 1j]
    found = LmmseEstimator(GRID, time, frequency)(seen, np.array([0.1, 0.01]))
    whole = np.kron(time, frequency)
    at = np.flatnonzero(GRID.is_pilot)
    for slot, variance in ((0, 0.1), (1, 0.01)):
        weights = whole[:, at] @ np.linalg.inv(whole[np.ix_(at, at)] + variance * np.eye(at.size))
        assert np.allclose(found.gain[slot].reshape(-1), weights @ seen[slot].reshape(-1), atol=1e-4)
        error = 1 - np.sum(weights * whole[:, at].conj(), axis=1).real
        assert np.allclose(found.error[slot].reshape(-1), error, atol=1e-4)


@pytest.mark.parametrize("esn0_db", [0.0, 10.0, 30.0])
def test_lmmse_has_the_stated_error_and_is_no_worse_than_ls(esn0_db):
    """Channels of just the assumed statistics: the error is the stated variance (99.9 %, by independent slots), for
    every resource element no more than that of LS, stated and measured; on the whole well below it at low SNR."""
    variance, slots = 10 ** (-esn0_db / 10), 400
    time, frequency = time_correlation(14, 1e-4, 200.0), frequency_correlation(96, 15e3, 0, SPREAD)
    h = drawn(time, frequency, slots, 6)
    seen = h[:, GRID.pilot_times][:, :, GRID.pilot_subcarriers]
    seen = seen + np.random.default_rng(7).normal(size=(*seen.shape, 2)) @ [1, 1j] * np.sqrt(variance / 2)
    lmmse = LmmseEstimator(GRID, time, frequency)(seen, np.full(slots, variance))
    ls = LsEstimator(GRID)(seen, np.full(slots, variance))
    per_slot = np.mean(np.abs(lmmse.gain - h) ** 2, axis=(1, 2))
    assert abs(per_slot.mean() - lmmse.error.mean()) < 3.29 * per_slot.std() / np.sqrt(slots)
    measured = [np.mean(np.abs(e.gain - h) ** 2, axis=0) for e in (lmmse, ls)]
    assert (measured[0] < measured[1] * (1 + 4 / np.sqrt(slots))).all()
    assert measured[0].mean() < measured[1].mean() * (0.5 if esn0_db < 5 else 1)


@pytest.mark.parametrize("profile", ["TDL-A", "TDL-B", "TDL-C"])
def test_over_a_real_channel_lmmse_beats_ls(profile):
    """Only the delay spread is assumed, not the profile, or not even that; the gaps are wide over 40 slots."""
    channel = TdlChannel(profile=profile, esn0_db=10.0, fading="block", delay_spread_s=SPREAD, sample_rate_hz=RATE)
    _, data, pilots = received(channel)
    truth = np.array([d.gain for d in data])
    mse = {}
    for method in ("ls", "lmmse"):
        for spread in (SPREAD, None):
            found = run_block(ChannelEstimator(method=method, delay_spread_s=spread, **SETTINGS), data, pilots)
            mse[method, spread] = np.mean(np.abs(np.array([f.gain for f in found]) - truth) ** 2)
    assert mse["lmmse", SPREAD] < 0.5 * mse["ls", SPREAD]
    assert mse["lmmse", SPREAD] < mse["lmmse", None] < mse["ls", None]
    assert mse["ls", SPREAD] < 2 * 0.1


def test_the_noise_variance_covers_what_is_left():
    """E|y - H_hat x|^2 is the stated noise variance: 99.9 % by independent slots."""
    channel = TdlChannel(esn0_db=10.0, fading="block", delay_spread_s=SPREAD / 10, sample_rate_hz=RATE)
    bursts, data, pilots = received(channel, 300)
    estimated = run_block(ChannelEstimator(**SETTINGS), data, pilots)
    left = np.array([np.mean(np.abs(e.symbols - e.gain * x) ** 2) for e, x in zip(estimated, bursts, strict=True)])
    assert abs(left.mean() - np.mean(estimated[0].noise_variance)) < 3.29 * left.std() / np.sqrt(left.size)


def test_a_slot_without_usable_pilots_is_erased():
    _, (data,), (pilots,) = received(AwgnChannel(esn0_db=20.0), 1)
    for broken in (np.nan, np.inf):
        symbols = pilots.symbols.copy()
        symbols[3] = broken
        (out,) = run_block(
            ChannelEstimator(**SETTINGS), [data], [Received(symbols, pilots.gain, pilots.noise_variance)]
        )
        assert np.isinf(out.noise_variance).all()
        assert np.isfinite(out.gain).all()
    (out,) = run_block(
        ChannelEstimator(**SETTINGS), [data], [Received(pilots.symbols, pilots.gain, np.array(np.inf, np.float32))]
    )
    assert np.isinf(out.noise_variance).all()


def test_an_empty_burst():
    empty = Received(np.zeros(0, np.complex64), np.zeros(0, np.complex64), np.zeros(0, np.float32))
    for method in ("ls", "lmmse"):
        (out,) = run_block(ChannelEstimator(method=method, **SETTINGS), [empty], [empty])
        assert out.symbols.size == out.gain.size == out.noise_variance.size == 0


def test_errors():
    with pytest.raises(SettingError, match="pilot_symbols=0; without pilots there is nothing to estimate from"):
        ChannelEstimator(**{**SETTINGS, "pilot_symbols": 0})
    _, (data,), (pilots,) = received(AwgnChannel(), 1)
    twice = Received(np.tile(pilots.symbols, 2), np.tile(pilots.gain, 2), np.array(1, np.float32))
    with pytest.raises(BlockError, match=r"1310 data symbols came with 68 pilots; a frame has 1310 and 34"):
        run_block(ChannelEstimator(**SETTINGS), [data], [twice])
    with pytest.raises(SettingError, match=r"doppler_hz=1e\+06 means .* turns per OFDM symbol, at most 0.5"):
        ChannelEstimator(**{**SETTINGS, "doppler_hz": 1e6})
    with pytest.raises(ValueError, match="one symbol or more, of 1000 turns together at most"):
        time_correlation(14, 1e-3, 1e6)
    with pytest.raises(ValueError, match="one or more, and finite"):
        frequency_correlation(12, float("nan"), 0, 0)


@pytest.mark.parametrize("method", ["ls", "lmmse"])
def test_noise_variances_that_are_none_make_erasures(method):
    _, (data,), (pilots,) = received(AwgnChannel(), 1)
    for wrong in (-1.0, np.nan):
        bad = Received(data.symbols, data.gain, np.full(data.symbols.size, wrong, np.float32))
        (out,) = run_block(ChannelEstimator(method=method, **SETTINGS), [bad], [pilots])
        assert (out.noise_variance == np.inf).all()
        bad = Received(pilots.symbols, pilots.gain, np.float32(wrong))
        (out,) = run_block(ChannelEstimator(method=method, **SETTINGS), [data], [bad])
        assert (out.noise_variance == np.inf).all()
