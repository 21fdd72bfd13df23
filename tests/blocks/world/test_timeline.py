from typing import Any

import numpy as np
import pytest

from lgvsc_flow.blocks.world.timeline import Span, Timeline
from lgvsc_flow.items import Caption, Keyframe, SideInfo

LENGTHS = [4, 6, 5, 3, 1]  # 19 frames; the last is the closing one
STARTS = [0, 4, 10, 15, 18]


def picture(value: int) -> np.ndarray:
    return np.full((2, 2, 3), value, np.uint8)


def spans(
    no_side: set[int] = frozenset(),  # type: ignore[assignment]
    no_key: set[int] = frozenset(),  # type: ignore[assignment]
    cuts: dict[int, int] | None = None,
    change: dict[int, SideInfo] | None = None,
    num_frames: int = 19,
    count: int = 5,
) -> tuple[list[Span], Timeline]:
    """Run a timeline over the segments above; keyframe i is a picture of value i."""
    timeline, out = Timeline(num_frames), list[Span]()
    for i in range(count):
        side = SideInfo(i, STARTS[i], LENGTHS[i], (cuts or {}).get(i), closing=i == 4)
        side = (change or {}).get(i, side)
        key = Keyframe(i, None, lost=True) if i in no_key else Keyframe(i, picture(i))
        out += timeline.push(key, Caption(i, f"c{i}"), SideInfo(i, lost=True) if i in no_side else side)
    out += timeline.finish()
    position = 0
    for span in out:
        assert span.start == position
        assert span.stop > span.start
        assert span.side.length == span.stop - span.start
        position = span.stop
    assert position == num_frames
    return out, timeline


def short(found: list[Span]) -> list[tuple[int, int, int | None, int | None]]:
    """(start, stop, value of the first keyframe, value of the last)."""
    value = [(s.first, s.last) for s in found]
    seen = [tuple(None if p is None else int(p[0, 0, 0]) for p in pair) for pair in value]
    return [(s.start, s.stop, *pair) for s, pair in zip(found, seen, strict=True)]  # type: ignore[misc]


def test_nothing_lost() -> None:
    found, timeline = spans()
    assert short(found) == [(0, 4, 0, 1), (4, 10, 1, 2), (10, 15, 2, 3), (15, 18, 3, 4), (18, 19, 4, None)]
    assert set(timeline.concealed.values()) == {0}
    assert [s.caption.text for s in found] == ["c0", "c1", "c2", "c3", "c4"]


def test_a_segment_comes_out_as_soon_as_the_next_has_come() -> None:
    timeline = Timeline(19)
    first = list(timeline.push(Keyframe(0, picture(0)), Caption(0, ""), SideInfo(0, 0, 4)))
    second = list(timeline.push(Keyframe(1, picture(1)), Caption(1, ""), SideInfo(1, 4, 6)))
    assert first == []
    assert short(second) == [(0, 4, 0, 1)]


def test_lost_side_information_shares_the_gap_evenly() -> None:
    found, timeline = spans(no_side={1, 2})
    assert short(found) == [(0, 4, 0, 1), (4, 9, 1, 2), (9, 15, 2, 3), (15, 18, 3, 4), (18, 19, 4, None)]
    assert [s.side.lost for s in found] == [False, True, True, False, False]
    assert timeline.concealed["lost side information"] == 2
    assert short(spans(no_side={0})[0])[0] == (0, 4, 0, 1)


def test_the_end_keeps_its_closing_frame() -> None:
    assert short(spans(no_side={2, 3, 4})[0])[2:] == [(10, 14, 2, 3), (14, 18, 3, 4), (18, 19, 4, None)]
    assert short(spans(no_side={4})[0])[-1] == (18, 19, 4, None)


def test_all_side_information_lost() -> None:
    found, _ = spans(no_side={0, 1, 2, 3, 4})
    assert short(found) == [(0, 4, 0, 1), (4, 9, 1, 2), (9, 13, 2, 3), (13, 18, 3, 4), (18, 19, 4, None)]


def test_a_lost_keyframe_joins_its_segment_to_the_one_before() -> None:
    found, timeline = spans(no_key={1, 2})
    assert short(found) == [(0, 15, 0, 3), (15, 18, 3, 4), (18, 19, 4, None)]
    assert timeline.concealed["lost keyframes"] == 2


def test_lost_keyframes_at_both_ends() -> None:
    assert short(spans(no_key={0})[0])[0] == (0, 4, None, 1)
    assert short(spans(no_key={0, 1})[0])[:2] == [(0, 10, None, 2), (10, 15, 2, 3)]
    assert short(spans(no_key={4})[0])[-1] == (15, 19, 3, None)


