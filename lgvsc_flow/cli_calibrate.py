"""The command `lgvsc-flow calibrate`: the threshold of SKEM that meets a budget."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from lgvsc_flow import cli_common as common
from lgvsc_flow.cli_common import ChannelName, SearchName, SideName
from lgvsc_flow.errors import FlowError

if TYPE_CHECKING:
    from lgvsc_flow.graphs.calibration import Calibration

__all__ = ["EXAMPLES", "calibrate"]

EXAMPLES = (
    "Examples: `lgvsc-flow calibrate --target-cbr 6e-4 a.mp4 b.mp4 --out budget.json`, then "
    "`lgvsc-flow run c.mp4 --threshold budget.json --out out/c`; "
    "`lgvsc-flow calibrate --target-cbr 1e-3 clips/*.mp4 --profile minilm --sample-fps 4.6 --out budget.yaml`"
)
_ENDINGS = (".json", ".yaml", ".yml")


def calibrate(
    clips: Annotated[list[Path], typer.Argument(help="the clips to calibrate on; not those to be judged by")],
    target_cbr: Annotated[
        float, typer.Option("--target-cbr", help="channel symbols per colour sample of the source, all counted")
    ],
    out: Annotated[Path, typer.Option("--out", help="the file to write, .json or .yaml; a .png goes beside it")],
    channel: common.ChannelOption = ChannelName.AWGN,
    snr_db: common.SnrOption = 10.0,
    quality: common.QualityOption = 1.5,
    weights: common.WeightsOption = "embedded",
    captions: common.CaptionsOption = "letters",
    side: common.SideOption = SideName.SCORE,
    profile: common.ProfileOption = "embedded",
    describer: common.DescriberOption = None,
    judge: common.JudgeOption = None,
    focus: common.FocusOption = "general",
    sample_fps: common.SampleOption = None,
    strategy: common.StrategyOption = None,
    search: common.SearchOption = SearchName.EXACT,
    device: common.DeviceOption = "auto",
    dtype: common.DtypeOption = "auto",
    floor: common.FloorOption = None,
    quantisation: common.QuantisationOption = None,
    batch_size: common.BatchOption = 1,
) -> None:
    """Find the threshold of SKEM that meets a channel bandwidth ratio; write it with its evidence.

    Everything is counted as a real run counts it. Each clip is decoded and described once; another threshold costs
    only the pairs of frames that were never judged. `lgvsc-flow run --threshold FILE` takes the file.
    """
    settings: dict[str, Any] = {k: v.value if isinstance(v, StrEnum) else v for k, v in locals().items()}
    for name in ("clips", "target_cbr", "out", "snr_db"):
        del settings[name]
    if out.suffix not in _ENDINGS:
        raise FlowError(f"--out {out}: a calibration ends in {', '.join(_ENDINGS)}")
    common.make_room(out, "--out")
    common.make_room(out.with_suffix(".png"), "--out")
    from lgvsc_flow.graphs.calibrate import calibrate as search_threshold
    from lgvsc_flow.graphs.calibration_plot import plot_calibration
    from lgvsc_flow.graphs.lgvsc import Scheme

    scheme = Scheme(esn0_db=snr_db, **settings)
    with _progress() as (show, notice):
        found = search_threshold(scheme, clips, target_cbr, show=show, notice=notice)
    plot_calibration(found, out.with_suffix(".png"))
    _print(found.save(out), out)


def _print(found: Calibration, out: Path) -> None:
    from rich.table import Table

    data = found.data
    table = Table(title=f"eta_th = {data['threshold']:g} for a CBR of at most {data['target_cbr']:.4g}")
    for column in ("clip", "frames", "keyframes", "channel symbols", "CBR"):
        table.add_column(column, justify="left" if column == "clip" else "right")
    for clip in data["clips"]:
        row = [f"{clip['frames']:,}", str(len(clip["keyframes"])), f"{clip['symbols']:,}", f"{clip['cbr']:.4g}"]
        table.add_row(clip["name"], *row)
    frames, keyframes = (
        sum(clip["frames"] for clip in data["clips"]),
        sum(len(c["keyframes"]) for c in data["clips"]),
    )
    table.add_row("all", f"{frames:,}", str(keyframes), f"{data['symbols']:,}", f"{data['cbr']:.4g}", style="bold")
    console = common.console
    console.print(table)
    console.print(f"the same keyframes from eta_th = {data['holds_from']:.4f} to {data['holds_below']:.4f}")
    for name, step in data["neighbours"].items():
        if step is not None:
            at = f"{step['holds_from']:.4f} to {step['holds_below']:.4f}"
            words = name.replace("_", " ")
            console.print(f"next at a {words}, {at}: {step['keyframes']} keyframes, CBR {step['cbr']:.4g}")
    console.print(f"written: {out} and {out.with_suffix('.png').name}")
    console.print(f"use it: lgvsc-flow run VIDEO --threshold {out} --out FOLDER")


@contextmanager
def _progress() -> Iterator[tuple[Callable[[str], None] | None, Callable[[str], None] | None]]:
    """On a terminal's standard error: the last step, and beneath it what the models have done."""
    if not sys.stderr.isatty():
        yield None, None
        return
    from rich.progress import SpinnerColumn, TextColumn, TimeElapsedColumn

    from lgvsc_flow.live import Bars

    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Bars(*columns, console=Console(stderr=True), transient=True) as bars:
        step, models = bars.add_task("begins", total=None), bars.add_task("models", total=None)
        yield (
            lambda line: bars.update(step, description=line),
            lambda line: bars.update(models, description=line),
        )
