"""The commands `lgvsc-flow train ...`: train what is learned here, and prepare what it learns from."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from lgvsc_flow import cli_common as common, cli_prefer
from lgvsc_flow.blocks.world import generator_train
from lgvsc_flow.errors import FlowError
from lgvsc_flow.models import import_extra

if TYPE_CHECKING:
    from lgvsc_flow.blocks.ntscc.train import Progress, Trainer

__all__ = ["EXAMPLES", "app"]

EXAMPLES = (
    "Examples: `lgvsc-flow train ntscc --data photographs --hours 8 --out run`, and after a stop the same with "
    "`--resume`; `lgvsc-flow train export run/checkpoint.pt --data photographs --out my.safetensors`"
)
NTSCC_EXAMPLES = (
    "Examples: `lgvsc-flow train ntscc --data ~/photographs --recipe quick --out try`; "
    "`lgvsc-flow train ntscc --data cache --hours 8 --watch held-out --out run`, and after a stop "
    "`lgvsc-flow train ntscc --data cache --out run --resume`; "
    "`lgvsc-flow train ntscc --data frames --recipe paper --device cuda --out run`"
)
PICTURES_EXAMPLES = "Example: `lgvsc-flow train pictures ~/photographs clip.mp4 --out cache`"
EXPORT_EXAMPLES = (
    "Example: `lgvsc-flow train export run/checkpoint.pt --data cache --out my.safetensors`, then "
    "`lgvsc-flow run VIDEO --weights my.safetensors --out FOLDER`"
)
_BEGINNING, _MACHINE = "How it begins", "Where it runs"
_STOPPED = 130  # exit code after Ctrl-C

app = typer.Typer(
    help="Train the keyframe codec, and prepare what it learns from.",
    epilog=EXAMPLES,
    no_args_is_help=True,
    rich_markup_mode="markdown",
)


class Dtype(StrEnum):
    """Number types of training."""

    AUTO = "auto"
    BFLOAT16 = "bfloat16"
    FLOAT32 = "float32"


@app.command(epilog=NTSCC_EXAMPLES)
def ntscc(
    data: Annotated[
        Path, typer.Option("--data", help="folder of photographs, or one made by `lgvsc-flow train pictures`")
    ],
    out: Annotated[Path, typer.Option("--out", help="folder for checkpoints, log, curves and weights")],
    hours: Annotated[
        float | None, typer.Option("--hours", min=1e-3, help="length in all, earlier parts of a resumed run included")
    ] = None,
    steps: Annotated[
        int | None, typer.Option("--steps", min=1, help="length in steps instead: such a run repeats bit for bit")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="go on from the last checkpoint in --out")] = False,
    recipe: Annotated[
        str | None,
        typer.Option(
            "--recipe",
            metavar="<name>",
            help="shipped (default), quick (a small network in a quarter of an hour), or paper (for a GPU)",
        ),
    ] = None,
    assignments: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="change a number of the recipe, as in seed=3"),
    ] = None,
    watch: Annotated[
        Path | None, typer.Option("--watch", help="folder of pictures to watch the PSNR on; never trained on")
    ] = None,
    begin_from: Annotated[
        Path | None,
        typer.Option(
            "--begin-from", help="checkpoint whose transform and hyperprior to take", rich_help_panel=_BEGINNING
        ),
    ] = None,
    grow_from: Annotated[
        Path | None,
        typer.Option(
            "--grow-from", help="checkpoint of a smaller or equal network to begin as", rich_help_panel=_BEGINNING
        ),
    ] = None,
    anneal_from: Annotated[
        Path | None,
        typer.Option(
            "--anneal-from",
            help="checkpoint to go on from to the end, the rate falling to zero over --hours or --steps",
            rich_help_panel=_BEGINNING,
        ),
    ] = None,
    device: Annotated[
        str, typer.Option("--device", metavar="<name>", help="auto, cpu, cuda, cuda:1", rich_help_panel=_MACHINE)
    ] = "auto",
    dtype: Annotated[
        Dtype, typer.Option("--dtype", help="of the large networks", rich_help_panel=_MACHINE)
    ] = Dtype.AUTO,
    threads: Annotated[
        int | None, typer.Option("--threads", min=1, help="default: torch's own", rich_help_panel=_MACHINE)
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(
            "--workers",
            min=0,
            max=64,
            help="threads that decode photographs ahead; default: 2, none for prepared pictures",
            rich_help_panel=_MACHINE,
        ),
    ] = None,
) -> None:
    """Train the keyframe codec; a run can be stopped or killed at any moment and goes on with --resume.

    Ctrl-C saves and stops. At the end there are the weights, `ntscc.safetensors`, and the curves, `curve.png`.
    """
    torch = import_extra("torch", "training", "models", "torch")
    import_extra("PIL", "training", "video", "pillow")
    import_extra("safetensors", "training", "models", "safetensors")
    from lgvsc_flow.blocks.ntscc import runs
    from lgvsc_flow.blocks.ntscc.checkpoint import only_one
    from lgvsc_flow.blocks.ntscc.nets import parameter_count

    if threads is not None:
        torch.set_num_threads(threads)
    options = runs.Options(
        hours=hours,
        steps=steps,
        recipe=recipe,
        assignments=assignments or (),
        begin_from=begin_from,
        grow_from=grow_from,
        anneal_from=anneal_from,
        device=device,
        dtype=dtype.value,
        workers=workers,
        watch=watch,
    )
    if not resume:
        runs.make_folder(out)
    elif not out.is_dir():
        raise FlowError(f"nothing to resume: {out} does not exist; leave --resume out to begin")
    console = common.console
    with _writable(out), only_one(out), _stopping() as stop:
        say: Callable[[str], None] = lambda text: console.print(text, soft_wrap=True)  # noqa: E731
        trainer = (runs.resume_run if resume else runs.begin_run)(data, out, options, say)
        learner = trainer.learner
        kind = str(learner.net.mixed).removeprefix("torch.")
        length = f"{trainer.recipe.steps:,} steps" if trainer.recipe.steps else f"{trainer.recipe.hours:g} hours"
        said = f"recipe {trainer.recipe.name}, {length}, {parameter_count(learner.net):,} parameters, {learner.device}"
        start = f"; from step {learner.step}" if learner.step else ""
        say(f"{said}, {kind}, threads: {torch.get_num_threads()}{start}")
        with _live(trainer) as show:
            ended = trainer.run(show, stop)
    _last_words(trainer, ended, out)
    if not ended:
        raise typer.Exit(_STOPPED)


def _last_words(trainer: Trainer, ended: bool, out: Path) -> None:
    learner = trainer.learner
    if learner.skipped:
        common.console.print(f"{learner.skipped} of {learner.step} steps had no finite gradient and were skipped")
    if ended:
        common.console.print(f"written: {out / 'ntscc.safetensors'} and curve.png, after {learner.step} steps")
        common.console.print(
            f"use it: lgvsc-flow run VIDEO --weights {out / 'ntscc.safetensors'} --out FOLDER", soft_wrap=True
        )
    else:
        common.console.print(f"stopped and saved at step {learner.step}; --resume goes on", soft_wrap=True)


@app.command(epilog=PICTURES_EXAMPLES)
def pictures(
    sources: Annotated[list[Path], typer.Argument(help="folders or files to gather photographs and videos from")],
    out: Annotated[Path, typer.Option("--out", help="folder for the cache")],
    video_frames: Annotated[
        int, typer.Option("--video-frames", min=1, help="about how many frames to take of a video")
    ] = 120,
) -> None:
    """Gather photographs and video frames into a cache for training; its index lists every file by SHA-256."""
    import_extra("PIL", "preparing pictures", "video", "pillow")
    import_extra("av", "preparing pictures", "video", "av")
    from lgvsc_flow.blocks.ntscc.data import prepare

    with Console(stderr=True).status("looking") as status:
        index = prepare(sources, out, video_frames=video_frames, note=lambda name: status.update(Path(name).name))
    found = index["pictures"]
    size = (out / "pictures.npy").stat().st_size
    said = f"{len(found)} pictures, {size / 1e6:,.0f} MB; sources and SHA-256 in {out / 'pictures.json'}"
    common.console.print(said, soft_wrap=True)


@app.command(epilog=EXPORT_EXAMPLES)
def export(
    checkpoint: Annotated[Path, typer.Argument(help="checkpoint.pt of a training")],
    data: Annotated[
        Path, typer.Option("--data", help="the pictures it is trained on: typical rates are measured there")
    ],
    out: Annotated[Path, typer.Option("--out", help="the weights file to write, .safetensors")],
) -> None:
    """Write the averaged weights of a checkpoint as the file that the codec loads."""
    import_extra("torch", "training", "models", "torch")
    import_extra("PIL", "training", "video", "pillow")
    from lgvsc_flow.blocks.ntscc import export as exporting
    from lgvsc_flow.blocks.ntscc.checkpoint import read_checkpoint
    from lgvsc_flow.blocks.ntscc.folder import open_pictures
    from lgvsc_flow.blocks.ntscc.transform import BLOCK
    from lgvsc_flow.blocks.ntscc.weights_file import load_weights

    if out.suffix != ".safetensors":
        raise FlowError(f"--out {out}: a weights file ends in .safetensors")
    common.make_room(out, "--out")
    state = read_checkpoint(checkpoint)
    exporting.export(exporting.averaged(state), open_pictures(data, 2 * BLOCK), out)
    digest = load_weights(out).digest
    size = out.stat().st_size / 1e6
    said = f"written: {out}, {size:.1f} MB, of step {state['step']}, check value {digest[:16]}"
    common.console.print(said, soft_wrap=True)


app.command(epilog=cli_prefer.EXAMPLES)(cli_prefer.prefer)
app.command("world")(generator_train.main)


@contextmanager
def _writable(out: Path) -> Iterator[None]:
    """Say what is wrong with the folder of a run, or with the room there."""
    try:
        yield
    except OSError as error:
        raise FlowError(f"{error.filename or out}: {error.strerror or error}") from error


@contextmanager
def _stopping() -> Iterator[Callable[[], bool]]:
    """Whether to stop: the first Ctrl-C (or SIGTERM) is a wish, heard after the step; the second is at once."""
    heard: list[int] = []

    def hear(number: int, frame: Any) -> None:
        if heard:
            raise KeyboardInterrupt
        heard.append(number)
        Console(stderr=True).print("stops and saves after this step")

    old = {number: signal.signal(number, hear) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: bool(heard)
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)


@contextmanager
def _live(trainer: Trainer) -> Iterator[Callable[[Progress], None] | None]:
    """On a terminal one line that moves; elsewhere the lines of the log are printed as they are written."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.progress import BarColumn, Progress as Bar, TaskProgressColumn, TextColumn

    say, texts = trainer.note, TextColumn("{task.description}")
    with Bar(texts, BarColumn(bar_width=20), TaskProgressColumn(), console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("begins", total=1.0)

        def show(now: Progress) -> None:
            bar.update(task, completed=now.share, description=line(now))

        # What was watched is kept on the screen; the other lines of the log are what the live line shows.
        trainer.note = lambda text: say(text) if not text.startswith("{") or "valid_" in text else None
        try:
            yield show
        finally:
            trainer.note = say


def line(now: Progress) -> str:
    """The live line: step, loss, PSNR, steps per second, time left."""
    hours, rest = divmod(round(now.left_s), 3600)
    speed = (
        f"{now.steps_per_s:.2f} steps/s" if now.steps_per_s >= 0.5 else f"{1 / max(now.steps_per_s, 1e-9):.1f} s/step"
    )
    skipped = f" · {now.skipped} skipped" if now.skipped else ""
    left = f"{hours}:{rest // 60:02d}:{rest % 60:02d} left"
    return f"step {now.step} · {now.stage} · loss {now.loss:.3f} · {now.psnr_db:.2f} dB · {speed}{skipped} · {left}"
