"""Checks of a model's folder before anything in it is read as a model: data only, whole, and no code.

A folder is in the layout of transformers: `config.json`, `model.safetensors` (or its index and shards), the files of
the tokenizer or processor. What is refused is what could run code or lead elsewhere: pickled weights, models that
need code of their own, adapters, kernels fetched by name.
"""

from __future__ import annotations

import importlib
import json
import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from lgvsc_flow.errors import ModelError

__all__ = ["check_folder", "count_parameters", "read_json", "safetensors_header", "weight_files"]

PICKLED = {".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt"}
FOREIGN = {".h5", ".msgpack", ".onnx", ".tflite"}
INDEX = "model.safetensors.index.json"
MAX_JSON_BYTES = 64 * 2**20  # a tokenizer.json of a large vocabulary has some 20 MB
MAX_HEADER_BYTES = 100_000_000  # the format's own limit
MAX_DIMENSIONS = 16


def check_folder(folder: Path, what: str) -> None:
    """Refuse a folder that is no whole model in safetensors, or that would need code of its own.

    Args:
        folder: the folder.
        what: the model, as messages begin.

    Raises:
        ModelError: with what to do.
    """
    if not (folder / "config.json").is_file():
        raise ModelError(
            f"{what}: {folder} holds no config.json; it takes a model's folder with config.json, *.safetensors and "
            "the tokenizer's files, as save_pretrained of transformers writes it"
        )
    config = read_json(folder / "config.json", what)
    _check_code(config, folder, what)
    if (folder / "adapter_config.json").exists():
        raise ModelError(
            f"{what}: {folder} holds an adapter (adapter_config.json); merge it into its model first, with "
            "merge_and_unload of peft and then save_pretrained"
        )
    for path in weight_files(folder, what):
        safetensors_header(path, what)


def weight_files(folder: Path, what: str) -> list[Path]:
    """The safetensors files that make up a model.

    Raises:
        ModelError: there are none, or a shard is missing.
    """
    if any(re.fullmatch(r"shard-\d{5}-model-.*\.safetensors", p.name) for p in folder.iterdir()):
        raise ModelError(
            f"{what}: {folder} is a checkpoint of a distributed training; save it whole, by save_pretrained"
        )
    if (folder / "model.safetensors").is_file():
        return [folder / "model.safetensors"]
    if not (folder / INDEX).is_file():
        raise ModelError(f"{what}: {_why_no_weights(folder)}")
    shards = read_json(folder / INDEX, what).get("weight_map")
    names = sorted({str(v) for v in shards.values()}) if isinstance(shards, dict) else []
    bad = [n for n in names if Path(n).name != n or not n.endswith(".safetensors") or not n.isascii() or len(n) > 255]
    if not names or bad:
        raise ModelError(f"{what}: {folder / INDEX} names no safetensors files of that folder; get the file again")
    missing = [n for n in names if not (folder / n).is_file()]
    if missing:
        raise ModelError(
            f"{what}: {folder} lacks {len(missing)} of its {len(names)} weight files ({missing[0]}); get them again"
        )
    return [folder / n for n in names]


def safetensors_header(path: Path, what: str) -> dict[str, Any]:
    """Name, dtype and shape of each tensor of a safetensors file; its length is checked against them.

    Raises:
        ModelError: the file is damaged.
    """
    damaged = f"{what}: {path} is damaged (%s); get it again"
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if size < 8 or length > min(size - 8, MAX_HEADER_BYTES):
                raise ModelError(damaged % "it ends within its header")
            header = json.loads(file.read(length))
    except OSError as error:
        raise ModelError(f"{what}: {path} cannot be read: {error.strerror or error}") from None
    except (ValueError, RecursionError):
        raise ModelError(damaged % "its header is no JSON") from None
    tensors = {k: v for k, v in header.items() if k != "__metadata__"} if isinstance(header, dict) else {}
    try:
        end = max((_whole(t["data_offsets"][1]) for t in tensors.values()), default=0)
        shapes = [[_whole(n) for n in _listed(t["shape"])] for t in tensors.values()]
    except (TypeError, KeyError, IndexError, ValueError):
        raise ModelError(damaged % "its header names no tensors") from None
    if not tensors or max(map(len, shapes)) > MAX_DIMENSIONS:
        raise ModelError(damaged % "its header names no tensors")
    if size != 8 + length + end:
        raise ModelError(damaged % f"it has {size} bytes, its header says {8 + length + end}")
    return tensors


