from collections import Counter
from typing import Any

import numpy as np
import pytest

from lgvsc_flow.blocks.video.synthetic import scene_frame
from lgvsc_flow.blocks.world import DsaWorldModel, LengthGrid, WorldModel
from lgvsc_flow.blocks.world.model import MODELS
from lgvsc_flow.errors import BlockError, ModelError, SettingError
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
