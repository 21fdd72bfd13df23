import numpy as np
from flow_amplifier import PeakMeter, RappAmplifier, amplify

from lgvsc_flow.testing import run_block

RNG = np.random.default_rng(1)
SYMBOLS = (RNG.standard_normal((2000, 2)) @ [1, 1j] / np.sqrt(2)).astype(np.complex64)


def test_against_the_formula():
    (got,) = run_block(RappAmplifier(saturation_db=2, smoothness=1.5), [SYMBOLS])
    level = np.abs(SYMBOLS.astype(complex)) / 10 ** (2 / 20)
    assert np.allclose(got, SYMBOLS / (1 + level**3) ** (1 / 3), atol=1e-6)


def test_small_signals_pass_and_large_ones_saturate():
    assert np.allclose(amplify(SYMBOLS * np.float32(1e-3), 1.0, 2.0), SYMBOLS * np.float32(1e-3), rtol=1e-6)
    assert np.allclose(np.abs(amplify(SYMBOLS * np.float32(1e15), 1.0, 10.0)), 1, atol=1e-5)


def test_cutting_a_stream_into_other_bursts_changes_nothing():
    whole = run_block(RappAmplifier(), [SYMBOLS])
    parts = run_block(RappAmplifier(), np.split(SYMBOLS, [1, 700, 701]))
    assert np.array_equal(np.concatenate(parts), whole[0])


def test_peaks():
    meter = PeakMeter()
    run_block(meter, [np.array([1, 1j, 2], np.complex64), np.array([-1], np.complex64)])
    assert np.isclose(meter.papr_db, 10 * np.log10(4 / (7 / 4)))
