"""What goes wrong before the first frame: packages, devices, checkpoints, memory. Real files, tiny."""

from __future__ import annotations

import importlib
import json
import shutil
from pathlib import Path

import pytest
import tiny_pipelines
import torch
from safetensors.torch import load_file, save_file

from lgvsc_flow.blocks.world import diffusion_loading
from lgvsc_flow.blocks.world.ltx import LtxModel
from lgvsc_flow.blocks.world.vace import WanVaceModel
from lgvsc_flow.blocks.world.wan import WanFirstLastModel
from lgvsc_flow.errors import MissingExtraError, ModelError


@pytest.fixture(scope="module")
def saved(tmp_path_factory) -> Path:
    return tiny_pipelines.save("ltx", tmp_path_factory.mktemp("pipelines"))


@pytest.fixture
def folder(saved, tmp_path) -> Path:
    return Path(shutil.copytree(saved, tmp_path / "ltx"))


def refusal(model) -> str:
    with pytest.raises(ModelError) as caught:
        model.load()
    return str(caught.value)


def test_nothing_named_and_nothing_there(tmp_path):
    for call in (WanFirstLastModel().load, WanFirstLastModel().check):
        with pytest.raises(ModelError, match="the world model wan-flf has no checkpoint; set checkpoint to a pipeline"):
            call()
    missing = LtxModel(checkpoint=str(tmp_path / "nothing"))
    for call in (missing.load, missing.check):
        with pytest.raises(ModelError, match=r"no video pipeline is called '.*nothing', and no folder has that path"):
            call()


def test_check_lets_pass_what_the_hub_may_bring(monkeypatch):
    import huggingface_hub

    def absent(*args, **kwargs):
        assert kwargs["local_files_only"]
        raise FileNotFoundError

    monkeypatch.setattr(huggingface_hub, "snapshot_download", absent)
    LtxModel().check()
    WanFirstLastModel(checkpoint="hub:a/b@" + "0" * 40).check()


def test_a_checkpoint_of_another_pipeline(saved):
    for model in (WanVaceModel(checkpoint=str(saved)), WanFirstLastModel(checkpoint=str(saved))):
        text = (
            rf"{model.name}: checkpoint .*ltx is a LTXConditionPipeline, this world model takes {model.pipeline}; "
            "choose the world model or the checkpoint anew"
        )
        with pytest.raises(ModelError, match=text):
            model.check()
        with pytest.raises(ModelError, match=text):
            model.load()


def test_checkpoints_of_the_other_ltx_pipelines_are_the_same_components(folder):
    index = json.loads((folder / "model_index.json").read_text())
    (folder / "model_index.json").write_text(json.dumps(index | {"_class_name": "LTXPipeline"}))
    model = LtxModel(checkpoint=str(folder))
    model.load()
    assert type(model._pipe).__name__ == "LTXConditionPipeline"


def test_a_cut_off_file_and_a_pickle_are_refused_before_loading(folder):
    weights = folder / "vae" / "diffusion_pytorch_model.safetensors"
    content = weights.read_bytes()
    weights.write_bytes(content[: len(content) // 2])
    assert "vae/diffusion_pytorch_model.safetensors is damaged (it has" in refusal(LtxModel(checkpoint=str(folder)))
    weights.rename(weights.with_suffix(".bin"))
    assert "vae holds pickled weights only (diffusion_pytorch_model.bin)" in refusal(LtxModel(checkpoint=str(folder)))


@pytest.mark.parametrize(
    ("component", "file"),
    [("transformer", "diffusion_pytorch_model.safetensors"), ("text_encoder", "model.safetensors")],
)
def test_a_file_that_lacks_a_weight_is_refused(folder, component, file):
    place = folder / component / file
    state = load_file(place)
    gone = next(k for k, v in state.items() if v.ndim == 2 and "shared" not in k)
    save_file({k: v for k, v in state.items() if k != gone}, place, metadata={"format": "pt"})
    text = refusal(LtxModel(checkpoint=str(folder)))
    assert text.startswith(f"ltx: checkpoint {folder}")
    assert f"1 weights of {component} " in text
    assert gone in text
    assert "they would be random. Its files are not whole, or of another model" in text


def test_a_weight_of_another_shape_is_refused(folder):
    place = folder / "transformer" / "diffusion_pytorch_model.safetensors"
    state = load_file(place)
    state["proj_out.weight"] = state["proj_out.weight"][:, :4].contiguous()
    save_file(state, place, metadata={"format": "pt"})
    text = refusal(LtxModel(checkpoint=str(folder)))
    assert "cannot be loaded" in text or "weights of transformer" in text
    assert "proj_out" in text


def test_a_class_that_the_library_does_not_have(folder):
    index = json.loads((folder / "model_index.json").read_text())
    index["transformer"] = ["diffusers", "LTXOfTomorrow3DModel"]
    (folder / "model_index.json").write_text(json.dumps(index))
    text = "transformer is a LTXOfTomorrow3DModel, which the installed diffusers does not have; update diffusers"
    assert text in refusal(LtxModel(checkpoint=str(folder)))


def test_a_tokenizer_as_the_checkpoints_have_it_without_tokenizer_json(folder, tmp_path):
    """T5's: a SentencePiece model alone, which takes sentencepiece and protobuf to read."""
    text = tmp_path / "text.txt"
    text.write_text("\n".join(f"a red bus number {i} turns the corner near house {7 * i % 13}" for i in range(300)))
    train = importlib.import_module("sentencepiece").SentencePieceTrainer.train
    train(
        input=str(text),
        model_prefix=str(tmp_path / "spiece"),
        vocab_size=60,
        pad_id=0,
        eos_id=1,
        unk_id=2,
        bos_id=-1,
        minloglevel=2,
    )
    place = folder / "tokenizer"
    (place / "tokenizer.json").unlink()
    shutil.copy(tmp_path / "spiece.model", place)
    (place / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "T5Tokenizer", "extra_ids": 0}))
    index = json.loads((folder / "model_index.json").read_text())
    (folder / "model_index.json").write_text(json.dumps(index | {"tokenizer": ["transformers", "T5Tokenizer"]}))
    model = LtxModel(checkpoint=str(folder))
    model.load()
    ids = model._pipe.tokenizer("a red bus").input_ids
    assert ids[-1] == 1
    assert model._pipe.tokenizer.decode(ids, skip_special_tokens=True) == "a red bus"