def _whole(number: object) -> int:
    if type(number) is not int or not 0 <= number < 1 << 48:
        raise ValueError
    return number


def _listed(shape: object) -> list[Any]:
    if not isinstance(shape, list):
        raise ValueError
    return shape


def count_parameters(folder: Path, what: str) -> int:
    """Numbers in all weight files of a folder."""
    tensors = (t for path in weight_files(folder, what) for t in safetensors_header(path, what).values())
    return sum(math.prod(t["shape"]) for t in tensors)


def read_json(path: Path, what: str) -> dict[str, Any]:
    """A JSON file that holds an object.

    Raises:
        ModelError: it is missing, too large, or something else.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MAX_JSON_BYTES + 1)
        data = json.loads(content) if len(content) <= MAX_JSON_BYTES else None
    except OSError as error:
        raise ModelError(f"{what}: {path} cannot be read: {error.strerror or error}") from None
    except (ValueError, RecursionError):
        data = None
    if not isinstance(data, dict):
        raise ModelError(f"{what}: {path} holds no JSON object; it is damaged, get it again")
    return data


def _check_code(config: Mapping[str, Any], folder: Path, what: str) -> None:
    """Refuse what would run code of the folder's or fetch some."""
    for section in _sections(config):
        for key in ("attn_implementation", "_attn_implementation", "experts_implementation"):
            if "/" in json.dumps(section.get(key)):
                raise ModelError(
                    f"{what}: config.json asks for a kernel by name ({key}={section[key]!r}), which would be fetched "
                    "and run; remove that line from it"
                )
    named = config.get("transformers_weights")
    if named is not None and not (isinstance(named, str) and named == "model.safetensors"):
        raise ModelError(
            f"{what}: config.json names its own weights file ({named!r}); call it model.safetensors and remove "
            "transformers_weights"
        )
    kind = config.get("model_type")
    if "auto_map" in config and not _is_native(kind):
        hint = " (for InternVL: the repositories that end in -hf)" if "internvl" in str(kind) else ""
        raise ModelError(
            f"{what}: {folder} needs code of its own (auto_map in config.json, model_type {kind!r}), which is never "
            f"run; take a conversion whose classes transformers has{hint}"
        )


def _is_native(model_type: object) -> bool:
    from lgvsc_flow.models import import_extra

    import_extra("transformers", "a language model", "llm", "transformers")
    known: Any = importlib.import_module("transformers.models.auto.configuration_auto")
    return isinstance(model_type, str) and model_type in known.CONFIG_MAPPING_NAMES


def _sections(config: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """A configuration and those nested in it, however deep."""
    waiting = [config]
    while waiting:
        section = waiting.pop()
        yield section
        waiting += [value for value in section.values() if isinstance(value, dict)]


def _why_no_weights(folder: Path) -> str:
    names = sorted(p.name for p in folder.iterdir() if p.is_file())
    pickled = [n for n in names if Path(n).suffix in PICKLED]
    if pickled:
        return (
            f"{folder} holds pickled weights only ({pickled[0]}), which could run code when read; take a copy with "
            "model.safetensors, or have whoever you trust with the pickle write one by save_pretrained"
        )
    other = [n for n in names if Path(n).suffix in FOREIGN]
    if other:
        return f"{folder} holds weights of another framework only ({other[0]}); take a copy with model.safetensors"
    odd = [n for n in names if n.endswith(".safetensors")]
    if odd:
        return f"{folder} holds {odd[0]} but no model.safetensors and no {INDEX}; rename it if it is the whole model"
    return f"{folder} holds no weights; it takes model.safetensors, or {INDEX} and its shards"
