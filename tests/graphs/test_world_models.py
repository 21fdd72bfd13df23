"""The world models of diffusers inside the whole link: real pipeline classes in miniature, random weights."""

import json

import av
import numpy as np
import pytest

pytest.importorskip("diffusers")

import tiny_pipelines

from lgvsc_flow.blocks.video import VideoFile
from lgvsc_flow.blocks.world import DsaWorldModel, TextWorldModel, load_world_model
from lgvsc_flow.cli import main
from lgvsc_flow.errors import FlowError, ModelError, SettingError
from lgvsc_flow.graphs import job
from lgvsc_flow.graphs.clips import demo_clip
from lgvsc_flow.graphs.job import send
from lgvsc_flow.graphs.lgvsc import Scheme
from lgvsc_flow.items import Caption, Keyframe, SideInfo
from lgvsc_flow.testing import run_block

NAMES = list(tiny_pipelines.PIPELINES)
H, W, COUNT = 34, 80, 36


def shrunk(path, count=COUNT):
    """bikes.mp4 with its first cut at frame 30, small and short."""
    try:
        source = VideoFile(path=str(demo_clip()), max_frames=count)
    except FlowError as error:
        pytest.skip(str(error))
    source.start()
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"crf": "12"})
        stream.height, stream.width, stream.pix_fmt = H, W, "yuv444p"
        for frame in source.work():
            picture = av.VideoFrame.from_ndarray(frame.pixels, format="rgb24").reformat(W, H)
            container.mux(stream.encode(picture))
        container.mux(stream.encode())
    source.stop()
    return path


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return shrunk(tmp_path_factory.mktemp("clip") / "bikes.mp4")


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pipelines")
    return {name: tiny_pipelines.checkpoint(name, folder) for name in NAMES}


def chosen(name, places, **changes):
    return {"world": name, "world_settings": tiny_pipelines.settings(name, places[name]) | changes}


def frames_of(path):
    with av.open(str(path)) as container:
        return [f.to_ndarray(format="rgb24") for f in container.decode(video=0)]


@pytest.mark.parametrize("name", NAMES)
def test_the_whole_link_repeats_bit_for_bit_under_both_engines(name, clip, places, tmp_path):
    scheme = Scheme(seed=3, side="field", **chosen(name, places))
    data = {engine: send(scheme, clip, tmp_path / engine, engine=engine) for engine in ("threads", "inline")}
    for one in data.values():
        del one["timing"]
        for block in one["blocks"]:
            del block["busy_s"], block["wait_s"]
    assert data["threads"] == data["inline"]
    assert data["inline"]["quality"]["psnr_db"] > 0
    assert len(frames_of(tmp_path / "inline" / "received.mp4")) == COUNT
    found = data["inline"]["world"]
    assert found["model"] == name
    assert found["settings"]["checkpoint"] == places[name]
    assert (found["settings"]["steps"], found["settings"]["fps"]) == (2, 25.0)
    assert found["counts"] == {"shortened prompts": 0}
    page = (tmp_path / "inline" / "report.html").read_text()
    for part in ("How the video was rebuilt", name, places[name], "<td>steps</td>", "concealed: lost keyframes"):
        assert part in page


@pytest.mark.parametrize("name", ["ltx", "wan-vace"])
def test_text_only_through_the_same_adapters(name, clip, places, tmp_path):
    data = send(Scheme(name="text-only", **chosen(name, places)), clip, tmp_path)
    assert data["world"]["model"] == name
    assert data["notes"] == []
    assert data["concealed"] == {"lost captions": 0}
    assert data["quality"]["psnr_db"] > 0
    assert len(frames_of(tmp_path / "received.mp4")) == COUNT
    assert sum(part["symbols"] for part in data["cbr"]["parts"].values()) == data["cbr"]["symbols"]


