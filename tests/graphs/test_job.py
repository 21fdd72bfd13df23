import json
import math

import av
import numpy as np
import pytest

from lgvsc_flow.cli import main
from lgvsc_flow.errors import BlockError, WiringError
from lgvsc_flow.graphs.job import send
from lgvsc_flow.graphs.lgvsc import Scheme, lgvsc


def write_video(path, frames=24, height=72, width=88, cut=14):
    """A moving mosaic, and behind a hard cut a dark sky with a sun."""
    mosaic = np.random.default_rng(3).integers(0, 256, (12, 14, 3), dtype=np.uint8).repeat(12, 0).repeat(12, 1)
    y, x = np.mgrid[:144, :168]
    sun = np.exp(-((x - 50) ** 2 + (y - 40) ** 2) / 300)[..., None] * [255, 220, 120]
    sky = np.clip(np.stack([y / 4, y / 3, 60 + y / 2], axis=-1) + sun, 0, 255).astype(np.uint8)
    scenes = [mosaic, sky]
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"crf": "12"})
        stream.height, stream.width, stream.pix_fmt = height, width, "yuv444p"
        for number in range(frames):
            scene = np.roll(scenes[number >= cut], number, axis=1)[:height, :width]
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(scene), format="rgb24")))
        container.mux(stream.encode())
    return path


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    return write_video(tmp_path_factory.mktemp("video") / "two_scenes.mp4")


def without_timings(data):
    data = json.loads(json.dumps(data))
    del data["timing"]
    for block in data["blocks"]:
        del block["busy_s"], block["wait_s"]
    return data


def count_frames(path):
    with av.open(str(path)) as container:
        return sum(1 for _ in container.decode(video=0))


@pytest.mark.parametrize("channel", ["awgn", "rayleigh"])
def test_the_whole_link_repeats_bit_for_bit_under_both_engines(video, tmp_path, channel):
    scheme = Scheme(channel=channel, seed=5)
    first = send(scheme, video, tmp_path / "a", engine="threads")
    second = send(scheme, video, tmp_path / "b", engine="inline")
    assert without_timings(first) == without_timings(second)
    assert json.loads((tmp_path / "a" / "run.json").read_text()) == first
    assert sorted(p.name for p in (tmp_path / "a").iterdir()) == [
        "received.mp4",
        "report.html",
        "run.json",
        "side_by_side.mp4",
        "strip.png",
    ]
    assert count_frames(tmp_path / "a" / "received.mp4") == 24
    assert sum(p["symbols"] for p in first["cbr"]["parts"].values()) == first["cbr"]["symbols"]
    assert first["cbr"]["total"] == pytest.approx(first["cbr"]["symbols"] / (3 * 72 * 88 * 24))
    assert first["keyframes"][0] == 0
    assert first["keyframes"][-1] == 23
    assert any(abs(k - 14) <= 2 for k in first["keyframes"])


def test_another_seed_is_another_channel(video, tmp_path):
    psnr = [send(Scheme(seed=s), video, tmp_path / str(s))["quality"]["psnr_db"] for s in (1, 2)]
    assert psnr[0] != psnr[1]
    assert psnr[0] == pytest.approx(psnr[1], abs=0.5)


def test_skim_sfa(video, tmp_path):
    data = send(Scheme(name="skim-sfa", segment_length=10), video, tmp_path)
    assert data["keyframes"] == [0, 10, 20, 23]
    assert [(s["start"], s["stop"]) for s in data["segments"]] == [(0, 10), (10, 20), (20, 23), (23, 24)]
    assert data["packets"]["lost"] == 0


def test_a_video_shorter_than_a_segment(video, tmp_path):
    data = send(Scheme(name="skim-sfa", segment_length=100), video, tmp_path)
    assert data["keyframes"] == [0, 23]
    assert count_frames(tmp_path / "received.mp4") == 24


def test_odd_sizes(tmp_path):
    odd = write_video(tmp_path / "odd.mp4", height=71, width=87)
    data = send(Scheme(), odd, tmp_path / "odd")
    assert (data["video"]["height"], data["video"]["width"]) == (71, 87)
    assert count_frames(tmp_path / "odd" / "received.mp4") == 24


