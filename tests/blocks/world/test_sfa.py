import itertools
from typing import Any

import numpy as np
import pytest

from lgvsc_flow import Block, Graph, In, Out
from lgvsc_flow.blocks.video import TestScene
from lgvsc_flow.blocks.world import DsaWorldModel, LengthGrid, SfaWorldModel, WorldModel
from lgvsc_flow.errors import BlockError, SettingError, WiringError
from lgvsc_flow.items import Caption, Frame, Keyframe, SideInfo
from lgvsc_flow.testing import run_block

H, W, L = 40, 56, 6
SIZE: dict[str, Any] = {"height": H, "width": W}


def skim(count: int, length: int = L) -> list[list[Any]]:
    """The items of a video of `count` frames in segments of one length, a shorter remainder, and the closing frame."""
    video = run_block(TestScene(count=count, scenes=1, **SIZE))
    starts = [*range(0, count - 1, length), count - 1]
    lengths = [*(b - a for a, b in itertools.pairwise(starts)), 1]
    keys = [Keyframe(i, video[s].pixels) for i, s in enumerate(starts)]
    sides = [SideInfo(i, s, n, closing=s == count - 1) for i, (s, n) in enumerate(zip(starts, lengths, strict=True))]
    return [keys, [Caption(i, "waves") for i in range(len(starts))], sides]


def same(a: list[Frame], b: list[Frame]) -> bool:
    return len(a) == len(b) and all(
        np.array_equal(x.pixels, y.pixels) and x.index == y.index for x, y in zip(a, b, strict=True)
    )


@pytest.mark.parametrize("count", [2 * L + 1, 3 * L - 1, 2 * L + 2, L, 1])
def test_skim_dsa_equals_skim_sfa_frame_for_frame(count: int) -> None:
    items = skim(count)
    dsa = run_block(DsaWorldModel(num_frames=count, **SIZE), *items)
    sfa = run_block(SfaWorldModel(num_frames=count, segment_length=L, **SIZE), *items)
    assert len(sfa) == count
    assert same(dsa, sfa)


def test_they_are_equal_under_loss_too() -> None:
    items = skim(3 * L + 3)
    items[0][1] = Keyframe(1, None, lost=True)
    items[2][2] = SideInfo(2, lost=True)
    dsa = run_block(DsaWorldModel(num_frames=3 * L + 3, **SIZE), *items)
    sfa = run_block(SfaWorldModel(num_frames=3 * L + 3, segment_length=L, **SIZE), *items)
    assert same(dsa, sfa)


@pytest.mark.parametrize("length", [L + 1, L - 1])
def test_another_length_is_refused(length: int) -> None:
    items = skim(20)
    items[2][0] = SideInfo(0, 0, length)
    with pytest.raises(
        BlockError, match=rf"segment 0 has {length} frames; .* SFA was built for 6 frames\. Use DsaWorldModel"
    ):
        run_block(SfaWorldModel(num_frames=20, segment_length=L, **SIZE), *items)


def clock_model(step: int, longest: int | None = None, lengths: tuple[int, ...] = ()) -> WorldModel:
    class Fade(WorldModel):
        """A model of fixed lengths: a fade with noise."""

        name = "fade"
        length_grid, max_frames = LengthGrid(step, lengths), longest

        def generate(self, first: Any, last: Any, caption: Any, side: Any, num_frames: int, rng: Any) -> Any:
            assert num_frames == self.length_grid.at_least(num_frames)
            first, last = (last if first is None else first), (first if last is None else last)
            noise = rng.integers(0, 9, (num_frames, H, W, 3)).astype(np.uint8)
            return [
                cut + (first * (1 - i / num_frames) + last * (i / num_frames)).astype(np.uint8) // 2
                for i, cut in enumerate(noise)
            ]

    return Fade()


@pytest.mark.parametrize("count", [25, 30, 24, 8, 1])
def test_table_vii_with_a_model_of_fixed_lengths(count: int) -> None:
    """SKIM + DSA is SKIM + SFA, frame for frame, with noise drawn for every frame; also where packets were lost."""
    items, named = skim(count, 8), {"name": "world", **SIZE}  # a block's noise is drawn by its name
    for lost in (False, True):
        if lost and len(items[0]) > 2:
            items[0][1], items[2][2] = Keyframe(1, None, lost=True), SideInfo(2, lost=True)
        dsa = run_block(DsaWorldModel(num_frames=count, model=clock_model(8, 16), **named), *items)
        sfa = run_block(SfaWorldModel(num_frames=count, model=clock_model(8, 16), segment_length=8, **named), *items)
        assert len(sfa) == count
        assert same(dsa, sfa)


def test_all_whole_segments_are_made_at_one_length() -> None:
    model = clock_model(8)
    made: list[int] = []
    generate = model.generate
    model.generate = lambda *args: made.append(args[4]) or generate(*args)  # type: ignore[method-assign, assignment, func-returns-value]
    run_block(SfaWorldModel(num_frames=30, model=model, segment_length=8, **SIZE), *skim(30, 8))
    # The remainder of 5 frames too: retimed, as DSA does.
    assert made == [8, 8, 8, 8]


@pytest.mark.parametrize(
    ("step", "longest", "length", "message"),
    [
        (8, None, 20, "fade makes multiples of 8 frames. Set 16 or 24 (and the same for Skim), or use DsaWorldModel"),
        (8, None, 6, "fade makes multiples of 8 frames. Set 8 (and the same"),
        (4, 80, 81, "fade makes multiples of 4 frames, at most 80 at once. Set 80 (and the same"),
        (1, 10, 20, "fade makes any number of frames, at most 10 at once. Set 10 (and the same"),
    ],
)
def test_a_length_that_the_model_does_not_make_is_refused(
    step: int, longest: int | None, length: int, message: str
) -> None:
    with pytest.raises(SettingError) as caught:
        SfaWorldModel(num_frames=100, model=clock_model(step, longest), segment_length=length, **SIZE)
    assert str(caught.value).startswith(f"SfaWorldModel.segment_length={length}: {message}")
    DsaWorldModel(num_frames=100, model=clock_model(step, longest), **SIZE)


def test_buckets_are_named() -> None:
    with pytest.raises(SettingError, match=r"fade makes 16, 48 frames\. Set 16 or 48 \(and"):
        SfaWorldModel(num_frames=100, model=clock_model(8, None, (48, 16)), segment_length=24, **SIZE)


class Cutter(Block):
    """Sends keyframes of segments of some length."""

    keyframes = Out(Keyframe, segment_length="{length}")
    side = Out(SideInfo)
    captions = Out(Caption)

    length: str = "variable"

    def work(self) -> Any:
        yield from ()


class Sink(Block):
    frames = In(Frame)

    def work(self, frame: Frame) -> None:
        pass


def wired(length: str) -> Graph:
    cutter, world = Cutter(length=length), SfaWorldModel(num_frames=20, segment_length=16, **SIZE)
    graph = Graph("link")
    graph.connect(cutter.side, world.side)
    graph.connect(cutter.keyframes, world.keyframes)
    graph.connect(cutter.captions, world.captions)
    graph.connect(world, Sink())
    return graph


def test_the_graph_refuses_segments_of_variable_length() -> None:
    with pytest.raises(WiringError) as caught:
        wired("variable").check()
    assert caught.value.problems == [
        "Cutter.keyframes -> SfaWorldModel.keyframes: segments have variable length, SFA was built for 16 frames. "
        "Use DsaWorldModel, or Skim(segment_length=16)."
    ]
    wired("16").check()
    with pytest.raises(WiringError, match=r"segments have 12 length, SFA was built for 16 frames"):
        wired("12").check()