def test_everything_lost_is_still_a_full_video() -> None:
    every = {0, 1, 2, 3, 4}
    found, timeline = spans(no_side=every, no_key=every)
    assert {(s.first, s.last) for s in found} == {(None, None)}
    assert timeline.concealed["lost keyframes"] == timeline.concealed["lost side information"] == 5
    assert short(spans(count=0)[0]) == [(0, 19, None, None)]
    assert spans(count=0)[1].concealed["frames of no segment"] == 19


def test_a_cut_parts_a_span_and_each_part_knows_the_keyframe_of_its_shot() -> None:
    found, _ = spans(cuts={0: 2, 1: 6})
    assert short(found)[:4] == [(0, 2, 0, None), (2, 4, None, 1), (4, 10, 1, None), (10, 15, 2, 3)]
    assert all(s.side.cut_at is None for s in found)


def test_cuts_keep_their_frame_when_segments_join() -> None:
    assert short(spans(cuts={0: 4}, no_key={1})[0])[:2] == [(0, 4, 0, None), (4, 10, None, 2)]
    assert short(spans(cuts={1: 2}, no_key={1})[0])[:2] == [(0, 6, 0, None), (6, 10, None, 2)]
    # A shot between two cuts has no picture of its own.
    found, _ = spans(cuts={0: 4, 1: 5}, no_key={1})
    assert short(found)[:3] == [(0, 4, 0, None), (4, 9, None, None), (9, 10, None, 2)]
    found, _ = spans(cuts={0: 2, 1: 3, 2: 5}, no_key={1, 2})
    assert short(found)[:4] == [(0, 2, 0, None), (2, 10, None, None), (10, 15, None, None), (15, 18, 3, 4)]


def test_a_part_behind_a_cut_has_the_caption_of_the_segment_that_shows_its_shot() -> None:
    def words(found: list[Span]) -> list[str | None]:
        return [s.caption.text for s in found]

    # A caption describes its segment's keyframe: frames behind the cut are of the next segment's shot.
    assert words(spans(cuts={0: 2})[0])[:3] == ["c0", "c1", "c1"]
    assert words(spans(cuts={0: 4, 1: 5}, no_key={1})[0])[:3] == ["c0", "c1", "c2"]
    assert words(spans(cuts={0: 4}, no_key={1})[0])[:2] == ["c0", "c1"]
    # What the sender said of the last shot is all that is known of it.
    assert words(spans(cuts={4: 1})[0])[-1] == "c4"
    # Where no keyframe or no segment follows, nothing tells of the frames behind the cut.
    found, _ = spans(cuts={1: 2}, count=2)
    assert short(found)[-1] == (6, 19, None, None)
    assert words(found)[-1] is None


def test_without_any_keyframe_each_caption_that_arrived_has_its_own_span() -> None:
    found, _ = spans(no_key={0, 1, 2, 3, 4})
    assert short(found) == [(s, s + n, None, None) for s, n in zip(STARTS, LENGTHS, strict=True)]
    assert [s.caption.text for s in found] == ["c0", "c1", "c2", "c3", "c4"]
    timeline, some = Timeline(19), list[Span]()
    for i in range(5):
        caption = Caption(i, f"c{i}") if i in (1, 3) else Caption(i, None, lost=True)
        some += timeline.push(
            Keyframe(i, None, lost=True), caption, SideInfo(i, STARTS[i], LENGTHS[i], motion=float(i))
        )
    some += timeline.finish()
    assert [(s.start, s.stop, s.caption.text) for s in some] == [(0, 15, "c1"), (15, 19, "c3")]
    assert some[1].side.motion == pytest.approx((3 * 3 + 4) / 4)


def test_a_lost_caption_is_the_next_one_of_the_span() -> None:
    timeline, found = Timeline(19), list[Span]()
    for i in range(5):
        key = Keyframe(i, None, lost=True) if i in (1, 3) else Keyframe(i, picture(i))
        caption = Caption(i, None, lost=True) if i in (0, 2, 3) else Caption(i, f"c{i}")
        found += timeline.push(key, caption, SideInfo(i, STARTS[i], LENGTHS[i]))
    found += timeline.finish()
    assert [s.caption.text for s in found] == ["c1", None, "c4"]
    assert [s.caption.lost for s in found] == [False, True, False]
    assert timeline.concealed["lost captions"] == 3


def grid(value: float, shape: tuple[int, int] = (2, 3)) -> np.ndarray:
    return np.full((*shape, 2), value, np.float32)


def moving(values: dict[int, float | np.ndarray], **how: Any) -> list[np.ndarray | None]:
    """The fields of the spans where segment i has the field `values[i]`."""
    cuts: dict[int, int] = how.pop("cuts", {})
    fields = {i: v if isinstance(v, np.ndarray) else grid(v) for i, v in values.items()}
    change = {i: SideInfo(i, STARTS[i], LENGTHS[i], cuts.get(i), field=f) for i, f in fields.items()}
    return [s.side.field for s in spans(change=change, cuts=cuts, **how)[0]]


