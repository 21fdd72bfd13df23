from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from lgvsc_flow.blocks.world import Dsa, InterpolatorModel, LengthGrid, WorldModel, interpolate
from lgvsc_flow.blocks.world.adapt import retimed
from lgvsc_flow.errors import ModelError
from lgvsc_flow.items import Caption, SideInfo

TICKS = 64  # a frame of the clock's film
STEPS = (1, 4, 8)
BEFORE = 100  # frames of film before the segment, so that no time is negative


def picture(time: float, size: tuple[int, int] = (1, 2)) -> np.ndarray:
    """A picture that shows a time, in frames."""
    ticks = round((time + BEFORE) * TICKS)
    return np.full((*size, 3), [ticks >> 16, ticks >> 8 & 255, ticks & 255], np.uint8)


def time_of(frame: np.ndarray) -> float:
    high, middle, low = (int(v) for v in frame[0, 0])
    return ((high << 16) + (middle << 8) + low) / TICKS - BEFORE


class Clock(WorldModel):
    """A model of fixed lengths whose frames show their time; it notes what it was asked for.

    Between two keyframes time goes evenly from one to the other; beside one alone it goes at the pace of the film.
    """

    name = "clock"

    def __init__(self, step: int = 8, longest: int | None = None, lengths: tuple[int, ...] = ()) -> None:
        self.length_grid, self.max_frames = LengthGrid(step, lengths), longest
        self.asked: list[tuple[float | None, float | None, int]] = []
        self.sides: list[SideInfo] = []

    def generate(self, first: Any, last: Any, caption: Any, side: Any, num_frames: int, rng: Any) -> Iterator[Any]:
        grid = self.length_grid
        assert num_frames % grid.step == 0
        assert not grid.lengths or num_frames in grid.lengths
        assert self.max_frames is None or num_frames <= self.max_frames
        assert side.length == num_frames
        assert side.cut_at is None
        ends = [None if p is None else time_of(p) for p in (first, last)]
        self.asked.append((ends[0], ends[1], num_frames))
        self.sides.append(side)
        size = (first if first is not None else last).shape[:2]
        pace = 1.0 if None in ends else (ends[1] - ends[0]) / num_frames  # type: ignore[operator]
        start = ends[1] - num_frames if ends[0] is None else ends[0]  # type: ignore[operator]
        return (picture(start + i * pace, size) for i in range(num_frames))


CAPTION = Caption(0, "a clock")


def shown(
    model: WorldModel, count: int, ends: str = "both", size: tuple[int, int] = (1, 2), **side: Any
) -> list[np.ndarray]:
    first = picture(0, size) if ends in ("both", "first") else None
    last = picture(count, size) if ends in ("both", "last") else None
    info = SideInfo(0, 0, count, **side)
    return list(Dsa(model, *size).generate(first, last, CAPTION, info, count, np.random.default_rng(0)))


def levels(count: int, longest: int | None) -> int:
    """Overviews on the way from the segment to a piece, and the piece itself."""
    found, reach = 1, longest
    while reach is not None and reach < count:
        found, reach = found + 1, reach * longest  # type: ignore[operator]
    return found


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("longest", [None, 17, 64])
def test_every_length_shows_its_own_time(step: int, longest: int | None) -> None:
    whole = None if longest is None else longest // step * step
    for count in range(1, 201):
        for ends in ("both", ("first", "last")[count % 2]):
            model = Clock(step, longest)
            times = [time_of(f) for f in shown(model, count, ends)]
            assert len(times) == count
            if ends == "both":
                # The first keyframe is in its place, and so is the other: the time goes on to it evenly.
                assert times[0] == 0
                assert max(abs(t - i) for i, t in enumerate(times)) <= 0.51 * levels(count, whole), (count, ends)
            else:
                # Beside one keyframe nothing is retimed: things move at their own speed.
                assert times == pytest.approx(range(count), abs=0.51 if ends == "last" else 0), (count, ends)


