"""How the keyframe codec is trained, as data: sizes of a batch, learning rates, loss, and what every group meets.

`RECIPES` names the ready ones. Every number is a field of `Recipe`, can be changed with `--set NAME=VALUE`, and is kept
in the checkpoint.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, fields, replace
from difflib import get_close_matches
from typing import Any

import numpy as np
import torch

from lgvsc_flow.blocks.ntscc.nets import NetSettings, level_for
from lgvsc_flow.blocks.ntscc.rate import bits_per_symbol
from lgvsc_flow.blocks.ntscc.simulate import LinkDraw, dimensions_for
from lgvsc_flow.blocks.ntscc.transform import BLOCK
from lgvsc_flow.errors import SettingError


@dataclass(frozen=True)
class Recipe:
    """How to train. The length is given in hours of wall clock, or in steps (then it repeats bit for bit).

    There are two stages: for the first `linear_share` of the length g_a and g_s are the plain transform and only
    hyperprior and channel code learn, then everything does. The learning rate rises over `warmup_steps` and falls to
    zero with a cosine. With `constant` it stays where it is, so that a run can go on for as long as there is time; a
    run begun with --anneal-from its checkpoint then ends it. The averaged weights are good at any time.

    Raises:
        SettingError: a number is out of its range.
    """

    name: str = "shipped"
    hours: float = 1.0
    steps: int | None = None  # instead of hours
    epochs: float | None = None  # instead of both: how often as many crops are seen as there are pictures
    constant: bool = False
    # the batch
    groups: int = 2
    crops_per_group: int = 4
    crop: int = 128
    # the optimiser
    learning_rate: float = 7e-4
    transform_learning_rate: float = 1e-4
    prior_learning_rate: float = 4e-3
    betas: tuple[float, float] = (0.9, 0.99)
    warmup_steps: int = 200
    clip: float = 0.1  # largest norm of the gradient of each part
    linear_share: float = 0.05
    ema: float = 0.999
    ema_every: int = 4
    # the loss: ln(MSE) + rate_slope * (side_price * side information + likelihood_weight * nll) + plain_weight * ...
    rate_slope: float = 0.75  # d ln MSE / d ln CBR, measured with the linear code
    side_price: float = 1.5  # measured: at a price of 1 the marginal bits of z bought nothing
    likelihood_weight: float = 0.12
    plain_weight: float = 0.01
    # what a group meets
    cbr: tuple[float, float] = (0.01, 0.1)
    snr_db: tuple[float, float] = (-2.0, 14.0)
    focus: float = 0.5  # share of the groups drawn from the narrower ranges, where the codec is used most
    focus_cbr: tuple[float, float] = (0.02, 0.06)
    focus_snr_db: tuple[float, float] = (7.0, 13.0)
    surprised: float = 0.25  # share of the groups whose channel is up to 5 dB worse or better than thought
    delighted: float = 0.05  # share whose channel is 5 to 35 dB better
    rayleigh: float = 0.2  # share over block Rayleigh fading
    # the run
    seed: int = 1
    measured_batches: int = 200  # that the channel variances are measured on
    checkpoint_s: float = 150.0
    validate_s: float = 1200.0
    log_s: float = 20.0
    plot_s: float = 600.0
    skips_allowed: int = 20  # steps in a row without a finite gradient
    mixed_precision: bool = True  # bfloat16 in g_a, g_s, f_e and f_d where the device is fast at it
    net: NetSettings = field(default_factory=NetSettings)

    def __post_init__(self) -> None:
        if self.crop < 2 * BLOCK or self.crop % BLOCK:
            raise SettingError(f"crop must be a multiple of {BLOCK}, at least {2 * BLOCK}, got {self.crop}")
        for name in ("groups", "crops_per_group", "ema_every", "warmup_steps", "measured_batches", "skips_allowed"):
            if getattr(self, name) < 1:
                raise SettingError(f"{name} must be at least 1, got {getattr(self, name)}")
        for name in ("hours", "steps", "epochs"):
            if (value := getattr(self, name)) is not None and not value > 0:
                raise SettingError(f"{name} must be above 0, got {value}")
        for name in ("linear_share", "focus", "surprised", "delighted", "rayleigh", "ema"):
            if not 0 <= getattr(self, name) <= 1:
                raise SettingError(f"{name} must be 0 to 1, got {getattr(self, name)}")
        for name in ("cbr", "snr_db", "focus_cbr", "focus_snr_db"):
            low, high = getattr(self, name)
            least, most = (1e-4, 1.0) if name.endswith("cbr") else (-20.0, 40.0)
            if not least <= low <= high <= most:
                raise SettingError(f"{name} must be two rising numbers from {least} to {most}, got {low}, {high}")
        if self.seed < 0:
            raise SettingError(f"seed must be 0 or more, got {self.seed}")

    @property
    def pictures_per_step(self) -> int:
        """Crops in a batch."""
        return self.groups * self.crops_per_group

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
        offset = 0.0
        if surprise < self.surprised:
            offset = rng.uniform(-5, 5)
        elif surprise < self.surprised + self.delighted:
            offset = rng.uniform(5, 35)
        actual = design + offset
        noise = np.array(10 ** (-actual / 10))
        if rng.random() < self.rayleigh:  # dimensions share the gains of a few blocks
            gains = rng.exponential(size=int(rng.integers(1, 65))).clip(1e-3)
            noise = noise / gains[rng.integers(gains.size, size=shape)]
        return LinkDraw(
            dimensions_for(cbr, self.crop, self.crop, self.net.m, self.crops_per_group),
            level_for(cbr, bits_per_symbol(design)),
            design,
            cbr,
            torch.from_numpy(np.asarray(noise, np.float32)),
        )

    def as_dict(self) -> dict[str, Any]:
        """Plain data for a checkpoint; the sizes of the networks are kept beside it."""
        return asdict(replace(self, net=NetSettings())) | {"net": None}


SMALL = NetSettings((96, 24, 20), 16, 64, 128, 64, (96, 48, 32), (1, 1, 1), (128, 64, 48), (1, 1, 2))
TINY = NetSettings((20, 6, 6), 4, 8, 8, 8, (8, 8, 8), (1, 1, 1), (8, 8, 8), (1, 1, 1))

#: What `--recipe` takes. "test" is for the tests alone: its network is far too small to be of use.
RECIPES = {
    "shipped": Recipe(),
    "quick": Recipe(name="quick", hours=0.25, linear_share=0.1, measured_batches=50, validate_s=120.0, net=SMALL),
    # Section III of the paper: 100 000 frames, learning rate 1e-4, batches of 64, 100 epochs. What it leaves open
    # (crops of 256 pixels, no decay of the rate, how crops share a picture) is chosen here.
    "paper": Recipe(
        name="paper",
        epochs=100.0,
        constant=True,
        groups=16,
        crop=256,
        learning_rate=1e-4,
        prior_learning_rate=1e-4,
        linear_share=0.0,
    ),
    "test": Recipe(
        name="test",
        steps=4,
        crop=32,
        crops_per_group=2,
        linear_share=0.3,
        warmup_steps=2,
        measured_batches=4,
        checkpoint_s=0.05,
        log_s=0.0,
        net=TINY,
    ),
}


def recipe_from(raw: dict[str, Any], settings: dict[str, Any]) -> Recipe:
    """The recipe that a checkpoint holds as plain data, with the sizes of its networks.

    Raises:
        ValueError: it holds what this version does not know.
    """
    known = {f.name for f in fields(Recipe)}
    if unknown := sorted(set(raw) - known):
        raise ValueError(f"its recipe holds {', '.join(unknown)}, which this version does not know")
    return Recipe(**_tuples(raw) | {"net": settings_from(settings)})


def settings_from(raw: dict[str, Any]) -> NetSettings:
    """Sizes of networks from plain data."""
    try:
        return NetSettings(**_tuples(raw))
    except TypeError as error:
        raise ValueError(f"its networks' sizes do not fit this version: {error}") from None


def _tuples(raw: dict[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in raw.items()}


def changed(recipe: Recipe, assignments: Iterable[str]) -> Recipe:
    """The recipe with NAME=VALUE assignments; ranges are two numbers with a comma.

    Raises:
        SettingError: no such name, or a value of another type or out of range.
    """
    names = [f.name for f in fields(Recipe) if f.name not in ("name", "net", "hours", "steps", "epochs")]
    new: dict[str, Any] = {}
    for assignment in assignments:
        name, equals, text = assignment.partition("=")
        if not equals or name not in names:
            close = get_close_matches(name, names, 1)
            hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(names)}"
            raise SettingError(f"--set {assignment}: a recipe has no number {name!r} to set as NAME=VALUE; {hint}")
        old = getattr(recipe, name)
        try:
            new[name] = _parsed(text, old)
        except ValueError:
            kind = "two numbers, as in 0.01,0.1" if isinstance(old, tuple) else type(old).__name__
            raise SettingError(f"--set {assignment}: {name} takes {kind}") from None
    return replace(recipe, **new)


def _parsed(text: str, old: Any) -> Any:
    if isinstance(old, bool):
        return ["false", "true"].index(text.lower()) == 1
    if isinstance(old, int):
        return int(text)
    numbers = [float(part) for part in text.split(",")]
    if not all(map(math.isfinite, numbers)) or len(numbers) != (2 if isinstance(old, tuple) else 1):
        raise ValueError(text)
    return tuple(numbers) if isinstance(old, tuple) else numbers[0]
