"""The command line. Every command lives in a file of its own; blocks and graphs are imported when one is called."""

from __future__ import annotations

import typer
from rich.console import Console

from lgvsc_flow import cli_ber, cli_blocks, cli_calibrate, cli_compile, cli_graph, cli_models, cli_run, cli_train
from lgvsc_flow.errors import FlowError

__all__ = ["app", "main"]

app = typer.Typer(
    help="Semantic video links as block graphs.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
)
_SEND, _GRAPHS, _SETUP = "Send video", "Build and measure graphs", "What is here"


@app.callback(
    epilog="Begin with `lgvsc-flow demo`. Examples: `lgvsc-flow run clip.mp4 --out out/clip`, "
    "`lgvsc-flow calibrate --target-cbr 6e-4 clip.mp4 --out budget.json`, `lgvsc-flow run-graph link.yaml`, "
    "`lgvsc-flow blocks QamModulator`"
)
def _root() -> None:
    """Semantic video links as block graphs."""


app.command(epilog=cli_run.DEMO_EXAMPLES, rich_help_panel=_SEND)(cli_run.demo)
app.command(epilog=cli_run.EXAMPLES, rich_help_panel=_SEND)(cli_run.run)
app.command(epilog=cli_calibrate.EXAMPLES, rich_help_panel=_SEND)(cli_calibrate.calibrate)
app.command(epilog=cli_graph.EXAMPLES, rich_help_panel=_GRAPHS)(cli_graph.run_graph)
app.command(epilog=cli_graph.CHECK_EXAMPLES, rich_help_panel=_GRAPHS)(cli_graph.check)
app.command(epilog=cli_ber.EXAMPLES, rich_help_panel=_GRAPHS)(cli_ber.ber)
app.command(epilog=cli_models.EXAMPLES, rich_help_panel=_SETUP)(cli_models.models)
app.command(epilog=cli_blocks.EXAMPLES, rich_help_panel=_SETUP)(cli_blocks.blocks)
app.command("compile", epilog=cli_compile.EXAMPLES, rich_help_panel=_SETUP)(cli_compile.compile_kernels)
app.add_typer(cli_train.app, name="train", rich_help_panel=_SETUP)


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
