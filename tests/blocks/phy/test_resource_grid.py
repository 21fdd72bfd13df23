import numpy as np
import pytest

from lgvsc_flow.blocks.channel import Dispersed, TdlChannel
from lgvsc_flow.blocks.phy import OfdmDemodulator, OfdmModulator
from lgvsc_flow.blocks.phy.resource_grid import ResourceGrid
from lgvsc_flow.testing import run_block

SMALL = {"fft_size": 64, "cp": 16, "subcarriers": 50, "slot_symbols": 7, "pilot_spacing": 5, "pilot_symbols": 2}
GOLD = "00000010100000110000001101110100"  # c_init 1; nrPRBS(1, 32) of py3gpp 0.6.0


def qpsk(n, seed=0):
    bits = np.random.default_rng(seed).integers(0, 2, (n, 2))
    return ((1 - 2 * bits) @ [1, 1j] / np.sqrt(2)).astype(np.complex64)


def test_places():
    grid = ResourceGrid(64, 16, 50, 7, 5, 2)
    assert grid.pilot_times.tolist() == [1, 5]
    assert grid.pilot_subcarriers.tolist() == [*range(0, 50, 5), 49]
    assert grid.is_pilot.sum() == grid.pilots.size == 22
    assert grid.data_per_slot == 7 * 50 - 22
    assert grid.slot_samples == 7 * 80
    assert ResourceGrid(64, 16, 50, 14, 5, 2).pilot_times.tolist() == [3, 10]
    assert ResourceGrid(64, 16, 50, 14, 5, 14).pilot_times.tolist() == list(range(14))
    assert ResourceGrid(64, 16, 50, 7, 5, 0).is_pilot.sum() == 0
    both = np.concatenate([grid.data_places, grid.pilot_places])
    assert np.array_equal(both[grid.order], np.arange(350))


def test_pilots_are_qpsk_of_the_standards_sequence():
    pilots = OfdmModulator(**SMALL).grid.pilots
    bits = np.array(list(GOLD), int).reshape(-1, 2)
    assert np.allclose(pilots[:16], ((1 - 2 * bits) @ [1, 1j]) / np.sqrt(2))


def test_the_gain_of_a_channel_that_changes_is_the_mean_over_the_window():
    """Dense form: the diagonal of F H F^H of each OFDM symbol, with H the time-varying convolution."""
    rate = 64 * 15e3
    channel = TdlChannel(esn0_db=100.0, doppler_hz=400.0, coherence=9, delay_spread_s=0.7 / rate, sample_rate_hz=rate)
    x = qpsk(OfdmModulator(**SMALL).frame_symbols)
    (samples,) = run_block(OfdmModulator(**SMALL), [x])
    (received,) = run_block(channel, [samples], seed=1)
    phase = np.exp(1j * 0.001 * np.arange(samples.size)).astype(np.complex64)
    turned = Dispersed(received.symbols, phase, received.noise_variance, received.taps, received.hold, received.used)
    gain = OfdmDemodulator(**SMALL).grid.response(turned)
    unitary = np.fft.fft(np.eye(64), norm="ortho")
    for symbol in (0, 4):
        matrix = np.zeros((64, 64), complex)
        for i in range(64):
            n = symbol * 80 + 16 + i
            for delay, tap in enumerate(received.taps[n // 9]):
                matrix[i, (i - delay) % 64] += phase[n] * tap
        diagonal = np.diag(unitary @ matrix @ unitary.conj().T)
        assert np.allclose(gain[symbol], diagonal[(np.arange(50) - 25) % 64], atol=1e-5)


@pytest.mark.parametrize("length", [20, 64, 150])
def test_a_channel_longer_than_the_fft_folds(length):
    taps = (np.random.default_rng(1).normal(size=(1, length, 2)) @ [1, 1j]).astype(np.complex64)
    one = np.array(1, np.complex64)
    grid = ResourceGrid(64, 16, 50, 7, 5, 2)
    gain = grid.response(Dispersed(np.zeros(560, np.complex64), one, one.real, taps, 560))
    turns = np.outer(np.arange(50) - 25, np.arange(length)) / 64
    assert gain.shape == (7, 50)
    assert np.allclose(gain, np.exp(-2j * np.pi * turns) @ taps[0], atol=1e-3)
