"""The live table of a run on the terminal, and beneath it what is being compiled."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress import Progress

from lgvsc_flow.compiling import Compiling, compiling, line
from lgvsc_flow.run import Run

__all__ = ["Bars", "live"]


@contextmanager
def live() -> Iterator[Callable[[Run], None]]:
    """Show a table that is gone at the end; gives the function that draws it anew.

    It is also drawn by a thread of its own, since nobody else draws while a block starts, or works under `inline`.
    """
    latest: list[Run] = []
    since = compiling()

    def picture() -> RenderableType:
        compiled = line(since)
        return Group(*(run.rich_table() for run in latest[-1:]), *([compiled] if compiled else []))

    with Live(get_renderable=picture, console=Console(stderr=True), refresh_per_second=5, transient=True):

        def show(run: Run) -> None:
            latest[:] = [run]

        yield show


class Bars(Progress):
    """Progress bars, and beneath them what is being compiled."""

    since: Compiling | None = None

    def get_renderables(self) -> Iterator[RenderableType]:
        """The bars, and the line while there is something to tell."""
        yield from super().get_renderables()
        self.since = self.since or compiling()
        compiled = line(self.since)
        if compiled:
            yield compiled
