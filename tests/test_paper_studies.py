"""The studies of the paper: its own figures from its inputs, and every command on clips of three plain shots."""

import importlib.util
import json
import re
from pathlib import Path

import av
import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from lgvsc_flow.blocks.semantic import Skem
from lgvsc_flow.blocks.semantic.psss import Description
from lgvsc_flow.errors import MediaError, ModelError, SettingError
from lgvsc_flow.items import Frame
from lgvsc_flow.testing import run_block

FOLDER = Path(__file__).parents[1] / "benchmarks" / "paper"
STUDIES = ("psss_against_clip", "focus", "rules", "latency")


@pytest.fixture(autouse=True)
def _on_path(monkeypatch):
    monkeypatch.syspath_prepend(FOLDER)


def module(name):
    return importlib.import_module(name)


def invoke(name, *arguments):
    app = typer.Typer()
    app.command()(module(name).main)
    if "--profile" not in arguments and "--help" not in arguments:
        arguments = (*arguments, "--profile", "plain")
    return CliRunner().invoke(app, [str(a) for a in arguments])


def write_video(path, shots=3, length=10, fps=10, height=48, width=64):
    """Shots of plain, unlike colours."""
    colours = [(200, 40, 40), (40, 200, 40), (40, 40, 200), (200, 200, 40)]
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=fps, options={"crf": "10"})
        stream.height, stream.width, stream.pix_fmt = height, width, "yuv444p"
        for n in range(shots * length):
            frame = np.full((height, width, 3), colours[n // length % 4], np.uint8)
            frame[:8, : 2 * (n % length) + 2] = 255
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())
    return path


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    return write_video(tmp_path_factory.mktemp("paper") / "shots.mp4")


class Colours:
    """Describes a frame by its brightest channel, with the mean colour as embedding."""

    calls = 0

    def load(self):
        pass

    def describe(self, frames):
        self.calls += len(frames)
        means = [f.reshape(-1, 3).mean(axis=0).astype(np.float32) for f in frames]
        return [Description(["red", "green", "blue"][int(m.argmax())], m) for m in means]


class Judge:
    """No where the texts differ (`contrary`: where they are the same), with all the mass on two answers, or less."""

    def __init__(self, mass=1.0, foci=("general",), contrary=False):
        self.mass, self.foci, self.contrary = mass, foci, contrary

    def load(self):
        pass

    def judge(self, keyframe, candidates, focus):
        p_no = np.array([0.9 if (c.text != keyframe.text) is not self.contrary else 0.45 for c in candidates])
        if focus == "background":
            p_no = 1 - p_no
        return self.mass * (1 - p_no), self.mass * p_no


@pytest.fixture
def models(monkeypatch):
    """Replaces the profiles' models by plain ones; takes the judge."""

    def replace(judge):
        study = module("study")
        chosen = study.Models("plain", Colours(), judge, "Colours (plain)", "Judge (plain)", "Plain, and says so.")
        monkeypatch.setattr(study, "open_models", lambda *_: chosen)
        return chosen

    return replace


def results(out, name, profile="plain"):
    data = json.loads((out / f"{name}-{profile}.json").read_text())
    assert (out / f"{name}-{profile}.png").read_bytes().startswith(b"\x89PNG")
    text = (out / f"{name}-{profile}.md").read_text()
    assert data["models"] in text
    assert sorted(p.name for p in out.iterdir() if p.name.startswith(".")) == []
    return data, text


def rows(data, caption):
    return next(t["rows"] for t in data["tables"] if t["caption"] == caption)


class TestPaperFigures:
    def test_what_follows_from_the_inputs(self):
        gpus = module("gpus")
        found = {c.what: (round(c.value, c.decimals), c.follows) for c in gpus.CLAIMS}
        assert found["PSSS on a B200"] == (0.64, True)
        assert found["SKEM on a B200"] == (179, True)
        assert found["B200 over RTX 4090"] == (13.6, True)
        assert found["H100 over RTX 4090"] == (6.0, True)
        assert found["pairs, implied"] == (279, True)
        assert [c.what for c in gpus.CLAIMS if not c.follows] == ["the same backwards"]
        assert round(gpus.SKEM_S / gpus.PAIR_S, 1) == 278.7

    def test_no_whole_number_of_pairs_gives_the_total(self):
        gpus = module("gpus")
        assert gpus.whole_pairs() == []
        assert gpus.whole_pairs(2446.8) == [279]

    def test_projection_is_by_the_ratio_of_peaks(self):
        gpus = module("gpus")
        assert gpus.projected_s(10, 100, 400) == 2.5
        assert all(g.source and g.tflops > 0 and g.gb_per_s > 0 for g in gpus.GPUS.values())

    def test_table_vi_follows_from_counts_of_21_clips(self):
        relative, absolute = module("rules").PAPER_ROWS
        for (_, mean, std, *_, cv), total in ((relative, 86), (absolute, 199)):
            assert round(total / 21, 2) == mean
            assert round(std / (total / 21), 3) == pytest.approx(cv, abs=0.0011)
        assert round(1 - relative[5] / absolute[5], 2) == 0.38


class TestRules:
    @pytest.mark.parametrize("seed", range(20))
    def test_the_loop_does_not_depend_on_how_far_it_looks_ahead(self, seed):
        rules = module("rules")
        p_no = np.random.default_rng(seed).random((60, 60))

        def ask(keyframe, candidates):
            return np.array([(0.9 - 0.9 * p_no[keyframe, c], 0.9 * p_no[keyframe, c]) for c in candidates])

        for rule in rules.RULES:
            plain = [0]
            for n in range(1, 60):
                if rule.fires(ask(plain[-1], [n]))[0]:
                    plain.append(n)
            assert all(rules.keyframes(ask, 60, rule, ahead) == plain for ahead in (1, 5, 60))

    @pytest.mark.parametrize("seed", range(3))
    def test_keyframes_are_those_of_skem(self, seed):
        rules, study = module("rules"), module("study")
        rng = np.random.default_rng(seed)
        texts = [str(t) for t in rng.integers(0, 3, 40)]
        frames = [Frame(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8), n, n / 10) for n in range(40)]

        class Numbered:
            def load(self):
                pass

            def describe(self, pixels):
                known = {f.pixels.tobytes(): t for f, t in zip(frames, texts, strict=True)}
                return [Description(known[p.tobytes()]) for p in pixels]

        skem = Skem(describer=Numbered(), judge=Judge(), refine_cuts=False)
        segments = run_block(skem, frames)
        answers = study.Answers(Judge(), [Description(t) for t in texts])
        found = rules.keyframes(answers.ask, 40, rules.RULES[0])
        clip = module("footage").Footage("c", 40, 10, tuple(range(40)), (), tuple(Description(t) for t in texts), ())
        starts = [s.frames[0].index for s in segments]
        assert found == starts[: len(found)]
        assert rules.keyframe_count(clip, found) == len(starts)

    def test_statistics(self):
        rules = module("rules")
        s = rules.statistics([2, 4, 6])
        assert s == {"mean": 4, "std": 2, "min": 2, "max": 6, "cv": 0.5}
        low, high = rules.interval([[2, 4, 6, 2, 9]], lambda t: rules.cv_of(t[0]))
        assert low < rules.cv_of(np.array([2, 4, 6, 2, 9])) < high

    def test_one_rule_with_two_thresholds_where_the_mass_is_one(self, models, video, tmp_path):
        models(Judge())
        assert invoke("rules", video, "--clip-s", 1.5, "--out", tmp_path).exit_code == 0
        data, text = results(tmp_path, "rules")
        means = [r["mean"] for r in rows(data, "Keyframes per clip")]
        assert means[0] == means[2] == 3  # two shots and the closing frame
        assert means[1] == means[3] > means[0]  # 0.45 is above 0.4: every sample
        assert means[4:] == [4.10, 9.48]
        assert "one rule with two thresholds, and indeed the counts agree" in text
        assert "Plain, and says so." in text
        assert "Colours (plain), frame by frame; Judge (plain)" in text

    def test_two_rules_where_it_is_not(self, models, video, tmp_path):
        models(Judge(mass=0.7))
        assert invoke("rules", video, "--clip-s", 1.5, "--out", tmp_path).exit_code == 0
        data, text = results(tmp_path, "rules")
        means = [r["mean"] for r in rows(data, "Keyframes per clip")]
        assert means[1] != means[3]
        assert "least 0.700, mean 0.700, most 0.700. The two rules are not the same" in text


