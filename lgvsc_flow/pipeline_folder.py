"""Pipelines of diffusers: folders with model_index.json, found in a folder or at the hub, and checked as data."""

from __future__ import annotations

import importlib.util
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lgvsc_flow.errors import MissingExtraError, ModelError
from lgvsc_flow.model_catalogue import CATALOGUE
from lgvsc_flow.model_folder import PICKLED, check_folder, read_json, safetensors_header
from lgvsc_flow.models import models_folder

__all__ = ["PIPELINE", "check_pipeline", "component_sizes", "find_pipeline", "open_pipeline", "pipeline_index"]

PIPELINE = "pipeline"
"""The kind of the catalogue's entries that are pipelines."""

_INDEX = "model_index.json"
_WEIGHTS = "diffusion_pytorch_model"
_HUB = re.compile(r"hub:([\w.-]+/[\w.-]+)@(\S*)")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_TIMEOUT_S = 10.0
# Data alone, and no weights beside the components': some repositories hold the same model again in one file.
_PATTERNS = ("*.json", "*/*.safetensors", "*/*.txt", "*/*.model")
_WEIGHTLESS = ("tokenizer", "scheduler", "image_processor", "feature_extractor")


def open_pipeline(name_or_folder: str | Path, *, folder: str | Path | None = None) -> Path:
    """The folder of a pipeline: model_index.json and one folder for each component, as save_pretrained writes it.

    Looked for in this order: `hub:owner/name@commit`, `<folder>/<name>`, the catalogue's repository at its commit, a
    path. Only the hub is ever asked over the network.

    Args:
        name_or_folder: a name in the catalogue, a path, or `hub:owner/name@commit`.
        folder: a folder of models; the environment variable LGVSC_FLOW_MODELS where None.

    Raises:
        ModelError: it is missing, damaged, or unsafe; with what to do.
        MissingExtraError: huggingface_hub is not installed.
    """
    return _open(str(name_or_folder), folder, local_only=False)


def find_pipeline(name_or_folder: str | Path, *, folder: str | Path | None = None) -> Path:
    """As `open_pipeline`, without asking the network."""
    return _open(str(name_or_folder), folder, local_only=True)


def pipeline_index(folder: Path, what: str) -> dict[str, tuple[str, str]]:
    """The components of a pipeline, (library, class) by name; the pipeline's own class under "".

    Raises:
        ModelError: the index is damaged, or names classes outside transformers and diffusers.
    """
    index = read_json(folder / _INDEX, what)
    found: dict[str, Any] = {"": ("diffusers", index.get("_class_name"))}
    found |= {k: tuple(v) for k, v in index.items() if not k.startswith("_") and _is_pair(v)}
    for name, (library, cls) in found.items():
        if (
            not isinstance(cls, str)
            or library not in ("diffusers", "transformers")
            or not f"_{name}{cls}".isidentifier()
        ):
            raise ModelError(
                f"{what}: {folder / _INDEX} names {name or 'the pipeline'} as {library!r}, {cls!r}; only classes of "
                "diffusers and transformers are loaded, and code in a checkpoint is never run"
            )
    return found


def check_pipeline(folder: Path, what: str) -> None:
    """Refuse a folder that is no whole pipeline in safetensors, or that would need code of its own.

    Raises:
        ModelError: with what to do.
    """
    if not (folder / _INDEX).is_file():
        raise ModelError(f"{what}: {_why_no_pipeline(folder)}")
    for name, (library, _) in pipeline_index(folder, what).items():
        if not name:
            continue
        place = folder / name
        if not place.is_dir():
            raise ModelError(f"{what}: {folder} has no folder {name}, which its {_INDEX} names; get it again")
        if name.startswith(_WEIGHTLESS):
            continue
        if library == "transformers":
            check_folder(place, what)
            continue
        config = read_json(place / "config.json", what)
        if "auto_map" in config:
            raise ModelError(f"{what}: {place} needs code of its own (auto_map in config.json), which is never run")
        for path in _weight_files(place, what):
            safetensors_header(path, what)


def component_sizes(folder: Path, what: str) -> dict[str, int]:
    """How many numbers each component with weights has, from the headers of its safetensors files."""
    sizes = {}
    for name in pipeline_index(folder, what):
        files = sorted((folder / name).glob("*.safetensors")) if name else []
        if files:
            headers = [t for f in files for t in safetensors_header(f, what).values()]
            sizes[name] = sum(math.prod(t["shape"]) for t in headers)
    return sizes


def _is_pair(value: object) -> bool:
    return isinstance(value, list) and len(value) == 2 and value != [None, None]


