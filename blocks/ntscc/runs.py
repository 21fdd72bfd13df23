"""How a training run is opened: begun anew, begun from another run, or resumed, in a folder that is its own."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from lgvsc_flow.blocks.ntscc.checkpoint import has_checkpoint, latest_checkpoint, read_checkpoint
from lgvsc_flow.blocks.ntscc.data import Crops, Source
from lgvsc_flow.blocks.ntscc.folder import open_pictures
from lgvsc_flow.blocks.ntscc.photographs import PICTURE_SUFFIXES, decode
from lgvsc_flow.blocks.ntscc.recipe import RECIPES, Recipe, changed, recipe_from
from lgvsc_flow.blocks.ntscc.train import WEIGHTS, Trainer
from lgvsc_flow.blocks.ntscc.transform import BLOCK
from lgvsc_flow.errors import FlowError, MediaError, ModelError


@dataclass(frozen=True)
class Options:
    """What a run is asked for; None and empty: as the recipe says, or for a resumed run as it was begun."""

    hours: float | None = None
    steps: int | None = None
    recipe: str | None = None
    assignments: Sequence[str] = ()
    begin_from: Path | None = None
    grow_from: Path | None = None
    anneal_from: Path | None = None
    device: str = "auto"
    dtype: str = "auto"
    workers: int | None = None
    watch: Path | None = None


def make_folder(out: Path) -> None:
    """Make the folder of a run.

    Raises:
        FlowError: it cannot be made.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FlowError(f"--out {out} cannot be made: {error.strerror}") from None


def begin_run(data: Path, out: Path, options: Options, note: Callable[[str], None]) -> Trainer:
    """A new run, with its first checkpoint written.

    Raises:
        FlowError: `out` holds a run, or an option or file is wrong.
    """
    if has_checkpoint(out) or (out / WEIGHTS).exists():
        raise FlowError(f"{out} holds a training already: go on with --resume, or name another folder")
    sources = {k: getattr(options, f"{k}_from") for k in ("begin", "grow", "anneal")}
    given = [name for name, path in sources.items() if path is not None]
    if len(given) > 1:
        raise FlowError(f"--{given[0]}-from and --{given[1]}-from are two beginnings; give one")
    earlier = read_checkpoint(sources[given[0]]) if given else None
    if given == ["anneal"]:
        assert earlier is not None
        if options.recipe is not None:
            raise FlowError("--anneal-from ends a run with the recipe it has; leave --recipe out, --set changes it")
        recipe = replace(_recipe_of(earlier, sources["anneal"]), constant=False, epochs=None)
    else:
        recipe = _named(options.recipe or "shipped")
    if given:
        recipe = replace(recipe, linear_share=0.0)
    recipe = _timed(changed(recipe, options.assignments), options)
    trainer = _trainer(recipe, data, out, options, note)
    if earlier is not None and given == ["anneal"]:
        trainer.anneal(earlier)
    elif earlier is not None and given == ["begin"]:
        trainer.learner.begin_from(earlier)
    else:
        trainer.begin()
        if earlier is not None:
            trainer.learner.grow_from(earlier)
    trainer.save()
    return trainer


def resume_run(data: Path, out: Path, options: Options, note: Callable[[str], None]) -> Trainer:
    """The run in `out` at its last checkpoint.

    Raises:
        FlowError: there is none, it has ended, or an option or file is wrong.
    """
    for name in ("begin_from", "grow_from", "anneal_from"):
        if getattr(options, name) is not None:
            raise FlowError(f"--{name.replace('_', '-')} begins a run, --resume goes on with one; give one of them")
    state = latest_checkpoint(out, note)
    recipe = _recipe_of(state, out)
    if options.recipe is not None and options.recipe != recipe.name:
        raise FlowError(
            f"the run in {out} was begun with the recipe {recipe.name!r}, not {options.recipe!r}; leave --recipe out "
            "to go on, or begin in another folder"
        )
    recipe = _timed(changed(recipe, options.assignments), options)
    trainer = _trainer(recipe, data, out, options, note)
    trainer.resume(state)
    if trainer.share() >= 1 and (out / WEIGHTS).exists():
        raise FlowError(
            f"the run in {out} has ended ({trainer.elapsed / 3600:.2f} hours, {trainer.learner.step} steps): its "
            f"weights are {out / WEIGHTS}. Longer --hours or more --steps go on with it"
        )
    return trainer


def _named(name: str) -> Recipe:
    if name not in RECIPES:
        raise FlowError(f"--recipe {name}: there are {', '.join(n for n in RECIPES if n != 'test')}")
    return RECIPES[name]


def _recipe_of(state: dict[str, Any], where: Path) -> Recipe:
    try:
        return recipe_from(state["recipe"], state["settings"])
    except (ValueError, TypeError) as error:
        raise ModelError(f"the checkpoint of {where} cannot be gone on with: {error}") from None


def _timed(recipe: Recipe, options: Options) -> Recipe:
    if options.hours is not None and options.steps is not None:
        raise FlowError("--hours and --steps are two lengths; give one")
    if options.hours is not None:
        return replace(recipe, hours=options.hours, steps=None, epochs=None)
    if options.steps is not None:
        return replace(recipe, steps=options.steps, epochs=None)
    return recipe


def _trainer(recipe: Recipe, data: Path, out: Path, options: Options, note: Callable[[str], None]) -> Trainer:
    pictures = open_pictures(data, recipe.crop)
    if recipe.epochs is not None:
        recipe = replace(recipe, steps=math.ceil(recipe.epochs * len(pictures) / recipe.pictures_per_step), epochs=None)
    left = getattr(pictures, "left", 0)
    note(f"{len(pictures)} pictures" + (f"; {left} are held out for measuring by their names" if left else ""))
    return Trainer(
        recipe,
        pictures,
        out,
        device=device_for(options.device),
        dtype=options.dtype,
        workers=_workers(pictures) if options.workers is None else options.workers,
        watched=watched_pictures(options.watch) if options.watch is not None else None,
        note=note,
    )


def _workers(pictures: Source) -> int:
    """A prepared cache is cut in milliseconds; photographs are decoded meanwhile."""
    return 0 if isinstance(pictures, Crops) else 2


def device_for(name: str) -> str:
    """The torch device that a name means; `auto` is a GPU where there is one.

    Raises:
        FlowError: there is no such device.
    """
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.empty(0, device=name)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise FlowError(f"--device {name} cannot be used: {str(error).splitlines()[0]}") from None
    return name


def watched_pictures(folder: Path) -> dict[str, np.ndarray]:
    """The pictures in a folder, by name, to watch the PSNR on.

    Raises:
        MediaError: it holds none, or one that cannot be read or is too small.
    """
    found = sorted(p for p in folder.glob("*") if p.suffix.lower() in PICTURE_SUFFIXES)
    if not found:
        raise MediaError(f"--watch {folder} holds no picture ({', '.join(PICTURE_SUFFIXES)})")
    watched = {}
    for path in found:
        pixels = decode(path.read_bytes())
        if pixels is None or min(pixels.shape[:2]) < BLOCK:
            raise MediaError(f"--watch: {path} cannot be read, is transparent or smaller than {BLOCK} x {BLOCK}")
        watched[path.name] = pixels
    return watched
