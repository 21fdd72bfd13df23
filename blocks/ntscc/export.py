"""From a training checkpoint to the weights file that the codec loads."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import torch

from lgvsc_flow.blocks.ntscc.allocation import select
from lgvsc_flow.blocks.ntscc.data import Crops
from lgvsc_flow.blocks.ntscc.nets import NtsccNet, level_for
from lgvsc_flow.blocks.ntscc.rate import bits_per_symbol
from lgvsc_flow.blocks.ntscc.simulate import dimensions_for
from lgvsc_flow.blocks.ntscc.transform import BLOCK
from lgvsc_flow.blocks.ntscc.weights_file import NOMINAL_CBR, save_weights


@torch.inference_mode()
def typical_thresholds(net: NtsccNet, crops: Crops, count: int = 40, side: int = 704) -> np.ndarray:
    """ln(sigma) of the last latent sent at each nominal CBR and 10 dB: the median over `count` training pictures."""
    found = []
    for pixels in crops.pictures(count, side):
        height, width = (s // BLOCK * BLOCK for s in pixels.shape[:2])
        x = torch.from_numpy(pixels[:height, :width].copy()).permute(2, 0, 1)[None].float() / 255
        row = []
        for cbr in NOMINAL_CBR:
            y = net.analyse(x, cbr, 10.0)
            level = torch.tensor([level_for(cbr, bits_per_symbol(10.0))])
            q = net.hyper_analyse(y, level).round()
            bits = -net.prior.probability(q, level).log2().sum().item()
            _, log_sigma = net.hyper_synthesise(q, level, *y.shape[2:])
            k = max(2, dimensions_for(cbr, height, width, net.settings.m) - 2 * round(bits / bits_per_symbol(10.0)))
            row.append(log_sigma.reshape(-1)[select(log_sigma, min(k, log_sigma.numel()))].min().item())
        found.append(row)
    return np.median(np.array(found), 0)


def export(net: NtsccNet, crops: Crops, path: Path) -> None:
    """Write the weights file of a trained network."""
    save_weights(path, net, typical_thresholds(net, crops))


def plot_curve(curve: list[dict[str, float]], path: Path) -> None:
    """Loss, training PSNR and validation PSNR against hours of training."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    fig, (left, right) = plt.subplots(1, 2, figsize=(11, 4), layout="constrained")
    for axis, keys in ((left, ("side_share",)), (right, ("psnr_db", "valid_10db", "valid_0db"))):
        for key in keys:
            points = [(row["elapsed_s"] / 3600, row[key]) for row in curve if math.isfinite(row.get(key, math.nan))]
            if points:
                axis.plot(*zip(*points, strict=True), label=key, marker="o" if key.startswith("valid") else None)
        axis.set_xlabel("hours")
        if axis.lines:
            axis.legend()
        axis.grid(alpha=0.3)
    fig.savefig(path, dpi=100)
    plt.close(fig)
