"""The int8 decoder beside the float32 one, for every family of codes; benchmarks/ldpc_bler.py measures the dB."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

from lgvsc_flow.blocks.phy.ldpc.decode import decode
from lgvsc_flow.blocks.phy.ldpc.fixed import decode_int8

BENCHMARKS = Path(__file__).parents[4] / "benchmarks"
FRAMES = 768


def _bench():
    sys.path.insert(0, str(BENCHMARKS))
    try:
        spec = importlib.util.spec_from_file_location("ldpc_bler", BENCHMARKS / "ldpc_bler.py")
        module = importlib.util.module_from_spec(spec)
        sys.modules["ldpc_bler"] = module
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(BENCHMARKS))
    return module


bench = _bench()
FAMILIES = [
    pytest.param(bench.Family(name, code, order), near_db, id=f"{name} {order}")
    for name, code, near in bench.FAMILIES
    if "Z=384" not in name
    for order, near_db in zip((4, 16), near, strict=True)
]


@pytest.mark.parametrize(("family", "near_db"), FAMILIES)
def test_no_worse_than_float_at_005_db_less(family, near_db):
    """Near a block error rate of 0.1, int8 loses no more blocks than float32 does at 0.05 dB less.

    One-sided test of the frames on which they differ (McNemar, the same noise but for its scale): it fails a decoder
    that is equal with a probability below 0.1 %.
    """
    bits, llrs = family.draw(FRAMES, near_db - 0.2, seed=11)
    k = bits.shape[1]
    ours = (decode_int8(llrs, family.code, max_iterations=20, wanted=k).words != bits).any(axis=1)
    bits, llrs = family.draw(FRAMES, near_db - 0.25, seed=11)
    theirs = (decode(llrs, family.code, max_iterations=20).words[:, :k] != bits).any(axis=1)
    only_ours, only_theirs = (ours & ~theirs).sum(), (theirs & ~ours).sum()
    assert theirs.sum() > 12
    assert only_ours - only_theirs < 3.09 * np.sqrt(only_ours + only_theirs)


@pytest.mark.parametrize(("family", "near_db"), FAMILIES)
@pytest.mark.parametrize("above_db", [0.1, 3, 15])
def test_a_right_word_stays_right(family, near_db, above_db):
    """Right after 20 iterations, right after 100, without early stop: saturated totals do not drift."""
    bits, llrs = family.draw(96, near_db + above_db, seed=12)
    k = bits.shape[1]
    right = [
        (decode_int8(llrs, family.code, max_iterations=count, early_stop=False, wanted=k).words == bits).all(axis=1)
        for count in (20, 100)
    ]
    assert right[0].mean() > 0.9
    assert (right[0] <= right[1]).all()
