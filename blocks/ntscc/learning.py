"""One step of learning at a time: the networks, their averaged copy, the optimiser, and how each may begin.

The loss is ln(MSE) plus the price of the hyperprior: the rate slope (d ln MSE / d ln CBR, measured with the linear
code) makes one symbol of hyperprior earn what one more symbol of latents would. Every group of crops stands for one
picture with its own rate, SNR and channel.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lgvsc_flow.blocks.ntscc.grow import grow
from lgvsc_flow.blocks.ntscc.hyper import LEVELS
from lgvsc_flow.blocks.ntscc.nets import NtsccNet
from lgvsc_flow.blocks.ntscc.rate import bits_per_symbol
from lgvsc_flow.blocks.ntscc.recipe import Recipe, settings_from
from lgvsc_flow.blocks.ntscc.simulate import simulate
from lgvsc_flow.blocks.ntscc.weights_file import whole
from lgvsc_flow.errors import FlowError, ModelError


class LearningNet(NtsccNet):
    """The networks, mixed with a number type that suits their device."""

    mixed = torch.float32

    def _mixed(self) -> torch.autocast:
        device = self.y_std.device.type
        return torch.autocast(device, torch.bfloat16, enabled=self.mixed == torch.bfloat16)


def mixed_type(name: str, device: torch.device, recipe: Recipe) -> torch.dtype:
    """The number type that `auto`, `bfloat16` or `float32` means: bfloat16 where the device has instructions for it."""
    if name != "auto":
        return {"bfloat16": torch.bfloat16, "float32": torch.float32}[name]
    if not recipe.mixed_precision:
        return torch.float32
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float32
    fast = device.type == "cpu" and torch.ops.mkldnn._is_mkldnn_bf16_supported()
    return torch.bfloat16 if fast else torch.float32


class Learner:
    """What learns. Its state, a plain dictionary, is all that a run needs to go on bit for bit."""

    def __init__(self, recipe: Recipe, device: str | torch.device = "cpu", dtype: str = "auto"):
        self.recipe, self.device = recipe, torch.device(device)
        torch.manual_seed(recipe.seed)
        self.net = LearningNet(recipe.net).to(self.device)
        if self.device.type == "cuda":  # on the CPU, with pixels so, it changed nothing
            self.net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.net.mixed = mixed_type(dtype, self.device, recipe)
        self.step = self.skipped = self.skipped_in_a_row = 0
        transform = [self.net.analysis, self.net.synthesis]
        prior = list(self.net.prior.parameters())
        others = [p for p in self.net.parameters() if all(p is not t for t in transform + prior)]
        self.optimizer = torch.optim.Adam(
            [{"params": others}, {"params": transform}, {"params": prior}], betas=recipe.betas, fused=True
        )
        self._set_peaks()
        # Clipped apart: the hyperprior's gradients are large and would decide the step of all the others.
        self.parts = [transform, *(list(module.parameters()) for module in self.net.children())]
        self.ema: dict[str, Tensor] = {}

    def _set_peaks(self) -> None:
        r = self.recipe
        rates = (r.learning_rate, r.transform_learning_rate, r.prior_learning_rate)
        for group, rate in zip(self.optimizer.param_groups, rates, strict=True):
            group["peak"], group["betas"] = rate, r.betas

    # -- state and beginnings -----------------------------------------------------------------------------------

    def state(self) -> dict[str, Any]:
        """Everything that learns, as plain data and tensors."""
        return {
            "net": self.net.state_dict(),
            "ema": self.ema,
            "optimizer": self.optimizer.state_dict(),
            "step": self.step,
            "skipped": self.skipped,
        }

    def load(self, state: dict[str, Any]) -> None:
        """Go on from a state; the learning rates stay the recipe's.

        Raises:
            ModelError: the state is of networks of other sizes.
        """
        try:
            self.net.load_state_dict(whole(state["net"]))
            self.optimizer.load_state_dict(state["optimizer"])
        except (RuntimeError, ValueError, KeyError, TypeError) as error:
            first = next((line.strip() for line in str(error).split("\n")[1:]), str(error))
            raise ModelError(
                f"the checkpoint is of other networks than the recipe {self.recipe.name}: {first}"
            ) from None
        self._set_peaks()
        self.ema = {name: p.to(self.device) for name, p in whole(state["ema"]).items()}
        self.step, self.skipped = state["step"], state.get("skipped", 0)

    def begin(self, batches: Iterable[np.ndarray]) -> None:
        """Measure the channel variances that the entropy model starts from."""
        net, m, count = self.net, self.recipe.net.m, 0
        total, square = (torch.zeros(m, dtype=torch.float64, device=self.device) for _ in range(2))
        with torch.inference_mode():
            for pixels in batches:
                y32 = net.analyse(self._pixels(pixels), 0.03, 10.0, linear_only=True)
                y = y32.double()
                total, square = total + y.sum((0, 2, 3)), square + y.square().sum((0, 2, 3))
                count += y.shape[0] * y.shape[2] * y.shape[3]
        mean = total / count
        mean[1:] = 0
        net.y_mean.copy_(mean)
        net.y_std.copy_((square / count - mean.square()).clamp_min(1e-8).sqrt())
        with torch.no_grad():  # z begins with unit variance, as the prior expects
            level = torch.tensor([4], device=self.device)
            z = net.hyper_analyse(y32.clone(), level.expand(len(y32))) / net.prior.gain(level)
            net.h_a.last.weight.div_(z.std())
            if net.h_a.last.bias is not None:
                net.h_a.last.bias.sub_(z.mean((0, 2, 3))).div_(z.std())
        self._begin_average()

    def begin_from(self, state: dict[str, Any], level_spacing: float = 0.3) -> None:
        """Begin with transform, hyperprior and prior of an earlier run; the other learned branches begin anew.

        The levels of z are spaced anew around level 5: `level_spacing` is the step of ln(gain) between neighbours.
        """
        kept = ("analysis", "synthesis", "y_mean", "y_std", "h_a", "h_s", "prior")
        taken = {k: v for k, v in state["net"].items() if k.split(".")[0] in kept}
        try:
            self.net.load_state_dict(taken, strict=False)
        except RuntimeError as error:
            raise ModelError(f"its hyperprior does not fit: {str(error).splitlines()[-1].strip()}") from None
        prior, shift = self.net.prior, level_spacing * (torch.arange(LEVELS, device=self.device) - 5.0)
        with torch.no_grad():
            prior.logits.copy_(prior.logits[5].clone().expand_as(prior.logits))
            prior.log_gain.copy_(prior.log_gain[5].clone() + shift[:, None])
            prior.means.copy_(prior.means[5].clone() * shift.exp()[:, None, None])
            prior.log_scales.copy_((prior.log_scales[5].clone() + shift[:, None, None]).clamp_min(-2.9))
        self._begin_average()

    def grow_from(self, state: dict[str, Any]) -> None:
        """Begin (after `begin`) as the averaged network of an earlier run, of the same or smaller sizes."""
        try:
            old = settings_from(state["settings"])
            grown = grow(state["ema"], old, self.recipe.net, self.net.y_std.cpu())
        except ValueError as error:
            raise ModelError(
                f"it cannot be grown into the networks of the recipe {self.recipe.name}: {error}"
            ) from None
        self.net.load_state_dict(grown.state_dict())
        self._begin_average()

    def _begin_average(self) -> None:
        self.ema = {name: p.detach().clone() for name, p in self.net.state_dict().items()}

    def averaged(self) -> NtsccNet:
        """The network with averaged weights, ready to use."""
        net = NtsccNet(self.recipe.net).to(self.device)
        net.load_state_dict(self.ema)
        return net.eval()

    # -- learning -----------------------------------------------------------------------------------------------

    def _pixels(self, pixels: np.ndarray) -> Tensor:
        x = torch.from_numpy(pixels).to(self.device).float().div_(255)
        return x.contiguous(memory_format=torch.channels_last)

    def learn(self, pixels: np.ndarray, progress: float) -> dict[str, float]:
        """One step with a batch uint8 [B, 3, H, W] at a share of the run: loss, PSNR, share of z, norm of the gradient.

        A step without a finite gradient changes nothing and is counted.

        Raises:
            FlowError: too many such steps in a row.
        """
        r = self.recipe
        rate = r.rate(self.step, progress)
        for group in self.optimizer.param_groups:
            group["lr"] = group["peak"] * rate
        generator = torch.Generator().manual_seed(r.seed * 1_000_003 + self.step)
        draws = r.draws(self.step)
        out = simulate(self.net, self._pixels(pixels), draws, generator, linear_only=progress < r.linear_share)
        dimensions = torch.tensor([float(d.dimensions) for d in draws], device=self.device)
        efficiency = torch.tensor([bits_per_symbol(d.snr_db) for d in draws], device=self.device)
        capacity = [0.5 * math.log1p(10 ** (d.snr_db / 10)) for d in draws]  # nats per dimension
        side = out.bits / efficiency / (dimensions / 2)
        distortion = (out.mse + 1e-5).log()
        likely = out.nll / (torch.tensor(capacity, device=self.device) * dimensions)
        loss = distortion + r.side_price * r.rate_slope * side + r.likelihood_weight * r.rate_slope * likely
        loss = (loss + r.plain_weight * out.plain_nll).mean()
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        norms = [torch.nn.utils.clip_grad_norm_(part, r.clip) for part in self.parts]
        norm = torch.stack(norms).square().sum().sqrt()
        row = {
            "loss": loss.item(),
            "psnr_db": -10 / math.log(10) * out.mse.detach().log().mean().item(),
            "side_share": (side / (1 + side)).mean().item(),
            "norm": norm.item(),
        }
        if all(map(math.isfinite, (row["loss"], row["norm"]))):
            self.optimizer.step()
            self.skipped_in_a_row = 0
        else:
            self._skip(row)
        if self.step % r.ema_every == r.ema_every - 1:
            self._average()
        self.step += 1
        return row

    def _skip(self, row: dict[str, float]) -> None:
        self.skipped += 1
        self.skipped_in_a_row += 1
        if self.skipped_in_a_row >= self.recipe.skips_allowed:
            raise FlowError(
                f"no finite gradient in {self.skipped_in_a_row} steps in a row, up to step {self.step} (loss "
                f"{row['loss']:g}, norm {row['norm']:g}): the training has diverged. Go on from the last checkpoint "
                f"with --resume --set learning_rate={self.recipe.learning_rate / 3:.1g}, or with --dtype float32"
            )

    def _average(self) -> None:
        decay = min(self.recipe.ema**self.recipe.ema_every, (1 + self.step) / (10 + self.step))
        state = self.net.state_dict()
        names = [n for n, p in state.items() if p.is_floating_point()]
        torch._foreach_lerp_([self.ema[n] for n in names], [state[n] for n in names], 1 - decay)
