"""The command `lgvsc-flow train prefer`: which latents of a training are worth sending."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lgvsc_flow import cli_common as common
from lgvsc_flow.errors import FlowError
from lgvsc_flow.models import import_extra

__all__ = ["EXAMPLES", "prefer"]

EXAMPLES = (
    "Example: `lgvsc-flow train prefer run/checkpoint.pt --data cache --out tuned`, then "
    "`lgvsc-flow train ntscc --data cache --anneal-from tuned/checkpoint.pt --hours 1 --out last`"
)


def prefer(
    checkpoint: Annotated[Path, typer.Argument(help="checkpoint.pt of a training")],
    data: Annotated[Path, typer.Option("--data", help="the pictures it is trained on")],
    out: Annotated[Path, typer.Option("--out", help="folder for a checkpoint that differs in the preference alone")],
    passes: Annotated[int, typer.Option("--passes", min=1, help="how often every frequency band is tried")] = 2,
    batches: Annotated[int, typer.Option("--batches", min=4, help="batches of crops to try on")] = 80,
    seed: Annotated[int, typer.Option("--seed", min=0)] = 1,
) -> None:
    """Find by trying which latents are worth more than their deviation says; takes some minutes a pass."""
    import_extra("torch", "training", "models", "torch")
    import_extra("PIL", "training", "video", "pillow")
    from lgvsc_flow.blocks.ntscc.checkpoint import has_checkpoint, read_checkpoint, write_checkpoint
    from lgvsc_flow.blocks.ntscc.export import averaged
    from lgvsc_flow.blocks.ntscc.folder import open_pictures
    from lgvsc_flow.blocks.ntscc.preference import tune_preference
    from lgvsc_flow.blocks.ntscc.recipe import recipe_from

    if has_checkpoint(out):
        raise FlowError(f"--out {out} holds a training already; give a new folder")
    state = read_checkpoint(checkpoint)
    try:
        recipe = recipe_from(state["recipe"], state["settings"])
    except ValueError as error:
        raise FlowError(f"{checkpoint} cannot be gone on with: {error}") from None
    pictures = open_pictures(data, recipe.crop)
    crops = [pictures.batch(seed, number, recipe.groups, recipe.crops_per_group) for number in range(batches)]
    common.make_room(out / "checkpoint.pt", "--out")

    def say(text: str) -> None:
        common.console.print(text, soft_wrap=True)

    tuned = tune_preference(averaged(state), crops, groups=recipe.groups, passes=passes, seed=seed, note=say)
    for name in ("net", "ema"):
        state[name]["preference"] = tuned.preference.clone()
    write_checkpoint(out, state)
    gain = 4.342945 * (tuned.before - tuned.after)
    say(f"written: {out / 'checkpoint.pt'}, {gain:+.2f} dB on crops that decided nothing")