def test_captions_lost_on_the_way_are_concealed_in_text_only(places):
    model = load_world_model("ltx", **tiny_pipelines.settings("ltx", places["ltx"]))
    block = TextWorldModel(model=model, num_frames=9, height=H, width=W)
    captions = [Caption(0, None, lost=True), Caption(1, "a street"), Caption(2, None, lost=True)]
    frames = run_block(block, captions)
    assert [f.index for f in frames] == list(range(9))
    assert all((f.pixels == 128).all() for f in frames[:4])
    assert not (frames[4].pixels == 128).all()
    assert np.array_equal(frames[8].pixels, frames[7].pixels)
    assert block.concealed == {"lost captions": 2}


LENGTHS = [5, 3, 9, 1, 1]


@pytest.fixture(scope="module", params=NAMES)
def model(request, places):
    return load_world_model(request.param, **tiny_pipelines.settings(request.param, places[request.param]))


@pytest.mark.parametrize(
    ("keys", "captions", "sides"),
    [
        ((), (), ()),
        ((0,), (), ()),
        ((4,), (), ()),
        ((0, 4), (), ()),
        ((1, 2), (), ()),
        ((0, 1), (2,), (3,)),
        ((), (0, 1, 2, 3, 4), ()),
        ((), (), (0, 1, 2, 3, 4)),
        ((0, 1, 2, 3, 4), (), (1, 2)),
        ((0, 1, 2, 3, 4), (0, 1, 2, 3, 4), (0, 1, 2, 3, 4)),
    ],
)
def test_losses_are_concealed_and_counted(model, keys, captions, sides):
    """First missing, last missing, both, several in a row; all of one kind; everything."""
    starts = np.cumsum([0, *LENGTHS[:-1]]).tolist()
    rng = np.random.default_rng(4)
    pictures = [rng.integers(0, 256, (H, W, 3), dtype=np.uint8) for _ in LENGTHS]
    field = np.ones((2, 3, 2), np.float32)
    streams = [[], [], []]
    for i, (start, length) in enumerate(zip(starts, LENGTHS, strict=True)):
        streams[0].append(Keyframe(i, None, lost=True) if i in keys else Keyframe(i, pictures[i]))
        streams[1].append(Caption(i, None, lost=True) if i in captions else Caption(i, f"a street, {i}"))
        cut = 4 if i == 2 else None
        told = SideInfo(i, start, length, cut, 2.0, field=field if length > 1 else None)
        streams[2].append(SideInfo(i, lost=True) if i in sides else told)
    block = DsaWorldModel(num_frames=sum(LENGTHS), height=H, width=W, model=model)
    frames = run_block(block, *streams)
    assert [f.index for f in frames] == list(range(sum(LENGTHS)))
    counted = block.concealed
    assert counted["lost keyframes"] == len(keys)
    assert counted["lost captions"] == len(captions)
    assert counted["lost side information"] == len(sides)
    if not sides:
        for i, start in enumerate(starts):
            if i not in keys:
                assert np.array_equal(frames[start].pixels, pictures[i]), i
    if len(keys) == len(LENGTHS) and (not model.from_text or len(captions) == len(LENGTHS)):
        assert all((f.pixels == 128).all() for f in frames)


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"world": "wan-vaec"}, SettingError, "no world model is called 'wan-vaec'; did you mean wan-vace? there are "),
        (
            {"world_settings": {"steps": 8}},
            SettingError,
            "DsaWorldModel: the world model interpolator has no setting 'steps'; it has",
        ),
        (
            {"world": "ltx", "world_settings": {"stpes": 8}},
            SettingError,
            "the world model ltx has no setting 'stpes'; did you mean steps? it has checkpoint, ",
        ),
        ({"world": "ltx", "world_settings": {"steps": 0}}, SettingError, "DsaWorldModel: ltx: steps is 1 to 1000"),
        ({"world": "ltx", "world_settings": {"checkpoint": "no/such/place"}}, ModelError, "no/such/place"),
        (
            {"world": "ltx", "name": "skim-sfa"},
            SettingError,
            "SfaWorldModel.segment_length=20: ltx makes multiples of 8 frames, at most 160 at once. Set 16 or 24",
        ),
        (
            {"world": "wan-flf", "name": "text-only"},
            SettingError,
            "TextWorldModel: Text-only needs a world model that generates from captions alone, and 'wan-flf' generates "
            "between keyframes only. Name one that can (ltx or wan-vace, with a checkpoint)",
        ),
        (
            {"world": "interpolator", "name": "text-only"},
            SettingError,
            "'interpolator' generates between keyframes only. Name one that can",
        ),
        (
            {"world_settings": {"steps": 3}, "name": "text-only"},
            SettingError,
            "the world model interpolator has no setting 'steps'",
        ),
    ],
)
def test_errors_come_before_anything_is_read_or_written(settings, error, message, clip, tmp_path, monkeypatch):
    monkeypatch.setattr(job, "count_frames", lambda _: pytest.fail("the film was read"))
    with pytest.raises(error) as caught:
        send(Scheme(**settings), clip, tmp_path / "out")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


