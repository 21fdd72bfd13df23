import json

import pytest

from lgvsc_flow.blocks.semantic import Skem, Skim
from lgvsc_flow.errors import ModelError, SettingError
from lgvsc_flow.graphs import job
from lgvsc_flow.graphs.lgvsc import Scheme
from lgvsc_flow.graphs.profiles import PROFILES, check_captions, check_models, model_digests, semantics
from lgvsc_flow.models import MODELS

JOINT = ("internvl3", "qwen3-vl", "smolvlm")


def test_the_profiles():
    assert list(PROFILES) == ["embedded", "minilm", "smollm2", *JOINT]
    for name, profile in PROFILES.items():
        assert profile.name == name
        assert profile.about
    assert [p.sample_fps for p in PROFILES.values()] == [None, None, 4.6, 4.6, 4.6, 4.6]
    for name in JOINT:
        assert (PROFILES[name].judge, PROFILES[name].strategy) == ("same", "joint")
        assert MODELS[PROFILES[name].describer].kind == "image-text"
    assert MODELS[PROFILES["smollm2"].judge].kind == "text"


@pytest.mark.parametrize("name", list(PROFILES))
def test_a_profile_is_a_block_before_anything_is_loaded(name):
    chosen = semantics(name)
    skem = chosen.skem(0.2)
    assert isinstance(skem, Skem)
    assert (skem.threshold, skem.describer, skem.judge) == (0.2, PROFILES[name].describer, PROFILES[name].judge)
    assert skem.sample_fps == PROFILES[name].sample_fps
    skim = chosen.skim(12)
    assert isinstance(skim, Skim)
    assert (skim.segment_length, skim.describer) == (12, PROFILES[name].describer)


def test_what_is_named_replaces_the_profiles_own():
    chosen = Scheme(profile="smollm2", judge="minilm", sample_fps=2.0, search="gallop", focus="Main-Object").semantics
    assert chosen.as_dict() == {
        "profile": "smollm2",
        "describer": "embedded",
        "judge": "minilm",
        "strategy": "per-frame",
        "focus": "main_object",
        "sample_fps": 2.0,
        "search": "gallop",
        "device": "auto",
        "dtype": "auto",
        "floor": None,
        "quantisation": None,
        "batch_size": 1,
    }


def test_objects_are_called_by_their_names():
    def mine(first, second, focus):
        return 0.5, 0.5

    assert Scheme(judge=mine).semantics.as_dict()["judge"] == "mine"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"profile": "internvl"},
            "no profile is called 'internvl'; did you mean internvl3? there are embedded, minilm,",
        ),
        ({"profile": "x"}, "no profile is called 'x'; there are embedded"),
        (
            {"focus": "backgruond"},
            "no focus is called 'backgruond'; did you mean background? Your own takes a few words",
        ),
    ],
)
def test_wrong_names(settings, message):
    with pytest.raises(SettingError) as caught:
        _ = Scheme(**settings).semantics
    assert message in str(caught.value)


def test_a_focus_of_ones_own_stays():
    assert semantics(focus="the number of people").focus == "the number of people"


def test_a_missing_model_is_told_in_one_line(monkeypatch, tmp_path):
    monkeypatch.setenv("LGVSC_FLOW_MODELS", str(tmp_path))
    with pytest.raises(ModelError) as caught:
        check_models(semantics("internvl3"))
    message = str(caught.value)
    assert message.startswith("profile internvl3: model internvl3-1b")
    assert message.endswith("`lgvsc-flow models` lists what each profile needs and what is here")
    assert "\n" not in message


def test_a_missing_package_is_told_in_one_line(monkeypatch):
    monkeypatch.setattr(
        "lgvsc_flow.graphs.profiles.find_spec", lambda name: None if name == "transformers" else object()
    )
    with pytest.raises(ModelError) as caught:
        check_models(semantics("smollm2"))
    assert str(caught.value) == (
        "profile smollm2: model smollm2-135m needs transformers: pip install 'lgvsc-flow[llm]'. `lgvsc-flow models` "
        "lists what each profile needs and what is here"
    )
    check_models(semantics("smollm2"), judged=False)


