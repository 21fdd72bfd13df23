"""Range coding of the hyperprior with integer tables."""

import contextlib

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from lgvsc_flow.blocks.ntscc.entropy import LARGEST, TOTAL, decode_integers, encode_integers, integer_tables  # noqa: E402
from lgvsc_flow.blocks.ntscc.hyper import LEVELS, Prior  # noqa: E402


@pytest.fixture(scope="module")
def tables():
    return integer_tables(Prior(6))


def test_tables_are_whole_and_complete(tables):
    assert tables.shape == (LEVELS, 6, 2 * LARGEST + 1)
    assert (tables >= 1).all()
    assert (tables.sum(-1) == TOTAL).all()


@pytest.mark.parametrize("shape", [(6, 1, 1), (6, 7, 9), (6, 40, 30)])
def test_round_trip(tables, shape):
    q = np.random.default_rng(0).integers(-LARGEST, LARGEST + 1, shape).astype(np.int32)
    assert np.array_equal(decode_integers(encode_integers(q, tables[3]), [shape[1:]] * 6, tables[3]), q)


def test_planes_of_several_shapes_share_a_code(tables):
    planes = [np.arange(-3, 4, dtype=np.int32), np.full((2, 5), 7, np.int32)]
    back = decode_integers(encode_integers(planes, tables[2][:2]), [(7,), (2, 5)], tables[2][:2])
    assert all(np.array_equal(a, b) for a, b in zip(planes, back, strict=True))


def test_length_is_the_entropy_within_one_percent(tables):
    rng, table = np.random.default_rng(1), tables[7]
    p = table / TOTAL
    q = np.stack([rng.choice(2 * LARGEST + 1, (50, 50), p=row) - LARGEST for row in p]).astype(np.int32)
    ideal = sum(-np.log2(row[plane + LARGEST]).sum() for row, plane in zip(p, q, strict=True))
    assert 8 * len(encode_integers(q, table)) < 1.01 * ideal + 64


def test_foreign_bytes_never_crash_and_stay_bounded(tables):
    rng = np.random.default_rng(2)
    for _ in range(20):
        with contextlib.suppress(ValueError):
            q = decode_integers(rng.bytes(int(rng.integers(0, 60))), [(5, 5)] * 6, tables[2])
            assert np.abs(q).max() <= LARGEST