def _weight_files(place: Path, what: str) -> list[Path]:
    """The safetensors files of one component of diffusers, shards counted."""
    if (place / f"{_WEIGHTS}.safetensors").is_file():
        return [place / f"{_WEIGHTS}.safetensors"]
    index = place / f"{_WEIGHTS}.safetensors.index.json"
    if not index.is_file():
        raise ModelError(f"{what}: {_why_no_weights(place, f'{_WEIGHTS}.safetensors')}")
    shards = read_json(index, what).get("weight_map")
    names = sorted({str(v) for v in shards.values()}) if isinstance(shards, Mapping) else []
    if not names or any(Path(n).name != n or not n.endswith(".safetensors") for n in names):
        raise ModelError(f"{what}: {index} names no safetensors files of that folder; get the file again")
    missing = [n for n in names if not (place / n).is_file()]
    if missing:
        raise ModelError(
            f"{what}: {place} lacks {len(missing)} of its {len(names)} weight files ({missing[0]}); get them again"
        )
    return [place / n for n in names]


def _why_no_weights(place: Path, wanted: str) -> str:
    names = sorted(p.name for p in place.iterdir() if p.is_file())
    pickled = [n for n in names if Path(n).suffix in PICKLED]
    if pickled:
        return (
            f"{place} holds pickled weights only ({pickled[0]}), which could run code when read; take a copy with "
            f"{wanted}, or have whoever you trust with the pickle write one by save_pretrained"
        )
    odd = [n for n in names if n.endswith(".safetensors")]
    if odd:
        return f"{place} holds {odd[0]} but no {wanted}; rename it if it is the whole component"
    return f"{place} holds no weights; it takes {wanted}, or its index and shards"


def _why_no_pipeline(folder: Path) -> str:
    names = sorted(p.name for p in folder.iterdir() if p.is_file())
    single = [n for n in names if Path(n).suffix in {".safetensors", *PICKLED}]
    if (folder / "config.json").is_file():
        return f"{folder} holds one model and no pipeline (config.json, no {_INDEX}); give the folder above it"
    if single:
        return (
            f"{folder} holds {single[0]} and no {_INDEX}; a model in one file is turned into a pipeline's folder by "
            "from_single_file and save_pretrained of diffusers, see docs/guide/gpu.md"
        )
    return f"{folder} holds no {_INDEX}; it takes a pipeline's folder, as save_pretrained of diffusers writes it"


def _open(name: str, folder: str | Path | None, *, local_only: bool) -> Path:
    what = f"model {name}"
    if name.startswith("hub:"):
        form = _HUB.fullmatch(name)
        if form is None or not _COMMIT.fullmatch(form[2]):
            raise ModelError(
                f"{name!r} names no commit of the hub: branches and tags move. Write hub:owner/name@ and the 40 digits "
                "that the repository's history shows for the version you want"
            )
        return _from_hub(form[1], form[2], what, local_only)
    base = models_folder(folder)
    entry = CATALOGUE.get(name)
    for place in [*([base / name] if base is not None else []), *([Path(name).expanduser()] if entry is None else [])]:
        if place.is_dir():
            check_pipeline(place, what)
            return place
        if place.exists():
            raise ModelError(f"{what}: {place} is a file; it takes a pipeline's folder, see docs/guide/gpu.md")
    if entry is None or entry.kind != PIPELINE:
        known = ", ".join(m.name for m in CATALOGUE.values() if m.kind == PIPELINE)
        raise ModelError(
            f"no video pipeline is called {name!r}, and no folder has that path; known are {known}; others by the path "
            "of their folder, or as hub:owner/name@commit"
        )
    return _from_hub(entry.repository, entry.revision, what, local_only)


def _from_hub(repository: str, revision: str, what: str, local_only: bool) -> Path:
    if importlib.util.find_spec("huggingface_hub") is None:
        raise MissingExtraError(f"{what}, which comes from the hub ({repository}),", "hub", "huggingface_hub")
    import huggingface_hub

    options: dict[str, Any] = {"revision": revision, "allow_patterns": list(_PATTERNS)}
    try:
        place = Path(huggingface_hub.snapshot_download(repository, local_files_only=True, **options))
        check_pipeline(place, what)
        return place
    except Exception as error:  # not there, or a fetch that was broken off
        if local_only:
            raise ModelError(f"{what} is missing: {_not_here(repository, revision, '', what)}") from error
    try:
        huggingface_hub.model_info(
            repository, revision=revision, timeout=_TIMEOUT_S
        )  # asks once, the download for long
        place = Path(huggingface_hub.snapshot_download(repository, **options))
    except Exception as error:  # of the hub's client, of its HTTP library, of the disk
        reason = f" and could not be fetched ({type(error).__name__}: {' '.join(str(error).split())[:160]})"
        raise ModelError(f"{what} is missing: {_not_here(repository, revision, reason, what)}") from error
    check_pipeline(place, what)
    return place


def _not_here(repository: str, revision: str, reason: str, what: str) -> str:
    name = what.removeprefix("model ")
    short = repository.rpartition("/")[2] if name.startswith("hub:") else name
    patterns = " ".join(f"'{p}'" for p in _PATTERNS)
    return (
        f"{repository}@{revision[:12]} is not in the hub's cache{reason}. On a machine with access: hf download "
        f"{repository} --revision {revision} --include {patterns} --local-dir {short}; copy that folder here and give "
        "its path as the checkpoint, or its parent in LGVSC_FLOW_MODELS"
    )
