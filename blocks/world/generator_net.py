"""The trained generator's network: a flow that leads from the interpolated frame to the one that was filmed.

A state x(s) goes from the interpolator's frame with a little noise (s = 1) to the true frame (s = 0) on a straight
line; a UNet sees the state, what the interpolator knew, and how far it doubts itself, and tells how the true frame
differs from the interpolator's, which gives the velocity. A few Euler steps make the frame. Pictures are folded 4x4
into channels, so that the network works at a quarter of the size.

Ref: Lipman et al., "Flow matching for generative modeling", ICLR 2023; Albergo and Vanden-Eijnden, "Building
normalizing flows with stochastic interpolants", ICLR 2023 (paths between two pictures instead of from noise).
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lgvsc_flow.errors import ModelError
from lgvsc_flow.models import import_extra
from lgvsc_flow.safetensors_file import save_tensors

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["NetSettings", "build_net", "load_net", "path_loss", "refine", "save_net"]

FORMAT = "lgvsc-flow world generator 1"
FOLD = 4  # pixels a side that become channels
KNOWN = 10  # channels of what is known: the interpolated frame, both keyframes moved, doubt
ROUNDED = 0.01  # of full scale 2
STEPS = 1000  # that diffusers' schedulers and time embeddings count
LARGEST_WIDTH = 1024


@dataclass(frozen=True)
class NetSettings:
    """Widths of the UNet's levels, layers of each, and the noise that the path begins with (of full scale 2)."""

    widths: tuple[int, ...] = (64, 96, 160)
    layers: int = 2
    noise: float = 0.05


def build_net(settings: NetSettings) -> Any:
    """A fresh `diffusers.UNet2DModel`; its last layer is zero, so that it begins as the interpolator."""
    import_extra("diffusers", "the trained world model", "models", "diffusers")
    from diffusers.models.unets.unet_2d import UNet2DModel
    from torch import nn

    levels = len(settings.widths)
    net = UNet2DModel(
        in_channels=FOLD * FOLD * (3 + KNOWN) + 1,
        out_channels=FOLD * FOLD * 3,
        down_block_types=("DownBlock2D",) * levels,
        up_block_types=("UpBlock2D",) * levels,
        block_out_channels=settings.widths,
        layers_per_block=settings.layers,
        norm_num_groups=16,
        add_attention=False,
    )
    nn.init.zeros_(net.conv_out.weight)
    nn.init.zeros_(net.conv_out.bias)
    return net


def _endpoint(net: Any, state: Tensor, known: Tensor, place: Tensor, s: Tensor) -> Tensor:
    """The true frames, as told from states [n, 3, h, w]; `known` [n, 10, h, w], `place` [n] in time, `s` [n].

    The network tells a difference, so that it has neither frame nor noise to carry through.
    """
    import torch
    from torch.nn import functional

    folded = functional.pixel_unshuffle(torch.cat([state, known], 1), FOLD)
    times = place.to(folded.dtype).view(-1, 1, 1, 1).expand(-1, 1, *folded.shape[2:])
    told = net(torch.cat([folded, times], 1), s * STEPS, return_dict=False)[0]
    return known[:, :3] + functional.pixel_shuffle(told, FOLD).float()


def path_loss(net: Any, true: Tensor, known: Tensor, place: Tensor, s: Tensor, noise: Tensor) -> Tensor:
    """Mean absolute error, rounded at zero, of the endpoint told at `s` of the paths; pictures are in -1 to 1.

    Absolute, since squares would be decided by the few frames that nobody can guess.
    """
    start = known[:, :3] + noise
    at = s.view(-1, 1, 1, 1)
    state = (1 - at) * true + at * start
    error = _endpoint(net, state, known, place, s) - true
    return (error.square() + ROUNDED**2).sqrt().mean() - ROUNDED


def refine(net: Any, known: Tensor, place: Tensor, noise: Tensor, steps: int) -> Tensor:
    """Frames [n, 3, h, w] in -1 to 1 by Euler steps from the interpolated frame; h and w of any size."""
    import torch
    from diffusers.schedulers.scheduling_flow_match_euler_discrete import FlowMatchEulerDiscreteScheduler
    from torch.nn import functional

    height, width = known.shape[2:]
    # Sides that the UNet can halve at every level.
    unit = FOLD * 2 ** (len(net.config["block_out_channels"]) - 1)
    spare = -width % unit, -height % unit
    known = functional.pad(known, (0, spare[0], 0, spare[1]), mode="replicate")
    state = known[:, :3] + functional.pad(noise, (0, spare[0], 0, spare[1]), mode="replicate")
    scheduler = FlowMatchEulerDiscreteScheduler(num_train_timesteps=STEPS)
    scheduler.set_timesteps(sigmas=[1 - i / steps for i in range(steps)])
    with torch.inference_mode():
        for timestep in scheduler.timesteps:
            s = (timestep / STEPS).expand(len(state))
            velocity = (state - _endpoint(net, state, known, place, s)) / (timestep / STEPS)
            state = scheduler.step(velocity, timestep, state, return_dict=False)[0]
    return state[..., :height, :width].clamp(-1, 1)


def save_net(path: Path, net: Any, settings: NetSettings) -> None:
    """Write weights in half precision as one safetensors file, under its final name once it is complete."""
    tensors = {name: value.detach().cpu().half().contiguous() for name, value in net.state_dict().items()}
    metadata = {"format": FORMAT, "settings": json.dumps(asdict(settings)), "digest": _digest(tensors)}
    save_tensors(path, tensors, metadata)


def load_net(path: Path) -> tuple[Any, NetSettings]:
    """The network of a weights file, ready to run.

    Raises:
        ModelError: the file is missing, damaged or of another kind.
    """
    safetensors = import_extra("safetensors", "the trained world model", "models", "safetensors")
    hint = "Train some (`lgvsc-flow train world`), or use --world interpolator"
    if not path.is_file():
        raise ModelError(f"weights {path} of the trained world model do not exist. {hint}")
    try:
        with safetensors.safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (safetensors.SafetensorError, OSError, ValueError) as error:
        raise ModelError(f"weights {path} are damaged or no safetensors file ({error}). {hint}") from error
    if metadata.get("format") != FORMAT:
        raise ModelError(f"{path} holds {metadata.get('format', 'other tensors')!r}, not {FORMAT!r}. {hint}")
    if metadata.get("digest") != _digest(tensors):
        raise ModelError(f"weights {path} are damaged: their check value does not match. {hint}")
    try:
        raw = json.loads(metadata["settings"])
        settings = NetSettings(tuple(raw["widths"]), raw["layers"], float(raw["noise"]))
        numbers = [*settings.widths, settings.layers]
        if not all(isinstance(n, int) and 1 <= n <= LARGEST_WIDTH for n in numbers) or len(settings.widths) > 6:
            raise ValueError(f"widths and layers are 1 to {LARGEST_WIDTH}, got {numbers}")
        net = build_net(settings)
        net.load_state_dict({name: value.float() for name, value in tensors.items()})
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise ModelError(f"weights {path} do not fit this version's network: {error}. {hint}") from error
    return net.eval(), settings


def _digest(tensors: dict[str, Any]) -> str:
    found = hashlib.sha256()
    for name in sorted(tensors):
        found.update(f"{name} {tuple(tensors[name].shape)}".encode())
        found.update(tensors[name].numpy().tobytes())
    return found.hexdigest()
