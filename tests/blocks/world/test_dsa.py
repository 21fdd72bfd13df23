from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lgvsc_flow import Graph
from lgvsc_flow.blocks.video.synthetic import scene_frame
from lgvsc_flow.blocks.world import DsaWorldModel, LengthGrid, WorldModel, interpolate
from lgvsc_flow.blocks.world.model import MODELS
from lgvsc_flow.errors import BlockError, GraphFileError, ModelError, SettingError
from lgvsc_flow.items import Caption, Frame, Keyframe, SideInfo
from lgvsc_flow.testing import run_block

H, W = 24, 32
CAPTION = Caption(0, "a street")


def plain(value: int) -> np.ndarray:
    return np.full((H, W, 3), value, np.uint8)


class Ramp(WorldModel):
    """A model of fixed lengths: greys that go from the first keyframe to the last; it notes what it was asked for."""

    name = "ramp"

    def __init__(self, step: int = 8, longest: int | None = None) -> None:
        self.length_grid, self.max_frames = LengthGrid(step), longest
        self.asked: list[tuple[int | None, int | None, int]] = []
        self.loads = 0
        self.weights = np.arange(5)

    def load(self) -> None:
        self.loads += 1

    def generate(self, first: Any, last: Any, caption: Any, side: Any, num_frames: int, rng: Any) -> list[np.ndarray]:
        assert num_frames % self.length_grid.step == 0
        assert self.max_frames is None or num_frames <= self.max_frames
        ends = [None if p is None else int(p[0, 0, 0]) for p in (first, last)]
        self.asked.append((ends[0], ends[1], num_frames))
        a, b = (ends[0] if ends[0] is not None else ends[1], ends[1] if ends[1] is not None else ends[0])
        assert a is not None
        assert b is not None
        return [plain(round(a + (b - a) * i / num_frames)) for i in range(num_frames)]


def values(frames: Any) -> list[int]:
    return [int(f[0, 0, 0]) for f in frames]


def stream(lengths: list[int], cuts: dict[int, int] | None = None, shots: list[int] | None = None) -> list[list[Any]]:
    """Keyframes, captions and side information of segments of these lengths and a closing frame."""
    starts = np.cumsum([0, *lengths]).tolist()
    keys = [Keyframe(i, scene_frame(H, W, shots[i] if shots else 0, s)) for i, s in enumerate(starts)]
    captions = [Caption(i, "a street") for i in range(len(starts))]
    sides = [SideInfo(i, s, n, (cuts or {}).get(i)) for i, (s, n) in enumerate(zip(starts, lengths, strict=False))]
    sides.append(SideInfo(len(lengths), starts[-1], 1, closing=True))
    return [keys, captions, sides]


def rebuild(items: list[list[Any]], num_frames: int, **settings: Any) -> list[Frame]:
    return list(run_block(DsaWorldModel(num_frames=num_frames, height=H, width=W, **settings), *items))


def test_block_sends_every_frame_once_in_order_with_the_keyframes_in_place() -> None:
    items = stream([5, 1, 8])
    frames = rebuild(items, 15, fps="30000/1001")
    assert [f.index for f in frames] == list(range(15))
    assert frames[10].time_s == pytest.approx(10 * 1001 / 30000)
    for start, key in zip((0, 5, 6, 14), items[0], strict=True):
        assert np.array_equal(frames[start].pixels, key.pixels)


def test_no_frame_mixes_two_shots() -> None:
    items = stream([6, 6], cuts={0: 6, 1: 2}, shots=[0, 1, 2])
    frames = rebuild(items, 13)
    for i, frame in enumerate(frames):
        shot = 0 if i < 6 else 1 if i < 8 else 2
        assert np.array_equal(frame.pixels, items[0][shot].pixels), i


