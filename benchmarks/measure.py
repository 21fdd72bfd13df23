"""How the benchmarks measure: pairs of figures, ours and a peer's, taken in the same run, ratio first.

A figure alone says more about the machine than about the code; the ratio of two that were taken side by side holds on
others too. Every benchmark gives `Row`s; they are shown as a table and written as JSON, one line per row.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
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
            "peer_name": self.peer,
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


def rate(call: Callable[[], object], elements: int, repeats: int, clock: Callable[[], float]) -> float:
    """Elements per microsecond of CPU: calls are grouped so that one repeat takes at least 50 ms."""
    call()
    calls, spent = 1, 0.0
    while True:
        start = clock()
        for _ in range(calls):
            call()
        spent = clock() - start
        if spent >= 0.05:
            break
        calls *= 4
    times = [spent]
    for _ in range(repeats - 1):
        start = clock()
        for _ in range(calls):
            call()
        times.append(clock() - start)
    return calls * elements / statistics.median(times) / 1e6


class Bench:
    """The rows, and what they share."""

    def __init__(self, repeats: int, only: str) -> None:
        self.repeats, self.only = repeats, only.lower()
        self.rows: list[Row] = []
        self.rng = np.random.default_rng(0)

    def row(
        self,
        what: str,
        unit: str,
        ours: Callable[[], object],
        count: int,
        peer: str,
        theirs: Callable[[], object],
        peer_count: int,
        *,
        threads: bool = False,
    ) -> None:
        """Measure one pair; `count` and `peer_count` are the elements that one call handles."""
        if self.only not in what.lower():
            return
        clock = time.process_time if threads else time.thread_time
        left = rate(ours, count, self.repeats, clock)
        right = rate(theirs, peer_count, min(self.repeats, 3), time.process_time)
        self.rows.append(Row(what, f"M {unit}/s", left, peer, right))

    def bits(self, n: int) -> np.ndarray:
        return self.rng.integers(0, 2, n, dtype=np.uint8)

    def show(self, json_path: Path | None) -> None:
        """Print the table, and write the JSON lines where a path is given."""
        host = machine()
        show(self.rows, f"{host['cpu']}, load {host['load']:.2f}: millions per second of one core's CPU time")
        if json_path:
            write_lines(self.rows, json_path)


def machine() -> dict[str, Any]:
    """CPU, cores, load and versions."""
    cpu, versions = _host()
    return {"cpu": cpu, "cores": os.cpu_count(), "load": os.getloadavg()[0], "versions": dict(versions)}


@cache
def _host() -> tuple[str, dict[str, str | None]]:
    """The CPU's name, and the versions of what counts."""
    cpu = platform.processor()
    info = Path("/proc/cpuinfo")
    if info.exists():
        models = [
            line.split(":", 1)[1].strip() for line in info.read_text().splitlines() if line.startswith("model name")
        ]
        cpu = models[0] if models else cpu
    versions: dict[str, str | None] = {"python": platform.python_version()}
    for package in ("lgvsc-flow", "numpy", "numba", "scikit-commpy"):
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            versions[package] = None
    return cpu, versions
