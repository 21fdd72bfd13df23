"""The weights as one safetensors file: networks in half precision, integer tables, rate thresholds, a digest."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lgvsc_flow.errors import ModelError
from lgvsc_flow.models import import_extra
from lgvsc_flow.safetensors_file import save_tensors

if TYPE_CHECKING:
    from torch import Tensor

    from lgvsc_flow.blocks.ntscc.nets import NtsccNet

FORMAT = "lgvsc-flow ntscc 1"
EMBEDDED = "embedded"
LARGEST_WIDTH = 1024  # of a layer that a file may ask for
INT8_FROM = 500_000  # convolutions with this many weights are kept as 8-bit integers with a scale per output channel
NOMINAL_CBR = (0.01, 0.015, 0.02, 0.03, 0.04, 0.06, 0.08, 0.1)
HINT = "Use weights='embedded' for those that ship with the package, or train some: lgvsc-flow train ntscc --help"


@dataclass
class Weights:
    """A loaded model: the networks, the integer tables of z and ln(theta) at `NOMINAL_CBR` (typical pictures)."""

    net: NtsccNet
    tables: np.ndarray
    log_thresholds: np.ndarray
    digest: str

    @property
    def check(self) -> int:
        """16 bits of the digest, by which a decoder knows the encoder's weights."""
        return int(self.digest[:4] or "0", 16)


def save_weights(path: Path, net: NtsccNet, log_thresholds: np.ndarray) -> None:
    """Write the file under its final name once it is complete; the same networks give the same bytes."""
    import torch

    from lgvsc_flow.blocks.ntscc.entropy import integer_tables

    tensors: dict[str, Tensor] = {}
    for name, value in net.state_dict().items():
        value = value.detach().float().contiguous()
        if value.numel() >= INT8_FROM:
            scale = value.flatten(1).abs().amax(1).clamp_min(1e-12) / 127
            tensors[name + ".scale"] = scale
            tensors[name] = (value / scale.view(-1, *[1] * (value.dim() - 1))).round().to(torch.int8)
        else:
            exact = name.startswith(("prior.", "y_", "preference"))
            tensors[name] = value if exact else value.half()
    tensors["z_tables"] = torch.from_numpy(integer_tables(net.prior))
    tensors["log_thresholds"] = torch.from_numpy(np.asarray(log_thresholds, np.float64))
    settings = {k: list(v) if isinstance(v, tuple) else v for k, v in net.settings.as_dict().items()}
    metadata = {"format": FORMAT, "settings": json.dumps(settings), "digest": _digest(tensors)}
    save_tensors(path, tensors, metadata)


def load_weights(where: str | Path = EMBEDDED) -> Weights:
    """Read a weights file, or the embedded one.

    Raises:
        ModelError: the file is missing, damaged or of another kind.
        MissingExtraError: torch or safetensors is not installed.
    """
    import_extra("torch", "NTSCC", "models", "torch")
    safetensors = import_extra("safetensors", "NTSCC", "models", "safetensors")
    if str(where) == EMBEDDED:
        path = Path(str(resources.files("lgvsc_flow.blocks.ntscc") / "weights" / "ntscc.safetensors"))
    else:
        path = Path(where)
    if not path.is_file():
        raise ModelError(f"NTSCC weights {path} do not exist. {HINT}")
    try:
        with safetensors.safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (safetensors.SafetensorError, OSError, ValueError) as error:
        raise ModelError(f"NTSCC weights {path} are damaged or no safetensors file ({error}). {HINT}") from error
    if metadata.get("format") != FORMAT:
        raise ModelError(f"{path} holds {metadata.get('format', 'other tensors')!r}, not {FORMAT!r}. {HINT}")
    if metadata.get("digest") != _digest(tensors):
        raise ModelError(f"NTSCC weights {path} are damaged: their check value does not match. {HINT}")
    try:
        net, tables, thresholds = _build(metadata["settings"], tensors)
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise ModelError(f"NTSCC weights {path} do not fit this version's networks: {error}. {HINT}") from error
    return Weights(net, tables, thresholds, metadata["digest"])


def _build(settings: str, tensors: dict[str, Tensor]) -> tuple[NtsccNet, np.ndarray, np.ndarray]:
    """The networks, tables and thresholds that a file's tensors describe."""
    import torch

    from lgvsc_flow.blocks.ntscc.nets import NetSettings, NtsccNet

    raw: dict[str, Any] = json.loads(settings)
    if "g_a_blocks" not in raw:  # weights of the first version
        raw |= {"gain": raw["code"], "g_a": [192, 96, raw["g_a"]], "g_a_blocks": [0, 1, 1], "modulated": False}
        for name in [n for n in tensors if n.startswith(("g_a.body4.", "g_a.body8."))]:
            tensors[name.replace("body4.", "body4.0.").replace("body8.", "body8.0.")] = tensors.pop(name)
    sizes: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in raw.items()}
    modulated = sizes.pop("modulated", True) is True
    numbers = [(k, w) for k, v in sizes.items() for w in (v if isinstance(v, tuple) else (v,))]
    wrong = [w for k, w in numbers if not isinstance(w, int) or not 1 - k.endswith("_blocks") <= w <= LARGEST_WIDTH]
    if wrong:
        raise ValueError(f"widths must be 1 to {LARGEST_WIDTH}, got {wrong}")
    net = NtsccNet(NetSettings(**sizes, modulated=modulated))
    tables, thresholds = tensors.pop("z_tables").numpy(), tensors.pop("log_thresholds").numpy()
    state = {}
    for name, value in tensors.items():
        if value.dtype == torch.int8:
            scale = tensors[name + ".scale"]
            value = value.float() * scale.view(-1, *[1] * (value.dim() - 1))
        if not name.endswith(".scale"):
            state[name] = value.float()
    net.load_state_dict(whole(state))
    return net.eval(), tables, thresholds


def whole(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Weights with a preference among latents, which those of the first versions have not."""
    import torch

    return {"preference": torch.zeros_like(state["y_mean"])} | state


def _digest(tensors: dict[str, Tensor]) -> str:
    digest = hashlib.sha256()
    for name in sorted(tensors):
        digest.update(name.encode())
        digest.update(tensors[name].contiguous().numpy().tobytes())
    return digest.hexdigest()
