import json
import math
from dataclasses import replace
from importlib.util import module_from_spec, spec_from_file_location
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from films import Brighter, Light, write_film

from lgvsc_flow.blocks.semantic import Skem
from lgvsc_flow.blocks.semantic.llm import LlmJudge
from lgvsc_flow.blocks.semantic.vlm import VlmDescriber
from lgvsc_flow.blocks.video import VideoFile
from lgvsc_flow.errors import FlowError, SettingError
from lgvsc_flow.graphs import remembered
from lgvsc_flow.graphs.calibrate import Staircase, calibrate, simple_between
from lgvsc_flow.graphs.calibration import Calibration, CalibrationError
from lgvsc_flow.graphs.calibration_plot import plot_calibration
from lgvsc_flow.graphs.job import send
from lgvsc_flow.graphs.lgvsc import Scheme
from lgvsc_flow.graphs.remembered import Film, Memory

RAMP = np.linspace(30, 200, 20)
SWING = 100 + 60 * np.sin(np.arange(16) / 2.3)


@pytest.fixture(scope="module")
def films(tmp_path_factory):
    folder = tmp_path_factory.mktemp("films")
    return [write_film(folder / "ramp.mp4", RAMP), write_film(folder / "swing.mp4", SWING, 56, 40)]


def scheme(**settings):
    return Scheme(describer=Light(), judge=Brighter(), **settings)


@pytest.fixture(scope="module")
def staircase(films):
    """All steps of the two films, from the highest threshold to the lowest."""
    stairs = Staircase(scheme(), [Film.of(f) for f in films], Memory(), lambda _: None)
    step, steps = stairs.at(1.0), []
    while step is not None:
        steps.append(step)
        step = stairs.below(step)
    return steps


