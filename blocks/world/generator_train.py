"""Training of the generator: `lgvsc-flow train world`. It can be stopped at any moment, and goes on with `--resume`."""

from __future__ import annotations

import copy
import json
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer

from lgvsc_flow.blocks.world.generator_net import NetSettings
from lgvsc_flow.errors import FlowError, ModelError
from lgvsc_flow.models import import_extra

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Trainer", "main"]

WEIGHTS, LOG = "generator.safetensors", "log.jsonl"
_RATE, _WARM, _CLIP = 3e-4, 200, 1.0
_AVERAGE = 0.999
_SAVE_S = 300.0  # seconds between checkpoints
_JUDGED = 48  # tiles kept apart, on which a run is judged


class Trainer:
    """A training run in a folder: `checkpoint.pt` and the one before it, `log.jsonl`, `generator.safetensors`.

    Args:
        data: folder of tiles, see `generator_data.prepare`.
        out: folder of the run.
        hours, steps: its length, one of the two.
        resume: go on from the last checkpoint.
        settings: of a new network.
        batch, seed, device, dtype: as their names say; `bfloat16` or `float32`.

    Raises:
        FlowError: a run is in the folder, or none is where one should be.
    """

    def __init__(
        self,
        data: Path,
        out: Path,
        hours: float | None = None,
        steps: int | None = None,
        resume: bool = False,
        settings: NetSettings | None = None,
        batch: int = 8,
        seed: int = 0,
        device: str = "cpu",
        dtype: str = "bfloat16",
    ) -> None:
        torch = import_extra("torch", "training", "models", "torch")
        import_extra("safetensors", "training", "models", "safetensors")
        from lgvsc_flow.blocks.ntscc.checkpoint import has_checkpoint, latest_checkpoint
        from lgvsc_flow.blocks.world.generator_data import Tiles
        from lgvsc_flow.blocks.world.generator_net import build_net

        if (hours is None) == (steps is None):
            raise FlowError("a training has a length: either --hours or --steps")
        self._torch, self._tiles, self._out = torch, Tiles(data), out
        self._hours, self._steps, self._device = hours, steps, device
        self._mixed = dtype == "bfloat16"
        out.mkdir(parents=True, exist_ok=True)
        if not resume and has_checkpoint(out):
            raise FlowError(f"{out} holds a training; go on with --resume, or name another folder")
        state = latest_checkpoint(out, print) if resume else None
        if state is not None and state["recipe"].get("kind") != "world":
            raise ModelError(f"{out} holds a training of another kind")
        told = state["settings"] if state else None
        self._settings = (
            NetSettings(tuple(told["widths"]), told["layers"], told["noise"]) if told else settings or NetSettings()
        )
        recipe: dict[str, Any] = state["recipe"] if state else {"kind": "world", "batch": batch, "seed": seed}
        self._recipe, self._batch, self._seed = recipe, recipe["batch"], recipe["seed"]
        torch.manual_seed(self._seed)
        self._net = build_net(self._settings).to(device, memory_format=torch.channels_last)
        self._average = copy.deepcopy(self._net).eval().requires_grad_(False)
        self._optimizer = torch.optim.AdamW(self._net.parameters(), _RATE, betas=(0.9, 0.99), weight_decay=1e-4)
        self.step, self._elapsed, self._curve = 0, 0.0, []
        if state is not None:
            self._net.load_state_dict(state["net"])
            self._average.load_state_dict(state["ema"])
            self._optimizer.load_state_dict(state["optimizer"])
            self.step, self._elapsed, self._curve = state["step"], state["elapsed"], state["curve"]

    def run(self, stopping: Callable[[], bool] = lambda: False) -> bool:
        """Train to the end, or until `stopping`; True at the end. The weights are written either way."""
        began, before = time.monotonic(), self._elapsed
        saved = began
        while (progress := self._progress()) < 1 and not stopping():
            loss = self._learn(progress)
            self.step += 1
            now = time.monotonic()
            self._elapsed = before + now - began
            if self.step % 50 == 0:
                self._note({"step": self.step, "seconds": round(self._elapsed, 1), "loss": loss})
            if now - saved > _SAVE_S:
                self.save()
                saved = time.monotonic()
        self.save()
        return self._progress() >= 1

    def save(self) -> None:
        """Judge on the tiles kept apart; write the checkpoint, and the averaged weights."""
        from lgvsc_flow.blocks.ntscc.checkpoint import write_checkpoint
        from lgvsc_flow.blocks.world.generator_net import save_net

        judged = self.judge()
        self._curve.append({"step": self.step, "seconds": self._elapsed, **judged})
        self._note({"step": self.step, "seconds": round(self._elapsed, 1), **judged})
        state = {
            "net": self._net.state_dict(),
            "ema": self._average.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "step": self.step,
            "elapsed": self._elapsed,
            "curve": self._curve,
            "settings": asdict(self._settings),
            "recipe": self._recipe,
        }
        write_checkpoint(self._out, state)
        save_net(self._out / WEIGHTS, self._average, self._settings)

    def judge(self) -> dict[str, float]:
        """Mean PSNR in dB on tiles kept apart: of the interpolator, and of the generator in one and in four steps."""
        from lgvsc_flow.blocks.world.generator_net import refine

        torch = self._torch
        pixels, places = self._tiles.kept_apart(_JUDGED)
        found: dict[str, list[float]] = {"interpolator": [], "steps_1": [], "steps_4": []}
        noise_rng = np.random.default_rng(0)
        for tile, place in zip(pixels, places, strict=True):
            true, known = self._tensors(tile[None])
            noise = torch.from_numpy(noise_rng.standard_normal((1, 3, *tile.shape[1:]), np.float32))
            noise = noise.to(self._device) * self._settings.noise
            at = torch.tensor([float(place)], device=self._device)
            made = {"interpolator": known[:, :3]}
            made |= {f"steps_{n}": refine(self._average, known, at, noise, n) for n in (1, 4)}
            for name, picture in made.items():
                error = float((picture - true).square().mean()) * 127.5**2
                found[name].append(10 * math.log10(255**2 / max(error, 1e-3)))
        return {name: round(float(np.mean(values)), 4) for name, values in found.items()}

    def _progress(self) -> float:
        if self._steps is not None:
            return self.step / self._steps
        assert self._hours is not None
        return self._elapsed / (3600 * self._hours)

    def _tensors(self, pixels: np.ndarray) -> tuple[Tensor, Tensor]:
        """The true frames in -1 to 1, and what is known; see `generator.known_of`."""
        values = self._torch.from_numpy(pixels).to(self._device).float()
        known = values[:, :10] / 127.5 - 1
        known[:, 9] = values[:, 9] / 255
        return values[:, 10:] / 127.5 - 1, known

    def _learn(self, progress: float) -> float:
        from lgvsc_flow.blocks.world.generator_net import path_loss

        torch = self._torch
        pixels, places = self._tiles.batch(self._seed, self.step, self._batch)
        true, known = self._tensors(pixels)
        # Its own stream for each step: a resumed run draws what the whole one would have drawn.
        draw = torch.Generator().manual_seed(self._seed * 1_000_003 + self.step)
        s = torch.rand(len(true), generator=draw).to(self._device)
        # The way begins at s = 1, where one step must find the whole of it.
        s = torch.where(torch.rand(len(true), generator=draw).to(self._device) < 0.5, torch.ones_like(s), s)
        noise = torch.randn(true.shape, generator=draw).to(self._device) * self._settings.noise
        rate = _RATE * min(1.0, (self.step + 1) / _WARM) * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * progress)))
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        self._net.train()
        with torch.autocast(torch.device(self._device).type, torch.bfloat16, enabled=self._mixed):
            loss = path_loss(self._net, true, known, torch.from_numpy(places).to(self._device), s, noise)
        self._optimizer.zero_grad(set_to_none=True)
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(self._net.parameters(), _CLIP)
        if torch.isfinite(norm):  # a step that is not is left out
            self._optimizer.step()
        keep = min(_AVERAGE, (1 + self.step) / (10 + self.step))
        with torch.no_grad():
            for mean, value in zip(self._average.parameters(), self._net.parameters(), strict=True):
                mean.lerp_(value, 1 - keep)
        return float(loss.detach())

    def _note(self, row: dict[str, Any]) -> None:
        with open(self._out / LOG, "a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")


