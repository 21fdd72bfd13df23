"""Pretrained models of transformers, loaded as data: safetensors only, no code of theirs, nothing fetched.

What goes wrong while loading or running is told in one line that names the setting to change.
"""

from __future__ import annotations

import importlib.util
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lgvsc_flow.errors import FlowError, ModelError, SettingError
from lgvsc_flow.model_folder import count_parameters
from lgvsc_flow.model_sources import open_model
from lgvsc_flow.models import import_extra

__all__ = [
    "DTYPES",
    "QUANTISATIONS",
    "check_quantisation",
    "choose_device",
    "choose_dtype",
    "load_pretrained",
    "load_processor",
    "open_model",
    "out_of_memory",
]

QUANTISATIONS = ("int8", "int4")
DTYPES = ("float32", "bfloat16", "float16")


def load_pretrained(
    auto_class: Any,
    source: str | Path,
    *,
    device: str = "auto",
    dtype: Any = "auto",
    quantisation: str | None = None,
    folder: str | Path | None = None,
) -> Any:
    """A pretrained model, ready to run: `eval` mode, on its device.

    Args:
        auto_class: an Auto class of transformers, or its name, as in "AutoModelForCausalLM".
        source: a name in the catalogue, a folder, or hub:owner/name@commit; see `open_model`.
        device: a torch device; auto takes a CUDA GPU where there is one, else the CPU.
        dtype: float32, bfloat16, float16 or a torch dtype; auto takes bfloat16 on CUDA and float32 elsewhere, and for
            int8 float16, in which bitsandbytes computes it.
        quantisation: int8 or int4 by bitsandbytes (the extra `quantised`), None for none.
        folder: folder of models, the environment variable LGVSC_FLOW_MODELS where None.

    Raises:
        ModelError: the model is missing, damaged, not of that class, or does not fit into memory.
        MissingExtraError: a package is not installed.
        SettingError: a setting is out of its range.
    """
    check_quantisation(quantisation)
    cls = _class(auto_class, source)
    place = choose_device(device)
    number = choose_dtype("float16" if quantisation == "int8" and dtype == "auto" else dtype, place)
    path = open_model(source, folder=folder)
    what = f"model {source}"
    quantised = _quantisation(quantisation, place, number, what)
    _check_room(path, what, place, number, quantisation, device)
    hint = f"; set quantisation=None, or a device that bitsandbytes serves instead of {place}" if quantised else ""
    arguments: dict[str, Any] = {"quantization_config": quantised, "device_map": {"": place}} if quantised else {}
    with (
        out_of_memory(f"loading {source}", device=place, dtype=str(number), quantisation=quantisation),
        _told(what, hint),
    ):
        model, report = cls.from_pretrained(
            path,
            dtype=number,
            use_safetensors=True,
            trust_remote_code=False,
            local_files_only=True,
            output_loading_info=True,
            **arguments,
        )
        wrong = sorted(report["missing_keys"]) + sorted(str(k[0]) for k in report["mismatched_keys"])
        if wrong:
            raise ModelError(
                f"{what}: {len(wrong)} weights of {type(model).__name__} are not in {path} ({wrong[0]}); they would "
                "be random. It is another kind of model, or its files are not whole"
            )
        return (model if quantised else model.to(place)).eval()


def load_processor(auto_class: Any, source: str | Path, *, folder: str | Path | None = None) -> Any:
    """The tokenizer or processor of a model.

    Args:
        auto_class: AutoTokenizer or AutoProcessor of transformers, or the name.
        source: as in `load_pretrained`.
        folder: as in `load_pretrained`.

    Raises:
        ModelError: it is missing, damaged, or needs code of its own.
        MissingExtraError: a package is not installed.
    """
    cls = _class(auto_class, source)
    path = open_model(source, folder=folder)
    with _told(f"model {source}"):
        return cls.from_pretrained(path, trust_remote_code=False, local_files_only=True)


