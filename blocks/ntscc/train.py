"""A training run: steps, checkpoints, a log, and an end; begun and resumed by `lgvsc-flow train ntscc`.

A run lives in a folder: `checkpoint.pt` and the one before it, `log.jsonl` (a line of JSON about every 20 s),
`curve.png`, and at the end `ntscc.safetensors`. It can be stopped or killed at any moment and goes on from its last
checkpoint. Batches, noise and draws are functions of seed and step alone, so that with a length in steps a resumed run
gives the very bits that an unbroken one would have given (same machine, threads and versions).
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lgvsc_flow.blocks.ntscc.checkpoint import write_checkpoint
from lgvsc_flow.blocks.ntscc.data import Source
from lgvsc_flow.blocks.ntscc.export import export, plot_curve
from lgvsc_flow.blocks.ntscc.folder import Ahead
from lgvsc_flow.blocks.ntscc.learning import Learner
from lgvsc_flow.blocks.ntscc.recipe import Recipe
from lgvsc_flow.blocks.ntscc.simulate import validation_psnr
from lgvsc_flow.errors import FlowError

WEIGHTS, LOG, CURVE = "ntscc.safetensors", "log.jsonl", "curve.png"
WATCHED = (("10db", 0.03, 10.0), ("10db_0.05", 0.05, 10.0), ("0db", 0.03, 0.0))  # name, CBR, SNR in dB


@dataclass(frozen=True)
class Progress:
    """Where a run is: what its live line shows."""

    step: int
    loss: float  # these two smoothed over about 30 steps
    psnr_db: float
    steps_per_s: float
    share: float
    left_s: float  # until the end
    stage: str
    skipped: int


class Trainer:
    """A run of a recipe over pictures, kept in the folder `out`."""

    def __init__(
        self,
        recipe: Recipe,
        pictures: Source,
        out: Path,
        *,
        device: str = "cpu",
        dtype: str = "auto",
        workers: int = 0,
        watched: dict[str, np.ndarray] | None = None,
        note: Callable[[str], None] = lambda text: None,
    ):
        self.recipe, self.pictures, self.out = recipe, pictures, out
        self.learner = Learner(recipe, device, dtype)
        self.ahead = Ahead(self._batch, workers)
        self.watched, self.note = watched or {}, note
        self.first, self.elapsed = 0, 0.0
        self.curve: list[dict[str, float]] = []
        self._sums: dict[str, float] = {}
        self._smooth: dict[str, float] = {}
        self._count = 0
        self._rated = (0, 0.0)  # steps and seconds of this process, for the steps per second

    def _batch(self, number: int) -> np.ndarray:
        return self.pictures.batch(self.recipe.seed, number, self.recipe.groups, self.recipe.crops_per_group)

    # -- how a run begins, and its checkpoints ------------------------------------------------------------------

    def begin(self) -> None:
        """Begin as the plain transform and the linear code."""
        seed, count = self.recipe.seed + 1000, self.recipe.measured_batches
        ahead = Ahead(lambda number: self.pictures.batch(seed, number, 4, 2), self.ahead.workers)
        try:
            self.learner.begin(ahead.take(number) for number in range(count))
        finally:
            ahead.close()

    def anneal(self, state: dict[str, Any]) -> None:
        """Begin as the end of an earlier run, with its optimiser and batches after its own, for a last stage."""
        self.learner.load(state)
        self.first, self.curve = self.learner.step, list(state["curve"])

    def resume(self, state: dict[str, Any]) -> None:
        """Go on with a run from its checkpoint; lines of the log that lie after it are taken back."""
        self.learner.load(state)
        self.elapsed, self.curve, self.first = state["elapsed"], list(state["curve"]), state.get("first", 0)
        count = state.get("pictures", len(self.pictures))
        if count != len(self.pictures):
            self.note(f"the run was begun with {count} pictures: other batches come from here on")
        log = self.out / LOG
        if log.is_file():
            lines = [line for line in log.read_text(errors="replace").splitlines() if self._is_past(line)]
            temporary = log.with_name(f"{LOG}.tmp")
            temporary.write_text("".join(f"{line}\n" for line in lines))
            temporary.replace(log)

    def _is_past(self, line: str) -> bool:
        with suppress(ValueError, KeyError, TypeError):
            return bool(json.loads(line)["step"] <= self.learner.step)
        return False  # half a line, cut by a kill

    def save(self) -> None:
        """Write the checkpoint.

        Raises:
            FlowError: it cannot be written; the one before stays.
        """
        rest = {
            "elapsed": self.elapsed,
            "first": self.first,
            "curve": self.curve,
            "pictures": len(self.pictures),
            "settings": self.recipe.net.as_dict(),
            "recipe": self.recipe.as_dict(),
        }
        write_checkpoint(self.out, self.learner.state() | rest)

    # -- the run ------------------------------------------------------------------------------------------------

    def share(self) -> float:
        """How much of the run is done, 0 to 1."""
        r = self.recipe
        return (self.learner.step - self.first) / r.steps if r.steps else self.elapsed / (3600 * r.hours)

    def train_step(self) -> dict[str, float]:
        """Take the next batch and learn from it."""
        return self.learner.learn(self.ahead.take(self.learner.step), self.share())

    def run(self, show: Callable[[Progress], None] | None = None, stop: Callable[[], bool] = lambda: False) -> bool:
        """Train to the end of the recipe, or until `stop` says so after a step; whether the end was reached.

        Raises:
            FlowError: the training diverged, or a file cannot be written.
        """
        r, stopped = self.recipe, False
        clock, saved, logged = time.monotonic(), self.elapsed, self.elapsed
        validated = plotted = self.elapsed
        self._rated = (self.learner.step, self.elapsed)
        try:
            while self.share() < 1 and not (stopped := stop()):
                row = self.train_step()
                now = time.monotonic()
                self.elapsed, clock = self.elapsed + now - clock, now
                self._add(row)
                if show is not None:
                    show(self._progress())
                if self.elapsed - logged >= r.log_s:
                    self._log(self._means())
                    logged = self.elapsed
                if self.elapsed - saved >= r.checkpoint_s:
                    self.save()
                    saved = self.elapsed
                if self.watched and self.elapsed - validated >= r.validate_s:
                    self._log(self.validate())
                    validated = self.elapsed
                if self.elapsed - plotted >= r.plot_s:
                    plot_curve(self.curve, self.out / CURVE)
                    plotted = self.elapsed
        finally:
            self.ahead.close()
        self.save()
        if not stopped:
            if self.watched:
                self._log(self.validate())
                self.save()
            export(self.learner.averaged(), self.pictures, self.out / WEIGHTS)
        plot_curve(self.curve, self.out / CURVE)
        return not stopped

    def _add(self, row: dict[str, float]) -> None:
        """Into the means of the next line of the log, and into the smoothed numbers; a skipped step is in neither."""
        if not all(map(math.isfinite, row.values())):
            self.note(f"step {self.learner.step - 1}: no finite gradient, skipped ({self.learner.skipped} in all)")
            return
        self._count += 1
        for key, value in row.items():
            self._sums[key] = self._sums.get(key, 0.0) + value
            self._smooth[key] = value + (self._smooth.get(key, value) - value) * 0.97

    def _means(self) -> dict[str, float]:
        means = {key: round(value / self._count, 4) for key, value in self._sums.items()}
        self._sums, self._count = {}, 0
        return means | ({"skipped": self.learner.skipped} if self.learner.skipped else {})

    def _progress(self) -> Progress:
        step, since = self._rated
        rate = (self.learner.step - step) / max(self.elapsed - since, 1e-9)
        share = self.share()
        if self.recipe.steps:
            left = (self.recipe.steps + self.first - self.learner.step) / max(rate, 1e-9)
        else:
            left = 3600 * self.recipe.hours - self.elapsed
        linear = share < self.recipe.linear_share
        loss, psnr = (self._smooth.get(key, math.nan) for key in ("loss", "psnr_db"))
        stage = "hyperprior and channel code" if linear else "all"
        return Progress(
            self.learner.step, loss, psnr, rate, min(share, 1.0), max(left, 0.0), stage, self.learner.skipped
        )

    def _log(self, numbers: dict[str, float]) -> None:
        """Add a line to the log and the curve."""
        row = {"step": self.learner.step, "elapsed_s": round(self.elapsed, 4), **numbers}
        self.curve.append(row)
        line = json.dumps(row)
        self.note(line)
        try:
            with open(self.out / LOG, "a") as file:
                file.write(line + "\n")
        except OSError as error:
            raise FlowError(
                f"{self.out / LOG} cannot be written: {error.strerror}. Make room, then go on with --resume"
            ) from error

    def validate(self) -> dict[str, float]:
        """Mean PSNR over the watched pictures and share of the hyperprior, at three pairs of rate and SNR."""
        net, result = self.learner.averaged(), {}
        linear_only = self.share() < self.recipe.linear_share
        for key, cbr, snr in WATCHED:
            pairs = [validation_psnr(net, p, cbr, snr, linear_only=linear_only) for p in self.watched.values()]
            result[f"valid_{key}"] = round(float(np.mean([psnr for psnr, _ in pairs])), 3)
            result[f"side_{key}"] = round(float(np.mean([share for _, share in pairs])), 4)
        return result