class TestPssAgainstClip:
    def test_pairs_of_both_types(self):
        study = module("psss_against_clip")
        one, two = study.kinds(0.96, (0.92, 0.95))
        pairs = [study.Pair(n % 3, 0, n, 0.9, s) for n, s in enumerate([0.9, 0.5, 0.36, 0.35, -0.35, -0.4, -0.9, -1])]
        assert [p.s_rel for p in pairs if one.found(p)] == [0.9, 0.5, 0.36]
        assert [p.s_rel for p in pairs if two.found(p)] == [-0.4, -0.9, -1]
        assert [p.s_rel for p in study.examples(two, pairs, 3)] == [-1, -0.9, -0.4]

    def test_examples_come_from_different_clips_first(self):
        study = module("psss_against_clip")
        one, _ = study.kinds(0.96, (0.92, 0.95))
        pairs = [study.Pair(clip, 0, n, 1.0, s) for n, (clip, s) in enumerate([(0, 0.9), (0, 0.8), (1, 0.5), (1, 0.4)])]
        assert [p.s_rel for p in study.examples(one, pairs, 3)] == [0.9, 0.5, 0.8]

    @pytest.mark.parametrize("contrary", [False, True])
    def test_without_clip_the_stand_in_is_named(self, contrary, models, video, tmp_path):
        models(Judge(contrary=contrary))
        arguments = ["--out", tmp_path, "--quantiles", 0.25, 0.5, 0.8]
        assert invoke("psss_against_clip", video, *arguments).exit_code == 0
        data, text = results(tmp_path, "psss-against-clip")
        assert data["title"].startswith("PSSS against features, a stand-in for CLIP")
        assert "features stand in for CLIP: type 1 from" in text
        assert "CLIP's over the paper's clips are not published" in text
        found = {r["type"][:6]: r["found"] for r in rows(data, "Pairs")}
        pairs = rows(data, "The clearest pairs")
        if contrary:
            assert 0 < len(pairs) <= found["type 1"]
            assert {p["CLIP cosine"]["not_computed"] for p in pairs} == {"needs openai/clip-vit-base-patch32"}
            assert "not computed: needs openai/clip-vit-base-patch32 |" in text
            assert f"Missing: openai/clip-vit-base-patch32. {module('clip_features').CLIP_HINT}" in text
            assert all(p["S_rel"] > 0.35 for p in pairs)
        else:
            assert found["type 1"] == 0  # what differs for this judge looks different

    def test_thumbnails_where_the_judge_compares_features(self):
        study = module("psss_against_clip")
        from lgvsc_flow.blocks.semantic import EmbeddingJudge

        assert study.stand_in_of(study.StandIn.AUTO, EmbeddingJudge()) == "thumbnails"
        assert study.stand_in_of(study.StandIn.AUTO, Judge()) == "features"
        assert study.stand_in_of(study.StandIn.FEATURES, EmbeddingJudge()) == "features"

    def test_with_clip(self, models, video, tiny_clip, tmp_path):
        models(Judge())
        assert invoke("psss_against_clip", video, "--clip", tiny_clip, "--out", tmp_path).exit_code == 0
        data, text = results(tmp_path, "psss-against-clip")
        assert data["settings"]["appearance by"] == f"CLIP ({tiny_clip.name})"
        assert data["title"] == "PSSS against CLIP (appendix A)"
        assert "Quantiles of CLIP's thresholds over the" in text
        assert "Missing" not in text

    def test_thumbnails_from_afar(self):
        likeness = module("clip_features").thumbnail_likeness
        black, grey = np.zeros((36, 64, 3), np.uint8), np.full((36, 64, 3), 51, np.uint8)
        assert likeness([black, black, grey]) == pytest.approx(np.array([[1, 1, 0.8], [1, 1, 0.8], [0.8, 0.8, 1]]))


