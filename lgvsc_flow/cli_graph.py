"""The commands `lgvsc-flow run-graph` and `lgvsc-flow check`: graphs from files."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lgvsc_flow import cli_common as common
from lgvsc_flow.cli_common import EngineName, EngineOption, make_room, write_json
from lgvsc_flow.errors import FlowError

if TYPE_CHECKING:
    from lgvsc_flow.graph import Graph

__all__ = ["CHECK_EXAMPLES", "EXAMPLES", "check", "run_graph"]

EXAMPLES = (
    "Examples: `lgvsc-flow run-graph link.yaml --set AwgnChannel.esn0_db=6 --seed 3`, "
    "`lgvsc-flow run-graph link.yaml --json out/link.json --draw out/link.svg`"
)
CHECK_EXAMPLES = "Examples: `lgvsc-flow check link.yaml --set QamModulator.order=64`, `--draw link.svg`"

FileArgument = Annotated[Path, typer.Argument(help="a graph in YAML")]
SetOption = Annotated[list[str], typer.Option("--set", help="Block.setting=value; may be given often")]
DrawOption = Annotated[
    Path | None, typer.Option("--draw", help="draw the graph here: svg, png or pdf; also a wrong one", dir_okay=False)
]


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
        make_room(json_path, "--json")
    _draw(graph, drawing)
    result = graph.run(engine=engine.value, progress=sys.stderr.isatty())
    results = graph.results()
    common.console.print(result.table())
    for name, values in results.items():
        for key, value in values.items():
            common.console.print(f"{name}.{key} = {value if isinstance(value, int) else f'{value:.6g}'}")
    if json_path is not None:
        write_json(json_path, {**json.loads(result.to_json()), "results": results})


def check(file: FileArgument, change: SetOption = [], drawing: DrawOption = None) -> None:  # noqa: B006
    """Check a graph file and its wiring; nothing is run. The drawing shows what is wrong in red."""
    graph = _load(file, change)
    _draw(graph, drawing)
    graph.check()
    common.console.print(
        f"graph '{graph.name}' is wired rightly: {len(graph.blocks)} blocks, {len(graph.wires())} wires"
    )


def _load(file: Path, changes: Sequence[str]) -> Graph:
    from lgvsc_flow.graph import Graph

    return Graph.load(file, dict(map(_change, changes)))


def _draw(graph: Graph, path: Path | None) -> None:
    if path is not None:
        make_room(path, "--draw")
        graph.draw(path)


def _change(text: str) -> tuple[str, Any]:
    key, equals, value = text.partition("=")
    if not equals or "." not in key:
        raise FlowError(f"--set takes Block.setting=value, got {text!r}")
    from lgvsc_flow.plain import plain_yaml

    return key, plain_yaml(value, f"--set {text}")
