import json
import shutil

import pytest

pytest.importorskip("transformers")
from tiny_folder import change_json, write_folder

from lgvsc_flow.errors import ModelError
from lgvsc_flow.model_folder import (
    check_folder,
    count_parameters,
    read_json,
    safetensors_header,
    weight_files,
)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    model = write_folder(folder)
    return folder, sum(p.numel() for p in model.parameters())


@pytest.fixture
def folder(whole, tmp_path):
    shutil.copytree(whole[0], tmp_path / "tiny")
    return tmp_path / "tiny"


def refused(folder):
    with pytest.raises(ModelError) as error:
        check_folder(folder, "model tiny")
    text = str(error.value)
    assert text.startswith("model tiny: ")
    assert "\n" not in text
    return text


def test_a_whole_folder_passes_and_its_numbers_are_counted(whole):
    check_folder(whole[0], "model tiny")
    assert count_parameters(whole[0], "model tiny") == whole[1]


def test_shards_pass_and_a_missing_one_is_named(tmp_path):
    write_folder(tmp_path, shards=True)
    files = weight_files(tmp_path, "model tiny")
    assert len(files) > 1
    check_folder(tmp_path, "model tiny")
    files[1].unlink()
    assert refused(tmp_path).endswith(f"lacks 1 of its {len(files)} weight files ({files[1].name}); get them again")


@pytest.mark.parametrize("name", ["../../outside.safetensors", "/etc/passwd", "model.bin", ""])
def test_an_index_leads_nowhere_else(folder, name):
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"a": name}}))
    assert "names no safetensors files of that folder" in refused(folder)


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.pt", "model.pth", "weights.pkl", "model.ckpt"])
def test_pickles_alone_are_refused(folder, name):
    (folder / "model.safetensors").rename(folder / name)
    text = refused(folder)
    assert f"holds pickled weights only ({name}), which could run code when read" in text
    assert "take a copy with model.safetensors" in text


def test_a_pickle_beside_safetensors_is_never_looked_at(folder):
    (folder / "pytorch_model.bin").write_bytes(b"cos\nsystem\n(S'false'\ntR.")
    check_folder(folder, "model tiny")


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("model.onnx", "weights of another framework only"),
        ("consolidated.safetensors", "rename it"),
        (None, "no weights"),
    ],
)
def test_other_weights_are_told_apart(folder, name, says):
    if name is None:
        (folder / "model.safetensors").unlink()
    else:
        (folder / "model.safetensors").rename(folder / name)
    assert says in refused(folder)


def test_no_configuration_is_no_model(folder):
    (folder / "config.json").unlink()
    assert "holds no config.json" in refused(folder)


@pytest.mark.parametrize("content", ["", "[1, 2]", "{", "\ufffd", "[" * 100_000])
def test_a_damaged_configuration_is_refused(folder, content):
    (folder / "config.json").write_text(content)
    assert "holds no JSON object; it is damaged" in refused(folder)


def test_code_that_would_be_needed_is_refused(folder):
    change_json(folder / "config.json", auto_map={"AutoModel": "modeling_evil.Evil"}, model_type="internvl_chat")
    (folder / "modeling_evil.py").write_text("raise SystemExit('it ran')")
    text = refused(folder)
    assert "needs code of its own (auto_map in config.json, model_type 'internvl_chat'), which is never run" in text
    assert "the repositories that end in -hf" in text


def test_code_that_is_not_needed_stays_unread(folder):
    change_json(folder / "config.json", auto_map={"AutoModelForCausalLM": "modeling_evil.Evil"})
    (folder / "modeling_evil.py").write_text("raise SystemExit('it ran')")
    check_folder(folder, "model tiny")


@pytest.mark.parametrize("nested", [False, True])
def test_kernels_by_name_are_refused(folder, nested):
    asked = {"attn_implementation": "kernels-community/evil"}
    change_json(folder / "config.json", **({"text_config": asked} if nested else asked))
    assert "asks for a kernel by name (attn_implementation='kernels-community/evil')" in refused(folder)


def test_a_weights_file_of_its_own_naming_is_refused(folder):
    change_json(folder / "config.json", transformers_weights="adapter_model.bin")
    assert "names its own weights file ('adapter_model.bin')" in refused(folder)


def test_adapters_and_checkpoints_of_trainings_are_refused(folder):
    (folder / "adapter_config.json").write_text("{}")
    assert "holds an adapter" in refused(folder)
    (folder / "adapter_config.json").unlink()
    (folder / "shard-00001-model-00001-of-00002.safetensors").write_bytes(b"")
    assert "checkpoint of a distributed training" in refused(folder)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda b: b[:-1], "its header says"),
        (lambda b: b + b"\0", "its header says"),
        (lambda b: b[:6], "it ends within its header"),
        (lambda b: b"", "it ends within its header"),
        (lambda b: (2**60).to_bytes(8, "little") + b[8:], "it ends within its header"),
        (lambda b: b[:8] + b"x" + b[9:], "its header is no JSON"),
        (lambda b: (2).to_bytes(8, "little") + b"{}", "names no tensors"),
        (lambda b: (2).to_bytes(8, "little") + b"[]", "names no tensors"),
        (lambda b: (9).to_bytes(8, "little") + b'{"a": {}}', "names no tensors"),
    ],
)
def test_damaged_weights_are_seen_before_they_are_loaded(folder, change, says):
    path = folder / "model.safetensors"
    path.write_bytes(change(path.read_bytes()))
    text = refused(folder)
    assert f"{path} is damaged" in text
    assert says in text


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(ModelError, match=r"model tiny: .*none\.json cannot be read: No such file"):
        read_json(tmp_path / "none.json", "model tiny")
    with pytest.raises(ModelError, match="cannot be read: No such file"):
        safetensors_header(tmp_path / "none.safetensors", "model tiny")


@pytest.mark.parametrize(
    "tensor",
    [
        {"shape": [1e999], "data_offsets": [0, 4]},
        {"shape": [1], "data_offsets": [0, 1e999]},
        {"shape": "12", "data_offsets": [0, 4]},
        {"shape": [10**400], "data_offsets": [0, 4]},
        {"shape": [True], "data_offsets": [0, 4]},
        {"shape": [1] * 17, "data_offsets": [0, 4]},
        {"shape": [1], "data_offsets": "04"},
    ],
    ids=str,
)
def test_a_header_with_odd_numbers_is_damage(tmp_path, tensor):
    header = json.dumps({"w": {"dtype": "F32", **tensor}}).encode()
    path = tmp_path / "model.safetensors"
    path.write_bytes(len(header).to_bytes(8, "little") + header + bytes(4))
    with pytest.raises(ModelError, match="is damaged"):
        safetensors_header(path, "model x")
