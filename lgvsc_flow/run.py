"""What a run leaves behind: per block items, elements and seconds, per wire its fill; as a table and as JSON."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from io import StringIO
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["BlockStats", "Change", "Run", "WireStats"]


@dataclass(frozen=True)
class BlockStats:
    """Counters of one block.

    `items` are calls of `work` that are done (of a source: items sent), `elements` what `items.size` counts in what
    it sent (of a sink: in what it took). `busy_s` is the time inside the block, including the wait for Python's lock.
    """

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
class WireStats:
    """A wire: items on it when this was taken, their mean over the run (looked at ten times a second), its capacity."""

    name: str
    items: int
    mean_items: float
    capacity: int


@dataclass(frozen=True)
class Change:
    """Settings that changed while the graph ran, from the block's item number `item` on."""

    block: str
    item: int
    settings: dict[str, Any]


@dataclass(frozen=True)
class Run:
    """The measurements of a run."""

    graph: str
    seed: int
    engine: str
    elapsed_s: float
    blocks: list[BlockStats]
    wires: list[WireStats] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)

    def __getitem__(self, name: str) -> BlockStats:
        for block in self.blocks:
            if block.name == name:
                return block
        raise KeyError(f"the run has no block '{name}'; it has {', '.join(b.name for b in self.blocks)}")

    @property
    def bottleneck(self) -> str | None:
        """The block that worked longest; None where no time was measured.

        Where cores are free and the blocks release Python's lock, only a faster bottleneck makes the run faster.
        """
        block = max(self.blocks, key=lambda b: b.busy_s, default=None)
        return block.name if block is not None and block.busy_s else None

    def table(self) -> str:
        """The counters as text, the bottleneck marked."""
        from rich.console import Console

        text = StringIO()
        Console(width=120, file=text).print(self.rich_table())
        return text.getvalue() + "".join(f"{note}\n" for note in self.notes)

    def rich_table(self) -> Table:
        """The counters as a rich table.

        Percentages are shares of the run's time; `on its wires` are items waiting at the block's inputs, now or in
        the mean, of how many they can hold.
        """
        from rich.table import Table
        from rich.text import Text

        table = Table(title=Text(f"{self.graph}: {self.elapsed_s:.1f} s, {self.engine}"))
        table.add_column("block", overflow="fold")
        for column in ("items", "items/s", "elements/s", "working", "waits in", "waits out", "on its wires"):
            table.add_column(column, justify="right")
        elapsed_s = self.elapsed_s or 1.0
        for b in self.blocks:
            table.add_row(
                Text(f"{b.name} <- bottleneck" if b.name == self.bottleneck else b.name),
                f"{b.items:,}",
                f"{b.items / elapsed_s:.3g}",
                f"{b.elements / elapsed_s:.3g}",
                *(f"{s / elapsed_s:.0%}" for s in (b.busy_s, b.wait_in_s, b.wait_out_s)),
                ", ".join(_fill(w) for w in self.wires if _reader(w) == b.name),
            )
        return table

    def to_json(self) -> str:
        """All of it as JSON; infinities, which JSON has no number for, are texts."""
        text = json.dumps({**asdict(self), "bottleneck": self.bottleneck}, default=str)
        return json.dumps(json.loads(text, parse_constant=str), indent=2)


def _reader(wire: WireStats) -> str:
    return wire.name.partition(" -> ")[2].rpartition(".")[0]


def _fill(wire: WireStats) -> str:
    return f"{max(wire.items, wire.mean_items):.3g}/{wire.capacity}"