def test_a_motion_field_reaches_its_span() -> None:
    field = grid(3)
    found = moving({1: field})
    assert found[1] is field
    assert [f is None for f in found] == [True, False, True, True, True]


def test_joined_segments_have_the_mean_of_their_fields_by_their_frames() -> None:
    found = moving({0: 1.0, 1: 2.0}, no_key={1})[0]
    assert found is not None
    assert found.dtype == np.float32
    assert found == pytest.approx((4 * 1.0 + 6 * 2.0) / 10)
    # One that tells of most frames holds for all; one that does not, for none.
    assert moving({1: 2.0}, no_key={1})[0] == pytest.approx(2.0)
    assert moving({0: 1.0}, no_key={1})[0] is None
    assert moving({1: 2.0}, no_key={1}, no_side={0})[0] == pytest.approx(2.0)
    assert moving({0: 1.0, 1: 2.0}, no_key={1}, no_side={1})[0] is None


def test_fields_of_two_grids_do_not_join() -> None:
    assert moving({0: grid(1), 1: grid(1, (4, 4))}, no_key={1})[0] is None


def test_a_field_tells_of_the_shot_in_front_of_its_cut() -> None:
    found = moving({0: 1.0}, cuts={0: 2})
    assert found[0] == pytest.approx(1.0)
    assert found[1] is None
    # The segment behind the cut has lost its keyframe, not its field.
    found = moving({0: 1.0, 1: 2.0}, cuts={0: 2}, no_key={1})
    assert (found[0] == pytest.approx(1.0), found[1] == pytest.approx(2.0)) == (True, True)
    found = moving({0: 1.0, 1: 2.0, 2: 3.0}, cuts={0: 4, 1: 4}, no_key={1, 2})
    assert found[0] == pytest.approx(1.0)
    assert found[1] == pytest.approx(2.0)
    assert found[2] == pytest.approx(3.0)


def test_motion_is_the_mean_of_the_parts_that_are_known() -> None:
    change = {i: SideInfo(i, STARTS[i], LENGTHS[i], motion=m) for i, m in ((0, 1.0), (1, 2.0))}
    found, _ = spans(change=change, no_key={1})
    assert found[0].side.motion == pytest.approx(1.6)
    assert not found[0].side.lost
    found, _ = spans(change=change, no_key={1}, no_side={1})
    assert found[0].side.motion == 1.0
    assert found[0].side.lost


@pytest.mark.parametrize(
    "wrong",
    [
        SideInfo(1, 5, 6),  # a hole before it
        SideInfo(1, 3, 6),  # claims frames of the segment before
        SideInfo(1, 4, 0),
        SideInfo(1, 4, 16),  # beyond the end
        SideInfo(1, 4, 6, cut_at=7),
        SideInfo(1, 4, 6, cut_at=0),
    ],
)
def test_side_information_that_contradicts_is_not_believed(wrong: SideInfo) -> None:
    found, timeline = spans(change={1: wrong})
    assert short(found)[:3] == [(0, 4, 0, 1), (4, 10, 1, 2), (10, 15, 2, 3)]
    assert timeline.concealed["contradictory side information"] == 1


def test_a_stream_that_ends_early_is_held_to_the_end() -> None:
    found, timeline = spans(count=2)
    assert short(found) == [(0, 4, 0, 1), (4, 19, 1, None)]
    assert timeline.concealed["frames of no segment"] == 9


def test_more_segments_than_frames() -> None:
    timeline, found = Timeline(2), list[Span]()
    for i in range(5):
        found += timeline.push(Keyframe(i, picture(i)), Caption(i, ""), SideInfo(i, lost=True))
    found += timeline.finish()
    assert [(s.start, s.stop) for s in found] == [(0, 1), (1, 2)]


def test_random_losses_always_cover_the_video_once() -> None:
    rng = np.random.default_rng(8)
    for _ in range(300):
        lost = [set(np.flatnonzero(rng.random(5) < rng.random()).tolist()) for _ in range(2)]
        cuts = {i: int(rng.integers(1, LENGTHS[i] + 1)) for i in range(5) if rng.random() < 0.4}
        spans(no_side=lost[0], no_key=lost[1], cuts=cuts)


def test_a_segment_cannot_start_before_the_lost_ones_had_a_frame() -> None:
    found, timeline = spans(no_side={0}, change={1: SideInfo(1, 0, 6)})
    assert timeline.concealed["contradictory side information"] == 1
    assert found[-1].stop == 19
