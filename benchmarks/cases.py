"""The cases of `runtime.py` and `phy.py`: ours, its peers, and what is to be reached."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.util import find_spec

__all__ = ["HOSTS", "Case", "Job", "Recorded", "Target", "Values", "at_least", "at_most", "times"]

Values = Mapping[str, float]
# What a folder of scripts needs, the Pythons that may have it, and how to get it. -P: not what lies in this folder.
HOSTS = {
    "gnuradio": (
        ("-c", "from gnuradio import gr"),
        ("GNURADIO_PYTHON", "/usr/bin/python3", "python3"),
        "GNU Radio: apt-get install gnuradio, or name the Python that has it in GNURADIO_PYTHON",
    ),
    "sionna": (
        ("-P", "-c", "import importlib.util as u; assert u.find_spec('sionna.phy')"),
        ("SIONNA_PYTHON", sys.executable, "python3"),
        "Sionna: pip install sionna-no-rt into a virtual environment, and name its Python in SIONNA_PYTHON",
    ),
}


@dataclass(frozen=True)
class Target:
    """What a row is to reach. `holds` sees the medians of ours and of the peer, which is empty where there is none."""

    text: str
    holds: Callable[[Values, Values], bool]
    needs_peer: bool = False


def at_most(limit: float, unit: str, by: str = "cpu") -> Target:
    """So little or less."""
    return Target(f"<= {limit:g} {unit}", lambda ours, _: ours[by] <= limit)


def at_least(limit: float, unit: str, by: str = "cpu") -> Target:
    """So much or more."""
    return Target(f">= {limit:g} {unit}", lambda ours, _: ours[by] >= limit)


def times(factor: float, by: str = "cpu") -> Target:
    """So many times the peer's rate."""
    return Target(f">= {factor:g}x", lambda ours, peer: ours[by] >= factor * peer[by], needs_peer=True)


@dataclass(frozen=True)
class Job:
    """A child process that measures: `script` in benchmarks/, run by this Python, or by the one that its folder needs.

    `package` is a module of this Python without which the job is left out, `samples` the most that are taken.
    """

    label: str
    script: str
    arguments: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    cores: int = 1
    timed: bool = True  # takes --seconds
    target: Target | None = None  # what ours is to reach beside this peer
    package: str | None = None
    samples: int | None = None

    @property
    def host(self) -> str | None:
        folder = self.script.partition("/")[0]
        return folder if folder in HOSTS else None

    @property
    def python(self) -> str | None:
        """The Python that runs it; None: what it needs is not installed."""
        if self.host:
            return python_with(self.host)
        return sys.executable if self.package is None or find_spec(self.package) else None


@dataclass(frozen=True)
class Recorded:
    """A peer that no package brings: what it did on the machine `on`, in the unit of the row, from `low` to `high`."""

    label: str
    low: float
    high: float
    on: str
    target: Target | None = None

    @property
    def value(self) -> float:
        return (self.low + self.high) / 2


@dataclass(frozen=True)
class Case:
    """Ours and its peers. `kind` says what the numbers are made into, `by` which of them stands in the table.

    There is one row per peer, and one where there is none.
    """

    name: str
    what: str
    kind: str  # cost, rate, seconds, memory
    ours: Job
    peers: tuple[Job | Recorded, ...] = ()
    by: str = "cpu"
    of: str = "samples"
    target: Target | None = None  # in the row of the first peer

    @property
    def has_target(self) -> bool:
        return bool(self.target or any(p.target for p in self.peers))

    @property
    def unit(self) -> str:
        clock = "CPU " if self.by == "cpu" else ""
        units = {"cost": f"{clock}us/call", "rate": f"M {self.of}/{clock}s", "seconds": f"{clock}s", "memory": "MiB"}
        return units[self.kind]

    @property
    def lower_is_better(self) -> bool:
        return self.kind != "rate"


@cache
def python_with(host: str) -> str | None:
    """The first Python that has what the scripts of a folder need."""
    check, candidates, _ = HOSTS[host]
    for name in candidates:
        python = os.environ.get(name) if name.isupper() else name
        if python:
            try:
                done = subprocess.run([python, *check], capture_output=True, timeout=60)
            except (OSError, subprocess.TimeoutExpired):
                continue
            if done.returncode == 0:
                return python
    return None
