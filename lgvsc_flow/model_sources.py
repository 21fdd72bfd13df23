"""Where a language model's files come from: a local folder, an installed package, or the hub at a pinned revision."""

from __future__ import annotations

import importlib.util
import os
import re
from pathlib import Path

from lgvsc_flow.errors import FlowError, MissingExtraError, ModelError
from lgvsc_flow.gguf_file import convert_gguf
from lgvsc_flow.model_catalogue import Model
from lgvsc_flow.model_folder import check_folder
from lgvsc_flow.models import FOLDER_VARIABLE, MODELS, Presence, models_folder, resolve, sha256_of
from lgvsc_flow.pipeline_folder import PIPELINE, find_pipeline

__all__ = ["HUB", "open_model", "whereabouts"]

HUB = "hub:"
HUB_FORM = re.compile(r"hub:([\w.-]+/[\w.-]+)@(\S*)")
HUB_TIMEOUT_S = 10.0
COMMIT = re.compile(r"[0-9a-f]{40}")
# What is fetched: data alone. A repository's pickles and code stay where they are.
HUB_PATTERNS = ("*.json", "*.safetensors", "*.jinja", "*.txt", "*.model")


def open_model(name_or_folder: str | Path, *, folder: str | Path | None = None) -> Path:
    """The folder of a language model in the layout of transformers: config.json, *.safetensors, tokenizer.

    Looked for in this order: a folder or GGUF file named by its path, `<folder>/<name>`, the installed package that
    ships it, the hub at the entry's revision. Only the hub is ever asked over the network, and only where the entry or
    `hub:owner/name@commit` says so. A GGUF file is converted once into the cache (LGVSC_FLOW_CACHE).

    Args:
        name_or_folder: a name in the catalogue, a path, or `hub:owner/name@commit`.
        folder: a folder of models; the environment variable LGVSC_FLOW_MODELS where None.

    Raises:
        ModelError: it is missing, damaged, or unsafe; with what to do.
        MissingExtraError: what the source needs is not installed.
    """
    name = os.fspath(name_or_folder)
    what = f"model {name}"
    if name.startswith(HUB):
        return _from_hub_name(name)
    base = models_folder(folder)
    model = MODELS.get(name) if isinstance(name_or_folder, str) else None
    local = base / name if base is not None else None
    if local is not None and local.exists() and (model is not None or not Path(name).exists()):
        return _from_path(local, what, model)
    if model is not None:
        return _from_catalogue(model, what, folder)
    if Path(name).expanduser().exists():
        return _from_path(Path(name).expanduser(), what, None)
    kinds = sorted(m.name for m in MODELS.values() if m.kind not in ("network", PIPELINE))
    raise ModelError(
        f"no model is called {name!r}, and no folder or GGUF file has that path; known are {', '.join(kinds)}; "
        "others by path, or as hub:owner/name@commit"
    )


def whereabouts(model: Model, folder: str | Path | None = None) -> Presence:
    """Where a model of the catalogue is, without fetching or converting anything."""
    base = models_folder(folder)
    local = base / model.name if base is not None else None
    what = f"model {model.name}"
    try:
        if model.kind == PIPELINE:
            found = find_pipeline(model.name, folder=folder)
        elif model.kind == "network" or (model.distribution and not (local is not None and local.exists())):
            found = next(iter(resolve(model.name, folder).values())).parent
        elif local is not None and local.exists():
            found = _checked(local, what, model)
        else:
            found = _fetched(model.repository, model.revision, what, local_only=True)
    except FlowError as error:
        return Presence(model, problem=str(error))
    return Presence(model, place=str(found))


