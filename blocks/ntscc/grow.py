"""A larger network that begins as a trained smaller one: same output, more room to learn.

Old units keep their weights and see nothing of the new ones; new units begin at random (or as the zero-begun layers of
`nets` begin) and act on old ones only as far as training lets them. Latents keep their meaning when more are kept: the
old ones are found again by colour plane and frequency, the new ones begin as further DCT coefficients.

Ref: Chen, Goodfellow, Shlens, Net2Net, ICLR 2016 (the idea).
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from lgvsc_flow.blocks.ntscc.nets import NetSettings, NtsccNet

#: Layers whose inputs are so many groups of M latents, then others; and those whose outputs are.
INPUT_GROUPS = {"g_s.first": 2, "h_a.first": 2, "gain.first": 2, "f_e.first": 3, "f_d.first": 4}
OUTPUT_GROUPS = {"analysis": 1, "synthesis": 1, "y_mean": 1, "y_std": 1, "preference": 1, "g_a.last": 1, "h_s.last": 2}
OUTPUT_GROUPS |= {"gain.last": 1, "f_e.last": 1, "f_d.last": 1}
LINEAR = ("analysis", "synthesis", "y_mean", "y_std")  # what new latents begin with is in the new network


def grow(state: dict[str, Tensor], old: NetSettings, new: NetSettings, std: Tensor) -> NtsccNet:
    """The network of sizes `new` that gives what the one of sizes `old` with the weights `state` gives.

    Args:
        state: weights of the old network.
        std: deviation of every latent of the new network under the plain transform, [M].

    Raises:
        ValueError: something is smaller in the new network.
    """
    net = NtsccNet(new)
    with torch.no_grad():
        net.y_std.copy_(std)
        for name, target in net.state_dict().items():
            if name in state:
                _widen(target, state[name], name, old, new)
            elif ".b." in name and "body" in name:  # a further residual block: nothing at first
                target.zero_()
    return net


def _widen(target: Tensor, source: Tensor, name: str, old: NetSettings, new: NetSettings) -> None:
    layer = name.rsplit(".", 1)[0] if name not in LINEAR else name
    places = [torch.arange(n) for n in source.shape]
    if layer in OUTPUT_GROUPS:
        places[0] = _latents(OUTPUT_GROUPS[layer], source.shape[0], old, new)
    if layer in INPUT_GROUPS and source.dim() > 1:
        places[1] = _latents(INPUT_GROUPS[layer], source.shape[1], old, new)
    if source.dim() != target.dim() or any(int(p.max()) >= n for p, n in zip(places, target.shape, strict=True)):
        raise ValueError(f"{name} has shape {list(source.shape)}, which does not fit into {list(target.shape)}")
    if layer not in LINEAR and source.dim() > 1:
        target[places[0]] = 0  # old outputs see nothing of new inputs
    target[np.ix_(*(p.numpy() for p in places))] = source


def _latents(groups: int, size: int, old: NetSettings, new: NetSettings) -> Tensor:
    """Where each of `groups` x M old latents (and what follows them) is in the new order."""
    starts = np.concatenate([[0], np.cumsum(new.channels)[:-1]])
    one = np.concatenate([start + np.arange(count) for start, count in zip(starts, old.channels, strict=True)])
    places = [group * new.m + one for group in range(groups)]
    places.append(groups * new.m + np.arange(size - groups * old.m))
    return torch.from_numpy(np.concatenate(places))