@pytest.mark.parametrize("size", [(1, 1), (3, 5), (17, 9)])
@pytest.mark.parametrize("step", STEPS)
def test_every_size_length_and_cut(size: tuple[int, int], step: int) -> None:
    rng = np.random.default_rng(2)
    for _ in range(60):
        count = int(rng.integers(1, 201))
        cut = int(rng.integers(1, count + 1))
        model = Clock(step, [None, 16, 40][int(rng.integers(3))])
        first, last = picture(0, size), picture(5000, size)
        info = SideInfo(0, 0, count, cut_at=cut)
        frames = list(Dsa(model, *size).generate(first, last, CAPTION, info, count, rng))
        assert len(frames) == count
        assert all(f.shape == (*size, 3) for f in frames)
        # In front of the cut nothing knows the keyframe behind it, and the other way round.
        expected = [i if i < cut else 5000 - count + i for i in range(count)]
        assert [time_of(f) for f in frames] == pytest.approx(expected, abs=0.51)


def test_the_longest_are_bounded_in_depth_and_in_cost() -> None:
    for count in (1000, 3001):
        for longest in (2, 17, 97):
            model = Clock(1, longest)
            times = [time_of(f) for f in shown(model, count)]
            assert len(times) == count
            depth = levels(count, longest)
            assert max(abs(t - i) for i, t in enumerate(times)) <= 0.51 * depth
            # Overviews cost at most as much again for each level above the pieces, less the more frames they have.
            assert sum(n for *_, n in model.asked) <= count * 2 + depth * longest


def test_between_two_keyframes_an_overview_gives_the_pictures_between_the_pieces() -> None:
    model = Clock(8, 17)
    shown(model, 40)
    assert model.asked == [(0, 40, 16), (0, 12.5, 16), (12.5, 27.5, 16), (27.5, 40, 16)]
    # A piece is placed within half a frame of the time that its first picture shows.


def test_behind_a_keyframe_pieces_continue_with_one_frame_of_overlap() -> None:
    model = Clock(8, 17)
    shown(model, 40, "first")
    assert model.asked == [(0, None, 16), (15, None, 16), (30, None, 16)]


def test_in_front_of_a_keyframe_they_are_made_backwards_and_then_joined() -> None:
    model = Clock(8, 17)
    shown(model, 40, "last")
    assert model.asked == [
        *[(None, 40, 16), (None, 24, 16), (None, 8, 8)],
        *[(0, 8, 8), (8, 24, 16), (24, 40, 16)],
    ]


def test_a_length_off_the_grid_is_retimed_between_two_keyframes_and_trimmed_beside_one() -> None:
    both = [time_of(f) for f in shown(Clock(8), 5)]
    assert both == [0, 1.25, 1.875, 3.125, 3.75]
    assert [time_of(f) for f in shown(Clock(8), 5, "first")] == [0, 1, 2, 3, 4]
    assert [time_of(f) for f in shown(Clock(8), 5, "last")] == [0, 1, 2, 3, 4]


def test_a_segment_of_one_frame_is_its_keyframe() -> None:
    for ends in ("both", "first"):
        model = Clock(8)
        assert [time_of(f) for f in shown(model, 1, ends)] == [0]
        assert model.asked == []
    assert [time_of(f) for f in shown(Clock(8), 1, "last")] == [0]


def test_buckets() -> None:
    model = Clock(8, None, (16, 48))
    assert len(shown(model, 3)) == 3
    assert len(shown(model, 17)) == 17
    assert len(shown(model, 100)) == 100
    assert {n for *_, n in model.asked} == {16, 48}


