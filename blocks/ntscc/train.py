"""Train the keyframe codec: python -m lgvsc_flow.blocks.ntscc.train --data DIR --hours H --out DIR [--resume].

The loss is ln(MSE) plus the price of the hyperprior: 0.75 is the slope of the rate curve (d ln MSE / d ln CBR, measured
with the linear code), so that one symbol of hyperprior must earn what one more symbol of latents would. Every group of
crops stands for one picture with its own rate, SNR and channel.
"""

from __future__ import annotations

import json
import math
import os
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from torch import Tensor

from lgvsc_flow.blocks.ntscc.data import Crops
from lgvsc_flow.blocks.ntscc.export import export, plot_curve
from lgvsc_flow.blocks.ntscc.grow import grow
from lgvsc_flow.blocks.ntscc.hyper import LEVELS
from lgvsc_flow.blocks.ntscc.nets import NetSettings, NtsccNet, parameter_count
from lgvsc_flow.blocks.ntscc.rate import bits_per_symbol
from lgvsc_flow.blocks.ntscc.recipe import Recipe
from lgvsc_flow.blocks.ntscc.simulate import simulate, validation_psnr

RATE_SLOPE = 0.75
SIDE_PRICE = 1.5  # measured: at a price of 1 the marginal bits of z bought nothing


