"""Folders of pipelines: what is opened, and what is refused with which words. No weights are loaded."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import huggingface_hub
import numpy as np
import pytest
from safetensors.numpy import save_file

from lgvsc_flow.errors import ModelError
from lgvsc_flow.model_catalogue import CATALOGUE
from lgvsc_flow.model_sources import open_model, whereabouts
from lgvsc_flow.pipeline_folder import check_pipeline, component_sizes, find_pipeline, open_pipeline, pipeline_index

INDEX = {
    "_class_name": "LTXConditionPipeline",
    "_diffusers_version": "0.42.1",
    "scheduler": ["diffusers", "FlowMatchEulerDiscreteScheduler"],
    "text_encoder": ["transformers", "T5EncoderModel"],
    "tokenizer": ["transformers", "T5TokenizerFast"],
    "transformer": ["diffusers", "LTXVideoTransformer3DModel"],
    "image_encoder": [None, None],
    "boundary_ratio": None,
    "expand_timesteps": False,
}
COMMIT = "0" * 39 + "1"


@pytest.fixture
def pipeline(tmp_path) -> Path:
    folder = tmp_path / "video"
    for name, file in (("text_encoder", "model"), ("transformer", "diffusion_pytorch_model")):
        (folder / name).mkdir(parents=True)
        (folder / name / "config.json").write_text('{"model_type": "t5"}')
        save_file({"w": np.zeros((2, 3), np.float32)}, folder / name / f"{file}.safetensors")
    for name in ("scheduler", "tokenizer"):
        (folder / name).mkdir()
    write(folder, INDEX)
    return folder


def write(folder: Path, index: object) -> None:
    (folder / "model_index.json").write_text(json.dumps(index))


def refusal(folder: Path) -> str:
    with pytest.raises(ModelError) as caught:
        check_pipeline(folder, "model video")
    return str(caught.value)


def test_a_whole_pipeline_is_opened_by_its_path_and_by_its_name(pipeline, monkeypatch):
    assert open_pipeline(pipeline) == pipeline
    assert find_pipeline("video", folder=pipeline.parent) == pipeline
    monkeypatch.setenv("LGVSC_FLOW_MODELS", str(pipeline.parent))
    assert open_pipeline("video") == pipeline
    assert pipeline_index(pipeline, "")[""] == ("diffusers", "LTXConditionPipeline")
    assert component_sizes(pipeline, "") == {"text_encoder": 6, "transformer": 6}


def test_a_name_of_the_catalogue_is_looked_for_in_the_folder(pipeline):
    pipeline.rename(pipeline.parent / "ltx-0.9.5")
    assert open_pipeline("ltx-0.9.5", folder=pipeline.parent) == pipeline.parent / "ltx-0.9.5"
    assert whereabouts(CATALOGUE["ltx-0.9.5"], pipeline.parent).place == str(pipeline.parent / "ltx-0.9.5")


def test_what_is_nowhere_says_what_is_known(tmp_path):
    with pytest.raises(ModelError, match=r"no video pipeline is called 'ltx', .* known are ltx-0.9.5, wan-vace-1.3b;"):
        open_pipeline("ltx", folder=tmp_path)
    with pytest.raises(ModelError, match=r"no video pipeline is called 'smollm2-135m'"):
        open_pipeline("smollm2-135m", folder=tmp_path)
    with pytest.raises(ModelError, match=r"model ltx-0\.9\.5 is no language model"):
        open_model("ltx-0.9.5", folder=tmp_path)


@pytest.mark.parametrize("name", ["hub:a/b", "hub:a/b@main", "hub:a/b@" + "F" * 40, "hub:a@" + COMMIT])
def test_a_name_at_the_hub_needs_a_commit(name):
    with pytest.raises(ModelError, match=r"names no commit of the hub: branches and tags move\. Write hub:owner"):
        open_pipeline(name)


def test_the_hub_is_asked_for_components_alone_and_only_where_they_are_not_here(pipeline, monkeypatch):
    asked = []

    def snapshot(repository, *, revision, allow_patterns, local_files_only=False):
        asked.append((repository, revision, local_files_only))
        assert "*.safetensors" not in allow_patterns  # the whole model again in one file
        if local_files_only:
            raise FileNotFoundError("not in the cache")
        return str(pipeline)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot)
    monkeypatch.setattr(huggingface_hub, "model_info", lambda *a, **k: None)
    with pytest.raises(ModelError, match=f"is missing: a/b@{COMMIT[:12]} is not in the hub's cache. On a machine with"):
        find_pipeline(f"hub:a/b@{COMMIT}")
    assert asked == [("a/b", COMMIT, True)]
    assert open_pipeline(f"hub:a/b@{COMMIT}") == pipeline
    assert asked[1:] == [("a/b", COMMIT, True), ("a/b", COMMIT, False)]


def test_a_hub_out_of_reach_is_told_with_the_command(monkeypatch):
    def unreachable(*args, **kwargs):
        raise ConnectionError("no\n route to host")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", unreachable)
    monkeypatch.setattr(huggingface_hub, "model_info", unreachable)
    entry = CATALOGUE["wan-vace-1.3b"]
    with pytest.raises(ModelError) as caught:
        open_pipeline(entry.name, folder="/nowhere")
    text = str(caught.value)
    assert "model wan-vace-1.3b is missing: Wan-AI/Wan2.1-VACE-1.3B-diffusers@ec4d2cb062b5 is not in the hub's" in text
    assert "could not be fetched (ConnectionError: no route to host)" in text
    assert f"hf download {entry.repository} --revision {entry.revision} --include '*.json' '*/*.safetensors'" in text
    assert "--local-dir wan-vace-1.3b; copy that folder here" in text
    assert "is missing" in whereabouts(entry, "/nowhere").problem


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (["custom_code", "MyTransformer"], "names transformer as 'custom_code', 'MyTransformer'; only classes of diff"),
        (["diffusers", "os.system"], "names transformer as 'diffusers', 'os.system'; only classes of diffusers and"),
        (["diffusers", 7], "names transformer as 'diffusers', 7; only classes"),
    ],
)
def test_code_of_a_checkpoint_is_never_run(pipeline, value, text):
    write(pipeline, INDEX | {"transformer": value})
    assert text in refusal(pipeline)


def test_a_pipeline_of_its_own_class_and_names_that_lead_elsewhere_are_refused(pipeline):
    write(pipeline, INDEX | {"_class_name": ["pipeline.py", "Mine"]})
    assert "names the pipeline as 'diffusers', ['pipeline.py', 'Mine']" in refusal(pipeline)
    write(pipeline, INDEX | {"../../x": ["diffusers", "AutoencoderKLWan"]})
    assert "names ../../x as 'diffusers', 'AutoencoderKLWan'; only classes" in refusal(pipeline)
    write(pipeline, INDEX)
    (pipeline / "transformer" / "config.json").write_text('{"auto_map": {"AutoModel": "mine.Model"}}')
    assert "needs code of its own (auto_map in config.json), which is never run" in refusal(pipeline)


def test_pickled_weights_alone_are_refused(pipeline):
    (pipeline / "transformer" / "diffusion_pytorch_model.safetensors").unlink()
    assert "transformer holds no weights; it takes diffusion_pytorch_model.safetensors, or its index" in refusal(
        pipeline
    )
    (pipeline / "transformer" / "diffusion_pytorch_model.bin").write_bytes(b"x")
    assert "holds pickled weights only (diffusion_pytorch_model.bin), which could run code when read" in refusal(
        pipeline
    )
    save_file({"w": np.zeros(1)}, pipeline / "transformer" / "diffusion_pytorch_model.fp16.safetensors")
    (pipeline / "transformer" / "diffusion_pytorch_model.bin").unlink()
    assert "holds diffusion_pytorch_model.fp16.safetensors but no diffusion_pytorch_model.safet" in refusal(pipeline)


def test_pickles_of_the_text_encoder_are_refused_too(pipeline):
    (pipeline / "text_encoder" / "model.safetensors").rename(pipeline / "text_encoder" / "pytorch_model.bin")
    assert "text_encoder holds pickled weights only (pytorch_model.bin)" in refusal(pipeline)


def test_damage_is_found_before_loading(pipeline):
    weights = pipeline / "transformer" / "diffusion_pytorch_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])
    assert "diffusion_pytorch_model.safetensors is damaged (it has" in refusal(pipeline)
    (pipeline / "model_index.json").write_text("{")
    assert "model_index.json holds no JSON object; it is damaged, get it again" in refusal(pipeline)


def test_missing_components_and_shards_are_counted(pipeline):
    place = pipeline / "transformer"
    (place / "diffusion_pytorch_model.safetensors").rename(place / "a.safetensors")
    index = place / "diffusion_pytorch_model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"v": "a.safetensors", "w": "b.safetensors"}}))
    assert "lacks 1 of its 2 weight files (b.safetensors); get them again" in refusal(pipeline)
    index.write_text(json.dumps({"weight_map": {"v": "../a.safetensors"}}))
    assert "names no safetensors files of that folder; get the file again" in refusal(pipeline)
    index.write_text(json.dumps({"weight_map": {"v": "a.safetensors"}}))
    check_pipeline(pipeline, "")
    shutil.rmtree(pipeline / "scheduler")
    assert "has no folder scheduler, which its model_index.json names; get it again" in refusal(pipeline)


def test_what_is_no_pipeline_says_what_it_is(pipeline, tmp_path):
    assert "text_encoder holds one model and no pipeline (config.json, no model_index.json)" in refusal(
        pipeline / "text_encoder"
    )
    single = tmp_path / "single"
    single.mkdir()
    assert "single holds no model_index.json; it takes a pipeline's folder" in refusal(single)
    (single / "ltxv-2b.safetensors").write_bytes(b"")
    assert "holds ltxv-2b.safetensors and no model_index.json; a model in one file is turned into" in refusal(single)
    with pytest.raises(ModelError, match=r"ltxv-2b.safetensors is a file; it takes a pipeline's folder"):
        open_pipeline(single / "ltxv-2b.safetensors")
