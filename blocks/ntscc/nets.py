"""The networks of the keyframe codec: g_a, g_s, h_a, h_s, f_e, f_d and the prior of z.

Every part begins as something known to work and learns from there: g_a and g_s as an orthonormal block DCT, the entropy
model as one variance per channel, f_e and f_d as the optimal linear analog code (power by variance, LLSE). The learned
branches are added to these and start at zero output.

Ref: Dai et al., Nonlinear Transform Source-Channel Coding for Semantic Communications, IEEE JSAC 2022 (the names);
Balle et al., Variational Image Compression with a Scale Hyperprior, ICLR 2018 (h_a, h_s).
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from lgvsc_flow.blocks.ntscc.hyper import LEVELS, HyperAnalysis, HyperSynthesis, Prior, ResBlock, leaky, zero_begun
from lgvsc_flow.blocks.ntscc.transform import BLOCK, block_dct


@dataclass(frozen=True)
class NetSettings:
    """Sizes of the networks."""

    channels: tuple[int, int, int] = (256, 72, 56)  # latents per position of the three colour planes
    z_channels: int = 24
    hyper: int = 128
    code: int = 512
    gain: int = 256
    g_a: tuple[int, int, int] = (256, 128, 64)  # widths at strides 16, 8, 4
    g_a_blocks: tuple[int, int, int] = (2, 2, 2)
    g_s: tuple[int, int, int] = (320, 160, 96)
    g_s_blocks: tuple[int, int, int] = (3, 3, 4)
    modulated: bool = True  # g_a knows the design SNR and the rate

    @property
    def m(self) -> int:
        """Latents per position."""
        return sum(self.channels)

    def as_dict(self) -> dict:
        return asdict(self)


class Modulation(nn.Module):
    """Scale and shift of every channel by what the whole picture has in common: x (1 + a) + b, begun at a = b = 0."""

    def __init__(self, conditions: int, width: int, hidden: int = 32):
        super().__init__()
        self.first = nn.Linear(conditions, hidden)
        self.last = nn.Linear(hidden, 2 * width)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        scale, shift = self.last(leaky(self.first(condition)))[:, :, None, None].chunk(2, 1)
        return x * (1 + scale) + shift


class AnalysisBranch(nn.Module):
    """The learned part of g_a: pixels [B,3,H,W] to latents [B,M,H/16,W/16]."""

    def __init__(self, m: int, widths: tuple[int, int, int], blocks: tuple[int, int, int], modulated: bool):
        super().__init__()
        w16, w8, w4 = widths
        self.first = nn.Conv2d(48, w4, 3, padding=1)
        self.body4 = nn.Sequential(*(ResBlock(w4) for _ in range(blocks[2])))
        self.down8 = nn.Conv2d(4 * w4, w8, 1)
        self.body8 = nn.Sequential(*(ResBlock(w8) for _ in range(blocks[1])))
        self.down16 = nn.Conv2d(4 * w8, w16, 1)
        self.body16 = nn.Sequential(*(ResBlock(w16) for _ in range(blocks[0])))
        self.last = zero_begun(nn.Conv2d(w16, m, 1))
        self.modulations = nn.ModuleList(Modulation(2, w) for w in (w4, w8, w16)) if modulated else None

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        x = leaky(self._modulated(0, self.first(functional.pixel_unshuffle(x, 4)), condition))
        x = functional.pixel_unshuffle(self.body4(x), 2)
        x = leaky(self._modulated(1, self.down8(x), condition))
        x = functional.pixel_unshuffle(self.body8(x), 2)
        x = leaky(self._modulated(2, self.down16(x), condition))
        return self.last(self.body16(x))

    def _modulated(self, number: int, x: Tensor, condition: Tensor) -> Tensor:
        return x if self.modulations is None else self.modulations[number](x, condition)


class SynthesisBranch(nn.Module):
    """The learned part of g_s: latents, their posterior deviation and the linear picture to a correction of it."""

    def __init__(self, m: int, widths: tuple[int, int, int], blocks: tuple[int, int, int]):
        super().__init__()
        w16, w8, w4 = widths
        self.first = nn.Conv2d(2 * m, w16, 1)
        self.body16 = nn.Sequential(*(ResBlock(w16) for _ in range(blocks[0])))
        self.up8 = nn.Conv2d(w16, 4 * w8, 1)
        self.body8 = nn.Sequential(*(ResBlock(w8) for _ in range(blocks[1])))
        self.up4 = nn.Conv2d(w8, 4 * w4, 1)
        self.join = nn.Conv2d(48, w4, 3, padding=1)
        self.body4 = nn.Sequential(*(ResBlock(w4) for _ in range(blocks[2])))
        self.last = zero_begun(nn.Conv2d(w4, 48, 3, padding=1))

    def forward(self, latents: Tensor, x0: Tensor) -> Tensor:
        t = self.body16(leaky(self.first(latents)))
        t = self.body8(functional.pixel_shuffle(self.up8(t), 2))
        t = functional.pixel_shuffle(self.up4(t), 2) + self.join(functional.pixel_unshuffle(x0, 4))
        return functional.pixel_shuffle(self.last(leaky(self.body4(t))), 4)


class PointwiseCode(nn.Module):
    """The learned part of f_e or f_d: a residual network over the latents of one position."""

    def __init__(self, inputs: int, hidden: int, outputs: int):
        super().__init__()
        self.first = nn.Conv2d(inputs, hidden, 1)
        self.second = nn.Conv2d(hidden, hidden, 1)
        self.last = zero_begun(nn.Conv2d(hidden, outputs, 1))

    def forward(self, x: Tensor) -> Tensor:
        t = leaky(self.first(x))
        return self.last(t + leaky(self.second(t)))


class NtsccNet(nn.Module):
    """All the networks and the linear code between them. Pixels are floats in [0, 1], [B,3,H,W], sides 16 k."""

    y_mean: Tensor
    y_std: Tensor
    preference: Tensor

    def __init__(self, settings: NetSettings | None = None):
        super().__init__()
        s = self.settings = settings or NetSettings()
        m = s.m
        basis = torch.from_numpy(block_dct(s.channels)).float().reshape(m, 3, BLOCK, BLOCK)
        self.analysis = nn.Parameter(basis.clone())
        self.synthesis = nn.Parameter(basis.clone())
        self.register_buffer("y_mean", torch.zeros(m))
        self.register_buffer("y_std", torch.ones(m) * 0.05)
        self.register_buffer("preference", torch.zeros(m))  # nepers; see `worth`
        self.g_a = AnalysisBranch(m, s.g_a, s.g_a_blocks, s.modulated)
        self.g_s = SynthesisBranch(m, s.g_s, s.g_s_blocks)
        self.h_a = HyperAnalysis(m, s.hyper, s.z_channels)
        self.h_s = HyperSynthesis(m, s.hyper, s.z_channels)
        self.prior = Prior(s.z_channels)
        self.gain = PointwiseCode(2 * m + 2, s.gain, m)
        self.f_e = PointwiseCode(3 * m + 2, s.code, m)
        self.f_d = PointwiseCode(4 * m + 2, s.code, m)
        self.mixed_precision = False  # bfloat16 in g_a, g_s, f_e and f_d

    def _mixed(self) -> torch.autocast:
        return torch.autocast(self.y_mean.device.type, torch.bfloat16, enabled=self.mixed_precision)

    # -- transforms ---------------------------------------------------------------------------------------------

    def analyse(self, x: Tensor, cbr: Tensor | float, snr: Tensor | float, *, linear_only: bool = False) -> Tensor:
        """g_a: pixels to latents y [B,M,H/16,W/16], for a nominal CBR and a design SNR in dB (one, or one each)."""
        x = x - 0.5
        y = functional.conv2d(x, self.analysis, stride=BLOCK)
        if linear_only:
            return y
        with self._mixed():
            branch = self.g_a(x, self._condition(cbr, snr, x))
        return y + branch.float() * self._plane(self.y_std)

    @staticmethod
    def _condition(cbr: Tensor | float, snr: Tensor | float, like: Tensor) -> Tensor:
        both = [torch.as_tensor(v, dtype=like.dtype, device=like.device).expand(len(like)) for v in (cbr, snr)]
        return torch.stack([(both[0].log() + 3.5) / 1.5, (both[1] - 6) / 8], 1)

    def synthesise(self, y_hat: Tensor, variance: Tensor, *, linear_only: bool = False) -> Tensor:
        """g_s: decoded latents and their posterior variance to pixels."""
        # the transposed convolution with stride BLOCK, written so that it is one matrix product
        x0 = functional.pixel_shuffle(functional.conv2d(y_hat, self.synthesis.flatten(1).t()[..., None, None]), BLOCK)
        if not linear_only:
            std = self._plane(self.y_std)
            normal = ((y_hat - self._plane(self.y_mean)) / std).clamp(-8, 8)
            doubt = (0.5 * (variance + 1e-10).log() - std.log()).clamp(-8, 4)
            latents = torch.cat([normal, 0.5 * doubt + 0.5], 1)
            with self._mixed():
                branch = self.g_s(latents, x0)
            x0 = x0 + branch.float()
        return x0 + 0.5

    # -- hyperprior ---------------------------------------------------------------------------------------------

    def hyper_analyse(self, y: Tensor, level: Tensor) -> Tensor:
        """h_a: latents to unrounded integers z * gain."""
        normal = (y - self._plane(self.y_mean)) / self._plane(self.y_std)
        z = self.h_a(torch.cat([normal.clamp(-8, 8), (normal.abs() + 0.02).log()], 1))
        return z * self.prior.gain(level)

    def hyper_synthesise(self, q: Tensor, level: Tensor, height: int, width: int) -> tuple[Tensor, Tensor]:
        """h_s: integers q to mean and log deviation [B,M,height,width], in the dtype of q."""
        out = self.h_s(q / self.prior.gain(level).to(q.dtype), level)[..., :height, :width]
        mean, log_sigma = out.chunk(2, 1)
        std = self._plane(self.y_std).to(q.dtype)
        mean = self._plane(self.y_mean).to(q.dtype) + std * mean
        return mean, std.log() + log_sigma.clamp(-7, 4)

    def worth(self, log_sigma: Tensor) -> Tensor:
        """What decides which latents are sent: log sigma, and what the picture gains from each kind of latent."""
        return log_sigma.detach() + self._plane(self.preference).to(log_sigma.device, log_sigma.dtype)

    # -- the code of the channel symbols -------------------------------------------------------------------------

    def amplitude(self, log_sigma: Tensor, log_theta: Tensor, mask: Tensor, power: Tensor, snr: Tensor) -> Tensor:
        """Amplitude per unit of u / sigma in the linear part of the code: the same at both ends.

        `power` is the optimal linear code's power per dimension (mean 1 over the sent ones); log_theta and snr (dB)
        hold one value per batch element.
        """
        relative = 0.5 * (log_sigma - log_theta).clamp(-5, 5)
        with self._mixed():
            correction = self.gain(torch.cat([relative * mask, mask, self._side(log_theta, snr, mask)], 1)).to(
                mask.dtype
            )
        return power.clamp_min(1e-4).sqrt() * correction.clamp(-2, 2).exp() * mask

    def channel_encode(
        self, whitened: Tensor, amplitude: Tensor, log_sigma: Tensor, log_theta: Tensor, mask: Tensor, snr: Tensor
    ) -> Tensor:
        """f_e: whitened = (y - mean) / sigma to real channel dimensions at the positions of `mask`, zero elsewhere."""
        relative = 0.5 * (log_sigma - log_theta).clamp(-5, 5)
        side = self._side(log_theta, snr, mask)
        with self._mixed():
            extra = self.f_e(torch.cat([whitened.clamp(-8, 8), relative, mask, side], 1)).float()
        return amplitude * whitened + extra * mask

    def channel_decode(
        self,
        observed: Tensor,
        noise: Tensor,
        amplitude: Tensor,
        log_sigma: Tensor,
        log_theta: Tensor,
        mask: Tensor,
        snr: Tensor,
    ) -> tuple[Tensor, Tensor]:
        """f_d: noisy dimensions (noise variance per dimension) to the innovation and its posterior variance."""
        sigma, power = log_sigma.exp(), amplitude.square()
        ratio = torch.where(mask > 0, noise / (power + noise), torch.ones_like(power))  # posterior to prior variance
        estimate = amplitude / (power + noise) * observed * mask  # of the whitened latent (LLSE)
        relative = 0.5 * (log_sigma - log_theta).clamp(-5, 5)
        seen = (observed / (1 + noise)).clamp(-8, 8) * mask
        side = self._side(log_theta, snr, mask)
        with self._mixed():
            delta = self.f_d(torch.cat([estimate.clamp(-8, 8), ratio, relative, seen, side], 1)).float()
        return sigma * (estimate + ratio.sqrt() * delta), sigma.square() * ratio

    def _plane(self, values: Tensor) -> Tensor:
        return values.view(1, -1, 1, 1)

    @staticmethod
    def _side(log_theta: Tensor, snr: Tensor, like: Tensor) -> Tensor:
        planes = torch.stack([log_theta.flatten() / 4 + 1, snr.flatten() / 10], 1)[:, :, None, None]
        return planes.to(like.dtype).expand(-1, 2, *like.shape[2:])


def parameter_count(net: nn.Module) -> int:
    return sum(p.numel() for p in net.parameters())


def level_for(cbr: float, bits_per_symbol: float) -> int:
    """Fineness of the hyperprior for a rate: log2 of the bits per block that the symbols could carry."""
    return min(LEVELS - 1, max(0, round(math.log2(max(cbr, 1e-6) * 3 * BLOCK * BLOCK * bits_per_symbol))))
