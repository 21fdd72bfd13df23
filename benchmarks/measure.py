"""How the benchmarks measure: pairs of rates, ours and a peer's, taken in the same run, ratio first."""

from __future__ import annotations

import json
import os
import platform
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table


@dataclass(frozen=True)
class Row:
    """A measurement: millions of `unit` per second of one core, ours and the peer's."""

    what: str
    unit: str
    ours: float
    peer: str
    theirs: float

    @property
    def ratio(self) -> float:
        return self.ours / self.theirs


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
        self.rows.append(Row(what, unit, left, peer, right))

    def bits(self, n: int) -> np.ndarray:
        return self.rng.integers(0, 2, n, dtype=np.uint8)

    def show(self, json_path: Path | None) -> None:
        """Print the table, and write the JSON where a path is given."""
        host = machine()
        table = Table(title=f"{host['cpu']}, load {host['load']:.2f}: millions per second of one core's CPU time")
        for heading in ("ratio", "what", "ours", "peer", "peer's", "of"):
            table.add_column(heading, justify="right" if heading in ("ratio", "ours", "peer's") else "left")
        for row in self.rows:
            table.add_row(f"{row.ratio:.3g}", row.what, f"{row.ours:.3g}", row.peer, f"{row.theirs:.3g}", row.unit)
        Console(width=120).print(table)
        if json_path:
            result = {"machine": host, "rows": [{"ratio": r.ratio, **asdict(r)} for r in self.rows]}
            json_path.write_text(json.dumps(result, indent=2) + "\n")


def machine() -> dict[str, object]:
    """CPU, load and versions."""
    cpu = platform.processor()
    info = Path("/proc/cpuinfo")
    if info.exists():
        models = [
            line.split(":", 1)[1].strip() for line in info.read_text().splitlines() if line.startswith("model name")
        ]
        cpu = models[0] if models else cpu
    versions: dict[str, object] = {"python": platform.python_version()}
    for package in ("numpy", "numba", "scikit-commpy"):
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            versions[package] = None
    return {"cpu": cpu, "cores": os.cpu_count(), "load": os.getloadavg()[0], **versions}