@contextmanager
def out_of_memory(what: str, **settings: Any) -> Iterator[None]:
    """Turn an out-of-memory error within into a `ModelError` of one line that names the settings to change.

    Args:
        what: who was at work, as the message begins.
        settings: those in force, by name: `batch_size`, `max_new_tokens`, `dtype`, `quantisation`, `device` ...
    """
    try:
        yield
    except FlowError:
        raise
    except Exception as error:
        if not _is_out_of_memory(error):
            raise
        in_force = ", ".join(f"{k}={v}" for k, v in settings.items())
        raise ModelError(
            f"{what}: out of memory{f' with {in_force}' if in_force else ''}; {_advice(settings)}"
        ) from error


def choose_device(device: str) -> str:
    """The torch device that a setting means.

    Raises:
        SettingError: torch knows no such device.
        ModelError: it is not here.
    """
    torch = import_extra("torch", "a language model", "models", "torch")
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        found = torch.device(device)
    except (RuntimeError, TypeError):
        raise SettingError(f"device={device!r} is no torch device; set auto, cpu, cuda or cuda:1") from None
    absent = ""
    if found.type == "cuda" and not torch.cuda.is_available():
        absent = f"torch {torch.__version__} sees no CUDA GPU"
    elif found.type == "cuda" and (found.index or 0) >= torch.cuda.device_count():
        absent = f"there are {torch.cuda.device_count()} CUDA GPUs, numbered from 0"
    elif found.type == "mps" and not torch.backends.mps.is_available():
        absent = f"torch {torch.__version__} has no MPS here"
    if absent:
        raise ModelError(f"device={device!r}: {absent}; set device='auto' or 'cpu'")
    return str(device)


def choose_dtype(dtype: Any, device: str) -> Any:
    """The torch dtype that a setting means on a device.

    Raises:
        SettingError: it is none of float32, bfloat16, float16.
    """
    torch = import_extra("torch", "a language model", "models", "torch")
    if dtype == "auto":
        if not device.startswith("cuda"):
            return torch.float32
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
    name = str(dtype).removeprefix("torch.")
    if name not in DTYPES:
        raise SettingError(f"dtype={name!r} is none of auto, {', '.join(DTYPES)}")
    return getattr(torch, name)


def check_quantisation(quantisation: str | None) -> None:
    """Refuse what is no quantisation.

    Raises:
        SettingError: it is neither None, int8 nor int4.
    """
    if quantisation is not None and quantisation not in QUANTISATIONS:
        raise SettingError(f"quantisation={quantisation!r} is none of None, {', '.join(QUANTISATIONS)}")


@contextmanager
def quiet_transformers() -> Iterator[None]:
    """No progress bars and no notes below errors from transformers, which this project's messages replace."""
    notes: Any = importlib.import_module("transformers.utils.logging")
    level, bars = notes.get_verbosity(), notes.is_progress_bar_enabled()
    notes.set_verbosity(logging.ERROR)
    notes.disable_progress_bar()
    try:
        yield
    finally:
        notes.set_verbosity(level)
        if bars:
            notes.enable_progress_bar()


def _class(auto_class: Any, source: str | Path) -> Any:
    if not isinstance(auto_class, str):
        return auto_class
    extra = "vlm" if auto_class in ("AutoModelForImageTextToText", "AutoProcessor") else "llm"
    transformers = import_extra("transformers", f"model {source}", extra, "transformers")
    import_extra("torch", f"model {source}", "models", "torch")
    return getattr(transformers, auto_class)