@pytest.fixture(scope="module")
def found(films, staircase):
    target = sorted({s.cbr for s in staircase})[len(staircase) // 3] * 1.0001
    return calibrate(scheme(), films, target)


def test_a_real_run_costs_what_was_predicted(films, found, tmp_path):
    for film, predicted in zip(films, found.data["clips"], strict=True):
        data = send(replace(scheme(), threshold=found.threshold), film, tmp_path, calibration=found)
        assert data["cbr"]["symbols"] == predicted["symbols"]
        assert data["cbr"]["total"] == predicted["cbr"]
        assert data["keyframes"] == predicted["keyframes"]
        assert data["notes"] == []
    assert found.data["symbols"] == sum(c["symbols"] for c in found.data["clips"])
    assert found.data["cbr"] == found.data["symbols"] / (3 * (48 * 64 * 20 + 56 * 40 * 16))


def test_the_embedded_profile_costs_what_was_predicted(films, tmp_path):
    found = calibrate(Scheme(channel="rayleigh", esn0_db=6.0, quality=2.5, sample_fps=10.0), films[:1], 0.02)
    there = Scheme(channel="rayleigh", esn0_db=6.0, quality=2.5, sample_fps=10.0, threshold=found.threshold, seed=3)
    assert send(there, films[0], tmp_path)["cbr"]["symbols"] == found.data["symbols"]


def test_no_step_is_nearer_to_the_target(staircase, films):
    costs = sorted({s.cbr for s in staircase})
    assert len(costs) > 8
    for target in (costs[0], costs[3] * 1.001, costs[-1]):
        found = calibrate(scheme(), films, target)
        assert found.data["cbr"] == max(c for c in costs if c <= target)
        assert found.data["holds_from"] <= found.threshold <= found.data["holds_below"]


def test_the_steps_are_those_of_the_plain_blocks(staircase, films):
    """At both ends of each step, and just outside."""
    pictures = [list(_frames(f)) for f in films]
    for step in staircase[:: max(len(staircase) // 6, 1)]:
        for threshold in (step.low, max(step.low, math.nextafter(min(step.high, 1.0), -2))):
            assert tuple(map(tuple, (_keyframes(p, threshold) for p in pictures))) == step.keyframes
    assert all(a.low == b.high for a, b in pairwise(staircase))
    assert staircase[0].high > 1
    assert staircase[-1].low == -1


def _frames(path):
    source = VideoFile(path=str(path))
    source.start()
    yield from source.work()
    source.stop()


def _keyframes(frames, threshold):
    skem = Skem(describer=Light(), judge=Brighter(), threshold=threshold)
    skem.start()
    segments = [s for f in frames for s in skem.work(f)] + list(skem.finish())
    return [s.start for s in segments]


def test_each_model_is_asked_once_about_the_same(films):
    asked = scheme()
    memory, lines = Memory(), []
    found = calibrate(asked, films, 0.02, show=lines.append)
    assert asked.describer.described == len(RAMP) + len({round(v, 6) for v in SWING})
    stairs = Staircase(scheme(), [Film.of(f) for f in films], memory, lambda _: None)
    describer, judge = stairs.scheme.describer, stairs.scheme.judge
    for threshold in (0.5, 0.2, -0.3):
        stairs.at(threshold)
    described, judged = describer.described, judge.judged
    assert judged == len(memory.answers)
    for threshold in (0.5, 0.2, -0.3):
        for film in stairs.films:
            remembered.send_once(stairs.scheme, film, threshold, memory)
    assert (describer.described, judge.judged) == (described, judged)
    assert [line for line in lines if line.startswith("decoding")] == ["decoding ramp.mp4", "decoding swing.mp4"]
    assert len(found.data["curve"]) > 5


def test_a_film_is_what_the_source_sends(films):
    film = Film.of(films[1])
    assert film.info.num_frames == 16
    for number, frame in enumerate(_frames(films[1])):
        assert np.array_equal(film.pixels[number], frame.pixels)
        assert film.times[number] == frame.time_s


def test_the_result_repeats_to_the_byte(films, found, tmp_path):
    again = calibrate(scheme(), films, found.data["target_cbr"])
    for number, one in enumerate((found, again)):
        one.save(tmp_path / f"{number}.json")
        plot_calibration(one, tmp_path / f"{number}.png")
    for ending in ("json", "png"):
        assert (tmp_path / f"0.{ending}").read_bytes() == (tmp_path / f"1.{ending}").read_bytes()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["0.json", "0.png", "1.json", "1.png"]


def test_the_evidence_is_whole(found, staircase):
    data = json.loads(json.dumps(found.data, allow_nan=False))
    assert data["semantic"] == {
        "profile": "embedded",
        "describer": "Light",
        "judge": "Brighter",
        "strategy": "per-frame",
        "focus": "general",
        "sample_fps": None,
        "search": "exact",
    }
    assert data["link"]["esn0_db"] == 10
    lower, higher = data["neighbours"]["lower_threshold"], data["neighbours"]["higher_threshold"]
    assert lower["holds_below"] == data["holds_from"]
    assert higher["holds_from"] == data["holds_below"]
    assert data["cbr"] <= data["target_cbr"]
    known = {(s.symbols, sum(map(len, s.keyframes))) for s in staircase}
    assert {(p["symbols"], p["keyframes"]) for p in data["curve"]} <= known
    assert all(len(clip["sha256"]) == 64 for clip in data["clips"])


def test_targets_out_of_reach(films, staircase):
    least, most = staircase[0].cbr, staircase[-1].cbr
    with pytest.raises(CalibrationError) as caught:
        calibrate(scheme(), films, least / 2)
    assert str(caught.value) == (
        f"a CBR of {least / 2:.3g} cannot be met: the least is {least:.4g}, with the 4 keyframes of eta_th = 1 (the "
        "first and the last frame of each clip); reachable is that or more. Raise --target-cbr, or lower --quality "
        "(here 1.5), or take longer clips"
    )
    with pytest.raises(CalibrationError) as caught:
        calibrate(scheme(), films, 2 * most)
    assert str(caught.value) == (
        f"a CBR of {2 * most:.3g} cannot be reached: with eta_th = -1 it is {most:.4g} (reachable is {least:.4g} to "
        f"{most:.4g}). Raise --quality (here 1.5), or look at more frames with --sample-fps"
    )


def test_a_judge_with_one_answer(films):
    still = [write_film(films[0].with_name("still.mp4"), np.full(12, 90.0))]
    with pytest.raises(CalibrationError) as caught:
        calibrate(scheme(), still, 0.5)
    found = Staircase(scheme(), [Film.of(f) for f in still], Memory(), lambda _: None).at(1.0)
    assert str(caught.value) == (
        f"a CBR of 0.5 cannot be reached: every threshold gives the same keyframes, and a CBR of {found.cbr:.4g}, "
        "since the judge answers all pairs alike. Take another --judge or --profile; for this CBR at the same "
        "keyframes, raise --quality (here 1.5)"
    )


def test_wrong_arguments(films):
    with pytest.raises(SettingError, match="--target-cbr is a number above 0, as in 6e-4; got -1"):
        calibrate(scheme(), films, -1.0)
    with pytest.raises(SettingError, match="above 0"):
        calibrate(scheme(), films, math.nan)
    with pytest.raises(CalibrationError, match=r"the clip ramp\.mp4 is there twice"):
        calibrate(scheme(), [films[0], films[0].parent / "." / "ramp.mp4"], 0.02)
    with pytest.raises(CalibrationError, match="takes 1 to 1000 clips, got 0"):
        calibrate(scheme(), [], 0.02)
    with pytest.raises(CalibrationError, match="skim-sfa has no threshold: its cost is set by --segment-length"):
        calibrate(scheme(name="skim-sfa"), films, 0.02)
    with pytest.raises(FlowError, match="no such file"):
        calibrate(scheme(), [films[0], films[0].parent / "none.mp4"], 0.02)


def test_a_disk_without_room_is_named(films, monkeypatch, tmp_path):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("numpy.memmap", full)
    with pytest.raises(
        FlowError, match=r"ramp\.mp4' cannot be kept in .*: No space left on device. Make room, or name"
    ):
        Film.of(films[0])


@pytest.mark.parametrize(
    ("low", "high", "value"),
    [(0.31, 0.38, 0.34), (-0.02, 0.03, 0.0), (0.98, 1.0, 0.99), (0.5, math.nextafter(0.5, 1), 0.5), (-1.0, 1.0, 0.0)],
)
def test_a_short_threshold(low, high, value):
    found = simple_between(low, high)
    assert found == value
    assert math.copysign(1, found) == math.copysign(1, value)


def test_a_calibration_can_be_used_as_it_comes(found, tmp_path):
    found.save(tmp_path / "budget.yaml")
    assert Calibration.load(tmp_path / "budget.yaml").data == found.data


@pytest.fixture(scope="module")
def vlm(tmp_path_factory):
    """The folder of a tiny InternVL that says yes or no."""
    pytest.importorskip("transformers")
    spec = spec_from_file_location("tiny_models", Path(__file__).parents[1] / "blocks" / "semantic" / "tiny_models.py")
    tiny = module_from_spec(spec)
    spec.loader.exec_module(tiny)
    return tiny.tiny_vlm("internvl", tmp_path_factory.mktemp("tiny") / "tiny-vl", sharp=True)


@pytest.mark.parametrize("strategy", ["joint", "per-frame"])
def test_a_vision_language_model(vlm, films, tmp_path, strategy):
    """Pairs in one turn, or frames one by one: a real run costs what was predicted, and nothing is asked twice."""
    describer = VlmDescriber(str(vlm), max_new_tokens=3, dtype="float32")
    # Three tokens say little, and over that the judge is unsure whether to answer at all.
    judge = "same" if strategy == "joint" else LlmJudge(describer, floor=0.0)
    there = Scheme(describer=describer, judge=judge, sample_fps=5.0, strategy=strategy)
    film, memory = Film.of(films[1]), Memory()
    stairs = Staircase(there, [film], memory, lambda _: None)
    steps = [stairs.at(1.0), stairs.at(-1.0)]
    asked = len(memory.rounds), len(memory.answers), len(memory.descriptions)
    assert asked[0 if strategy == "joint" else 2] >= 3
    for step in steps:
        threshold = simple_between(step.low, min(step.high, 1.0))
        assert remembered.send_once(there, film, threshold, memory).symbols == step.symbols
    data = send(replace(there, threshold=threshold), films[1], tmp_path)
    assert data["cbr"]["symbols"] == step.symbols
    assert tuple(data["keyframes"]) == step.keyframes[0]
    assert len(data["keyframes"]) > 2
    assert (len(memory.rounds), len(memory.answers), len(memory.descriptions)) == asked
