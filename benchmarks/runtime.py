"""The runtime's speed and memory beside GNU Radio's: ours and the peer's in turn, pinned, medians, ratio first.

    python benchmarks/runtime.py [--only NAME] [--json out.jsonl] [--markdown table.md] [--repeats N]

docs/benchmarks.md says what each row means, and how a run goes wrong.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from measure import Row, machine, markdown, show, write_lines
from rich.console import Console
from runtime_rows import CASES, ESN0_DB, Case, Job, figures, theory_ber

HERE = Path(__file__).parent
INSTALL = "GNU Radio was not found, so the peer's columns are empty. Install it (Debian: apt-get install gnuradio), "
INSTALL += "or name the Python that has it in GNURADIO_PYTHON."


@cache
def gnuradio_python() -> str | None:
    """The first Python that has GNU Radio: $GNURADIO_PYTHON, /usr/bin/python3, python3."""
    for python in (os.environ.get("GNURADIO_PYTHON"), "/usr/bin/python3", "python3"):
        if python:
            try:
                done = subprocess.run([python, "-c", "from gnuradio import gr"], capture_output=True, timeout=60)
            except (OSError, subprocess.TimeoutExpired):
                continue
            if done.returncode == 0:
                return python
    return None


@contextmanager
def pinned(cores: int) -> Iterator[None]:
    """Children that are started here run on so many cores, the last of those that this process may use.

    Raises:
        SystemExit: there are fewer.
    """
    if not hasattr(os, "sched_setaffinity"):
        raise SystemExit("Pinning to cores needs Linux; without it a row of one core would not be one.")
    allowed = os.sched_getaffinity(0)
    if len(allowed) < cores:
        raise SystemExit(f"A row of {cores} cores cannot be measured on {len(allowed)}; choose others with --only.")
    os.sched_setaffinity(0, sorted(allowed)[-cores:])
    try:
        yield
    finally:
        os.sched_setaffinity(0, allowed)


def sample(job: Job, kind: str, seconds: float) -> dict[str, Any] | None:
    """Run one child and read what it measured; None where its Python is missing.

    Raises:
        RuntimeError: the child failed; its error output is in the message.
    """
    python = gnuradio_python() if job.of_gnuradio else sys.executable
    if python is None:
        return None
    # One thread per library: what is measured are the graph's own threads.
    env = {**os.environ, "OMP_NUM_THREADS": "1", **job.env}
    command = [python, str(HERE / job.script), *job.arguments, *(["--seconds", str(seconds)] if job.timed else [])]
    with pinned(job.cores):
        before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.time()
        done = subprocess.run(command, capture_output=True, text=True, env=env, timeout=600)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode != 0 or not done.stdout.strip():
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stderr[-2000:]}")
    raw = json.loads(done.stdout.splitlines()[-1])
    if "finished_at" in raw:
        raw["wall_s"] = raw["finished_at"] - began
        raw["cpu_s"] = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {**figures(kind, raw), "version": raw.get("version")}


def measure(case: Case, repeats: int, seconds: float) -> list[Row]:
    """One row per peer: ours and all peers in turn, so often."""
    jobs = (case.ours, *case.peers)
    taken: list[list[dict[str, Any]]] = [[] for _ in jobs]
    load = os.getloadavg()[0]
    for _ in range(repeats):
        for job, samples in zip(jobs, taken, strict=True):
            found = sample(job, case.kind, seconds)
            if found is not None:
                samples.append(found)
    ours, *theirs = taken
    return [row(case, peer, ours, samples, load) for peer, samples in zip(case.peers, theirs, strict=True)]


def row(case: Case, peer: Job, ours: Sequence[dict], theirs: Sequence[dict], load: float) -> Row:
    """Medians of ours and of one peer's, held against the target."""
    left, right = medians(ours), medians(theirs)
    target = peer.target or (case.target if peer is case.peers[0] else None)
    judged = target is not None and (bool(right) or not target.needs_peer)
    details: dict[str, Any] = {"by": case.by, "cores_used": case.ours.cores, "peer_cores_used": peer.cores}
    for side, values, samples in (("ours", left, ours), ("peer", right, theirs)):
        details |= {f"{side}_{key}": values[key] for key in ("cpu", "wall", "peak", "end", "ber") if key in values}
        details[f"{side}_samples"] = [s[case.by] for s in samples]
    if "ber" in left:
        details["theory_ber"] = theory_ber(ESN0_DB)
    versions = {**machine()["versions"], "gnuradio": theirs[0]["version"] if theirs and peer.of_gnuradio else None}
    return Row(
        what=case.what,
        unit=case.unit,
        ours=left[case.by],
        peer=peer.label,
        theirs=right.get(case.by),
        name=case.name,
        lower_is_better=case.lower_is_better,
        target=target.text if target else "",
        met=target.holds(left, right) if target and judged else None,
        details={**details, "load": load, "versions": versions},
    )


def medians(samples: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """The median of every number."""
    keys = [k for k, v in samples[0].items() if isinstance(v, float)] if samples else []
    return {key: statistics.median(s[key] for s in samples) for key in keys}


def document(rows: Sequence[Row]) -> str:
    """A markdown page: when and where it was measured, and the table."""
    host = machine()
    loads = [r.details["load"] for r in rows]
    versions = {**host["versions"], **{k: v for r in rows for k, v in r.details["versions"].items() if v}}
    named = ", ".join(f"{name} {number}" for name, number in versions.items() if number)
    counts = {len(r.details["ours_samples"]) for r in rows}
    return (
        f"Written by `benchmarks/runtime.py` on {datetime.now(UTC):%Y-%m-%d}: {host['cpu']}, {host['cores']} cores, "
        f"load before the rows {min(loads):.2f} to {max(loads):.2f}, medians of {min(counts)} "
        f"samples. {named}.\n\n{markdown(rows)}"
    )


def main(given: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--only", default="", help="cases whose name contains this: " + ", ".join(c.name for c in CASES)
    )
    parser.add_argument("--json", type=Path, help="write the rows here, one JSON object per line")
    parser.add_argument("--markdown", type=Path, help="write the table here")
    parser.add_argument("--repeats", type=int, default=5, help="samples of each side, 5 or more for figures that count")
    parser.add_argument("--seconds", type=float, default=1.0, help="length of one sample")
    options = parser.parse_args(given)
    cases = [c for c in CASES if options.only in c.name]
    if not cases:
        parser.error(f"no case is called {options.only!r}; there are {', '.join(c.name for c in CASES)}")
    console, rows = Console(stderr=True), []
    for case in cases:
        console.print(f"{case.name}: {case.what}", highlight=False)
        rows += measure(case, options.repeats, options.seconds)
        if options.json:
            write_lines(rows, options.json)  # after each case: what was measured survives an interruption
    host = machine()
    show(rows, f"{host['cpu']}, {host['cores']} cores, load {host['load']:.2f}")
    if gnuradio_python() is None:
        console.print(INSTALL)
    if options.markdown:
        options.markdown.write_text(document(rows))


if __name__ == "__main__":
    main()