def test_same_seed_same_frames_and_segments_do_not_depend_on_each_other() -> None:
    class Noise(Ramp):
        def generate(self, *args: Any) -> list[np.ndarray]:
            count, rng = args[4], args[5]
            return [rng.integers(0, 256, (H, W, 3)).astype(np.uint8) for _ in range(count)]

    runs = [rebuild(stream([4, 6]), 11, model=Noise(1)) for _ in range(2)]
    assert all(np.array_equal(a.pixels, b.pixels) for a, b in zip(*runs, strict=True))
    # Another length of the first segment shifts the second, and changes no frame of the first.
    other = rebuild(stream([3, 7]), 11, model=Noise(1))
    assert all(np.array_equal(other[i].pixels, runs[0][i].pixels) for i in range(3))


def lose(items: list[list[Any]], keys: set[int], captions: set[int], sides: set[int]) -> list[list[Any]]:
    return [
        [Keyframe(k.index, None, lost=True) if k.index in keys else k for k in items[0]],
        [Caption(c.index, None, lost=True) if c.index in captions else c for c in items[1]],
        [SideInfo(s.index, lost=True) if s.index in sides else s for s in items[2]],
    ]


def test_any_loss_still_gives_the_full_video_and_is_counted() -> None:
    items, rng = stream([5, 2, 8, 4]), np.random.default_rng(3)
    for _ in range(25):
        keys, captions, sides = (set(np.flatnonzero(rng.random(5) < 0.5).tolist()) for _ in range(3))
        block = DsaWorldModel(num_frames=20, height=H, width=W)
        frames = run_block(block, *lose(items, keys, captions, sides))
        assert [f.index for f in frames] == list(range(20))
        assert block.concealed["lost keyframes"] == len(keys)
        assert block.concealed["lost captions"] == len(captions)
        assert block.concealed["lost side information"] == len(sides)


def concealed(items: list[list[Any]], num_frames: int, **settings: Any) -> tuple[list[np.ndarray], dict[str, int]]:
    """The frames, and each count that is not 0."""
    block = DsaWorldModel(num_frames=num_frames, height=H, width=W, **settings)
    frames = [f.pixels for f in run_block(block, *items)]
    return frames, {name: count for name, count in block.concealed.items() if count}


def equal(frames: list[np.ndarray], picture: np.ndarray) -> bool:
    return all(np.array_equal(f, picture) for f in frames)


def test_the_first_keyframe_that_arrives_is_held_back_to_the_beginning_or_to_the_cut() -> None:
    items = stream([5, 4, 3])
    frames, counts = concealed(lose(items, {0, 1}, set(), set()), 13)
    assert equal(frames[:10], items[0][2].pixels)
    assert counts == {"lost keyframes": 2}
    frames, counts = concealed(lose(stream([5, 4, 3], cuts={0: 2}), {0, 1}, set(), set()), 13)
    assert equal(frames[:2], np.full((H, W, 3), 128, np.uint8))
    assert equal(frames[2:10], items[0][2].pixels)


def test_the_last_keyframe_that_arrived_is_held_to_the_end() -> None:
    items = stream([5, 4, 3])
    frames, counts = concealed(lose(items, {2, 3}, set(), set()), 13)
    assert equal(frames[5:], items[0][1].pixels)
    assert counts == {"lost keyframes": 2}


def test_several_in_a_row_are_made_between_those_that_arrived() -> None:
    items = stream([5, 4, 3])
    model = Ramp(1)
    items[0] = [Keyframe(k.index, plain(10 * k.index)) for k in items[0]]
    frames, counts = concealed(lose(items, {1, 2}, set(), set()), 13, model=model)
    assert values(frames) == [round(30 * i / 12) for i in range(12)] + [30]
    assert model.asked == [(0, 30, 12)]
    assert counts == {"lost keyframes": 2}


def test_between_several_cuts_the_picture_before_them_is_held() -> None:
    items = stream([5, 4, 3], cuts={0: 3, 1: 2})
    frames, _ = concealed(lose(items, {1}, set(), set()), 13)
    assert equal(frames[:7], items[0][0].pixels)
    assert equal(frames[7:10], items[0][2].pixels)


