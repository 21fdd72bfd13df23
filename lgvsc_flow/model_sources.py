"""Where a language model's files come from: a local folder, an installed package, or the hub at a pinned revision."""

from __future__ import annotations

import importlib.util
import os
import re
from pathlib import Path

from lgvsc_flow.errors import MissingExtraError, ModelError
from lgvsc_flow.gguf_file import convert_gguf
from lgvsc_flow.model_catalogue import Model
from lgvsc_flow.model_folder import check_folder
from lgvsc_flow.models import FOLDER_VARIABLE, MODELS, models_folder, resolve, sha256_of

__all__ = ["HUB", "hub_files", "open_model"]

HUB = "hub:"
HUB_FORM = re.compile(r"hub:([\w.-]+/[\w.-]+)@(\S*)")
COMMIT = re.compile(r"[0-9a-f]{40}")
# What is fetched: data alone. A repository's pickles and code stay where they are.
HUB_PATTERNS = ("*.json", "*.safetensors", "*.jinja", "*.txt", "*.model")


def open_model(name_or_folder: str | Path, *, folder: str | Path | None = None) -> Path:
    """The folder of a language model in the layout of transformers: config.json, *.safetensors, tokenizer.

    Looked for in this order: a folder or GGUF file named by its path, `<folder>/<name>`, the installed package that
    ships it, the hub at the entry's revision. Only the hub is ever asked over the network, and only where the entry or
    `hub:owner/name@revision` says so. A GGUF file is converted once into the cache (LGVSC_FLOW_CACHE).

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
        return _from_hub_name(name, folder)
    base = models_folder(folder)
    model = MODELS.get(name) if isinstance(name_or_folder, str) else None
    local = base / name if base is not None else None
    if local is not None and local.exists() and (model is not None or not Path(name).exists()):
        return _from_path(local, what, model)
    if model is not None:
        return _from_catalogue(model, what, local)
    if Path(name).expanduser().exists():
        return _from_path(Path(name).expanduser(), what, None)
    kinds = sorted(m.name for m in MODELS.values() if m.kind != "network")
    raise ModelError(
        f"no model is called {name!r}, and no folder or GGUF file has that path; known are {', '.join(kinds)}; "
        "others by path, or as hub:owner/name@commit"
    )


def hub_files(repository: str, revision: str, what: str, *, fetch: bool) -> Path:
    """A repository's folder in the hub's cache; fetched where it is not there and `fetch` says so.

    Raises:
        ModelError: it is not there, or cannot be fetched.
        MissingExtraError: huggingface_hub is not installed.
    """
    if importlib.util.find_spec("huggingface_hub") is None:
        raise MissingExtraError(f"{what}, which comes from the hub ({repository}),", "hub", "huggingface_hub")
    import huggingface_hub

    last: Exception | None = None
    for local_only in (True, False) if fetch else (True,):
        try:
            return Path(
                huggingface_hub.snapshot_download(
                    repository, revision=revision, allow_patterns=list(HUB_PATTERNS), local_files_only=local_only
                )
            )
        except Exception as error:  # of the hub's client, of its HTTP library, of the disk
            last = error
    reason = " ".join(str(last).split())[:160] if fetch else "it has not been fetched"
    raise ModelError(
        f"{what} is missing: {repository}@{revision[:12]} is not in the hub's cache and could not be fetched "
        f"({type(last).__name__}: {reason}). {_by_hand(repository, what)}"
    ) from last


def _by_hand(repository: str, what: str) -> str:
    name = what.removeprefix("model ")
    short = repository.rpartition("/")[2] if name.startswith(HUB) else name
    return (
        f"On a machine with access: hf download {repository} --local-dir {short}; copy that folder here and give its "
        f"path as the model, or its parent in {FOLDER_VARIABLE}"
    )


def _from_hub_name(name: str, folder: str | Path | None) -> Path:
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
    place = hub_files(repository, revision, what, fetch=True)
    check_folder(place, what)
    return place


def _from_path(path: Path, what: str, model: Model | None) -> Path:
    """A folder, or a GGUF file, or a folder with nothing but a GGUF file."""
    if path.is_file():
        if path.suffix != ".gguf":
            raise ModelError(f"{what}: {path} is a file; it takes a model's folder, or a .gguf file")
        return convert_gguf(path, what)
    packed = sorted(path.glob("*.gguf"))
    if packed and not (path / "config.json").exists():
        if len(packed) > 1:
            raise ModelError(f"{what}: {path} holds {len(packed)} GGUF files; give the path of the one you mean")
        known = {f.name: f.sha256 for f in model.files} if model is not None else {}
        digest = sha256_of(packed[0])
        if known.get(packed[0].name, digest) != digest:
            raise ModelError(
                f"{what}: {packed[0]} is not the file that was tested (SHA-256 {digest[:12]}..., expected "
                f"{known[packed[0].name][:12]}...); it is damaged or another version. Remove it and get it again"
            )
        return convert_gguf(packed[0], what, digest)
    check_folder(path, what)
    return path


def _from_catalogue(model: Model, what: str, local: Path | None) -> Path:
    if model.kind == "network":
        raise ModelError(f"{what} is {model.purpose}, no language model")
    if model.distribution:
        (path,) = resolve(model.name, local.parent if local is not None else None).values()
        return convert_gguf(path, what, model.files[0].sha256)
    if not model.revision:
        place = f"{local} does not exist" if local is not None else f"{FOLDER_VARIABLE} is not set"
        raise ModelError(
            f"{what} ({model.purpose}) is missing: {place}. {_by_hand(model.repository, what)}; or give it as "
            f"hub:{model.repository}@ and the 40 digits of a commit"
        )
    place_found = hub_files(model.repository, model.revision, what, fetch=True)
    check_folder(place_found, what)
    return place_found
