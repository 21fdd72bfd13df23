"""What a run leaves behind: per block items, elements and seconds; as a table, as JSON, and live while running."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from io import StringIO
from time import perf_counter
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.table import Table

__all__ = ["BlockStats", "Change", "Run", "live"]


@dataclass(frozen=True)
class BlockStats:
    """Counters of one block. Items are calls of `work` (of a source: items sent); elements as `items.size` counts."""

    name: str
    items: int
    elements: int
    busy_s: float
    wait_in_s: float
    wait_out_s: float

    @property
    def wait_s(self) -> float:
        return self.wait_in_s + self.wait_out_s

    @property
    def elements_per_s(self) -> float:
        """Elements per second of working time."""
        return self.elements / self.busy_s if self.busy_s else 0.0


@dataclass(frozen=True)
class Change:
    """Settings that changed while the graph ran, from the block's item number `item` on."""

    block: str
    item: int
    settings: dict[str, Any]


@dataclass(frozen=True)
class Run:
    """The measurements of a finished run."""

    graph: str
    seed: int
    engine: str
    elapsed_s: float
    blocks: list[BlockStats]
    notes: list[str] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)

    def __getitem__(self, name: str) -> BlockStats:
        return next(b for b in self.blocks if b.name == name)

    def table(self) -> str:
        """The counters as text, the busiest block marked."""
        text = StringIO()
        Console(width=110, file=text).print(_table(self.graph, self.blocks, self.elapsed_s))
        return text.getvalue() + "".join(f"{note}\n" for note in self.notes)

    def to_json(self) -> str:
        """All of it as JSON."""
        return json.dumps(asdict(self), indent=2, default=str)


def _table(title: str, blocks: list[BlockStats], elapsed_s: float) -> Table:
    table = Table(title=f"{title}: {elapsed_s:.1f} s")
    table.add_column("block")
    for column in ("items", "elements", "working s", "waiting in s", "waiting out s", "elements/s"):
        table.add_column(column, justify="right")
    busiest = max(blocks, key=lambda b: b.busy_s, default=None)
    for b in blocks:
        table.add_row(
            f"{b.name} <- busiest" if b is busiest and b.busy_s else b.name,
            f"{b.items:,}",
            f"{b.elements:,}",
            f"{b.busy_s:.2f}",
            f"{b.wait_in_s:.2f}",
            f"{b.wait_out_s:.2f}",
            f"{b.elements_per_s:.3g}",
        )
    return table


@contextmanager
def live(name: str, stats: Callable[[], list[BlockStats]]) -> Iterator[Callable[[], None]]:
    """Show a live table; gives the function to call now and then, which redraws at most 4 times a second."""
    began = perf_counter()
    shown = 0.0
    with Live(console=Console(stderr=True), auto_refresh=False, transient=True) as display:

        def tick() -> None:
            nonlocal shown
            now = perf_counter()
            if now - shown >= 0.25:
                shown = now
                display.update(_table(name, stats(), now - began), refresh=True)

        yield tick
