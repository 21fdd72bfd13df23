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
    assert short(found) == [(0, 19, None, None)]
    assert timeline.concealed["lost keyframes"] == timeline.concealed["lost side information"] == 5
    assert short(spans(count=0)[0]) == [(0, 19, None, None)]
    assert spans(count=0)[1].concealed["frames of no segment"] == 19


def test_cuts_keep_their_frame_when_segments_join() -> None:
    found, _ = spans(cuts={0: 4}, no_key={1})
    assert short(found)[0] == (0, 10, 0, 2)
    assert found[0].side.cut_at == 4
    found, _ = spans(cuts={1: 2}, no_key={1})
    assert found[0].side.cut_at == 6
    # A shot between two cuts has no picture of its own.
    found, _ = spans(cuts={0: 4, 1: 5}, no_key={1})
    assert short(found)[:2] == [(0, 4, 0, None), (4, 10, None, 2)]
    assert found[1].side.cut_at == 5


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
