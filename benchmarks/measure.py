"""How the benchmarks measure: pairs of figures, ours and a peer's, taken in the same run, ratio first.

A figure alone says more about the machine than about the code; the ratio of two that were taken side by side holds on
others too. Every benchmark gives `Row`s; they are shown as a table and written as JSON, one line per row.
"""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

COLUMNS = ("ratio", "what", "ours", "peer", "peer's", "of", "target", "met")


@dataclass(frozen=True)
class Row:
    """A figure of ours and a peer's, in `unit`; `theirs` is None where the peer could not be measured.

    `met` is None where there is no target, or nothing to hold against it. `details` go into the JSON as they are.
    """

    what: str
    unit: str
    ours: float
    peer: str
    theirs: float | None
    name: str = ""
    lower_is_better: bool = False
    target: str = ""
    met: bool | None = None
    details: dict[str, Any] = field(default_factory=dict)

    @property
    def ratio(self) -> float | None:
        """How many times better ours is."""
        if self.theirs is None:
            return None
        high, low = (self.theirs, self.ours) if self.lower_is_better else (self.ours, self.theirs)
        return high / low if low else None

    def record(self) -> dict[str, Any]:
        """The row as one JSON object; what `details` name wins over what the machine says now."""
        return {
            "name": self.name or self.what,
            "what": self.what,
            "ratio": self.ratio,
            "ours": self.ours,
            "peer": self.theirs,
            "peer_name": self.peer or None,
            "unit": self.unit,
            "lower_is_better": self.lower_is_better,
            "target": self.target or None,
            "met": self.met,
            **machine(),
            **self.details,
        }

    def cells(self) -> tuple[str, ...]:
        """The row as text, in the order of `COLUMNS`."""
        met = {True: "yes", False: "no", None: ""}[self.met]
        ours, theirs, ratio = (figure(value) for value in (self.ours, self.theirs, self.ratio))
        return ratio, self.what, ours, self.peer, theirs, self.unit, self.target, met


def figure(value: float | None) -> str:
    """Three digits, empty for None."""
    if value is None:
        return ""
    return f"{value:.0f}" if value >= 1000 else f"{value:.3g}"


def write_lines(rows: Iterable[Row], path: Path) -> None:
    """The rows as JSON, one line each."""
    path.write_text("".join(json.dumps(row.record()) + "\n" for row in rows))


def show(rows: Iterable[Row], title: str) -> None:
    """Print the rows as a table."""
    rows = list(rows)
    used = [i for i, name in enumerate(COLUMNS) if name in COLUMNS[:6] or any(row.cells()[i] for row in rows)]
    table = Table(title=title)
    for i in used:
        table.add_column(COLUMNS[i], justify="right" if COLUMNS[i] in ("ratio", "ours", "peer's") else "left")
    for row in rows:
        table.add_row(*(escape(row.cells()[i]) for i in used))
    Console(width=150).print(table)


def markdown(rows: Iterable[Row]) -> str:
    """The rows as a markdown table."""
    lines = ["| " + " | ".join(COLUMNS) + " |", "|" + "---|" * len(COLUMNS)]
    lines += ["| " + " | ".join(row.cells()) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def machine() -> dict[str, Any]:
    """CPU and its widest vectors, cores, load and versions."""
    cpu, simd, versions = _host()
    load = os.getloadavg()[0]
    return {"cpu": cpu, "simd": simd, "cores": os.cpu_count(), "load": load, "versions": dict(versions)}


@cache
def _host() -> tuple[str, str, dict[str, str | None]]:
    """The CPU's name, its vector instructions, and the versions of what counts."""
    cpu, info, flags = platform.processor(), Path("/proc/cpuinfo"), set()
    if info.exists():
        lines = [line.partition(":") for line in info.read_text().splitlines()]
        cpu = next((value.strip() for key, _, value in lines if key.strip() == "model name"), cpu)
        flags = {f for key, _, value in lines if key.strip() in ("flags", "Features") for f in value.split()}
    simd = next((name for name in ("avx512bw", "avx2", "asimd") if name in flags), platform.machine())
    versions: dict[str, str | None] = {"python": platform.python_version()}
    for package in ("lgvsc-flow", "numpy", "numba", "scikit-commpy", "scikit-dsp-comm"):
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            versions[package] = None
    return cpu, simd, versions
