"""Which latents are sent, with how much power, and where in the burst: derived alike at both ends from sigma.

No rate map crosses the link: the number of dimensions k_i of a position is the number of its latents whose entropy
(that is, whose deviation sigma) is among the K largest of the picture, and K is in the header.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

STEPS_PER_NEPER = 32  # resolution of log sigma in the selection


def select(log_sigma: Tensor, k: int) -> Tensor:
    """Flat indices of the k latents of largest sigma, in the order of the burst: int64 [k].

    Deterministic: sigma is compared in steps of 1/32 neper, ties go to the lower index, and the burst order is a fixed
    permutation that spreads neighbouring latents over the burst (so that a fade or an erasure does not hit one place).
    """
    levels = np.rint(log_sigma.detach().double().numpy().ravel() * STEPS_PER_NEPER).astype(np.int32)
    if not 0 <= k <= levels.size:
        raise ValueError(f"cannot send {k} of {levels.size} latents")
    if k == 0:
        return torch.zeros(0, dtype=torch.int64)
    least = np.partition(levels, levels.size - k)[levels.size - k]
    taken = levels > least
    taken[np.flatnonzero(levels == least)[: k - np.count_nonzero(taken)]] = True
    chosen = np.flatnonzero(taken)
    return torch.from_numpy(chosen[burst_order(k)])


def burst_order(k: int) -> np.ndarray:
    """A fixed permutation of 0..k-1 that puts neighbours about k / golden ratio apart."""
    if k < 3:
        return np.arange(k)
    stride = round(k * 0.6180339887498949)
    while math.gcd(stride, k) != 1:
        stride += 1
    order = np.empty(k, np.int64)
    order[np.arange(k, dtype=np.int64) * stride % k] = np.arange(k)
    return order


def linear_power(sigma: Tensor, noise: float) -> Tensor:
    """Power per sent dimension of the optimal linear analog code, mean 1: c sigma - noise where positive.

    Minimises sum sigma^2 / (1 + p / noise) for sum p = k (reverse water-filling of the transmit power).

    Args:
        sigma: deviations of the sent latents, any shape, k in all.
        noise: noise variance per dimension.
    """
    flat = sigma.detach().double().flatten()
    if flat.numel() == 0:
        return sigma.clone()
    ordered = flat.sort(descending=True).values
    count = torch.arange(1, ordered.numel() + 1, dtype=torch.float64)
    c = (ordered.numel() + count * noise) / ordered.cumsum(0)
    active = max(int((c * ordered > noise).sum()), 1)
    return (sigma * c[active - 1].to(sigma.dtype) - noise).clamp_min(0)