class Trainer:
    """A training run that can be stopped at any moment and goes on from its last checkpoint."""

    def __init__(self, recipe: Recipe, data: Path, out: Path):
        self.recipe, self.out = recipe, out
        out.mkdir(parents=True, exist_ok=True)
        self.crops = Crops(data, recipe.crop)
        torch.manual_seed(recipe.seed)
        self.net = NtsccNet(recipe.net)
        self.step, self.elapsed = 0, 0.0
        self.curve: list[dict[str, float]] = []
        transform = [self.net.analysis, self.net.synthesis]
        prior = list(self.net.prior.parameters())
        others = [p for p in self.net.parameters() if all(p is not t for t in transform + prior)]
        self.optimizer = torch.optim.Adam(
            [
                {"params": others, "peak": recipe.learning_rate},
                {"params": transform, "peak": recipe.transform_learning_rate},
                {"params": prior, "peak": recipe.prior_learning_rate},
            ],
            betas=(0.9, 0.99),
            fused=True,
        )
        # Clipped apart: the hyperprior's gradients are large and would decide the step of all the others.
        self.parts = [transform, *(list(module.parameters()) for module in self.net.children())]
        self.ema: dict[str, Tensor] = {}

    # -- state --------------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Measure the channel variances that the entropy model starts from."""
        m, count = self.recipe.net.m, 0
        total, square = torch.zeros(m, dtype=torch.float64), torch.zeros(m, dtype=torch.float64)
        with torch.inference_mode():
            for number in range(200):
                x = torch.from_numpy(self.crops.batch(self.recipe.seed + 1000, number, 4, 2)).float() / 255
                y = self.net.analyse(x, 0.03, 10.0, linear_only=True).double()
                total, square = total + y.sum((0, 2, 3)), square + y.square().sum((0, 2, 3))
                count += y.shape[0] * y.shape[2] * y.shape[3]
        mean = total / count
        mean[1:] = 0
        self.net.y_mean.copy_(mean)
        self.net.y_std.copy_((square / count - mean.square()).clamp_min(1e-8).sqrt())
        with torch.no_grad():  # z begins with unit variance, as the prior expects
            z = self.net.hyper_analyse(y.float(), torch.full((len(y),), 4)) / self.net.prior.gain(torch.tensor([4]))
            self.net.h_a.last.weight.div_(z.std())
            if self.net.h_a.last.bias is not None:
                self.net.h_a.last.bias.sub_(z.mean((0, 2, 3))).div_(z.std())
        self.ema = {name: p.detach().clone() for name, p in self.net.state_dict().items()}

    def save(self) -> None:
        state = {
            "net": self.net.state_dict(),
            "ema": self.ema,
            "optimizer": self.optimizer.state_dict(),
            "step": self.step,
            "elapsed": self.elapsed,
            "curve": self.curve,
            "settings": self.recipe.net.as_dict(),
            "recipe": asdict(replace(self.recipe, net=NetSettings())) | {"net": None},
        }
        temporary = self.out / "checkpoint.pt.tmp"
        torch.save(state, temporary)
        os.replace(temporary, self.out / "checkpoint.pt")

    def load(self) -> None:
        path = self.out / "checkpoint.pt"
        if not path.is_file():
            raise FileNotFoundError(f"nothing to resume: {path} does not exist")
        state = torch.load(path, weights_only=True)
        self.net.load_state_dict(state["net"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.ema, self.step, self.elapsed, self.curve = state["ema"], state["step"], state["elapsed"], state["curve"]

    @staticmethod
    def recipe_of(out: Path, hours: float) -> Recipe:
        """The recipe that the run in `out` was begun with, to resume it for `hours` in all."""
        path = out / "checkpoint.pt"
        if not path.is_file():
            raise FileNotFoundError(f"nothing to resume: {path} does not exist")
        state = torch.load(path, weights_only=True, mmap=True)
        return Recipe(**_tuples(state["recipe"] | {"hours": hours, "net": _settings(state["settings"])}))

    def grow_from(self, checkpoint: Path) -> None:
        """Begin as the averaged network of an earlier run, of the same or smaller sizes."""
        state = torch.load(checkpoint, weights_only=True)
        self.begin()
        old = _settings(state["settings"])
        self.net.load_state_dict(grow(state["ema"], old, self.recipe.net, self.net.y_std).state_dict())
        self.ema = {name: p.detach().clone() for name, p in self.net.state_dict().items()}

    def anneal_from(self, checkpoint: Path) -> None:
        """Begin as the end of an earlier run, with its optimiser and batches after its own, for a last stage."""
        state = torch.load(checkpoint, weights_only=True)
        self.net.load_state_dict(state["net"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.ema, self.step, self.curve = state["ema"], state["step"], state["curve"]

    def begin_from(self, checkpoint: Path, level_spacing: float = 0.3) -> None:
        """Begin with transform, hyperprior and prior of an earlier run; the other learned branches begin anew.

        The levels of z are spaced anew around level 5: `level_spacing` is the step of ln(gain) between neighbours.
        """
        state = torch.load(checkpoint, weights_only=True)["net"]
        kept = ("analysis", "synthesis", "y_mean", "y_std", "h_a", "h_s", "prior")
        self.net.load_state_dict({k: v for k, v in state.items() if k.split(".")[0] in kept}, strict=False)
        prior, shift = self.net.prior, level_spacing * (torch.arange(LEVELS) - 5.0)
        with torch.no_grad():
            prior.logits.copy_(prior.logits[5].clone().expand_as(prior.logits))
            prior.log_gain.copy_(prior.log_gain[5].clone() + shift[:, None])
            prior.means.copy_(prior.means[5].clone() * shift.exp()[:, None, None])
            prior.log_scales.copy_((prior.log_scales[5].clone() + shift[:, None, None]).clamp_min(-2.9))
        self.ema = {name: p.detach().clone() for name, p in self.net.state_dict().items()}

    def averaged(self) -> NtsccNet:
        """The network with averaged weights, ready to use."""
        net = NtsccNet(self.recipe.net)
        net.load_state_dict(self.ema)
        return net.eval()

    # -- the run ------------------------------------------------------------------------------------------------

    def progress(self) -> float:
        r = self.recipe
        return self.step / r.steps if r.steps else self.elapsed / (3600 * r.hours)

    def train_step(self) -> dict[str, float]:
        r, progress = self.recipe, self.progress()
        rate = r.rate(self.step, progress)
        for group in self.optimizer.param_groups:
            group["lr"] = group["peak"] * rate
        pixels = self.crops.batch(r.seed, self.step, r.groups, r.crops_per_group)
        x = torch.from_numpy(pixels).float().div_(255).contiguous(memory_format=torch.channels_last)
        generator = torch.Generator().manual_seed(r.seed * 1_000_003 + self.step)
        draws = r.draws(self.step)
        self.net.mixed_precision = r.mixed_precision
        linear_only = progress < r.linear_share
        out = simulate(self.net, x, draws, generator, linear_only=linear_only)
        dimensions = torch.tensor([float(d.dimensions) for d in draws])
        efficiency = torch.tensor([bits_per_symbol(d.snr_db) for d in draws])
        capacity = torch.tensor([0.5 * math.log1p(10 ** (d.snr_db / 10)) for d in draws])  # nats per dimension
        side = out.bits / efficiency / (dimensions / 2)
        distortion = (out.mse + 1e-5).log()
        loss = distortion + SIDE_PRICE * RATE_SLOPE * side + 0.12 * RATE_SLOPE * out.nll / (capacity * dimensions)
        loss = (loss + 0.01 * out.plain_nll).mean()
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        norms = [torch.nn.utils.clip_grad_norm_(part, 0.1) for part in self.parts]
        norm = torch.stack(norms).square().sum().sqrt()
        if torch.isfinite(norm):
            self.optimizer.step()
        if self.step % r.ema_every == r.ema_every - 1:
            decay = min(r.ema**r.ema_every, (1 + self.step) / (10 + self.step))
            state = self.net.state_dict()
            names = [n for n, p in state.items() if p.is_floating_point()]
            torch._foreach_lerp_([self.ema[n] for n in names], [state[n] for n in names], 1 - decay)
        self.step += 1
        psnr = -10 / math.log(10) * out.mse.detach().log().mean().item()
        share = (side / (1 + side)).mean().item()
        return {"loss": loss.item(), "psnr_db": psnr, "side_share": share, "norm": norm.item()}

    def run(self, validation: dict[str, np.ndarray] | None = None) -> None:
        """Train to the end of the recipe, printing a line about every 20 s; leaves ntscc.safetensors and curve.png."""
        r, last, count = self.recipe, time.monotonic(), 0
        sums: dict[str, float] = {}
        printed = saved = validated = last
        print(f"{parameter_count(self.net)} parameters, {len(self.crops.index['pictures'])} pictures", flush=True)
        while self.progress() < 1:
            row = self.train_step()
            now = time.monotonic()
            self.elapsed, last = self.elapsed + now - last, now
            for key, value in row.items():
                sums[key] = sums.get(key, 0.0) + value
            count += 1
            if now - printed > 20:
                means = {key: round(value / count, 4) for key, value in sums.items()}
                self.curve.append({"step": self.step, "elapsed_s": round(self.elapsed, 1), **means})
                print(json.dumps(self.curve[-1]), flush=True)
                printed, sums, count = now, {}, 0
            if now - saved > r.checkpoint_s:
                self.save()
                saved = time.monotonic()
            if validation and now - validated > r.validate_s:
                self.curve.append({"step": self.step, "elapsed_s": round(self.elapsed, 1), **self.validate(validation)})
                print(json.dumps(self.curve[-1]), flush=True)
                validated = time.monotonic()
        self.save()
        export(self.averaged(), self.crops, self.out / "ntscc.safetensors")
        plot_curve(self.curve, self.out / "curve.png")

    def validate(self, pictures: dict[str, np.ndarray]) -> dict[str, float]:
        """Mean PSNR over pictures [H, W, 3], hyperprior included: CBR 0.03 at 0 and 10 dB, 0.05 at 10 dB."""
        net, result = self.averaged(), {}
        linear_only = self.progress() < self.recipe.linear_share
        for key, cbr, snr in (("10db", 0.03, 10.0), ("10db_0.05", 0.05, 10.0), ("0db", 0.03, 0.0)):
            values = [validation_psnr(net, p, cbr, snr, linear_only=linear_only) for p in pictures.values()]
            result[f"valid_{key}"] = round(float(np.mean([v[0] for v in values])), 3)
            result[f"side_{key}"] = round(float(np.mean([v[1] for v in values])), 4)
        return result


def _settings(raw: dict[str, Any]) -> NetSettings:
    return NetSettings(**_tuples(raw))


def _tuples(raw: dict[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in raw.items()}


def main(
    data: Annotated[Path, typer.Option(help="folder made by `prepare`")],
    out: Annotated[Path, typer.Option(help="folder for checkpoints, curve and weights")],
    hours: Annotated[float, typer.Option(min=0.0)] = 1.0,
    resume: Annotated[bool, typer.Option(help="go on from the checkpoint in --out")] = False,
    begin_from: Annotated[Path | None, typer.Option(help="checkpoint whose transform and hyperprior to take")] = None,
    grow_from: Annotated[Path | None, typer.Option(help="checkpoint of a smaller or equal network to begin as")] = None,
    anneal_from: Annotated[Path | None, typer.Option(help="checkpoint of a --constant run to bring to an end")] = None,
    constant: Annotated[bool, typer.Option(help="keep the learning rate, for a run of unknown length")] = False,
    learning_rate: Annotated[float, typer.Option(min=0.0)] = 7e-4,
    threads: Annotated[int, typer.Option(min=1)] = 1,
    seed: int = 1,
    validation: Annotated[Path | None, typer.Option(help="folder of pictures to watch the PSNR on")] = None,
) -> None:
    """Train the keyframe codec on prepared pictures."""
    from PIL import Image

    torch.set_num_threads(threads)
    recipe = Recipe(hours=hours, seed=seed, constant=constant, learning_rate=learning_rate)
    if begin_from is not None or grow_from is not None or anneal_from is not None:
        recipe = replace(recipe, linear_share=0.0)
    if resume:
        recipe = Trainer.recipe_of(out, hours)
    trainer = Trainer(recipe, data, out)
    if resume:
        trainer.load()
    elif begin_from is not None:
        trainer.begin_from(begin_from)
    elif grow_from is not None:
        trainer.grow_from(grow_from)
    elif anneal_from is not None:
        trainer.anneal_from(anneal_from)
    else:
        trainer.begin()
    pictures = {}
    if validation is not None:
        pictures = {p.name: np.asarray(Image.open(p).convert("RGB")) for p in sorted(validation.iterdir())}
    trainer.run(pictures)


if __name__ == "__main__":
    typer.run(main)