def test_a_lost_caption_reaches_the_model_as_none() -> None:
    told: list[str | None] = []

    class Reading(Ramp):
        def generate(self, *args: Any) -> list[np.ndarray]:
            told.append(args[2].text)
            return super().generate(*args)

    _, counts = concealed(lose(stream([5, 4, 3]), set(), {1}, set()), 13, model=Reading(1))
    assert told == ["a street", None, "a street"]
    assert counts == {"lost captions": 1}


def test_where_the_cut_flag_was_lost_two_shots_are_told_apart_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interpolate, "likeness", lambda a, b: 0.2)
    monkeypatch.setattr(interpolate, "_SAME_SHOT", 0.24, raising=False)
    items = stream([6, 6], shots=[0, 1, 1])
    frames, counts = concealed(lose(items, set(), set(), {0}), 13)
    assert equal(frames[:3], items[0][0].pixels)
    assert equal(frames[3:7], items[0][1].pixels)
    assert counts == {"lost side information": 1, "suspected cuts": 1}


def test_contradictions_and_a_stream_that_ends_early_are_counted() -> None:
    items = stream([5, 4, 3])
    items[2][1] = SideInfo(1, 6, 3)
    frames, counts = concealed([s[:3] for s in items], 13)
    assert len(frames) == 13
    assert counts == {"contradictory side information": 1, "frames of no segment": 1}


def test_everything_lost_is_grey_and_nothing_sent_as_well() -> None:
    every = {0, 1, 2}
    for items in (lose(stream([5, 8]), every, every, every), [[], [], []]):
        frames = rebuild(items, 14)
        assert len(frames) == 14
        assert all((f.pixels == 128).all() for f in frames)


def test_one_frame_video() -> None:
    frames = rebuild(stream([]), 1)
    assert len(frames) == 1
    assert np.array_equal(frames[0].pixels, scene_frame(H, W, 0, 0))


class Settled(Ramp):
    """A model by name, with settings."""

    built: list["Settled"] = []

    def __init__(self, checkpoint: str = "here", step: int = 1, fps: float = 1.0) -> None:
        super().__init__(step)
        self.checkpoint, self.fps = checkpoint, fps
        self.counts = Counter({"shortened prompts": 0})
        Settled.built.append(self)

    def check(self) -> None:
        if self.checkpoint != "here":
            raise ModelError(f"there is no {self.checkpoint}")

    def generate(self, *args: Any) -> list[np.ndarray]:
        self.counts["shortened prompts"] += 1
        return super().generate(*args)


def test_settings_reach_the_model_and_a_slip_is_found_before_it_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(MODELS, "settled", f"{__name__}:Settled")  # type: ignore[arg-type]
    size: dict[str, Any] = {"num_frames": 11, "height": H, "width": W, "model": "settled"}
    block = DsaWorldModel(fps="30000/1001", world_settings={"step": 4}, **size)
    assert len(list(run_block(block, *stream([3, 5, 2])))) == 11
    model = Settled.built[-1]
    assert (model.length_grid.step, model.loads, model.video_size) == (4, 1, (H, W))
    assert model.fps == pytest.approx(30000 / 1001)
    assert block.generator_settings == {"checkpoint": "here", "step": 4, "fps": pytest.approx(30000 / 1001)}
    assert block.generator_counts == {"shortened prompts": 3}
    assert DsaWorldModel(world_settings={"fps": 8.0}, **size).generator_settings["fps"] == 8.0
    before = len(Settled.built)
    for settings, message in (
        ({"stpe": 4}, r"DsaWorldModel: the world model settled has no setting 'stpe'; did you mean step\? it has "),
        (["step"], r"DsaWorldModel.world_settings is a mapping of setting names to values; got \['step'\]"),
        ({3: 4}, r"DsaWorldModel.world_settings is a mapping"),
    ):
        with pytest.raises(SettingError, match=message):
            DsaWorldModel(world_settings=settings, **size)  # type: ignore[arg-type]
    with pytest.raises(SettingError, match="DsaWorldModel: the world model interpolator has no setting 'step'; it has"):
        DsaWorldModel(**{**size, "model": "interpolator"}, world_settings={"step": 4})
    with pytest.raises(SettingError, match="world_settings go with a model by name; Ramp is built already"):
        DsaWorldModel(**{**size, "model": Ramp(1)}, world_settings={"step": 4})
    assert len(Settled.built) == before
    with pytest.raises(ModelError, match="there is no elsewhere"):
        DsaWorldModel(world_settings={"checkpoint": "elsewhere"}, **size).check_model()
    assert not Settled.built[-1].loads


