"""The hyperprior: h_a, h_s and the prior of the integers z.

Ref: Balle et al., Variational Image Compression with a Scale Hyperprior, ICLR 2018.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

LEVELS = 8  # finenesses of the hyperprior


def leaky(x: Tensor, slope: float = 0.1) -> Tensor:
    """Leaky, since plain rectifiers behind a zero-initialised output were seen to die."""
    return functional.leaky_relu(x, slope)


class ResBlock(nn.Module):
    """x + conv(act(conv(x))), 3x3."""

    def __init__(self, width: int, slope: float = 0.1):
        super().__init__()
        self.slope = slope
        self.a, self.b = nn.Conv2d(width, width, 3, padding=1), nn.Conv2d(width, width, 3, padding=1)
        with torch.no_grad():
            self.b.weight.mul_(0.2)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.b(leaky(self.a(x), self.slope))


def zero_begun(conv: nn.Conv2d) -> nn.Conv2d:
    nn.init.zeros_(conv.weight)
    if conv.bias is not None:
        nn.init.zeros_(conv.bias)
    return conv


class HyperAnalysis(nn.Module):
    """h_a: latents [B,M,h,w] to z [B,Z,ceil(h/2),ceil(w/2)]."""

    def __init__(self, m: int, width: int, z: int):
        super().__init__()
        self.first = nn.Conv2d(2 * m, width, 1)
        self.body = ResBlock(width, 0.0)
        self.down = nn.Conv2d(4 * width, width, 1)
        self.low = ResBlock(width, 0.0)
        self.last = nn.Conv2d(width, z, 1)

    def forward(self, features: Tensor) -> Tensor:
        t = self.body(functional.relu(self.first(features)))
        t = functional.pad(t, (0, t.shape[-1] % 2, 0, t.shape[-2] % 2), mode="replicate")
        return self.last(functional.relu(self.low(functional.relu(self.down(functional.pixel_unshuffle(t, 2))))))


class HyperSynthesis(nn.Module):
    """h_s: z_hat to the mean and log deviation of every latent, both as corrections of the per-channel ones."""

    def __init__(self, m: int, width: int, z: int):
        super().__init__()
        self.first = nn.Conv2d(z + 1, width, 3, padding=1)
        self.low = ResBlock(width, 0.0)
        self.up = nn.Conv2d(width, 4 * width, 1)
        self.body = ResBlock(width, 0.0)
        self.last = zero_begun(nn.Conv2d(width, 2 * m, 1))

    def forward(self, z_hat: Tensor, level: Tensor) -> Tensor:
        plane = (level.to(z_hat.dtype) / LEVELS).view(-1, 1, 1, 1).expand(-1, 1, *z_hat.shape[2:])
        t = self.low(functional.relu(self.first(torch.cat([z_hat, plane], 1))))
        return self.last(functional.relu(self.body(functional.pixel_shuffle(self.up(t), 2))))


class Prior(nn.Module):
    """Mixture of three logistics per channel and level for the integers q = round(z * gain)."""

    def __init__(self, z: int):
        super().__init__()
        log_gain = torch.linspace(-3.5, 1.2, LEVELS)[:, None].repeat(1, z)
        spread = log_gain.exp()[..., None]  # z has unit variance to begin with
        self.log_gain = nn.Parameter(log_gain)
        self.logits = nn.Parameter(torch.zeros(LEVELS, z, 3))
        self.means = nn.Parameter(torch.tensor([-1.0, 0.0, 1.0]) * spread)
        self.log_scales = nn.Parameter((0.5 * spread).clamp_min(0.06).log().repeat(1, 1, 3))

    def gain(self, level: Tensor) -> Tensor:
        return self.log_gain[level].exp()[:, :, None, None]

    def probability(self, q: Tensor, level: Tensor) -> Tensor:
        """P(q) for q of shape [B,Z,h,w] and one level per batch element."""
        pick = lambda p: p[level][:, :, None, None, :]  # noqa: E731
        t, scale = q[..., None] - pick(self.means), pick(self.log_scales).clamp(-4, 4).exp()
        mass = torch.sigmoid((t + 0.5) / scale) - torch.sigmoid((t - 0.5) / scale)
        return (mass * torch.softmax(pick(self.logits), -1)).sum(-1).clamp_min(1e-7)