def _fetched(repository: str, revision: str, what: str, *, local_only: bool) -> Path:
    """A repository's folder in the hub's cache, checked; the hub is asked unless `local_only`.

    Raises:
        ModelError: it is not there, not whole, or unsafe.
        MissingExtraError: huggingface_hub is not installed.
    """
    if importlib.util.find_spec("huggingface_hub") is None:
        raise MissingExtraError(f"{what}, which comes from the hub ({repository}),", "hub", "huggingface_hub")
    import huggingface_hub

    try:
        if not local_only:  # this asks once; the download itself would try for half a minute
            huggingface_hub.model_info(repository, revision=revision, timeout=HUB_TIMEOUT_S)
        place = huggingface_hub.snapshot_download(
            repository, revision=revision, allow_patterns=list(HUB_PATTERNS), local_files_only=local_only
        )
    except Exception as error:  # of the hub's client, of its HTTP library, of the disk
        reason = " ".join(str(error).split())[:160]
        why = "" if local_only else f" and could not be fetched ({type(error).__name__}: {reason})"
        raise ModelError(
            f"{what} is missing: {repository}@{revision[:12]} is not in the hub's cache{why}. "
            f"{_by_hand(repository, revision, what)}"
        ) from error
    check_folder(Path(place), what)
    return Path(place)


def _from_hub(repository: str, revision: str, what: str) -> Path:
    try:
        return _fetched(repository, revision, what, local_only=True)
    except ModelError:  # not there, or a fetch that was broken off
        return _fetched(repository, revision, what, local_only=False)


def _by_hand(repository: str, revision: str, what: str) -> str:
    name = what.removeprefix("model ")
    short = repository.rpartition("/")[2] if name.startswith(HUB) else name
    return (
        f"On a machine with access: hf download {repository} --revision {revision} --local-dir {short}; copy that "
        f"folder here and give its path as the model, or its parent in {FOLDER_VARIABLE}"
    )


def _from_hub_name(name: str) -> Path:
    form = HUB_FORM.fullmatch(name)
    if form is None:
        raise ModelError(f"{name!r} is no model of the hub; write hub:owner/name@commit, with the commit's 40 digits")
    repository, revision = form.groups()
    if not COMMIT.fullmatch(revision):
        raise ModelError(
            f"{name!r} names no commit: branches and tags move. Write hub:{repository}@ and the 40 digits that the "
            "repository's history shows for the version you want"
        )
    what = f"model {name}"
    return _from_hub(repository, revision, what)


def _from_path(path: Path, what: str, model: Model | None) -> Path:
    """A folder, or a GGUF file, or a folder with nothing but a GGUF file."""
    checked = _checked(path, what, model)
    return checked if checked.is_dir() else convert_gguf(checked, what)


def _checked(path: Path, what: str, model: Model | None) -> Path:
    """The folder, or the GGUF file that it stands for."""
    if path.is_file():
        if path.suffix != ".gguf":
            raise ModelError(f"{what}: {path} is a file; it takes a model's folder, or a .gguf file")
        return path
    packed = sorted(path.glob("*.gguf"))
    if not packed or (path / "config.json").exists():
        check_folder(path, what)
        return path
    if len(packed) > 1:
        raise ModelError(f"{what}: {path} holds {len(packed)} GGUF files; give the path of the one you mean")
    known = {f.name: f.sha256 for f in model.files} if model is not None else {}
    expected = known.get(packed[0].name)
    if expected is not None and sha256_of(packed[0]) != expected:
        raise ModelError(
            f"{what}: {packed[0]} is not the file that was tested (SHA-256 {sha256_of(packed[0])[:12]}..., expected "
            f"{expected[:12]}...); it is damaged or another version. Remove it and get it again"
        )
    return packed[0]


def _from_catalogue(model: Model, what: str, folder: str | Path | None) -> Path:
    if model.kind in ("network", PIPELINE):
        raise ModelError(f"{what} is no language model; it is {model.purpose}")
    if model.distribution:
        (path,) = resolve(model.name, folder).values()
        return convert_gguf(path, what, model.files[0].sha256)
    return _from_hub(model.repository, model.revision, what)