def test_side_information_is_in_the_terms_of_the_frames_asked_for() -> None:
    field = np.ones((2, 3, 2), np.float32)
    for count, longest in ((5, None), (40, 17), (300, 17), (40, None)):
        model = Clock(8, longest)
        shown(model, count, field=field, motion=1.0)
        for (begin, end, made), side in zip(model.asked, model.sides, strict=True):
            assert begin is not None
            assert end is not None
            assert side.field is not None
            assert side.field.dtype == np.float32
            # From keyframe to keyframe the displacement is that of the film, to the rounding of the pieces' places.
            assert side.field * made == pytest.approx(end - begin, abs=1.01)
            assert side.motion == pytest.approx(side.field.mean())
    trimmed = Clock(8)
    shown(trimmed, 5, "first", field=field, motion=1.0)
    assert trimmed.sides[0].field is field
    assert trimmed.sides[0].motion == 1.0
    assert trimmed.sides[0].length == 8
    assert (field == 1).all()


def test_a_field_holds_up_to_the_cut() -> None:
    model = Clock(1)
    shown(model, 7, cut_at=4, field=np.ones((1, 1, 2), np.float32))
    assert [s.field is None for s in model.sides] == [False, True]
    assert [a[2] for a in model.asked] == [4, 3]


class Noise(Clock):
    def generate(self, first: Any, last: Any, caption: Any, side: Any, num_frames: int, rng: Any) -> Iterator[Any]:
        return (rng.integers(0, 256, (1, 2, 3)).astype(np.uint8) for _ in range(num_frames))


@pytest.mark.parametrize("ends", ["both", "first", "last"])
def test_same_seed_same_frames_in_any_order(ends: str) -> None:
    def made(dsa: Dsa, count: int) -> np.ndarray:
        first = picture(0) if ends != "last" else None
        last = picture(count) if ends != "first" else None
        rng = np.random.default_rng([7, count])
        return np.stack(list(dsa.generate(first, last, CAPTION, SideInfo(0, 0, count), count, rng)))

    for longest in (None, 16):
        alone = {n: made(Dsa(Noise(8, longest), 1, 2), n) for n in (13, 50)}
        for order in ((13, 50), (50, 13)):
            dsa = Dsa(Noise(8, longest), 1, 2)
            for n in order:
                assert np.array_equal(made(dsa, n), alone[n])


def test_no_parameter_is_loaded_or_copied_when_the_length_changes() -> None:
    torch = pytest.importorskip("torch")
    net = torch.nn.Sequential(torch.nn.Linear(3, 3), torch.nn.Linear(3, 3))
    reads = []
    net.register_load_state_dict_pre_hook(lambda *_: reads.append(1))

    class Net(Noise):
        loads = 0

        def load(self) -> None:
            self.loads += 1

        def generate(self, first: Any, last: Any, caption: Any, side: Any, num_frames: int, rng: Any) -> Any:
            drawn = torch.from_numpy(rng.standard_normal((num_frames, 2, 3)).astype(np.float32))
            with torch.inference_mode():
                return list(net(drawn).mul(128).clamp(0, 255).byte().numpy()[:, None])

    model = Net(8, 24)
    model.load()
    state = [(p, p.data_ptr(), p._version, p.clone()) for p in net.parameters()]
    dsa, rng = Dsa(model, 1, 2), np.random.default_rng(0)
    for count in (1, 5, 8, 24, 25, 300, 7):
        assert len(list(dsa.generate(picture(0), picture(count), CAPTION, SideInfo(0, 0, count), count, rng))) == count
    assert model.loads == 1
    assert reads == []
    assert dsa.model is model
    for now, (parameter, place, version, value) in zip(net.parameters(), state, strict=True):
        assert now is parameter
        assert (now.data_ptr(), now._version) == (place, version)
        assert torch.equal(now, value)


def test_with_nothing_to_go_by_the_last_picture_is_held_and_grey_before_any() -> None:
    model = Clock(8)
    dsa, rng, side = Dsa(model, 1, 2), np.random.default_rng(0), SideInfo(0, 0, 2)
    assert [f[0, 0, 0] for f in dsa.generate(None, None, CAPTION, side, 2, rng)] == [128, 128]
    list(dsa.generate(picture(7), None, CAPTION, side, 2, rng))
    assert [time_of(f) for f in dsa.generate(None, None, CAPTION, side, 2, rng)] == [8, 8]
    assert len(model.asked) == 1