def command(monkeypatch, capsys, *words):
    monkeypatch.setattr("sys.argv", ["lgvsc-flow", *map(str, words)])
    code = 0
    try:
        main()
    except SystemExit as end:
        code = end.code or 0
    captured = capsys.readouterr()
    assert "Traceback" not in captured.out + captured.err
    return code, " ".join((captured.out + captured.err).split())


def test_on_the_command_line(clip, places, tmp_path, monkeypatch, capsys):
    words = ["run", clip, "--out", tmp_path / "out", "--scheme", "skim-sfa", "--segment-length", 16, "--world", "ltx"]
    words += ["--world-checkpoint", places["ltx"], "--world-steps", 1, "--world-device", "cpu"]
    words += ["--world-dtype", "float32", "--world-offload", "none"]
    words += ["--world-set", "guidance=1", "--world-set", "resolution=32x64", "--world-set", "lengths=[8, 16]"]
    code, text = command(monkeypatch, capsys, *words)
    assert code == 0, text
    assert "rebuilt by ltx; concealed: nothing" in text
    settings = json.loads((tmp_path / "out" / "run.json").read_text())["world"]["settings"]
    expected = {"steps": 1, "device": "cpu", "offload": "none", "guidance": 1, "resolution": "32x64"}
    assert {k: settings[k] for k in expected} == expected
    assert settings["lengths"] == "[8, 16]"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--world", "lxt"], "error: DsaWorldModel: no world model is called 'lxt'; did you mean ltx? there are "),
        (["--world-steps", "8"], "the world model interpolator has no setting 'steps'; it has "),
        (["--world", "ltx", "--world-set", "guidance"], "error: --world-set takes setting=value, got 'guidance'"),
        (
            ["--world", "ltx", "--world-steps", "8", "--world-set", "steps=9"],
            "error: --world-set steps=9: steps is given twice",
        ),
        (["--world", "ltx", "--world-set", "guidance=["], "--world-set guidance=[: 1. it cannot be read"),
        (["--world", "ltx", "--world-checkpoint", "no/such/place"], "no/such/place"),
    ],
)
def test_slips_on_the_command_line(words, message, clip, tmp_path, monkeypatch, capsys):
    code, text = command(monkeypatch, capsys, "run", clip, "--out", tmp_path / "out", *words)
    assert code == 1
    assert message in text
    assert not (tmp_path / "out").exists()


def test_help_shows_how(monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "160")
    for name in ("run", "demo"):
        code, text = command(monkeypatch, capsys, name, "--help")
        assert code == 0
        for word in ("--world", "--world-checkpoint", "--world-steps", "--world-offload", "--world-set"):
            assert word in text


def test_profiles_name_a_world_model(clip, places, tmp_path, monkeypatch):
    from dataclasses import replace

    from lgvsc_flow.graphs.profiles import PROFILES

    assert {p.world for p in PROFILES.values()} == {"interpolator"}
    own = replace(PROFILES["embedded"], name="mine", world="ltx")
    monkeypatch.setitem(PROFILES, "mine", own)
    assert Scheme(profile="mine").receiver["model"] == "ltx"
    assert Scheme(profile="mine", world="wan-vace").receiver["model"] == "wan-vace"
    assert not Scheme(name="text-only").rebuilds
    assert Scheme(name="text-only", profile="mine").rebuilds
