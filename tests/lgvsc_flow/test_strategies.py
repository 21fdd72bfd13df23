import sys
from dataclasses import fields

import numpy as np
import pytest
from hypothesis import HealthCheck, find, given, settings, strategies as st

from lgvsc_flow import items as types
from lgvsc_flow.errors import MissingExtraError
from lgvsc_flow.items import (
    ArrayType,
    Bits,
    Caption,
    Frame,
    Keyframe,
    Llrs,
    Payload,
    Received,
    Segment,
    SideInfo,
    Symbols,
)
from lgvsc_flow.strategies import bursts, items
from lgvsc_flow.testing import assert_same_items

KINDS = [
    kind
    for kind in (getattr(types, name) for name in types.__all__)
    if isinstance(kind, ArrayType)
    or (isinstance(kind, type) and issubclass(kind, types.Record) and kind not in (types.Record, types.AnyItem))
]
quick = settings(
    max_examples=15, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
)


@pytest.mark.parametrize("kind", KINDS, ids=types.type_name)
def test_there_is_a_strategy_for_every_item_type(kind):
    @quick
    @given(items(kind), bursts(kind, 3))
    def check(item, stream):
        assert types.mismatch(item, kind) is None
        assert types.broken(item) == 0
        assert_same_items(item, item)
        assert len(stream) == 3
        if "index" in {f.name for f in fields(item)} if not isinstance(item, np.ndarray) else False:
            assert [i.index for i in stream] == [0, 1, 2]

    check()


@quick
@given(items(Bits, 7), items(Symbols, (2, 3)), items(Payload, 5, lossy=False), items(Segment, 2), items(Frame, 4))
def test_sizes(bits, symbols, payload, segment, frame):
    assert bits.size == 7
    assert set(np.unique(bits)) <= {0, 1}
    assert 2 <= symbols.size <= 3
    assert len(payload.data) == 5
    assert segment.length == 2
    assert frame.pixels.shape == (4, 4, 3)


@quick
@given(bursts(Segment, 3), bursts(Frame, 3))
def test_streams_join_on(segments, frames):
    assert [s.start for s in segments] == [0, *np.cumsum([s.length for s in segments[:-1]])]
    assert len({f.pixels.shape for f in frames}) == 1


@quick
@given(items(SideInfo, lossy=False))
def test_a_motion_field_is_one_that_a_segment_can_have(side):
    if side.field is not None:
        assert side.field.dtype == np.float32
        assert side.field.shape == (*side.field.shape[:2], 2)
        assert max(side.field.shape[:2]) <= 16
        assert (side.cut_at or side.length) > 1


@quick
@given(st.lists(items(Caption, lossy=False) | items(Keyframe, lossy=False) | items(Payload, lossy=False)))
def test_nothing_is_lost_without_leave(found):
    assert not any(i.lost for i in found)


@pytest.mark.parametrize(
    ("strategy", "condition"),
    [
        (items(Llrs, infinite=True), lambda x: np.isposinf(x).any()),
        (items(Llrs, infinite=True), lambda x: np.isneginf(x).any()),
        (items(Llrs, nan=True), lambda x: np.isnan(x).any()),
        (items(Received), lambda x: x.gain.ndim == 0 and x.noise_variance.ndim == 1),
        (items(Caption), lambda x: x.lost and x.text is None),
        (items(Keyframe, 2), lambda x: x.lost and x.pixels is None),
        (items(SideInfo), lambda x: x.lost and x.field is None),
        (items(SideInfo), lambda x: x.field is not None and x.cut_at is not None and x.field.shape[0] > 1),
        (items(SideInfo), lambda x: x.field is None and not x.lost and x.length > 1),
    ],
)
def test_the_corners_are_reached(strategy, condition):
    find(strategy, lambda x: bool(condition(x)), settings=settings(quick, max_examples=1000))


def test_what_cannot_be_made_is_refused():
    with pytest.raises(ValueError, match="no strategy for AnyItem; there are some for Bits, Llrs"):
        items(types.AnyItem)
    with pytest.raises(ValueError, match="size of Bits is from 3 to 2"):
        items(Bits, (3, 2))
    with pytest.raises(ValueError, match="size of Segment is from 0 to 0"):
        items(Segment, 0)


def test_without_hypothesis(monkeypatch):
    monkeypatch.setitem(sys.modules, "hypothesis", None)
    monkeypatch.delitem(sys.modules, "lgvsc_flow.strategies")
    with pytest.raises(
        MissingExtraError, match=r"^lgvsc_flow\.strategies needs hypothesis: pip install 'lgvsc-flow\[testing\]'$"
    ):
        import lgvsc_flow.strategies  # noqa: F401
