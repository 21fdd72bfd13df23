import itertools
from typing import Any

import numpy as np
import pytest

from lgvsc_flow import Block, Graph, In, Out
from lgvsc_flow.blocks.video import TestScene
from lgvsc_flow.blocks.world import DsaWorldModel, SfaWorldModel
from lgvsc_flow.errors import BlockError, WiringError
from lgvsc_flow.items import Caption, Frame, Keyframe, SideInfo
from lgvsc_flow.testing import run_block

H, W, L = 40, 56, 6
SIZE: dict[str, Any] = {"height": H, "width": W}


def skim(count: int) -> list[list[Any]]:
    """The items of a video of `count` frames in segments of L, a shorter remainder, and the closing frame."""
    video = run_block(TestScene(count=count, scenes=1, **SIZE))
    starts = [*range(0, count - 1, L), count - 1]
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
