import importlib.util
import re
import shutil
import socket
import subprocess
import sys
from types import ModuleType

import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")
import torch
from tiny_folder import change_json, write_folder

from lgvsc_flow import pretrained
from lgvsc_flow.errors import MissingExtraError, ModelError, SettingError
from lgvsc_flow.models import MODELS, resolve
from lgvsc_flow.pretrained import (
    choose_device,
    choose_dtype,
    load_pretrained,
    load_processor,
    open_model,
    out_of_memory,
)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole") / "tiny"
    return folder, write_folder(folder)


@pytest.fixture
def folder(whole, tmp_path):
    shutil.copytree(whole[0], tmp_path / "tiny")
    return tmp_path / "tiny"


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    def refuse(*arguments, **settings):
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)


def refused(call, *arguments, **settings):
    with pytest.raises(ModelError) as error:
        call(*arguments, **settings)
    assert "\n" not in str(error.value)
    return str(error.value)


def load(folder, **settings):
    return load_pretrained("AutoModelForCausalLM", folder, **settings)


def test_a_folder_is_loaded_as_it_was_saved(whole):
    folder, original = whole
    model = load(folder)
    ids = torch.arange(8)[None]
    with torch.inference_mode():
        assert torch.equal(model(ids).logits, original(ids).logits)
    assert not model.training
    assert model.dtype == torch.float32
    tokenizer = load_processor("AutoTokenizer", folder)
    prompt = tokenizer.apply_chat_template([{"role": "user", "content": "yes"}], tokenize=False)
    assert prompt == "<|im_start|>yes<|im_end|>"
    assert load_processor(type(tokenizer), folder).vocab_size == tokenizer.vocab_size


@pytest.mark.parametrize("dtype", ["bfloat16", torch.float16])
def test_the_dtype_is_what_was_asked_for(whole, dtype):
    assert load(whole[0], dtype=dtype, device="cpu").dtype == choose_dtype(dtype, "cpu")


def test_weights_that_would_be_random_are_refused(folder):
    change_json(folder / "config.json", num_hidden_layers=3)
    text = refused(load, folder)
    assert re.search(
        r"\d+ weights of LlamaForCausalLM are not in .*tiny \(model\.layers\.2\.[\w.]+\); they would be", text
    )


def test_weights_of_other_shapes_are_refused(folder):
    change_json(folder / "config.json", intermediate_size=64)
    assert str(folder) in refused(load, folder)


def test_another_kind_of_model_says_so(folder):
    text = refused(load_pretrained, "AutoModelForImageTextToText", folder)
    assert text.startswith(f"model {folder} is a model of another kind than is wanted here; ")
    assert "judge='same'" in text


def test_an_unknown_kind_says_so(folder):
    change_json(folder / "config.json", model_type="no_such_kind")
    text = refused(load, folder)
    assert text.startswith(f"model {folder} cannot be loaded: ")
    assert "no_such_kind" in text


def test_code_in_a_tokenizer_is_never_run(folder):
    change_json(
        folder / "tokenizer_config.json", tokenizer_class="Evil", auto_map={"AutoTokenizer": ["evil.Evil", None]}
    )
    (folder / "evil.py").write_text("import pathlib; pathlib.Path(__file__).with_name('ran').touch()")
    assert "needs code of its own, which is never run" in refused(load_processor, "AutoTokenizer", folder)
    assert not (folder / "ran").exists()


def test_code_in_a_processor_is_never_run(folder):
    (folder / "processor_config.json").write_text(
        '{"processor_class": "Evil", "auto_map": {"AutoProcessor": "evil.Evil"}}'
    )
    (folder / "evil.py").write_text("import pathlib; pathlib.Path(__file__).with_name('ran').touch()")
    assert "needs code of its own, which is never run" in refused(load_processor, "AutoProcessor", folder)
    assert not (folder / "ran").exists()


def test_a_missing_tokenizer_says_so(folder):
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (folder / name).unlink()
    assert refused(load_processor, "AutoTokenizer", folder).startswith(f"model {folder} cannot be loaded: ")


def test_damaged_weights_are_refused(folder):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-10])
    assert "is damaged" in refused(load, folder)


