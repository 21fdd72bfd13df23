"""The live table of a run on the terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.live import Live

from lgvsc_flow.run import Run

__all__ = ["live"]


@contextmanager
def live() -> Iterator[Callable[[Run], None]]:
    """Show a table that is gone at the end; gives the function that draws it anew."""
    with Live(console=Console(stderr=True), auto_refresh=False, transient=True) as display:
        yield lambda run: display.update(run.rich_table(), refresh=True)
