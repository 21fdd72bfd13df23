"""Models by name: from a local folder or from an installed package, every file checked by its SHA-256.

Here are the models whose files a package ships; `lgvsc_flow.pretrained` opens and loads whole language models, from a
folder, a package or the hub. A model's files are looked for in this order, and nothing is ever fetched:

1. `<folder>/<model name>/<file>`, where `folder` is the caller's setting or the environment variable
   `LGVSC_FLOW_MODELS`;
2. the installed package that ships them.

Wherever a file is found its digest must be the known one. Weights are read as data only: safetensors, or
`torch.load(weights_only=True)` where a package ships nothing else.
"""

from __future__ import annotations

import hashlib
import importlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from lgvsc_flow.errors import MissingExtraError, ModelError
from lgvsc_flow.model_catalogue import CATALOGUE, Model, ModelFile

if TYPE_CHECKING:
    from torch import Tensor

__all__ = [
    "FOLDER_VARIABLE",
    "MODELS",
    "Model",
    "ModelFile",
    "Presence",
    "import_extra",
    "load_state",
    "models_folder",
    "presence",
    "resolve",
    "resolve_file",
    "sha256_of",
]

FOLDER_VARIABLE = "LGVSC_FLOW_MODELS"


@dataclass(frozen=True)
class Presence:
    """Whether a model can be used here: `place` says from where, `problem` why not."""

    model: Model
    place: str = ""
    problem: str = ""


MODELS: Mapping[str, Model] = CATALOGUE


def import_extra(module: str, what: str, extra: str, package: str) -> ModuleType:
    """Import an optional module, or say which extra brings it.

    Args:
        module: the module's import name, as in `cv2`.
        what: who needs it, as the message begins.
        extra: the extra that installs it.
        package: the package's name for pip.

    Raises:
        MissingExtraError: the module is not installed.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] != module.split(".")[0]:
            raise
        raise MissingExtraError(what, extra, package) from error


def _is_installed(distribution: str) -> bool:
    """Whether a package of that name is installed; it is not imported."""
    try:
        metadata.distribution(distribution)
    except metadata.PackageNotFoundError:
        return False
    return True


def models_folder(folder: str | Path | None = None) -> Path | None:
    """The folder of models: the setting, or what the environment variable LGVSC_FLOW_MODELS names."""
    base = folder if folder is not None else os.environ.get(FOLDER_VARIABLE) or None
    return Path(base).expanduser() if base is not None else None


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's content, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def resolve(name: str, folder: str | Path | None = None) -> dict[str, Path]:
    """The files of a model, by their names in `ModelFile.name`, each with its digest checked.

    Args:
        name: a name in `MODELS`.
        folder: a folder of models; the environment variable LGVSC_FLOW_MODELS where None.

    Raises:
        ModelError: the model is unknown, a file is missing or is not the known one.
    """
    model = _known(name)
    if not model.files:
        raise ModelError(f"model {name} is no file of a package; open it whole, by open_model of lgvsc_flow.pretrained")
    found = {}
    for file in model.files:
        path = _find(model, file, folder)
        digest = sha256_of(path)
        if digest != file.sha256:
            raise ModelError(
                f"model {name}: {path} is not the file that was tested (SHA-256 {digest[:12]}..., expected "
                f"{file.sha256[:12]}...); it is damaged or another version. Remove it and install again: "
                f"{model.how_to_get}"
            )
        found[file.name] = path
    return found


def resolve_file(name: str, folder: str | Path | None = None) -> Path:
    """The single file of a model that has one; see `resolve`."""
    (path,) = resolve(name, folder).values()
    return path


def load_state(name: str, folder: str | Path | None = None) -> dict[str, Tensor]:
    """The parameters of a model whose weights are one .pth or .safetensors file, on the CPU.

    Raises:
        ModelError: as `resolve`, or the file holds something else than tensors by name.
        MissingExtraError: torch or safetensors is not installed.
    """
    what = f"model {name}"
    torch = import_extra("torch", what, "models", "torch")
    paths = resolve(name, folder)
    path = next((p for p in paths.values() if p.suffix in (".safetensors", ".pth")), None)
    if path is None:
        raise ModelError(f"{what} has no weights file among {', '.join(paths)}")
    if path.suffix == ".safetensors":
        import_extra("safetensors", what, "models", "safetensors")
        return dict(importlib.import_module("safetensors.torch").load_file(path))
    state = torch.load(path, map_location="cpu", weights_only=True)
    if not isinstance(state, dict) or not all(isinstance(v, torch.Tensor) for v in state.values()):
        raise ModelError(f"{what}: {path} holds {type(state).__name__}, not tensors by name")
    return state


def presence(folder: str | Path | None = None) -> list[Presence]:
    """Every known model that a package ships, and whether its files are here, undamaged."""
    rows = []
    for model in MODELS.values():
        if not model.files:
            continue
        try:
            paths = resolve(model.name, folder)
        except ModelError as error:
            rows.append(Presence(model, problem=str(error)))
        else:
            rows.append(Presence(model, place=str(next(iter(paths.values())).parent)))
    return rows


def _known(name: str) -> Model:
    if name not in MODELS:
        raise ModelError(f"no model is called {name!r}; known are {', '.join(sorted(MODELS))}")
    return MODELS[name]


def _find(model: Model, file: ModelFile, folder: str | Path | None) -> Path:
    base = models_folder(folder)
    if base is not None:
        local = base / model.name / file.name
        if local.is_file():
            return local
    packaged = _package_file(model.distribution, file.package_path)
    if packaged is not None:
        return packaged
    tried = f"the package {model.distribution} is not installed"
    if _is_installed(model.distribution):
        tried = f"the installed package {model.distribution} does not hold {file.package_path}"
    if base is not None:
        tried += f", and {base / model.name / file.name} does not exist"
    raise ModelError(
        f"model {model.name} ({model.purpose}) is missing: {tried}. Get it with {model.how_to_get}; or put "
        f"{file.name} into a folder {model.name} and name its parent in {FOLDER_VARIABLE}"
    )


def _package_file(distribution: str, path: str) -> Path | None:
    """The file's place on disk, without importing the package."""
    try:
        located = Path(str(metadata.distribution(distribution).locate_file(path)))
    except metadata.PackageNotFoundError:
        return None
    return located if located.is_file() else None