def test_a_gpu_that_is_not_here(whole, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert choose_device("auto") == "cpu"
    assert refused(load, whole[0], device="cuda").endswith("sees no CUDA GPU; set device='auto' or 'cpu'")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert choose_device("auto") == "cuda"
    assert choose_device("cuda:1") == "cuda:1"
    assert "there are 2 CUDA GPUs, numbered from 0" in refused(choose_device, "cuda:2")


def test_the_dtype_goes_with_the_device(monkeypatch):
    assert choose_dtype("auto", "cpu") == torch.float32
    assert choose_dtype("auto", "mps") == torch.float32
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: True)
    assert choose_dtype("auto", "cuda:0") == torch.bfloat16
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: False)
    assert choose_dtype("auto", "cuda:0") == torch.float16


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"device": "gpu"}, "device='gpu' is no torch device; set auto, cpu, cuda or cuda:1"),
        ({"dtype": "int8"}, "dtype='int8' is none of auto, float32, bfloat16, float16"),
        ({"quantisation": "int3"}, "quantisation='int3' is none of None, int8, int4"),
    ],
)
def test_settings_out_of_range(whole, settings, says):
    with pytest.raises(SettingError) as error:
        load(whole[0], **settings)
    assert str(error.value) == says


def test_quantisation_without_its_extra(whole, monkeypatch):
    monkeypatch.setitem(sys.modules, "bitsandbytes", None)
    with pytest.raises(MissingExtraError) as error:
        load(whole[0], quantisation="int8")
    assert str(error.value) == (
        f"quantisation='int8' of model {whole[0]} needs bitsandbytes: pip install 'lgvsc-flow[quantised]'"
    )


def test_quantisation_where_it_cannot_be(whole, monkeypatch):
    monkeypatch.setitem(sys.modules, "bitsandbytes", ModuleType("bitsandbytes"))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())
    text = refused(load, whole[0], device="cpu", quantisation="int4")
    assert "bitsandbytes fetches code through the installed package kernels; uninstall that, or set quanti" in text
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert "is not for device='mps'; set quantisation=None" in refused(
        load, whole[0], device="mps", quantisation="int4"
    )


def test_what_quantisation_cannot_do_names_its_setting(whole, monkeypatch):
    import transformers

    def fail(*arguments, **settings):
        raise RuntimeError("bitsandbytes is too old\nfor this device")

    monkeypatch.setattr(pretrained, "_quantisation", lambda *a: object())
    monkeypatch.setattr(transformers.AutoModelForCausalLM, "from_pretrained", fail)
    text = refused(load, whole[0], device="cpu", quantisation="int8")
    assert text.endswith(
        "cannot be loaded: bitsandbytes is too old for this device (RuntimeError); set quantisation=None, or a device "
        "that bitsandbytes serves instead of cpu"
    )


def test_a_package_that_is_missing_names_its_extra(whole, monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers", None)
    for name, extra in (("AutoModelForCausalLM", "llm"), ("AutoProcessor", "vlm")):
        with pytest.raises(MissingExtraError, match=rf"needs transformers: pip install 'lgvsc-flow\[{extra}\]'"):
            load_processor(name, whole[0])


def test_a_model_that_cannot_fit_is_not_tried(whole, monkeypatch):
    monkeypatch.setattr(pretrained, "_free_bytes", lambda device: 4096)
    assert refused(load, whole[0], device="cpu") == (
        f"model {whole[0]} takes 0.0 GiB as torch.float32, and 0.0 GiB are free on cpu; set dtype='bfloat16', "
        "quantisation='int8', or take a smaller model"
    )


def test_the_system_says_how_much_is_free():
    free = pretrained._free_bytes("cpu")
    assert free is None or 2**20 < free < 2**50


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.\nGPU 0 has ..."),
        MemoryError("Unable to allocate 9.31 GiB for an array"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:124] err == 0. DefaultCPUAllocator: can't allocate memory"),
        RuntimeError("MPS backend out of memory (MPS allocated: 18.00 GB)"),
    ],
)
def test_out_of_memory_names_the_settings_to_change(error):
    settings = {"batch_size": 8, "device": "cuda", "dtype": "torch.float32", "quantisation": None}
    with pytest.raises(ModelError) as caught, out_of_memory("VlmDescriber", **settings):
        raise error
    assert str(caught.value) == (
        "VlmDescriber: out of memory with batch_size=8, device=cuda, dtype=torch.float32, quantisation=None; set "
        "batch_size below 8, dtype='bfloat16', quantisation='int8', device='cpu', or take a smaller model"
    )
    assert caught.value.__cause__ is error


@pytest.mark.parametrize(
    ("settings", "advice"),
    [
        ({}, "x: out of memory; take a smaller model"),
        ({"batch_size": 1}, "x: out of memory with batch_size=1; take a smaller model"),
        (
            {"quantisation": "int8"},
            "x: out of memory with quantisation=int8; set quantisation='int4', or take a smaller",
        ),
    ],
)
def test_the_advice_fits_the_settings(settings, advice):
    with pytest.raises(ModelError) as caught, out_of_memory("x", **settings):
        raise MemoryError
    assert str(caught.value).startswith(advice)


