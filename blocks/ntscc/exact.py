"""h_s in double precision on the CPU, whatever the other networks run in: both ends must reach the same decisions."""

from __future__ import annotations

import copy

import numpy as np
import torch
from torch import Tensor

from lgvsc_flow.blocks.ntscc.nets import NtsccNet


class ExactHyperSynthesis:
    """h_s of a network, copied to double precision; the rest of the network is left as it is."""

    def __init__(self, net: NtsccNet):
        exact = copy.copy(net)  # its parts are replaced below, not the original's
        exact._modules, exact._buffers = dict(net._modules), dict(net._buffers)
        exact.h_s, exact.prior = copy.deepcopy(net.h_s).cpu().double(), copy.deepcopy(net.prior).cpu().double()
        exact.y_mean, exact.y_std = (t.detach().cpu().double() for t in (net.y_mean, net.y_std))
        self._net = exact

    def __call__(self, q: np.ndarray, level: int, rows: int, columns: int) -> tuple[Tensor, Tensor]:
        """Integers q [Z, ...] to mean and log deviation of every latent, float64 [1, M, rows, columns]."""
        return self._net.hyper_synthesise(torch.from_numpy(q)[None].double(), torch.tensor([level]), rows, columns)