def test_a_missing_code_of_captions_is_told_in_one_line(monkeypatch, tmp_path):
    monkeypatch.setenv("LGVSC_FLOW_MODELS", str(tmp_path))
    with pytest.raises(ModelError) as caught:
        check_captions("internvl3-1b")
    assert str(caught.value).endswith("or hub:owner/name@commit; internvl3-1b is no such model")
    with pytest.raises(ModelError) as caught:
        check_captions("qwen2.5-0.5b")
    message = str(caught.value)
    assert message.startswith("captions coded by qwen2.5-0.5b: model qwen2.5-0.5b")
    assert message.endswith("`lgvsc-flow models` lists what is here")
    assert "\n" not in message
    check_captions("letters")


def test_nothing_is_read_before_that(monkeypatch, tmp_path):
    """Names, wiring and models come before the film is read through."""
    from films import write_film

    film = write_film(tmp_path / "film.mp4", [50, 60, 70])
    monkeypatch.setenv("LGVSC_FLOW_MODELS", str(tmp_path))
    monkeypatch.setattr(job, "count_frames", lambda _: pytest.fail("the film was read"))
    with pytest.raises(ModelError, match="profile qwen3-vl: model qwen3-vl-2b"):
        job.send(Scheme(profile="qwen3-vl"), film, tmp_path / "out")
    with pytest.raises(SettingError, match="describer"):
        job.send(Scheme(describer="embeded"), film, tmp_path / "out")
    with pytest.raises(SettingError, match="strategy='joint' needs a vision-language model"):
        job.send(Scheme(strategy="joint"), film, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_what_a_run_says_of_its_cutting(tmp_path):
    from films import write_film

    film = write_film(tmp_path / "film.mp4", [40] * 6 + [200] * 6)
    data = job.send(Scheme(sample_fps=12.5), film, tmp_path / "out")
    semantic = data["semantic"]
    assert semantic["profile"] == "embedded"
    assert semantic["threshold"] == 0.35
    assert semantic["sampling"] == "12.5 frames per second"
    assert semantic["calibration"] is None
    counts = semantic["counts"]
    assert (counts["frames"], counts["sampled"]) == (12, 6)
    assert counts["keyframes"] == len(data["keyframes"])
    assert json.loads((tmp_path / "out" / "run.json").read_text())["semantic"] == semantic
    page = (tmp_path / "out" / "report.html").read_text()
    for part in ("How the video was cut", "12.5 frames per second", "judged", "wasted"):
        assert part in page
    fixed = job.send(Scheme(name="skim-sfa", segment_length=5), film, tmp_path / "out")
    assert fixed["semantic"] == {"profile": "embedded", "describer": "embedded", "segment_length": 5}


def test_the_digests_of_the_models():
    assert list(model_digests(semantics("minilm"))) == [
        "efficientnet-lite0/efficientnet-lite0.pth",
        "all-minilm-l6-v2/model.safetensors",
        "all-minilm-l6-v2/tokenizer.json",
    ]
    pinned = f"{MODELS['internvl3-1b'].repository}@{MODELS['internvl3-1b'].revision}"
    assert model_digests(semantics("internvl3")) == {"internvl3-1b": pinned}
    assert model_digests(semantics(describer="hub:a/b@" + "0" * 40))["hub:a/b@" + "0" * 40] == "hub:a/b@" + "0" * 40


def test_a_folder_of_ones_own_counts_by_its_files(monkeypatch, tmp_path):
    """A folder of the catalogue's name may hold anything."""
    (tmp_path / "internvl3-1b").mkdir()
    (tmp_path / "internvl3-1b" / "model.safetensors").write_bytes(b"weights")
    monkeypatch.setenv("LGVSC_FLOW_MODELS", str(tmp_path))
    assert model_digests(semantics("internvl3")) == {
        "internvl3-1b/model.safetensors": "9a129038d9a00aed0cf6a7ea059ca50a813449061ab87848cf1a13eafdf33b2c"
    }


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"dtype": "float99"}, "dtype='float99' is none of auto, float32, bfloat16, float16"),
        ({"device": "gpu"}, "device='gpu' is no torch device; set auto, cpu, cuda or cuda:1"),
    ],
)
def test_a_device_that_is_not_there(settings, message):
    with pytest.raises(SettingError) as caught:
        check_models(semantics(**settings))
    assert str(caught.value) == message