def test_real_out_of_memory_on_the_cpu():
    with pytest.raises(ModelError, match="x: out of memory; take a smaller model"), out_of_memory("x"):
        torch.empty(2**52)


@pytest.mark.parametrize("error", [RuntimeError("shapes do not fit"), ModelError("as it is"), KeyError("k")])
def test_other_errors_pass(error):
    with pytest.raises(type(error)) as caught, out_of_memory("x", batch_size=8):
        raise error
    assert caught.value is error


def test_composing_asks_for_nothing_heavy():
    code = (
        "import sys, lgvsc_flow.pretrained, lgvsc_flow.model_sources, lgvsc_flow.cli_models; "
        "print({'torch', 'transformers', 'huggingface_hub', 'gguf'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


@pytest.fixture(scope="module")
def smollm2():
    """The real model from its package, converted once in a run."""
    pytest.importorskip("gguf")
    try:
        resolve("smollm2-135m")
    except ModelError as error:
        pytest.skip(str(error))
    return load_pretrained("AutoModelForCausalLM", "smollm2-135m", device="cpu"), load_processor(
        "AutoTokenizer", "smollm2-135m"
    )


# What llama.cpp (by its Python binding, 0.3.36) makes of the same GGUF file: the tokens of a text, and the greatest
# logits of the next one. It rounds activations to 8 bits, so its logits are off by some tenths.
LLAMA_CPP = [
    (
        "What is the capital of France?",
        "1780 314 260 3575 282 4649 47",
        {2: 23.31, 198: 21.48, 378: 20.34, 339: 18.62, 216: 18.49},
    ),
    (
        "In 2024, 1,234 cats   sat\n\ton 3.14 mats — naïve café 日本語 🙂 don't",
        "788 216 34 32 34 36 28 216 33 28 34 35 36 7680 256 2643 198 197 258 216 35 30 33 36 30486 1841 15486 46494 "
        "37366 17097 241 115 40993 179 120 248 47526 1326 982",
        {3134: 26.11, 699: 25.95, 1277: 24.84, 457: 24.54, 3634: 24.19},
    ),
    (
        "<|im_start|>user\nDoes it rain? Answer yes or no.<|im_end|>\n<|im_start|>assistant\n",
        "1 4093 198 14748 357 5249 47 19842 9805 355 787 30 2 198 1 520 9531 198",
        {5230: 32.65, 10539: 32.34, 1589: 31.91, 14748: 31.83, 504: 31.14},
    ),
    (
        " leading space  and   trailing   ",
        "2899 1898 216 284 256 35079 333",
        {198: 21.9, 1898: 21.88, 5600: 21.19, 472: 20.93, 281: 20.19},
    ),
]


@pytest.mark.parametrize(("text", "tokens", "greatest"), LLAMA_CPP)
def test_smollm2_agrees_with_llama_cpp(smollm2, text, tokens, greatest):
    model, tokenizer = smollm2
    ids = [int(token) for token in tokens.split()]
    assert tokenizer(text)["input_ids"] == ids
    assert tokenizer.decode(ids) == text
    with torch.inference_mode():
        logits = model(torch.tensor([ids])).logits[0, -1]
    for token, logit in greatest.items():
        assert abs(float(logits[token]) - logit) < 0.8
    assert int(logits.argmax()) in sorted(greatest, key=greatest.get)[-2:]


def test_smollm2_is_whole(smollm2):
    model, _ = smollm2
    assert sum(p.numel() for p in model.parameters()) == MODELS["smollm2-135m"].parameters
    assert all(bool(p.isfinite().all()) for p in model.parameters())
    assert (open_model("smollm2-135m") / "chat_template.jinja").is_file()


def test_smollm2_speaks_english(smollm2):
    model, tokenizer = smollm2
    turns = [{"role": "user", "content": "What is the capital of France?"}]
    inputs = tokenizer.apply_chat_template(turns, add_generation_prompt=True, return_tensors="pt", return_dict=True)
    assert tokenizer.decode(inputs["input_ids"][0]).endswith("<|im_start|>assistant\n")
    with torch.inference_mode():
        spoken = model.generate(**inputs, max_new_tokens=16, do_sample=False)[0, inputs["input_ids"].shape[1] :]
    assert tokenizer.decode(spoken, skip_special_tokens=True) == "The capital of France is Paris."
