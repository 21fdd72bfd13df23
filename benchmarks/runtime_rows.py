"""What `runtime.py` measures: each case is ours, its peers, and what is to be reached.

Ours and the peers are child processes that print one line of JSON; see `runtime_graphs.py` and `gnuradio/harness.py`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from cases import Case, Job, Target, Values, at_most, times

__all__ = ["CASES", "modem_peer", "theory_ber"]

ESN0_DB = 15.0
BER_TOLERANCE = 0.02
TUNED = {"GR_CONF_DEFAULT_BUFFER_SIZE": "262144"}
# glibc gives the memory of every burst of 128 KiB back and takes it anew, page by page, unless it is told not to.
KEEP_MEMORY = {"MALLOC_ARENA_MAX": "1", "MALLOC_TRIM_THRESHOLD_": "268435456", "MALLOC_MMAP_THRESHOLD_": "33554432"}


def theory_ber(esn0_db: float) -> float:
    """Bit error rate of Gray-labelled 16-QAM over AWGN with hard decisions.

    Each dimension is 4-PAM at levels 1 and 3 (times 1/sqrt(10)), with the sign and the size as its two bits.
    """
    half = math.sqrt(10 ** (esn0_db / 10) / 10)

    def above(levels: int) -> float:
        return 0.5 * math.erfc(levels * half)

    return (3 * above(1) + 2 * above(3) - above(5)) / 4


def _ours(
    graph: str,
    engine: str,
    *more: str,
    label: str = "ours",
    cores: int = 1,
    timed: bool = True,
    env: Mapping[str, str] | None = None,
) -> Job:
    arguments = (graph, "--engine", engine, *more)
    return Job(label, "runtime_graphs.py", arguments, env=env or {}, cores=cores, timed=timed)


def _calls(kind: str, blocks: int) -> Job:
    named = {"python": "Python", "cpp": "C++"}[kind]
    arguments = ("--kind", kind, "--blocks", str(blocks))
    return Job(f"GNU Radio, {named}, chain of {blocks}", "gnuradio/calls.py", arguments)


def _elementwise(cores: int, tuned: bool, target: Target | None = None) -> Job:
    label = f"GNU Radio, {'256 KiB buffers' if tuned else 'defaults'}"
    return Job(label, "gnuradio/elementwise.py", env=TUNED if tuned else {}, cores=cores, target=target)


def _same_ber(ours: Values, peer: Values) -> bool:
    want = theory_ber(ESN0_DB)
    return all(abs(values["ber"] / want - 1) <= BER_TOLERANCE for values in (ours, peer))


def modem_peer(decision: str, factor: float | None) -> Job:
    target = None
    if factor is not None:
        target = Target(
            f">= {factor:g}x, BER of both within {100 * BER_TOLERANCE:g} % of theory",
            lambda ours, peer: ours["cpu"] >= factor * peer["cpu"] and _same_ber(ours, peer),
            needs_peer=True,
        )
    arguments = ("--esn0-db", str(ESN0_DB), "--decision", decision)
    return Job("GNU Radio, defaults", "gnuradio/qam.py", arguments, target=target)


def _start(limit: float) -> Target:
    text = f"<= {limit:g} s, no model library imported"
    return Target(text, lambda ours, _: ours["wall"] <= limit and ours["heavy"] == 0)


def _flat(engine: str, few: int = 100) -> Case:
    """Memory over few bursts and over a hundred times as many."""

    def holds(ours: Values, peer: Values) -> bool:
        return all(abs(ours[what] / peer[what] - 1) <= 0.05 for what in ("peak", "end"))

    target = Target("peak and end within 5 %", holds, needs_peer=True)
    long, short = (
        _ours("hard", engine, "--memory", str(n), label=f"ours, {n} bursts", timed=False) for n in (100 * few, few)
    )
    peer = Job(short.label, short.script, short.arguments, timed=False, target=target)
    what = f"resident memory, {100 * few} bursts, {engine}"
    return Case(f"memory-{engine}", what, "memory", long, (peer,), by="peak")


PEER_CALLS = (_calls("python", 1), _calls("python", 9), _calls("cpp", 9))
NINE = "nine element-wise blocks"
MODEM = "16-QAM, AWGN, BER"
START = (Job("GNU Radio, three blocks", "gnuradio/start.py", timed=False),)

CASES = (
    Case(
        "call-inline",
        "a do-nothing block's call, 64 items, inline",
        "cost",
        _ours("call", "inline"),
        PEER_CALLS,
        target=at_most(2, "us"),
    ),
    Case(
        "call-threads",
        "a do-nothing block's call, 64 items, threads",
        "cost",
        _ours("call", "threads"),
        PEER_CALLS,
        target=at_most(10, "us"),
    ),
    Case(
        "elementwise-threads",
        f"{NINE}, threads, one core",
        "rate",
        _ours("elementwise", "threads"),
        (_elementwise(1, False, times(1)), _elementwise(1, True)),
    ),
    Case(
        "elementwise-inline",
        f"{NINE}, inline, one core",
        "rate",
        _ours("elementwise", "inline"),
        (_elementwise(1, False, times(1)), _elementwise(1, True)),
    ),
    Case(
        "elementwise-short-wires",
        f"{NINE}, inline, capacity=4, one core",
        "rate",
        _ours("elementwise", "inline", "--capacity", "4"),
        (_elementwise(1, False), _elementwise(1, True)),
    ),
    Case(
        "elementwise-kept-memory",
        f"{NINE}, threads, malloc keeps memory, one core",
        "rate",
        _ours("elementwise", "threads", env=KEEP_MEMORY),
        (_elementwise(1, False), _elementwise(1, True)),
    ),
    Case(
        "elementwise-two-cores",
        f"{NINE}, threads, two cores",
        "rate",
        _ours("elementwise", "threads", cores=2),
        (_elementwise(2, False), _elementwise(2, True)),
        by="wall",
    ),
    Case(
        "modem-hard",
        f"{MODEM}, hard decision, threads, one core",
        "rate",
        _ours("hard", "threads"),
        (modem_peer("hard", 10),),
        of="symbols",
    ),
    Case(
        "modem-hard-inline",
        f"{MODEM}, hard decision, inline, one core",
        "rate",
        _ours("hard", "inline"),
        (modem_peer("hard", None),),
        of="symbols",
    ),
    Case(
        "modem-hard-kept-memory",
        f"{MODEM}, hard decision, threads, malloc keeps memory, one core",
        "rate",
        _ours("hard", "threads", env=KEEP_MEMORY),
        (modem_peer("hard", None),),
        of="symbols",
    ),
    Case(
        "modem-soft",
        f"{MODEM}, soft decision, threads, one core",
        "rate",
        _ours("soft", "threads"),
        (modem_peer("soft", None),),
        of="symbols",
    ),
    Case(
        "start-plain",
        "process start to end of run, three own blocks",
        "seconds",
        Job("ours", "start_plain.py", timed=False),
        START,
        by="wall",
        target=_start(0.8),
    ),
    Case(
        "start-toolkit",
        "process start to end of run, three toolkit blocks",
        "seconds",
        Job("ours", "start_toolkit.py", timed=False),
        START,
        by="wall",
        target=_start(0.8),
    ),
    _flat("inline"),
    _flat("threads"),
    Case(
        "scaling",
        "four heavy blocks, threads on two cores",
        "rate",
        _ours("heavy", "threads", cores=2),
        (_ours("heavy", "inline", label="ours, inline on one core"),),
        by="wall",
    ),
)