def test_a_model_of_text_is_asked_where_there_is_a_caption_and_holds_where_there_is_none() -> None:
    class Text(Clock):
        from_text = True

        def generate(self, first: Any, last: Any, caption: Any, side: Any, num_frames: int, rng: Any) -> Iterator[Any]:
            assert caption.text is not None
            return super().generate(picture(50) if first is None else first, last, caption, side, num_frames, rng)

    dsa, rng, side = Dsa(Text(4, 8), 1, 2), np.random.default_rng(0), SideInfo(0, lost=True)
    assert [time_of(f) for f in dsa.generate(None, None, CAPTION, side, 18, rng)] == list(range(50, 68))
    lost = Caption(1, None, lost=True)
    assert [time_of(f) for f in dsa.generate(None, None, lost, side, 3, rng)] == [67, 67, 67]


def test_an_unannounced_cut_is_suspected_where_side_information_was_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    first, last = picture(0), picture(9)
    monkeypatch.setattr(interpolate, "likeness", lambda a, b: 0.3 if a is b else 0.2)

    class Kept(Clock):
        def generate(self, first: Any, last: Any, caption: Any, side: Any, num_frames: int, rng: Any) -> Iterator[Any]:
            self.asked.append((first is not None, last is not None, num_frames))
            return iter([first if first is not None else last] * num_frames)

    model = Kept(1)
    dsa = Dsa(model, 1, 2)
    side = SideInfo(0, 0, 5)
    list(dsa.generate(first, last, CAPTION, side, 5, rng))
    list(dsa.generate(first, first, CAPTION, replace(side, lost=True), 5, rng))
    assert dsa.suspected == 0
    list(dsa.generate(first, last, CAPTION, replace(side, lost=True), 5, rng))
    assert dsa.suspected == 1
    assert model.asked == [(True, True, 5), (True, True, 5), (True, False, 3), (False, True, 2)]


def test_retimed_keeps_the_ends() -> None:
    def numbers(made: int, count: int) -> list[int]:
        return [int(f[0]) for f in retimed((np.array([i]) for i in range(made)), made, count)]

    assert numbers(8, 5) == [0, 2, 3, 5, 6]
    assert numbers(8, 1) == [0]
    assert numbers(8, 8) == list(range(8))


@pytest.mark.parametrize(("change", "found"), [(-1, "7"), (1, "more than 8"), (-8, "0")])
def test_a_model_that_makes_another_number_of_frames_is_named(change: int, found: str) -> None:
    class Wrong(Clock):
        def generate(self, first: Any, *args: Any) -> Any:
            return [first] * (args[3] + change)

    with pytest.raises(RuntimeError, match=rf"^the world model clock made {found} frames where 8 were asked for$"):
        shown(Wrong(8), 7)


def test_a_model_that_makes_another_size_is_named() -> None:
    class Wrong(Clock):
        def generate(self, first: Any, *args: Any) -> Any:
            return [np.repeat(first, 2, 0)] * args[3]

    with pytest.raises(RuntimeError, match=r"made a frame of uint8 \[2, 2, 3\], the video takes uint8 \[1, 2, 3\]"):
        shown(Wrong(8), 7)


@pytest.mark.parametrize(("step", "longest"), [(8, 7), (1, 1), (4, 0)])
def test_a_model_whose_longest_is_too_short_is_refused(step: int, longest: int) -> None:
    with pytest.raises(ModelError, match=rf"at most {longest} at once; its longest must be 2 frames or more"):
        Dsa(Clock(step, longest), 1, 2)


def test_frames_are_made_as_they_are_wanted() -> None:
    """A long segment is never in memory as a whole."""
    for model, most in ((InterpolatorModel(), 0), (Clock(8, 64), 200)):
        frames = Dsa(model, 1, 2).generate(
            picture(0), picture(10**5), CAPTION, SideInfo(0, 0, 10**5), 10**5, np.random.default_rng(0)
        )
        assert time_of(next(frames)) == 0
        if isinstance(model, Clock):
            assert sum(n for *_, n in model.asked) <= most
