"""From a training checkpoint to the weights file that the codec loads, and the curves of a run."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError

from lgvsc_flow.blocks.ntscc.allocation import select
from lgvsc_flow.blocks.ntscc.data import Source
from lgvsc_flow.blocks.ntscc.nets import NtsccNet, level_for
from lgvsc_flow.blocks.ntscc.rate import bits_per_symbol
from lgvsc_flow.blocks.ntscc.recipe import settings_from
from lgvsc_flow.blocks.ntscc.simulate import dimensions_for, hyperprior
from lgvsc_flow.blocks.ntscc.transform import BLOCK
from lgvsc_flow.blocks.ntscc.weights_file import NOMINAL_CBR, save_weights, whole
from lgvsc_flow.errors import FlowError, ModelError

PANELS = (
    ("loss", ("loss",)),
    ("PSNR in dB", ("psnr_db", "valid_10db", "valid_10db_0.05", "valid_0db")),
    ("share of the hyperprior", ("side_share", "side_10db", "side_0db")),
)


@torch.inference_mode()
def typical_thresholds(net: NtsccNet, pictures: Source, count: int = 40, side: int = 704) -> np.ndarray:
    """Worth (`NtsccNet.worth`) of the last latent sent at each nominal CBR and 10 dB: median over training pictures."""
    found = []
    for pixels in pictures.pictures(count, side):
        height, width = (s // BLOCK * BLOCK for s in pixels.shape[:2])
        x = torch.from_numpy(pixels[:height, :width].copy()).permute(2, 0, 1)[None].float() / 255
        row = []
        for cbr in NOMINAL_CBR:
            y = net.analyse(x, cbr, 10.0)
            level, most = level_for(cbr, bits_per_symbol(10.0)), dimensions_for(cbr, height, width, net.settings.m)
            log_sigma, bits = hyperprior(net, y, level, most)
            worth, k = net.worth(log_sigma).reshape(-1), max(2, most - 2 * round(bits / bits_per_symbol(10.0)))
            row.append(worth[select(worth, min(k, worth.numel()))].min().item())
        found.append(row)
    return np.median(np.array(found), 0)


def export(net: NtsccNet, pictures: Source, path: Path) -> None:
    """Write the weights file of a trained network, under its final name once it is whole.

    Raises:
        FlowError: it cannot be written.
    """
    net = net.cpu().eval()
    try:
        save_weights(path, net, typical_thresholds(net, pictures))
    except (OSError, SafetensorError) as error:
        raise FlowError(f"the weights cannot be written to {path}: {error}") from error


def averaged(state: dict[str, Any]) -> NtsccNet:
    """The network with the averaged weights of a checkpoint.

    Raises:
        ModelError: they do not fit this version's networks.
    """
    try:
        net = NtsccNet(settings_from(state["settings"]))
        net.load_state_dict(whole(state["ema"]))
    except (RuntimeError, ValueError, TypeError) as error:
        first = str(error).splitlines()[-1].strip()
        raise ModelError(f"the checkpoint does not fit this version's networks: {first}") from error
    return net.eval()


def plot_curve(curve: list[dict[str, float]], path: Path) -> None:
    """Loss, PSNR and share of the hyperprior against hours of training, of the steps and of the watched pictures.

    Raises:
        FlowError: the file cannot be written.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    fig = Figure(figsize=(15, 4), layout="constrained")
    for axis, (title, keys) in zip(fig.subplots(1, len(PANELS)), PANELS, strict=True):
        for key in keys:
            points = [(row["elapsed_s"] / 3600, row[key]) for row in curve if math.isfinite(row.get(key, math.nan))]
            if points:
                watched = key.startswith(("valid", "side_1", "side_0"))
                axis.plot(*zip(*points, strict=True), label=key, marker="o" if watched else None)
        axis.set_title(title)
        axis.set_xlabel("hours")
        if axis.lines:
            axis.legend()
        axis.grid(alpha=0.3)
    temporary = path.with_name(f"{path.name}.tmp")
    try:
        FigureCanvasAgg(fig).print_figure(temporary, dpi=100, format="png")
        os.replace(temporary, path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise FlowError(f"the curves cannot be written to {path}: {error.strerror or error}") from error