def clip_and_range(text: str) -> tuple[Path, Sequence[tuple[int, int]]]:
    """`street.avi` or `street.avi@0:300`: a clip, and the frames of it that may be used.

    Raises:
        FlowError: a range that is none.
    """
    path, at, span = text.rpartition("@")
    if not at:
        return Path(text), ()
    start, colon, stop = span.partition(":")
    if not (colon and start.isdecimal() and stop.isdecimal() and int(start) < int(stop)):
        raise FlowError(f"frames of a clip are given as in street.avi@0:300, got {text!r}")
    return Path(path), ((int(start), int(stop)),)


def main(
    data: Annotated[Path, typer.Option("--data", help="folder of tiles; made from --film and --clips where it is new")],
    out: Annotated[Path, typer.Option("--out", help="folder for checkpoints, log and weights")],
    film: Annotated[
        Path | None, typer.Option("--film", help="Big Buck Bunny, 14315 frames; its held-out shots are left out")
    ] = None,
    clips: Annotated[
        list[str] | None, typer.Option("--clips", metavar="<clip>", help="clip, or clip@first:last; several times")
    ] = None,
    hours: Annotated[float | None, typer.Option("--hours", min=1e-3, help="length, of resumed parts too")] = None,
    steps: Annotated[int | None, typer.Option("--steps", min=1, help="length in steps instead")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="go on from the last checkpoint in --out")] = False,
    batch: Annotated[int, typer.Option("--batch", min=1, help="tiles of a step")] = 8,
    seed: Annotated[int, typer.Option("--seed", min=0)] = 0,
    device: Annotated[str, typer.Option("--device", help="torch device")] = "cpu",
    dtype: Annotated[str, typer.Option("--dtype", help="bfloat16 or float32")] = "bfloat16",
) -> None:
    """Train the world model that refines the interpolator's frames."""
    import_extra("torch", "training", "models", "torch")
    import_extra("av", "preparing tiles", "video", "av")
    from lgvsc_flow.blocks.ntscc.checkpoint import only_one
    from lgvsc_flow.blocks.world.generator_data import FILM_RANGES, prepare

    if dtype not in ("bfloat16", "float32"):
        raise FlowError(f"--dtype is bfloat16 or float32, got {dtype!r}")
    if not (data / "tiles.json").is_file():
        sources = [*([(film, FILM_RANGES)] if film else []), *map(clip_and_range, clips or [])]
        if not sources:
            raise FlowError(f"{data} holds no tiles; name --film or --clips to make some")
        prepare(sources, data, seed, note=typer.echo)
    out.mkdir(parents=True, exist_ok=True)
    with only_one(out):
        trainer = Trainer(data, out, hours, steps, resume, batch=batch, seed=seed, device=device, dtype=dtype)
        try:
            ended = trainer.run()
        except KeyboardInterrupt:
            trainer.save()
            ended = False
    typer.echo(f"{'ended' if ended else 'stopped'} at step {trainer.step}; weights: {out / WEIGHTS}")
