import itertools

import pytest

from lgvsc_flow.blocks.phy import choose_mcs
from lgvsc_flow.blocks.phy.mcs import MCS_TABLE, Mcs

SIG_THRESHOLD_DB = {1: 1.37, 2: -1.67, 4: -4.65, 8: -7.69, 16: -10.72}  # benchmarks/mcs_thresholds.py
SIG_FADING_THRESHOLD_DB = {1: 16.79, 2: 5.34, 4: -0.52, 8: -5.57, 16: -9.54}


@pytest.mark.parametrize(
    ("esn0_db", "order", "rate", "repeats"),
    [
        (-20, 4, "1/2", 8),
        (0, 4, "1/2", 4),
        (5, 4, "1/2", 1),
        (10, 16, "1/2", 1),
        (20, 64, "3/4", 1),
        (40, 256, "5/6", 1),
    ],
)
def test_choice(esn0_db, order, rate, repeats):
    mcs = choose_mcs(esn0_db)
    assert (mcs.order, mcs.code_rate, mcs.repeats) == (order, rate, repeats)


def test_the_table_is_a_frontier():
    for less, more in itertools.pairwise(MCS_TABLE):
        assert less.threshold_db < more.threshold_db
        assert less.efficiency < more.efficiency


def test_no_number_chooses_nothing():
    with pytest.raises(ValueError, match=r"choose the scheme; got nan and 2\.5"):
        choose_mcs(float("nan"))


def test_more_margin_is_more_robust():
    assert choose_mcs(10, margin_db=6).threshold_db <= 4
    assert choose_mcs(10, margin_db=0).threshold_db <= 10


def test_numbers():
    mcs = Mcs(16, "1/2", 2)
    assert (mcs.n, mcs.k, mcs.block_bits, mcs.bits_per_symbol) == (648, 324, 300, 4)
    assert mcs.efficiency == 1.0


@pytest.mark.parametrize(
    ("esn0_db", "order", "rate", "repeats"),
    [(-20, 4, "1/2", 8), (0, 4, "1/2", 4), (5, 4, "1/2", 2), (10, 4, "1/2", 1), (20, 16, "1/2", 1)],
)
def test_choice_under_fading(esn0_db, order, rate, repeats):
    mcs = choose_mcs(esn0_db, fading=True)
    assert (mcs.order, mcs.code_rate, mcs.repeats, mcs.fading) == (order, rate, repeats, True)


@pytest.mark.parametrize("esn0_db", range(-20, 45, 3))
def test_sig_outlives_every_choice(esn0_db):
    mcs = choose_mcs(esn0_db)
    assert SIG_THRESHOLD_DB[mcs.sig_repeats] <= mcs.threshold_db - 2.5
    mcs = choose_mcs(esn0_db, fading=True)
    assert SIG_FADING_THRESHOLD_DB[mcs.sig_repeats] <= mcs.fading_threshold_db - 2.5
