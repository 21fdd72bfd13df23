"""A flooding sum-product decoder on our encoder and rate matching, against an independent implementation."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

SCRIPT = Path(__file__).parents[4] / "benchmarks" / "nr_oracle.py"


@pytest.fixture(scope="module")
def oracle():
    spec = importlib.util.spec_from_file_location("nr_oracle", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(("number", "frames"), [(1, 400), (2, 600), (5, 400), (6, 400)])
def test_block_and_raw_error_rates(oracle, number, frames):
    """Two-sided, each inside the 99 % interval of the pooled proportion; the full number of frames is the script's."""
    point = oracle.ORACLE[number]
    errors, raw = oracle.trial(point.order, point.ebn0_db, frames, np.random.default_rng([7, number]))
    assert abs(oracle.deviation(errors, frames, point.block_errors, point.frames)) < oracle.Z99
    if not np.isnan(point.raw_ber):
        bits = point.frames * oracle.N
        assert abs(oracle.deviation(raw, frames * oracle.N, point.raw_ber * bits, bits)) < oracle.Z99