@contextmanager
def _told(what: str, hint: str = "") -> Iterator[None]:
    """Errors of transformers while loading, told in one line."""
    try:
        with quiet_transformers():
            yield
    except (FlowError, MemoryError):
        raise
    except Exception as error:
        if _is_out_of_memory(error):
            raise
        text = " ".join(str(error).split())
        if "trust_remote_code" in text or "custom code" in text:
            raise ModelError(
                f"{what} needs code of its own, which is never run; take a model whose classes transformers has"
            ) from error
        if "Unrecognized configuration class" in text:
            raise ModelError(
                f"{what} is a model of another kind than is wanted here; a vision-language model describes frames and "
                "judges its own words (judge='same'), a causal language model judges texts and codes captions"
            ) from error
        if isinstance(error, ImportError):
            raise ModelError(f"{what} needs a package that is not installed: {text[:300]}{hint}") from error
        raise ModelError(f"{what} cannot be loaded: {text[:400]} ({type(error).__name__}){hint}") from error


def _quantisation(quantisation: str | None, device: str, number: Any, what: str) -> Any:
    if quantisation is None:
        return None
    import_extra("bitsandbytes", f"quantisation={quantisation!r} of {what}", "quantised", "bitsandbytes")
    import_extra("accelerate", f"quantisation={quantisation!r} of {what}", "quantised", "accelerate")
    transformers = import_extra("transformers", what, "llm", "transformers")
    if device == "cpu" and importlib.util.find_spec("kernels") is not None:
        raise ModelError(
            f"{what}: with quantisation={quantisation!r} on the CPU, bitsandbytes fetches code through the installed "
            "package kernels; uninstall that, or set quantisation=None"
        )
    if device == "mps":
        raise ModelError(f"{what}: quantisation={quantisation!r} is not for device='mps'; set quantisation=None")
    if quantisation == "int8":
        return transformers.BitsAndBytesConfig(load_in_8bit=True)
    return transformers.BitsAndBytesConfig(
        load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=number, bnb_4bit_use_double_quant=True
    )


def _check_room(path: Path, what: str, device: str, number: Any, quantisation: str | None, asked: str) -> None:
    """Refuse a model that cannot fit, before the system kills the process for it."""
    bytes_each = {"int8": 1.0, "int4": 0.5}.get(quantisation or "", number.itemsize)
    needed = int(count_parameters(path, what) * bytes_each)
    free = _free_bytes(device)
    if free is not None and needed > free:
        settings = {"device": device, "dtype": str(number), "quantisation": quantisation}
        raise ModelError(
            f"{what} takes {needed / 2**30:.1f} GiB as {number}{f' in {quantisation}' if quantisation else ''}, and "
            f"{free / 2**30:.1f} GiB are free on {device}; {_advice(settings)}"
        )


def _free_bytes(device: str) -> int | None:
    """Memory that can be had now, where the system says."""
    if device.startswith("cuda"):
        import torch

        return int(torch.cuda.mem_get_info(device)[0])
    if device != "cpu":
        return None
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
    except (OSError, StopIteration, ValueError):
        return None


def _is_out_of_memory(error: BaseException) -> bool:
    if isinstance(error, MemoryError):
        return True
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(error, torch.OutOfMemoryError):
        return True
    text = str(error)
    return isinstance(error, RuntimeError) and any(
        sign in text for sign in ("can't allocate memory", "not enough memory", "out of memory")
    )


def _advice(settings: dict[str, Any]) -> str:
    """What to change, the cheapest first."""
    dtype, device = str(settings.get("dtype", "")), str(settings.get("device", ""))
    torch = sys.modules.get("torch")
    if device == "auto" and torch is not None:
        device = choose_device(device)
    ideas = []
    if int(settings.get("batch_size") or 1) > 1:
        ideas.append(f"batch_size below {settings['batch_size']}")
    if "float32" in dtype or (dtype == "auto" and not device.startswith("cuda")):
        ideas.append("dtype='bfloat16'")
    if "quantisation" in settings and settings["quantisation"] != "int4":
        ideas.append("quantisation='int4'" if settings["quantisation"] else "quantisation='int8'")
    if device.startswith("cuda"):
        ideas.append("device='cpu'")
    return f"set {', '.join(ideas)}, or take a smaller model" if ideas else "take a smaller model"