def test_a_video_of_one_frame(tmp_path):
    single = write_video(tmp_path / "one.mp4", frames=1)
    data = send(Scheme(), single, tmp_path / "one")
    assert data["keyframes"] == [0]
    assert math.isfinite(data["quality"]["psnr_db"])


def test_when_everything_is_lost_the_run_says_so_and_still_writes_a_video(video, tmp_path):
    data = send(Scheme(esn0_db=-20), video, tmp_path)
    assert data["packets"]["lost"] == data["packets"]["sent"] > 0
    segments = len(data["segments"])
    assert {k: n for k, n in data["concealed"].items() if n} == {
        "lost captions": segments,
        "lost side information": segments,
        "lost keyframes": segments,
    }
    assert data["world"] == {"model": "interpolator", "settings": {}, "counts": {}}
    page = (tmp_path / "report.html").read_text()
    assert f"<td>concealed: lost keyframes</td><td>{segments}</td>" in page
    assert "<td>concealed: suspected cuts</td><td>0</td>" in page
    assert "<td>world model</td><td>interpolator</td>" in page
    assert count_frames(tmp_path / "received.mp4") == 24
    assert data["quality"]["psnr_db"] < 20


def test_text_only_reports_captions_and_says_why_there_is_no_video(video, tmp_path):
    data = send(Scheme(name="text-only"), video, tmp_path)
    assert data["quality"] == {"psnr_db": None, "ssim": None}
    assert "no video is written" in data["notes"][0]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["report.html", "run.json"]
    page = (tmp_path / "report.html").read_text()
    assert "as sent" in page
    assert "<th class=text>caption sent</th><th class=text>received</th>" in page
    assert f"<td>captions coded with</td><td>{data['coding']['captions']}</td>" in page
    assert f"<td>side information</td><td>{data['coding']['side']}</td>" in page


def test_the_report_is_one_file(video, tmp_path):
    send(Scheme(), video, tmp_path)
    page = (tmp_path / "report.html").read_text()
    for part in ("data:image/jpeg;base64", "<svg", "keyframe symbols", "hyperprior", "S_rel", "NtsccEncoder"):
        assert part in page
    assert "http://" not in page.replace("http://www.w3.org", "").replace("http://purl.org", "").replace(
        "http://creativecommons.org", ""
    )


def test_skem_into_sfa_is_refused(video):
    from lgvsc_flow import Graph
    from lgvsc_flow.blocks.semantic import SegmentSplitter, Skem
    from lgvsc_flow.blocks.video import VideoFile
    from lgvsc_flow.blocks.world import SfaWorldModel

    graph = Graph("link")
    splitter, world = SegmentSplitter(), SfaWorldModel(segment_length=16, num_frames=24, height=72, width=88)
    graph.connect(VideoFile(path=str(video)), Skem(), splitter)
    graph.connect(splitter.keyframes, world.keyframes)
    graph.connect(splitter.captions, world.captions)
    with pytest.raises(WiringError) as caught:
        graph.check()
    assert (
        "SegmentSplitter.keyframes -> SfaWorldModel.keyframes: segments have variable length, SFA was built for "
        "16 frames. Use DsaWorldModel, or Skim(segment_length=16)."
    ) in caught.value.problems


def test_the_graph_checks_before_anything_starts(video):
    from lgvsc_flow.blocks.video import probe

    for name in ("skem-dsa", "skim-sfa"):
        lgvsc(Scheme(name=name), video, probe(video)).check()


def command(monkeypatch, capsys, *words):
    monkeypatch.setattr("sys.argv", ["lgvsc-flow", *map(str, words)])
    code = 0
    try:
        main()
    except SystemExit as end:
        code = end.code or 0
    captured = capsys.readouterr()
    return code, captured.out + captured.err


def test_run_on_the_command_line(video, tmp_path, monkeypatch, capsys):
    code, text = command(monkeypatch, capsys, "run", video, "--out", tmp_path, "--channel", "rayleigh", "--seed", 3)
    assert code == 0
    assert "keyframe symbols" in text
    assert json.loads((tmp_path / "run.json").read_text())["seed"] == 3