def test_a_damaged_tokenizer_ends_in_a_line(folder):
    (folder / "tokenizer" / "tokenizer.json").write_text("{")
    text = refusal(LtxModel(checkpoint=str(folder)))
    assert text.startswith(f"ltx: checkpoint {folder} cannot be loaded: ")
    assert "\n" not in text


def test_out_of_memory_while_loading(saved, monkeypatch):
    def full(*args, **kwargs):
        raise torch.OutOfMemoryError("Tried to allocate 9 GiB")

    monkeypatch.setattr(diffusion_loading, "_component", full)
    text = refusal(LtxModel(checkpoint=str(saved)))
    assert text == (
        f"ltx: loading {saved}: out of memory with device=auto, dtype=auto, offload=none; set dtype='bfloat16', "
        "or take a smaller checkpoint"
    )


def test_what_cannot_fit_is_refused_before_it_is_loaded(saved, monkeypatch):
    monkeypatch.setattr(diffusion_loading, "_free_bytes", lambda device: 1000)
    text = refusal(LtxModel(checkpoint=str(saved), dtype="bfloat16"))
    assert "GiB on cpu with dtype=bfloat16, offload=none, and 0.0 GiB are free; take a smaller checkpoint" in text


@pytest.mark.parametrize(
    ("offload", "place", "part"),
    [("none", "cuda:0", sum), ("model", "cuda:0", max), ("model", "cpu", sum), ("sequential", "cpu", sum)],
)
def test_offloading_takes_room_for_one_part_on_the_gpu_and_for_all_beside_it(saved, monkeypatch, offload, place, part):
    model = LtxModel(checkpoint=str(saved), offload=offload)
    needed = 4 * part(diffusion_loading.component_sizes(saved, "").values())
    monkeypatch.setattr(diffusion_loading, "choose_device", lambda device: "cuda:0")
    for free in (needed, needed - 1):
        monkeypatch.setattr(diffusion_loading, "_free_bytes", lambda at, free=free: free if at == place else None)
        if free == needed:
            diffusion_loading._check_room(model._loading(), saved, "cuda:0", 4)
            continue
        with pytest.raises(ModelError, match=f"GiB on {place} with dtype=auto, offload={offload}, and 0.0 GiB"):
            diffusion_loading._check_room(model._loading(), saved, "cuda:0", 4)


def test_offload_needs_a_gpu(saved):
    model = LtxModel(checkpoint=str(saved), device="cpu", offload="model")
    for call in (model.load, model.check):
        with pytest.raises(ModelError, match="offload='model' moves weights between a GPU and the computer's"):
            call()


def test_a_device_that_is_not_here(saved):
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    with pytest.raises(ModelError, match=r"device='cuda': torch .* sees no CUDA GPU; set device='auto' or 'cpu'"):
        LtxModel(checkpoint=str(saved), device="cuda").check()


@pytest.mark.parametrize("package", ["diffusers", "accelerate", "sentencepiece", "protobuf", "ftfy"])
def test_missing_packages_name_the_extra(monkeypatch, package):
    def absent(module, what, extra, name):
        if name == package:
            raise MissingExtraError(what, extra, name)
        return importlib.import_module(module)

    monkeypatch.setattr(diffusion_loading, "import_extra", absent)
    with pytest.raises(MissingExtraError, match=rf"wan-vace needs {package}: pip install 'lgvsc-flow\[world\]'"):
        WanVaceModel().check()


def test_dtypes_are_as_set_and_the_autoencoder_of_wan_stays_in_float32(saved, tmp_path):
    ltx = LtxModel(checkpoint=str(saved), dtype="bfloat16")
    ltx.load()
    assert {ltx._pipe.vae.dtype, ltx._pipe.transformer.dtype, ltx._pipe.text_encoder.dtype} == {torch.bfloat16}
    vace = WanVaceModel(checkpoint=str(tiny_pipelines.save("wan-vace", tmp_path)), dtype="bfloat16")
    vace.load()
    assert vace._pipe.vae.dtype == torch.float32
    assert vace._pipe.transformer.dtype == torch.bfloat16
    assert not vace._pipe.transformer.training
