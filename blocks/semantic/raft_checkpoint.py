"""A RAFT checkpoint in torchvision's layout, from a local file or folder."""

from __future__ import annotations

import re
from pathlib import Path

import torch
from torch import Tensor

from lgvsc_flow.blocks.semantic.raft import LARGE, SMALL, Raft
from lgvsc_flow.errors import ModelError
from lgvsc_flow.models import import_extra, sha256_of

__all__ = ["load_raft"]

_HOW_TO_GET = (
    "the file is published by torchvision (Raft_Small_Weights.C_T_V2: raft_small_C_T_V2-01064c6d.pth, or a sibling; "
    "BSD-3-Clause): fetch it once and name it, or the folder that holds it; flow='dis' needs no weights"
)


def load_raft(source: str | Path) -> Raft:
    """The network of a checkpoint, small or large as its shapes say, in evaluation mode on the CPU.

    Args:
        source: a .pth or .safetensors file, or a folder that holds exactly one. Where the file's name ends in part of
            its SHA-256, as in `raft_small_C_T_V2-01064c6d.pth`, the file must have it.

    Raises:
        ModelError: it is missing, ambiguous, damaged or not RAFT's.
    """
    path = _file(Path(source).expanduser())
    stated = re.search(r"-([0-9a-f]{8,64})$", path.stem)
    if stated and not (digest := sha256_of(path)).startswith(stated[1]):
        raise ModelError(
            f"{path} is damaged: its name says that its SHA-256 begins with {stated[1]}, it begins with "
            f"{digest[: len(stated[1])]}; fetch it again"
        )
    state = _read(path)
    stem = state.get("feature_encoder.convnormrelu.0.weight")
    network = Raft(LARGE if stem is not None and stem.shape[0] == LARGE.features[0] else SMALL)
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        first = " ".join(str(error).split())[:300]
        raise ModelError(f"{path} holds no RAFT weights in torchvision's layout ({first}); {_HOW_TO_GET}") from error
    return network.eval()


def _file(source: Path) -> Path:
    if not source.is_dir():
        if source.suffix not in (".pth", ".safetensors"):
            raise ModelError(f"{source} is neither a folder nor a .pth or .safetensors file with RAFT; {_HOW_TO_GET}")
        if not source.is_file():
            raise ModelError(f"the RAFT checkpoint {source} does not exist; {_HOW_TO_GET}")
        return source
    found = sorted(p for p in source.iterdir() if p.suffix in (".pth", ".safetensors"))
    if len(found) != 1:
        names = ", ".join(p.name for p in found) or "none"
        raise ModelError(f"{source} must hold one .pth or .safetensors file with RAFT, found {names}; {_HOW_TO_GET}")
    return found[0]


def _read(path: Path) -> dict[str, Tensor]:
    try:
        if path.suffix == ".safetensors":
            return dict(import_extra("safetensors.torch", "RAFT", "models", "safetensors").load_file(path))
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged file raises what its reader happens to raise
        raise ModelError(f"{path} cannot be read as weights ({type(error).__name__}); {_HOW_TO_GET}") from error
    if not isinstance(state, dict) or not all(isinstance(v, Tensor) for v in state.values()):
        raise ModelError(f"{path} holds something else than tensors by name; {_HOW_TO_GET}")
    return state