@pytest.fixture(scope="module")
def tiny_clip(tmp_path_factory):
    """CLIP of the real class, tiny and random."""
    transformers, torch = pytest.importorskip("transformers"), pytest.importorskip("torch")
    torch.manual_seed(0)
    part = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    text = {**part, "vocab_size": 64, "bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 1}
    vision = {**part, "image_size": 32, "patch_size": 8}
    folder = tmp_path_factory.mktemp("models") / "tiny-clip"
    config = transformers.CLIPConfig(text_config=text, vision_config=vision, projection_dim=8)
    transformers.CLIPModel(config).save_pretrained(folder)
    sizes = {"size": {"shortest_edge": 32}, "crop_size": {"height": 32, "width": 32}}
    processor = getattr(transformers, "CLIPImageProcessorPil", transformers.CLIPImageProcessor)
    processor(**sizes).save_pretrained(folder)
    return folder


class TestClip:
    def test_embeddings_are_those_of_the_model(self, tiny_clip):
        import torch
        from transformers import CLIPModel

        frames = [np.random.default_rng(n).integers(0, 256, (40, 60, 3), dtype=np.uint8) for n in range(5)]
        features = module("clip_features").ClipFeatures(tiny_clip, batch_size=2)
        found = features.embed(frames)
        assert np.linalg.norm(found, axis=1) == pytest.approx(np.ones(5), abs=1e-5)
        # By hand: shorter edge to 32 by bicubic, centre crop, CLIP's mean and deviation.
        from PIL import Image

        small = np.asarray(Image.fromarray(frames[0]).resize((48, 32), Image.Resampling.BICUBIC))[:, 8:40]
        mean, std = [0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711]
        pixels = torch.tensor((small / 255 - mean) / std).permute(2, 0, 1)[None].float()
        model = CLIPModel.from_pretrained(tiny_clip).eval()
        with torch.no_grad():
            expected = model.get_image_features(pixel_values=pixels)
            expected = getattr(expected, "pooler_output", expected)[0].numpy()
        assert found[0] == pytest.approx(expected / np.linalg.norm(expected), abs=2e-3)

    def test_a_missing_one(self, models, video, tmp_path):
        models(Judge())
        result = invoke("psss_against_clip", video, "--clip", tmp_path / "nothing", "--out", tmp_path)
        assert result.exit_code == 1
        assert "CLIP comes by --clip FOLDER" in result.output
        assert list(tmp_path.iterdir()) == []


class TestFocus:
    def test_a_judge_that_knows_only_the_general_focus(self, models, video, tmp_path):
        models(Judge())
        assert invoke("focus", "--pair", f"{video}:2:12", "--out", tmp_path).exit_code == 0
        data, text = results(tmp_path, "focus")
        row = rows(data, "S_rel by focus")[0]
        assert row["general"] == pytest.approx(0.8)
        assert row["main_object"]["not_computed"] == row["background"]["not_computed"] == "needs a language model"
        assert "Missing: a language model. --profile smollm2" in text

    def test_a_judge_that_knows_every_focus(self, models, video, tmp_path):
        models(Judge(foci=None))
        arguments = ["--pair", f"{video}:2:12", "--pair", f"{video}:2:5", "--focus", "the colours only"]
        assert invoke("focus", *arguments, "--out", tmp_path).exit_code == 0
        data, text = results(tmp_path, "focus")
        first, second, *paper = rows(data, "S_rel by focus")
        assert (first["main_object"], first["background"]) == pytest.approx((0.8, -0.8))
        assert first["the colours only"] == pytest.approx(0.8)
        assert second["general"] == pytest.approx(-0.1)
        assert [(r["main_object"], r["background"]) for r in paper] == [
            (0.531, -0.098),
            (0.397, -0.098),
            (0.491, -0.296),
            (0.536, 0.127),
            (0.638, -0.182),
        ]
        assert "above that from the background in 1 of 2 pairs (paper: 5 of 5" in text

    def test_a_model_that_does_not_answer(self, models, video, tmp_path):
        class Mute(Judge):
            def judge(self, keyframe, candidates, focus):
                raise ModelError("answers neither yes nor no")

        models(Mute(foci=None))
        assert invoke("focus", "--pair", f"{video}:2:12", "--out", tmp_path).exit_code == 0
        data, text = results(tmp_path, "focus")
        assert rows(data, "S_rel by focus")[0]["general"]["not_computed"] == "needs a model that answers yes or no"
        assert "answers neither yes nor no" in text

    def test_the_joint_round(self, monkeypatch, video, tmp_path):
        pytest.importorskip("transformers")
        study, vlm = module("study"), module("lgvsc_flow.blocks.semantic.vlm")
        place = Path(__file__).parent / "blocks" / "semantic" / "tiny_models.py"
        spec = importlib.util.spec_from_file_location("tiny_models", place)
        tiny = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(tiny)
        describer = vlm.VlmDescriber(tiny.tiny_vlm("smolvlm", tmp_path / "vlm", sharp=True), max_new_tokens=4)
        judge = module("lgvsc_flow.blocks.semantic.llm").LlmJudge(describer, floor=0)
        chosen = study.Models("tiny", describer, judge, "tiny", "the same", same=True)
        monkeypatch.setattr(study, "open_models", lambda *_: chosen)
        out = tmp_path / "out"
        for strategy, said in (("auto", True), ("per-frame", False)):
            asked = ["--pair", f"{video}:2:12", "--strategy", strategy, "--floor", 0]
            result = invoke("focus", *asked, "--profile", "tiny", "--out", out)
            assert result.exit_code == 0, result.output
            data, _ = results(out, "focus", "tiny")
            assert ("scored in the joint round" in data["models"]) is said
            row = rows(data, "S_rel by focus")[0]
            assert all(abs(row[f]) <= 1 + 1e-5 for f in ("general", "main_object", "background"))

    def test_wrong_pairs(self):
        focus = module("focus")
        assert focus.parse("a.mp4:3:7") == focus.Pair("a.mp4, frames 3 and 7", Path("a.mp4"), 3, 7)
        for text in ("a.mp4", "a.mp4:3", "a.mp4:3:x", ":3:4"):
            with pytest.raises(SettingError, match="FILE:FRAME:FRAME"):
                focus.parse(text)

    def test_a_frame_that_is_not_there(self, models, video, tmp_path):
        models(Judge())
        result = invoke("focus", "--pair", f"{video}:2:99", "--out", tmp_path)
        assert result.exit_code == 1
        assert "has no frame 99" in result.output


class TestLatency:
    def test_every_stage_is_measured(self, models, video, tmp_path):
        models(Judge())
        result = invoke("latency", video, "--out", tmp_path, "--peak-tflops", 1)
        assert result.exit_code == 0, result.output
        data, text = results(tmp_path, "latency")
        stages = rows(data, "Seconds per stage")
        assert [r["stage"] for r in stages] == [what for what, _ in module("latency").STAGES]
        assert all(float(r["here"]) > 0 for r in stages)
        assert [r["paper"] for r in stages] == ["8.39", "0.377", "2444", "0.0465", "24.5"]
        assert float(stages[0]["here, on a RTX 4090"]) == pytest.approx(float(stages[0]["here"]) / 165.2, rel=0.01)
        described, pairs, keyframes = re.search(
            r"shots.mp4: 30 frames, (\d+) described, (\d+) pairs, (\d+) keyframes", text
        ).groups()
        assert int(described) >= len(clip_rule()) - 1
        assert int(pairs) >= int(described) - 1
        assert int(keyframes) == 4  # three shots and the closing frame
        assert "279 x 8.77 = 2446.8, not 2444" in text

    def test_without_models_the_papers_rows_stand(self, monkeypatch, tmp_path):
        study = module("study")
        missing = study.NotComputed("the models of profile plain", "get them")
        monkeypatch.setattr(study, "open_models", lambda *_: missing)
        assert invoke("latency", "--profile", "plain", "--out", tmp_path).exit_code == 0
        data, _ = results(tmp_path, "latency")
        assert {r["here"]["not_computed"] for r in rows(data, "Seconds per stage")} == {
            "needs the models of profile plain"
        }
        b200 = next(
            r for r in rows(data, "The paper's latencies, projected by peak throughput") if r["GPU"] == "B200 SXM"
        )
        assert (b200["PSSS, s per pair"], b200["SKEM, s per minute"]) == ("0.644", "179")


class TestFootage:
    def test_pieces(self, video):
        footage = module("footage")
        assert [(p.start, p.stop) for p in footage.pieces_of(video)] == [(0, 30)]
        assert [(p.start, p.stop) for p in footage.pieces_of(video, 1.2)] == [(0, 12), (12, 24), (24, 30)]
        assert [(p.start, p.stop) for p in footage.pieces_of(video, 1.4)] == [(0, 14), (14, 28)]  # 2 of 14 left out
        assert [(p.start, p.stop) for p in footage.pieces_of(video, until_s=2)] == [(0, 20)]
        assert len(footage.all_pieces([video.parent], video, None, 1.0)) == 4
        assert [p.start for p in footage.all_pieces([], video, None, 1.0, most=2)] == [0, 10]

    def test_an_empty_folder(self, tmp_path):
        with pytest.raises(MediaError, match="holds no video"):
            module("footage").all_pieces([tmp_path], None, None, 10)

    def test_samples_are_those_of_skem(self, video):
        footage = module("footage")
        (clip,) = footage.described(footage.pieces_of(video), Colours(), "colours", 4.6)
        frames = [Frame(np.full((4, 4, 3), n, np.uint8), n, n / 10) for n in range(30)]
        seen = []

        class Seen(Colours):
            def describe(self, pixels):
                seen.extend(int(p[0, 0, 0]) for p in pixels)
                return super().describe(pixels)

        run_block(Skem(describer=Seen(), judge=Judge(), sample_fps=4.6, refine_cuts=False), frames)
        assert list(clip.indices) == sorted(set(seen) & set(clip.indices)) == clip_rule()
        assert clip.picture(0).shape == (192, 256, 3)

    def test_what_is_kept_is_not_described_again(self, video, tmp_path):
        footage = module("footage")
        pieces, describer = footage.pieces_of(video, 1.0), Colours()
        first = list(footage.described(pieces[:1], describer, "colours", None, cache=tmp_path))
        assert describer.calls == 10
        again = list(footage.described(pieces, describer, "colours", None, cache=tmp_path))
        assert describer.calls == 30
        assert [f.name for f in again] == [p.name for p in pieces]
        for a, b in zip(first[0].descriptions, again[0].descriptions, strict=True):
            assert a.text == b.text
            assert a.embedding == pytest.approx(b.embedding)
        assert first[0].pictures == again[0].pictures
        assert first[0].indices == again[0].indices == tuple(range(10))
        list(footage.described(pieces, describer, "another", None, cache=tmp_path))
        assert describer.calls == 60

    def test_a_damaged_cache(self, video, tmp_path):
        footage = module("footage")
        pieces = footage.pieces_of(video)
        list(footage.described(pieces, Colours(), "colours", None, cache=tmp_path))
        (kept,) = tmp_path.iterdir()
        kept.write_bytes(kept.read_bytes()[:100])
        with pytest.raises(MediaError, match=r"npz is damaged .*remove it"):
            list(footage.described(pieces, Colours(), "colours", None, cache=tmp_path))

    def test_a_describer_that_leaves_frames_out(self, video):
        footage = module("footage")

        class Short(Colours):
            def describe(self, frames):
                return super().describe(frames)[1:]

        with pytest.raises(ModelError, match="returned 29 descriptions of 30 frames"):
            list(footage.described(footage.pieces_of(video), Short(), "short", None))


def clip_rule():
    """Frames of 3 s at 10 per second at which a tick of 4.6 per second has passed."""
    found, tick = [], -1
    for n in range(30):
        if int(n / 10 * 4.6 + 1e-6) > tick:
            found.append(n)
        tick = int(n / 10 * 4.6 + 1e-6)
    return found


@pytest.mark.parametrize("name", STUDIES)
class TestCommands:
    def test_help(self, name):
        result = invoke(name, "--help")
        assert result.exit_code == 0
        assert "--profile" in result.output

    def test_models_that_are_missing(self, name, video, tmp_path, monkeypatch):
        monkeypatch.setenv("LGVSC_FLOW_MODELS", str(tmp_path / "none"))
        monkeypatch.setenv("HF_HOME", str(tmp_path / "hub"))
        monkeypatch.setenv("LGVSC_FLOW_CACHE", str(tmp_path / "cache"))
        where = ["--pair", f"{video}:2:12"] if name == "focus" else [video]
        result = invoke(name, *where, "--profile", "internvl3", "--out", tmp_path / "out")
        assert result.exit_code == 0, result.output
        data, text = results(tmp_path / "out", name.replace("_", "-"), "internvl3")
        assert data["models"] == "not computed: needs the models of profile internvl3"
        assert "internvl3-1b" in text  # what to get
        first = data["tables"][0]["rows"][0]
        assert {"not_computed": "needs the models of profile internvl3"}.items() <= next(
            v.items() for v in first.values() if isinstance(v, dict)
        )

    def test_an_unknown_profile(self, name, tmp_path):
        result = invoke(name, "--profile", "embeded", "--out", tmp_path)
        assert result.exit_code == 1
        assert "did you mean embedded?" in result.output
        assert list(tmp_path.iterdir()) == []


def test_the_figure_names_the_models(tmp_path):
    study = module("study")
    seen = []
    report = study.Report("x", "A study", "plain", "models so and so", {"n": 1})
    report.write(tmp_path, seen.append)
    assert seen[0].get_suptitle() == "A study\nmodels so and so"


def test_judges_that_answer_no_probabilities():
    study = module("study")
    with pytest.raises(ModelError, match="answered no probabilities"):
        study.Answers(Judge(mass=1.5), [Description("a"), Description("b")]).ask(0, [1])
