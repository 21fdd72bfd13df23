"""One differentiable pass over the whole keyframe link: what training and its validation run."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from lgvsc_flow.blocks.ntscc.allocation import linear_power, select
from lgvsc_flow.blocks.ntscc.corrections import corrected
from lgvsc_flow.blocks.ntscc.nets import NtsccNet, level_for
from lgvsc_flow.blocks.ntscc.rate import bits_per_symbol
from lgvsc_flow.blocks.ntscc.transform import BLOCK


@dataclass(frozen=True)
class LinkDraw:
    """What one group of crops (a picture) meets: rate, design SNR and the noise that really comes."""

    dimensions: int  # real channel dimensions sent for the group
    level: int  # fineness of the hyperprior
    snr_db: float  # the encoder's belief
    cbr: float  # nominal, what g_a is told
    noise: Tensor  # variance of every real dimension, [crops, M, h, w] or broadcastable (unit power dimensions)


@dataclass
class Pass:
    """Results of `simulate`, by group where plural."""

    x_hat: Tensor
    mse: Tensor
    bits: Tensor
    nll: Tensor  # nats per group that a noise-floored Gaussian code of y would spend
    plain_nll: Tensor  # nats per latent of a Gaussian code of y by z alone


def simulate(
    net: NtsccNet, x: Tensor, draws: list[LinkDraw], generator: torch.Generator, *, linear_only: bool = False
) -> Pass:
    """Send x [G * S, 3, H, W] (sides multiples of 16) as G pictures of S crops each.

    Rounding of z is straight-through on the way to the receiver and uniform noise in the rate (Balle et al. 2018). The
    network and x may be on any device; noise is drawn on the CPU, so that every device meets the same.
    """
    groups, crops, device = len(draws), x.shape[0] // len(draws), x.device
    level = torch.tensor([d.level for d in draws], device=device).repeat_interleave(crops)
    snr = torch.tensor([d.snr_db for d in draws], device=device).repeat_interleave(crops)
    cbr = torch.tensor([d.cbr for d in draws], device=device).repeat_interleave(crops)
    y = net.analyse(x, cbr, snr, linear_only=linear_only).contiguous()
    t = net.hyper_analyse(y, level)
    if torch.is_grad_enabled():
        t_rate = t + torch.rand(t.shape, generator=generator).to(device) - 0.5
        q = t + (t.round() - t).detach()
    else:
        t_rate = q = t.round()
    bits = -net.prior.probability(t_rate, level).log2().reshape(groups, -1).sum(1)
    mean, log_sigma = net.hyper_synthesise(q, level, *y.shape[2:])
    parts = [slice(g * crops, (g + 1) * crops) for g in range(groups)]
    said = log_sigma  # by z alone
    better = [corrected(net, (y - mean)[p], said[p], d.level, d.dimensions) for p, d in zip(parts, draws, strict=True)]
    log_sigma = torch.cat([b.log_sigma for b in better])
    bits = bits + torch.stack([b.bits for b in better])
    sigma, worth = log_sigma.exp(), net.worth(log_sigma)
    whitened = (y - mean) / sigma

    mask, power, thetas = torch.zeros_like(y), torch.zeros_like(y), []
    for g, draw in enumerate(draws):
        part = parts[g]
        chosen = select(worth[part].cpu(), draw.dimensions).to(device)
        mask[part].view(-1)[chosen] = 1
        thetas.append(worth[part].reshape(-1)[chosen].min())
        expected = 10 ** (-draw.snr_db / 10)
        power[part] = power_map(log_sigma[part], chosen, expected)
    log_theta = torch.stack(thetas).repeat_interleave(crops)[:, None, None, None]

    amplitude = net.amplitude(log_sigma, log_theta, mask, power, snr)
    sent = net.channel_encode(whitened, amplitude, log_sigma, log_theta, mask, snr)
    count = torch.tensor([float(d.dimensions) for d in draws], device=device)
    mean_power = (sent.square().reshape(groups, -1).sum(1) / count).repeat_interleave(crops)[:, None, None, None]
    noise = torch.cat([d.noise.expand(crops, *y.shape[1:]) for d in draws]).to(device) * mean_power
    observed = (sent + noise.sqrt() * torch.randn(y.shape, generator=generator).to(device)) * mask
    u_hat, variance = net.channel_decode(observed, noise, amplitude, log_sigma, log_theta, mask, snr)
    x_hat = net.synthesise(mean + u_hat, variance, linear_only=linear_only)

    mse = (x_hat - x).square().reshape(groups, -1).mean(1)
    error = (y.detach() - mean).square()
    log_floor = 2 * (log_theta - net.preference.view(1, -1, 1, 1))  # a latent below is not worth sending
    floored = sigma.square() + log_floor.exp()
    floored_error = (error + log_floor.exp()) / floored
    nll = 0.5 * (floored.log() - log_floor + floored_error)
    plain = said + 0.5 * (error * (-2 * said).exp()).clamp_max(50)
    return Pass(x_hat, mse, bits, nll.reshape(groups, -1).sum(1), plain.reshape(groups, -1).mean(1))


def hyperprior(net: NtsccNet, y: Tensor, level: int, dimensions: int) -> tuple[Tensor, float]:
    """Log deviations that the receiver learns of one picture's latents y, and the bits of all side information."""
    levels = torch.tensor([level], device=y.device)
    q = net.hyper_analyse(y, levels).round()
    mean, log_sigma = net.hyper_synthesise(q, levels, *y.shape[2:])
    better = corrected(net, y - mean, log_sigma, level, dimensions)
    return better.log_sigma, (better.bits - net.prior.probability(q, levels).log2().sum()).item()


