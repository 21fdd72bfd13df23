"""Ours and the peers as child processes that take turns, pinned; medians, ratio first.

`runtime.py` and `phy.py` give the cases: `command` is their command line. A child prints one line of JSON: how much was
done (`count`), the wall time and the CPU time of all its threads, and whatever else belongs into the row.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cases import HOSTS, Case, Job, Recorded
from measure import Row, machine, markdown, show, write_lines
from rich.console import Console

__all__ = ["command", "document", "figures", "measure", "row", "sample"]

HERE = Path(__file__).parent


def figures(kind: str, raw: Mapping[str, Any]) -> dict[str, float]:
    """What a child measured, in the units of its row; bit error rates and the like go along."""
    found = {k: float(v) for k, v in raw.items() if isinstance(v, (int, float))}
    if kind in ("cost", "rate"):
        for name in ("cpu", "wall"):
            spent = found[f"{name}_s"]
            found[name] = 1e6 * spent / found["count"] if kind == "cost" else found["count"] / spent / 1e6
    elif kind == "seconds":
        found["cpu"], found["wall"] = found["cpu_s"], found["wall_s"]
    return found


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
    python = job.python
    if python is None:
        return None
    # One thread per library: what is measured are the graph's own threads.
    env = {**os.environ, "OMP_NUM_THREADS": "1", **job.env}
    child = [python, str(HERE / job.script), *job.arguments, *(["--seconds", str(seconds)] if job.timed else [])]
    with pinned(job.cores):
        before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.time()
        done = subprocess.run(child, capture_output=True, text=True, env=env, timeout=600)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode != 0 or not done.stdout.strip():
        raise RuntimeError(f"{' '.join(child)} failed:\n{done.stderr[-2000:]}")
    raw = json.loads(done.stdout.splitlines()[-1])
    if "finished_at" in raw:
        raw["wall_s"] = raw["finished_at"] - began
        raw["cpu_s"] = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {**figures(kind, raw), "versions": raw.get("versions", {})}


def measure(case: Case, repeats: int, seconds: float) -> list[Row]:
    """One row per peer: ours and all peers in turn, so often."""
    jobs = (case.ours, *(p for p in case.peers if isinstance(p, Job)))
    taken: list[list[dict[str, Any]]] = [[] for _ in jobs]
    load = os.getloadavg()[0]
    for turn in range(repeats):
        for job, samples in zip(jobs, taken, strict=True):
            if job.samples is None or turn < job.samples:
                found = sample(job, case.kind, seconds)
                if found is not None:
                    samples.append(found)
    ours, *theirs = taken
    live = iter(theirs)
    return [row(case, peer, ours, next(live) if isinstance(peer, Job) else [], load) for peer in case.peers or (None,)]


def row(case: Case, peer: Job | Recorded | None, ours: Sequence[dict], theirs: Sequence[dict], load: float) -> Row:
    """Medians of ours and of one peer's, held against the target."""
    left = medians(ours)
    right = {case.by: peer.value} if isinstance(peer, Recorded) else medians(theirs)
    target = (peer.target if peer else None) or (case.target if peer in (*case.peers[:1], None) else None)
    judged = target is not None and (bool(right) or not target.needs_peer)
    details: dict[str, Any] = {"by": case.by, "cores_used": case.ours.cores}
    if isinstance(peer, Job):
        details["peer_cores_used"] = peer.cores
    if isinstance(peer, Recorded):
        details |= {"peer_recorded_on": peer.on, "peer_range": [peer.low, peer.high]}
    for side, values, samples in (("ours", left, ours), ("peer", right, theirs)):
        details |= {f"{side}_{key}": values[key] for key in ("cpu", "wall", "peak", "end", "ber") if key in values}
        details[f"{side}_samples"] = [s[case.by] for s in samples]
    if "theory_ber" in left:
        details["theory_ber"] = left["theory_ber"]
    versions = {**machine()["versions"], **{k: v for s in theirs[:1] for k, v in s["versions"].items()}}
    return Row(
        what=case.what,
        unit=case.unit,
        ours=left[case.by],
        peer=peer.label if peer else "",
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


def document(rows: Sequence[Row], script: str) -> str:
    """A markdown page: when and where it was measured, and the table."""
    host = machine()
    loads = [r.details["load"] for r in rows]
    versions = {**host["versions"], **{k: v for r in rows for k, v in r.details["versions"].items() if v}}
    named = ", ".join(f"{name} {number}" for name, number in versions.items() if number)
    counts = max(len(r.details["ours_samples"]) for r in rows)
    recorded = sorted({r.details["peer_recorded_on"] for r in rows if "peer_recorded_on" in r.details})
    elsewhere = "".join(f" Recorded: taken earlier on {on}." for on in recorded)
    return (
        f"Written by `benchmarks/{script}` on {datetime.now(UTC):%Y-%m-%d}: {host['cpu']} ({host['simd']}), "
        f"{host['cores']} cores, load before the rows {min(loads):.2f} to {max(loads):.2f}, medians of up to {counts} "
        f"samples. {named}.{elsewhere}\n\n{markdown(rows)}"
    )


def command(
    cases: Sequence[Case], script: str, about: str | None, seconds: float, given: Sequence[str] | None = None
) -> None:
    """The command line of a script with cases: measure them, print the table, write JSON and markdown."""
    names = list(dict.fromkeys(c.name for c in cases))
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="cases whose name contains this: " + ", ".join(names))
    parser.add_argument("--targets", action="store_true", help="only cases that have something to reach")
    parser.add_argument("--json", type=Path, help="write the rows here, one JSON object per line")
    parser.add_argument("--markdown", type=Path, help="write the table here")
    parser.add_argument("--repeats", type=int, default=5, help="samples of each side, 5 or more for figures that count")
    parser.add_argument("--seconds", type=float, default=seconds, help="length of one sample")
    options = parser.parse_args(given)
    chosen = [c for c in cases if options.only in c.name and (c.has_target or not options.targets)]
    if not chosen:
        parser.error(f"no case is called {options.only!r}; there are {', '.join(names)}")
    console, rows, failed = Console(stderr=True), [], []
    for case in chosen:
        console.print(f"{case.name}: {case.what}", highlight=False)
        try:
            rows += measure(case, options.repeats, options.seconds)
        except (RuntimeError, subprocess.TimeoutExpired) as error:  # the others are measured all the same
            console.print(f"{case.name} failed: {error}", highlight=False, markup=False)
            failed.append(case.name)
        if options.json:
            options.json.parent.mkdir(parents=True, exist_ok=True)
            write_lines(rows, options.json)  # after each case: what was measured survives an interruption
    host = machine()
    show(rows, f"{host['cpu']}, {host['cores']} cores, load {host['load']:.2f}")
    missing = {p.host or p.package for c in chosen for p in c.peers if isinstance(p, Job) and p.python is None}
    for name in sorted(filter(None, missing)):
        hint = HOSTS[name][2] if name in HOSTS else f"{name}: pip install 'lgvsc-flow[dev]'"
        console.print(f"Not found, so its columns are empty. {hint}.", highlight=False, markup=False)
    if options.markdown and rows:
        options.markdown.write_text(document(rows, script))
    if failed:
        raise SystemExit(f"These failed, see above: {', '.join(failed)}")
