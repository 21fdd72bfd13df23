"""What both ends derive from the hyperprior and the header: which latents are sent, in what order, with what power."""

from __future__ import annotations

import binascii
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from lgvsc_flow.blocks.ntscc.allocation import select
from lgvsc_flow.blocks.ntscc.nets import NtsccNet
from lgvsc_flow.blocks.ntscc.simulate import power_map

TRAINED_SNR_DB = (-2.0, 14.0)


class Plan(NamedTuple):
    """The plan of one picture; tensors are float32 [1, M, rows, columns] on the networks' device where not said."""

    mean: Tensor
    log_sigma: Tensor
    chosen: Tensor  # int64 [dimensions], in the order of the burst
    mask: Tensor  # 1 where sent
    log_theta: Tensor  # worth of the least latent that is sent, [1, 1, 1, 1]
    amplitude: Tensor
    snr: Tensor  # design SNR in dB within the trained range, [1]
    check: int  # one byte over the selection


def plan(
    net: NtsccNet, mean: Tensor, log_sigma: Tensor, dimensions: int, design_snr_db: float, weights_check: int
) -> Plan:
    """The plan for so many real dimensions, from the float64 outputs of h_s.

    Args:
        weights_check: 16 bits of the weights' digest, from which the selection's check value begins.
    """
    device = net.y_std.device
    worth = net.worth(log_sigma)
    chosen = select(worth, dimensions)
    snr_db = min(max(design_snr_db, TRAINED_SNR_DB[0]), TRAINED_SNR_DB[1])
    mask = torch.zeros(log_sigma.shape)
    mask.view(-1)[chosen] = 1
    check = binascii.crc_hqx(np.packbits(mask.numpy().astype(bool)).tobytes(), weights_check) & 255
    log_theta = worth.reshape(-1)[chosen].min().float().view(1, 1, 1, 1).to(device)
    power = power_map(log_sigma, chosen, 10 ** (-snr_db / 10)).float().to(device)
    snr = torch.tensor([snr_db], dtype=torch.float32, device=device)
    mean, log_sigma, mask = (t.float().to(device) for t in (mean, log_sigma, mask))
    amplitude = net.amplitude(log_sigma, log_theta, mask, power, snr)
    return Plan(mean, log_sigma, chosen.to(device), mask, log_theta, amplitude, snr, check)
