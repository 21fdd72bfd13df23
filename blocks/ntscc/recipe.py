"""How the keyframe codec is trained: sizes of a batch, learning rates, and what every group of crops meets."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import torch

from lgvsc_flow.blocks.ntscc.nets import NetSettings, level_for
from lgvsc_flow.blocks.ntscc.rate import bits_per_symbol
from lgvsc_flow.blocks.ntscc.simulate import LinkDraw, dimensions_for
from lgvsc_flow.blocks.ntscc.transform import BLOCK


@dataclass(frozen=True)
class Recipe:
    """How to train. The length is given in hours of wall clock, or in steps (then it repeats bit for bit).

    With `constant` the learning rate stays where it is after the warm-up, so that a run can go on for as long as there
    is time; a stage with `constant=False` from its checkpoint then ends it. The averaged weights are good at any time.
    """

    hours: float = 1.0
    steps: int | None = None
    constant: bool = False
    groups: int = 2
    crops_per_group: int = 4
    crop: int = 128
    learning_rate: float = 7e-4
    transform_learning_rate: float = 1e-4
    prior_learning_rate: float = 4e-3
    warmup_steps: int = 200
    linear_share: float = 0.05  # of the length: only hyperprior and channel code, g_a and g_s are the plain transform
    cbr: tuple[float, float] = (0.01, 0.1)
    snr_db: tuple[float, float] = (-2.0, 14.0)
    focus: float = 0.5  # share of the groups drawn from the narrower ranges, where the codec is used most
    focus_cbr: tuple[float, float] = (0.02, 0.06)
    focus_snr_db: tuple[float, float] = (7.0, 13.0)
    ema: float = 0.999
    ema_every: int = 4
    seed: int = 1
    checkpoint_s: float = 150.0
    validate_s: float = 1200.0
    mixed_precision: bool = True
    net: NetSettings = field(default_factory=NetSettings)

    def rate(self, step: int, progress: float) -> float:
        """Learning rate over its peak at a step and a share of the run."""
        rate = min(1.0, (step + 1) / self.warmup_steps)
        if not self.constant:
            rate *= 0.5 + 0.5 * math.cos(math.pi * min(progress, 1.0))
        return max(rate, 0.002)

    def draws(self, step: int) -> list[LinkDraw]:
        """Rate, SNRs and noise of every group of a step: a function of seed and step alone."""
        rng, side = np.random.default_rng([self.seed, step, 1]), self.crop // BLOCK
        return [self._draw(rng, (self.crops_per_group, self.net.m, side, side)) for _ in range(self.groups)]

    def _draw(self, rng: np.random.Generator, shape: tuple[int, ...]) -> LinkDraw:
        focused = rng.random() < self.focus
        cbr_range, snr_range = (self.focus_cbr, self.focus_snr_db) if focused else (self.cbr, self.snr_db)
        cbr = math.exp(rng.uniform(*np.log(cbr_range)))
        design = rng.uniform(*snr_range)
        surprise = rng.random()  # the channel is now and then worse or better than thought, rarely far better
        offset = rng.uniform(-5, 5) if surprise < 0.25 else rng.uniform(5, 35) if surprise < 0.3 else 0.0
        actual = design + offset
        noise = np.array(10 ** (-actual / 10))
        if rng.random() < 0.2:  # Rayleigh: dimensions share the gains of a few blocks
            gains = rng.exponential(size=int(rng.integers(1, 65))).clip(1e-3)
            noise = noise / gains[rng.integers(gains.size, size=shape)]
        return LinkDraw(
            dimensions_for(cbr, self.crop, self.crop, self.net.m, self.crops_per_group),
            level_for(cbr, bits_per_symbol(design)),
            design,
            cbr,
            torch.from_numpy(np.asarray(noise, np.float32)),
        )