def power_map(log_sigma: Tensor, chosen: Tensor, noise: float) -> Tensor:
    """`linear_power` of the chosen latents, zero elsewhere, in the shape of log_sigma."""
    flat = torch.zeros(log_sigma.numel(), dtype=log_sigma.dtype, device=log_sigma.device)
    power = linear_power(log_sigma.reshape(-1)[chosen].exp().cpu(), noise).to(log_sigma.device)
    flat = flat.index_put((chosen,), power)
    return flat.view(log_sigma.shape)


def dimensions_for(cbr: float, height: int, width: int, m: int, crops: int = 1) -> int:
    """Real dimensions (an even number, at most m per position) of cbr complex symbols per colour sample."""
    most = crops * (height // BLOCK) * (width // BLOCK) * m
    return min(max(2 * round(cbr * 3 * height * width * crops), 16), most)


@torch.inference_mode()
def validation_psnr(
    net: NtsccNet, pixels: np.ndarray, cbr: float, snr_db: float, *, linear_only: bool = False
) -> tuple[float, float]:
    """(PSNR in dB, share of the symbols spent on the hyperprior) of one picture over AWGN at a total CBR."""
    height, width = (side // BLOCK * BLOCK for side in pixels.shape[:2])
    device = net.y_std.device
    x = torch.from_numpy(pixels[:height, :width].copy()).permute(2, 0, 1)[None].to(device).float() / 255
    level, noise = level_for(cbr, bits_per_symbol(snr_db)), torch.tensor(10 ** (-snr_db / 10))
    total = dimensions_for(cbr, height, width, net.settings.m)
    bits = hyperprior(net, net.analyse(x, cbr, snr_db, linear_only=linear_only), level, total)[1]
    side = 2 * bits / bits_per_symbol(snr_db)
    draw = LinkDraw(max(16, 2 * round((total - side) / 2)), level, snr_db, cbr, noise)
    out = simulate(net, x, [draw], torch.Generator().manual_seed(0), linear_only=linear_only)
    mse = (out.x_hat.clamp(0, 1) - x).square().mean().item()
    return -10 * math.log10(max(mse, 1e-10)), side / total
