"""The rate asked for, and what of it is left for symbols."""

import math

import numpy as np
import pytest

from lgvsc_flow.blocks.ntscc.header import payload_bytes
from lgvsc_flow.blocks.ntscc.rate import digital_symbols
from lgvsc_flow.blocks.ntscc.target import Rate


def test_quality_counts_before_a_target():
    assert Rate.of(0.03, None, 10, False) == Rate(0.03, False, 10, False)
    assert Rate.of(0.03, 5, 10, True) == Rate(0.05, True, 10, True)


def test_the_digital_link_is_designed_for_the_same_snr_if_nothing_else_is_said():
    assert Rate.of(0.03, None, 10, False).link_db == 10
    assert Rate.of(0.03, None, 10, False, 2).link_db == 2
    assert Rate.of(0.03, None, 10, False, 0.0).link_db == 0


@pytest.mark.parametrize(
    ("target", "quality", "snr_db", "message"),
    [
        (None, None, 10, "give a target_cbr or a quality"),
        (0.5, None, 10, "target_cbr 0.5 is outside the range: target_cbr 0.001 to 0.15"),
        (math.nan, None, 10, "target_cbr nan is outside the range"),
        (0.03, 20, 10, "quality 20 is outside the range"),
        (0.03, None, math.inf, "snr_db must be a number, got inf"),
        (0.03, None, math.nan, "snr_db must be a number, got nan"),
    ],
)
def test_what_is_out_of_range_is_named(target, quality, snr_db, message):
    with pytest.raises(ValueError, match=message):
        Rate.of(target, quality, snr_db, False)


@pytest.mark.parametrize("link_snr_db", [math.nan, -math.inf])
def test_a_link_of_no_snr_is_named(link_snr_db):
    with pytest.raises(ValueError, match=f"link_snr_db must be a number, or None for snr_db; got {link_snr_db}"):
        Rate.of(0.03, None, 10, False, link_snr_db)


def test_symbols_and_digital_symbols_add_up_to_the_target():
    """Exactly, but where a shorter header needs fewer digital symbols: then less by at most a byte's worth."""
    rng = np.random.default_rng(0)
    for _ in range(100):
        height, width, hyperprior = (int(rng.integers(a, b)) for a, b in ((64, 800), (64, 800), (10, 900)))
        snr_db, fading = float(rng.uniform(-5, 25)), bool(rng.integers(2))
        link_db = float(rng.uniform(-5, 25)) if rng.integers(2) else None
        rate = Rate(float(rng.uniform(0.01, 0.15)), False, snr_db, fading, link_db)
        symbols = rate.symbols(height, width, hyperprior)
        if symbols < 1:
            continue
        size = payload_bytes(height, width, symbols, hyperprior)
        spent = symbols + digital_symbols(size, snr_db if link_db is None else link_db, fading=fading)
        assert 0 <= rate.total(height, width) - spent <= 0.02 * spent


def test_a_target_below_the_side_information_leaves_nothing():
    assert Rate(0.01, False, 0.0, False).symbols(16, 16, 20) < 0
