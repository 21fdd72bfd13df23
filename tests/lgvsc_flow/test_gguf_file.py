import json
import os
import subprocess
import sys
import time

import numpy as np
import pytest

pytest.importorskip("transformers")
pytest.importorskip("gguf")
from safetensors.numpy import load_file
from tiny_folder import write_gguf

from lgvsc_flow import gguf_file
from lgvsc_flow.errors import MissingExtraError, ModelError
from lgvsc_flow.gguf_file import RECORD, conversion_place, convert_gguf, intact
from lgvsc_flow.model_folder import check_folder
from lgvsc_flow.models import sha256_of


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    path = tmp_path_factory.mktemp("gguf") / "tiny.gguf"
    return path, write_gguf(path)


@pytest.fixture(scope="module")
def converted(tiny, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LGVSC_FLOW_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield tiny[0], convert_gguf(tiny[0], "model tiny")


@pytest.fixture
def counted(monkeypatch):
    """Conversions that are really made."""
    made = []
    inner = gguf_file._make
    monkeypatch.setattr(gguf_file, "_make", lambda *a: (made.append(a[0].name), inner(*a)))
    return made


def test_the_weights_are_the_numbers_that_the_blocks_stand_for(tiny, converted):
    stored = tiny[1]
    weights = load_file(converted[1] / "model.safetensors")
    names = {
        "token_embd": "model.embed_tokens",
        "output_norm": "model.norm",
        "blk.0.attn_norm": "model.layers.0.input_layernorm",
        "blk.0.attn_v": "model.layers.0.self_attn.v_proj",
        "blk.0.attn_output": "model.layers.0.self_attn.o_proj",
        "blk.0.ffn_norm": "model.layers.0.post_attention_layernorm",
        "blk.0.ffn_gate": "model.layers.0.mlp.gate_proj",
        "blk.0.ffn_up": "model.layers.0.mlp.up_proj",
        "blk.0.ffn_down": "model.layers.0.mlp.down_proj",
    }
    for theirs, ours in names.items():
        np.testing.assert_array_equal(weights[f"{ours}.weight"], stored[f"{theirs}.weight"])
    # GGUF interleaves the two halves of each head's rotary dimensions.
    for letter, heads in (("q", 2), ("k", 1)):
        rows = stored[f"blk.0.attn_{letter}.weight"].reshape(heads, 8, 2, 32)
        halves = np.concatenate([rows[:, :, 0], rows[:, :, 1]], axis=1).reshape(heads * 16, 32)
        np.testing.assert_array_equal(weights[f"model.layers.0.self_attn.{letter}_proj.weight"], halves)
    assert len(weights) == len(stored)


def test_the_converted_model_gives_the_logits_of_the_gguf_file(converted):
    import torch
    from transformers import AutoModelForCausalLM, GgufConfig

    path, folder = converted
    ours = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    theirs = AutoModelForCausalLM.from_pretrained(
        path.parent, gguf_file=path.name, dtype=torch.float32, quantization_config=GgufConfig(dequantize=True)
    )
    ids = torch.arange(24).reshape(2, 12)
    with torch.inference_mode():
        assert torch.equal(ours(ids).logits, theirs(ids).logits)
    assert ours.generation_config.eos_token_id == 2


def test_the_folder_is_one_like_any_other(converted):
    check_folder(converted[1], "model tiny")
    config = json.loads((converted[1] / "config.json").read_text())
    assert "quantization_config" not in config
    assert config["model_type"] == "llama"


def test_the_tokenizer_and_its_template_come_along(converted):
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(converted[1])
    for text in ("yes no", " yes  and\nno!", "plain"):
        assert tokenizer.decode(tokenizer(text)["input_ids"]) == text
    prompt = tokenizer.apply_chat_template(
        [{"role": "user", "content": "yes"}], tokenize=False, add_generation_prompt=True
    )
    assert prompt == "<|im_start|>yes<|im_end|><|im_start|>"
    assert tokenizer(prompt)["input_ids"] == [1, tokenizer.convert_tokens_to_ids("yes"), 2, 1]


def test_a_second_time_nothing_is_made(converted, counted):
    assert convert_gguf(converted[0], "model tiny") == converted[1]
    assert counted == []


def test_the_place_is_named_by_the_digest_and_every_file_is_recorded(converted):
    path, folder = converted
    assert folder == conversion_place(sha256_of(path))
    record = json.loads((folder / RECORD).read_text())
    assert record["source"] == "tiny.gguf"
    assert record["source_sha256"] == sha256_of(path)
    assert {n: f["sha256"] for n, f in record["files"].items()} == {
        p.name: sha256_of(p) for p in folder.iterdir() if p.name != RECORD
    }


@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.json", "config.json", RECORD])
@pytest.mark.parametrize("damage", ["cut", "gone"])
def test_a_cache_with_a_damaged_file_is_made_again(converted, counted, name, damage):
    path, folder = converted
    whole = (folder / name).read_bytes()
    (folder / name).write_bytes(whole[: len(whole) // 2])
    if damage == "gone":
        (folder / name).unlink()
    assert not intact(folder)
    assert convert_gguf(path, "model tiny") == folder
    assert counted == ["tiny.gguf"]
    assert intact(folder)
    assert (folder / name).stat().st_size > len(whole) // 2


def test_changed_content_of_the_same_size_is_seen_by_its_time(converted, counted):
    path, folder = converted
    file = folder / "model.safetensors"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    os.utime(file, ns=(0, time.time_ns()))
    assert not intact(folder)
    convert_gguf(path, "model tiny")
    assert counted == ["tiny.gguf"]


def test_a_copied_cache_is_not_made_again(converted, counted):
    path, folder = converted
    os.utime(folder / "model.safetensors")  # as a copy has it: the same content at another time
    assert convert_gguf(path, "model tiny") == folder
    assert counted == []


def test_what_dead_processes_left_is_swept_away(converted):
    path, folder = converted
    left = folder.with_name(f"{folder.name}.making-dead")
    left.mkdir()
    (folder / "config.json").unlink()
    convert_gguf(path, "model tiny")
    assert not left.exists()
    assert sorted(p.name for p in folder.parent.iterdir()) == [folder.name, f"{folder.name}.lock"]


def test_two_processes_at_once_make_one_whole_conversion(tiny, tmp_path):
    code = (
        "import sys; from lgvsc_flow import gguf_file; make = gguf_file._make\n"
        "gguf_file._make = lambda *a: (print('made'), make(*a))\n"
        "from lgvsc_flow.pretrained import open_model; print(open_model(sys.argv[1]))"
    )
    environment = {**os.environ, "LGVSC_FLOW_CACHE": str(tmp_path)}
    both = [
        subprocess.Popen([sys.executable, "-c", code, tiny[0]], env=environment, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    said = [process.communicate(timeout=240)[0].split() for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert said[0][-1] == said[1][-1]
    assert sum("made" in words for words in said) == 1
    (place,) = [p for p in (tmp_path / "gguf").iterdir() if p.is_dir()]
    assert intact(place)


@pytest.mark.parametrize("damage", ["cut", "empty", "noise", "text"])
def test_a_damaged_file_leaves_nothing_behind(tiny, tmp_path, monkeypatch, damage):
    monkeypatch.setenv("LGVSC_FLOW_CACHE", str(tmp_path / "cache"))
    content = tiny[0].read_bytes()
    bad = tmp_path / "bad.gguf"
    noise = np.random.default_rng(1).bytes(4096)
    bad.write_bytes({"cut": content[:-2000], "empty": b"", "noise": content[:24] + noise, "text": b"GGUF? no."}[damage])
    with pytest.raises(ModelError) as error:
        convert_gguf(bad, "model bad")
    text = str(error.value)
    assert text.startswith(f"model bad: {bad} cannot be read as GGUF: ")
    assert "it is damaged, or its architecture is not known to the installed transformers" in text
    assert "\n" not in text
    assert [p.suffix for p in (tmp_path / "cache" / "gguf").iterdir()] == [".lock"]


def test_missing_weights_are_not_made_up(tmp_path, monkeypatch):
    monkeypatch.setenv("LGVSC_FLOW_CACHE", str(tmp_path / "cache"))
    write_gguf(tmp_path / "holes.gguf", drop=["blk.0.ffn_up.weight"])
    with pytest.raises(ModelError, match=r"holes\.gguf lacks weights that the model needs \(model\.layers\.0\.mlp"):
        convert_gguf(tmp_path / "holes.gguf", "model holes")


def test_a_cache_that_cannot_be_written_names_its_variable(tiny, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("LGVSC_FLOW_CACHE", str(tmp_path / "file"))
    with pytest.raises(
        ModelError, match=r"tiny\.gguf cannot be converted in .*: Not a directory; set LGVSC_FLOW_CACHE"
    ):
        convert_gguf(tiny[0], "model tiny")


def test_a_missing_reader_names_its_extra(tiny, tmp_path, monkeypatch):
    monkeypatch.setenv("LGVSC_FLOW_CACHE", str(tmp_path))
    monkeypatch.setitem(sys.modules, "gguf", None)
    with pytest.raises(MissingExtraError, match=r"converting tiny\.gguf needs gguf: pip install 'lgvsc-flow\[llm\]'"):
        convert_gguf(tiny[0], "model tiny")
