import itertools

import numpy as np
import pytest

from lgvsc_flow.blocks.channel.awgn import add_noise, noise_variance
from lgvsc_flow.blocks.phy import TransportDecoder, TransportEncoder, choose_link_mcs
from lgvsc_flow.blocks.phy.link_mcs import LINK_MCS_TABLE, MARGIN_DB, REFERENCE_BYTES, SIG_MARGIN_DB
from lgvsc_flow.blocks.phy.qam import demodulate, modulate
from lgvsc_flow.items import Received

SIG_THRESHOLD_DB = {1: 1.37, 2: -1.67, 4: -4.65, 8: -7.69, 16: -10.72}  # benchmarks/mcs_thresholds.py
SIG_FADING_THRESHOLD_DB = {1: 16.79, 2: 5.34, 4: -0.52, 8: -5.57, 16: -9.54}


def test_the_table_is_a_frontier():
    for less, more in itertools.pairwise(LINK_MCS_TABLE):
        assert less.threshold_db < more.threshold_db
        assert less.efficiency < more.efficiency
    assert np.isfinite([m.fading_threshold_db for m in LINK_MCS_TABLE]).all()


def test_no_threshold_beats_capacity():
    for mcs in LINK_MCS_TABLE:
        assert 0.5 < mcs.threshold_db - 10 * np.log10(2**mcs.efficiency - 1) < 4


def test_the_steps_are_fine():
    steps = [more.threshold_db - less.threshold_db for less, more in itertools.pairwise(LINK_MCS_TABLE)]
    assert max(steps) < 1.4
    assert max(s for m, s in zip(LINK_MCS_TABLE, steps, strict=False) if -6 < m.threshold_db < 12) < 0.8


@pytest.mark.parametrize("fading", [False, True])
@pytest.mark.parametrize("margin_db", [0, 2.5, 6])
def test_the_choice_keeps_its_margin(fading, margin_db):
    for esn0_db in np.arange(-20, 40.5, 0.5):
        mcs = choose_link_mcs(float(esn0_db), margin_db=margin_db, fading=fading)
        thresholds = {m: (m.fading_threshold_db if fading else m.threshold_db) for m in LINK_MCS_TABLE}
        own = mcs.fading_threshold_db if fading else mcs.threshold_db
        fitting = [m.efficiency for m, t in thresholds.items() if t <= esn0_db - margin_db]
        if fitting:
            assert own <= esn0_db - margin_db
            assert mcs.efficiency == max(fitting)
        else:
            assert own == min(thresholds.values())


def test_no_number_chooses_nothing():
    with pytest.raises(ValueError, match=r"choose the scheme; got nan and 2\.5"):
        choose_link_mcs(float("nan"))


@pytest.mark.parametrize("esn0_db", range(-8, 45, 2))
def test_sig_outlives_every_choice(esn0_db):
    mcs = choose_link_mcs(esn0_db)
    power = 2 ** np.floor(np.log2(mcs.sig_repeats))
    sig_db = SIG_THRESHOLD_DB[power] - 10 * np.log10(mcs.sig_repeats / power)
    assert sig_db <= mcs.threshold_db - SIG_MARGIN_DB + 0.1
    mcs = choose_link_mcs(esn0_db, fading=True)
    if mcs.sig_repeats < 16:
        assert SIG_FADING_THRESHOLD_DB[mcs.sig_repeats] <= mcs.fading_threshold_db - SIG_MARGIN_DB


@pytest.mark.parametrize("design_db", [0.0, 10.0])
def test_block_error_rates_below_the_design_snr(design_db):
    """300 bursts each: none lost at the design SNR (p < 0.05 if one in a hundred were), most of them 4 dB below."""
    mcs = choose_link_mcs(design_db)
    settings = {"order": mcs.order, "code_rate": mcs.code_rate}
    encoder, decoder = TransportEncoder(**settings), TransportDecoder(**settings)
    rng = np.random.default_rng(4)
    lost = []
    for esn0_db in (design_db, design_db - MARGIN_DB + 0.75, design_db - MARGIN_DB - 1.5):
        decoder.start()
        variance = noise_variance(esn0_db)
        for _ in range(300):
            symbols = modulate(encoder.work(rng.integers(0, 2, 8 * (REFERENCE_BYTES + 4), dtype=np.uint8)), mcs.order)
            noisy = add_noise(symbols, float(variance), rng)
            decoder.work(demodulate(Received(noisy, np.array(1, np.complex64), np.array(variance)), mcs.order))
        lost.append(decoder.lost)
    assert lost[0] == 0
    assert lost[1] <= 6  # fewer than 1 in 100 above the threshold: 7 or more have p < 0.05
    assert lost[2] > 150