def test_a_graph_file_names_a_world_model_with_its_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(MODELS, "settled", f"{__name__}:Settled")  # type: ignore[arg-type]
    text = """
blocks:
  world: {block: DsaWorldModel, num_frames: 9, height: 8, width: 8, model: settled, world_settings: {STEP: 4}}
wires: []
"""
    good, bad = tmp_path / "good.yaml", tmp_path / "bad.yaml"
    good.write_text(text.replace("STEP", "step"))
    bad.write_text(text.replace("STEP", "stpe"))
    block = Graph.load(good).find(DsaWorldModel)
    assert block.generator_settings["step"] == 4
    with pytest.raises(GraphFileError, match=r"DsaWorldModel: the world model settled has no setting 'stpe'; did "):
        Graph.load(bad)


def test_motion_fields_reach_the_model() -> None:
    seen: list[Any] = []

    class Seeing(Ramp):
        def generate(self, *args: Any) -> list[np.ndarray]:
            seen.append(args[3].field)
            return super().generate(*args)

    items = stream([4, 6], cuts={1: 2})
    field = np.ones((2, 2, 2), np.float32)
    items[2] = [SideInfo(s.index, s.start, s.length, s.cut_at, field=field * (s.index + 1)) for s in items[2]]
    rebuild(items, 11, model=Seeing(8))
    assert [None if f is None else float(f[0, 0, 0]) for f in seen] == [0.5, 2.0, None]


def test_the_model_is_loaded_once() -> None:
    model = Ramp(1)
    rebuild(stream([3, 5, 2]), 11, model=model)
    assert model.loads == 1


def test_a_model_that_sends_too_few_frames_is_named() -> None:
    class Short(Ramp):
        def generate(self, *args: Any) -> list[np.ndarray]:
            return super().generate(*args)[:-1]

    with pytest.raises(BlockError, match="the world model ramp made 2 frames where 3 were asked for"):
        rebuild(stream([3]), 4, model=Short(1))


def test_mistakes() -> None:
    keys, captions, sides = stream([3])
    with pytest.raises(BlockError, match="are of segments 0, 1 and 0; the streams are out of step"):
        rebuild([keys, captions[::-1], sides], 4)
    wrong = [Keyframe(0, np.zeros((8, 8, 3), np.uint8)), keys[1]]
    with pytest.raises(BlockError, match=r"keyframe 0 is 8x8, the session was described as 24x32; set DsaWorldModel's"):
        rebuild([wrong, captions, sides], 4)
    with pytest.raises(SettingError, match=r"DsaWorldModel: no world model is called 'sora'; there are interpolator"):
        DsaWorldModel(num_frames=1, height=1, width=1, model="sora")
    with pytest.raises(SettingError, match="fps is a number above 0"):
        DsaWorldModel(num_frames=1, height=1, width=1, fps=0)
    with pytest.raises(SettingError, match="num_frames must be >= 1 frames, got 0"):
        DsaWorldModel(num_frames=0, height=1, width=1)
