"""How a checked graph is run: what the engines have in common."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING

import networkx as nx

from lgvsc_flow.engines.control import Control
from lgvsc_flow.engines.inline import run_inline
from lgvsc_flow.engines.stage import Stage, Wait, Wire
from lgvsc_flow.engines.threads import run_threads
from lgvsc_flow.errors import BlockError
from lgvsc_flow.run import BlockStats, Change, Run, live

if TYPE_CHECKING:
    from lgvsc_flow.graph import Graph

__all__ = ["execute"]

Engine = Callable[[list[Stage], Callable[[list[Wait]], Wire], Callable[[], None], Control], None]
ENGINES: dict[str, Engine] = {
    "threads": run_threads,
    "inline": run_inline,
}


def execute(graph: Graph, *, engine: str, capacity: int, progress: bool, ending: Callable[[], bool]) -> Run:
    """Run a graph that has passed its check."""
    if engine not in ENGINES:
        raise ValueError(f"engine is one of {', '.join(ENGINES)}; got {engine!r}")
    stages = _stages(graph, capacity)
    notes: list[str] = []

    def grow(waits: list[Wait]) -> Wire:
        full = [w.wire for w in waits if w.wire is not None]
        if not full:
            states = "; ".join(f"{w.stage.label} waits for input" for w in waits)
            raise RuntimeError(f"every block waits for input and none can send: {states}")
        wire = min(full, key=lambda w: w.capacity)
        wire.capacity *= 2
        notes[:] = [n for n in notes if not n.startswith(f"{wire.label} ")]
        notes.append(f"{wire.label} grew to {wire.capacity} items so that branches of different delay can meet again")
        return wire

    began = perf_counter()
    started: list[Stage] = []
    control = Control(ending)
    failure: BaseException | None = None
    try:
        with live(graph.name, partial(_stats, stages)) if progress else nullcontext(lambda: None) as tick:
            for stage in stages:
                stage.block.rng, stage.control = graph.rng(stage.block), control
                started.append(stage)
                stage.start()
                tick()
            ENGINES[engine](stages, grow, tick, control)
    except BaseException as error:
        failure = error
    _stop(started, failure)
    return Run(
        graph=graph.name,
        seed=graph.seed,
        engine=engine,
        elapsed_s=perf_counter() - began,
        blocks=_stats(stages),
        notes=notes,
        changes=[Change(s.label, item, values) for s in stages for item, values in s.changes],
    )


def _stop(started: list[Stage], failure: BaseException | None) -> None:
    """Stop every block, also when one of them fails at it; then raise what went wrong first."""
    for stage in reversed(started):
        try:
            stage.stop()
        except Exception as error:
            if failure is None:
                failure = BlockError(stage.label, None, "", f"{error} (from {type(error).__name__}, in stop)")
                failure.__cause__ = error
            else:
                failure.add_note(f"and {stage.label} failed to stop: {error}")
    if failure is not None:
        raise failure


def _stages(graph: Graph, capacity: int) -> list[Stage]:
    stages = {block: Stage(block) for block in nx.topological_sort(graph.nx)}
    inputs: dict[tuple[object, str], Wire] = {}
    for sender, taker in graph.wires():
        wire = Wire(f"{sender} -> {taker}", capacity)
        wire.writer, wire.reader = stages[sender.block], stages[taker.block]
        wire.writer.outputs.setdefault(sender.port.name, []).append(wire)
        inputs[taker.block, taker.port.name] = wire
    for block, stage in stages.items():
        stage.inputs = [inputs[block, p.name] for p in block.inputs()]
    return list(stages.values())


def _stats(stages: list[Stage]) -> list[BlockStats]:
    return [BlockStats(s.label, s.items, s.elements, s.busy_s, s.wait_in_s, s.wait_out_s) for s in stages]