def bad_files(folder, video):
    (folder / "empty.mp4").write_bytes(b"")
    (folder / "text.mp4").write_text("not a film\n" * 50)
    whole = video.read_bytes()
    (folder / "truncated.mp4").write_bytes(whole[: len(whole) // 2])
    return ["missing.mp4", "empty.mp4", "text.mp4", "truncated.mp4"]


def test_bad_files_end_in_a_message_and_leave_nothing(video, tmp_path, monkeypatch, capsys):
    for name in bad_files(tmp_path, video):
        code, text = command(monkeypatch, capsys, "run", tmp_path / name, "--out", tmp_path / "out")
        assert code == 1, name
        assert text.startswith("error: ")
        assert name in text
        assert "Traceback" not in text
        assert not (tmp_path / "out").exists()


def test_damaged_weights_end_in_a_message(video, tmp_path, monkeypatch, capsys):
    (tmp_path / "bad.safetensors").write_bytes(b"\x08\x00\x00\x00\x00\x00\x00\x00{}      ")
    words = ["run", video, "--out", tmp_path / "out", "--weights", tmp_path / "bad.safetensors"]
    code, text = command(monkeypatch, capsys, *words)
    assert code == 1
    assert "error: NtsccEncoder: " in text
    assert "bad.safetensors" in text
    assert "Traceback" not in text
    assert not (tmp_path / "out").exists()


def test_an_out_folder_that_cannot_be_written(video, tmp_path, monkeypatch, capsys):
    (tmp_path / "file").write_text("")
    code, text = command(monkeypatch, capsys, "run", video, "--out", tmp_path / "file" / "sub")
    assert code == 1
    assert text.startswith(f"error: cannot write the results to {tmp_path / 'file' / 'sub'}: ")
    (tmp_path / "out" / "report.html").mkdir(parents=True)
    code, text = command(monkeypatch, capsys, "run", video, "--out", tmp_path / "out")
    assert code == 1
    assert "report.html is a folder, but a file of that name is to be written; remove it" in text


def test_a_run_that_fails_at_its_end_leaves_nothing(video, tmp_path, monkeypatch):
    from lgvsc_flow.blocks.metrics import PsnrMeter

    def fail(self):
        raise ValueError("the end")

    monkeypatch.setattr(PsnrMeter, "finish", fail)
    for out in (tmp_path, tmp_path / "new" / "out"):
        with pytest.raises(BlockError, match="PsnrMeter"):
            send(Scheme(), video, out)
        assert list(tmp_path.iterdir()) == []


def test_results_of_an_earlier_run_do_not_stay(video, tmp_path):
    (tmp_path / "received.mp4").write_text("old")
    send(Scheme(name="text-only"), video, tmp_path)
    assert not (tmp_path / "received.mp4").exists()


def test_a_video_too_small_for_ssim(tmp_path):
    data = send(Scheme(), write_video(tmp_path / "tiny.mp4", height=8, width=8), tmp_path / "out")
    assert data["quality"]["ssim"] is None
    assert data["quality"]["psnr_db"] > 0


def test_the_link_graph_saves_and_loads(video, tmp_path):
    from lgvsc_flow import Graph
    from lgvsc_flow.blocks.video import probe

    graph = lgvsc(Scheme(), video, probe(video))
    graph.save(tmp_path / "link.yaml")
    assert Graph.load(tmp_path / "link.yaml").to_mermaid() == graph.to_mermaid()


def test_bad_arguments(video, tmp_path, monkeypatch, capsys):
    for words in (["--scheme", "skem-sfa"], ["--channel", "copper"], ["--snr-db", "loud"], ["--seed", "-1"]):
        code, text = command(monkeypatch, capsys, "run", video, "--out", tmp_path / "out", *words)
        assert code == 2, words
        assert "Traceback" not in text


def test_motion_fields_cross_the_link(video, tmp_path):
    score, field = (send(Scheme(side=side), video, tmp_path / side) for side in ("score", "field"))
    assert field["coding"] == {"captions": "letters", "side": "field", "keyframes": "embedded"}
    assert field["captions_lost"] == {}
    assert field["keyframes"] == score["keyframes"]
    sizes = [d["cbr"]["parts"]["side information"]["bytes"] for d in (score, field)]
    assert sizes[0] < sizes[1] < sizes[0] + 100
