"""One run of a checked graph: its stages and wires are built, started, driven by an engine, and always stopped."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from time import perf_counter
from typing import TYPE_CHECKING, Protocol

import networkx as nx

from lgvsc_flow.compiling import compiling, note
from lgvsc_flow.engines.control import Control, HaltedError
from lgvsc_flow.engines.deadlock import Growth
from lgvsc_flow.engines.inline import run_inline
from lgvsc_flow.engines.memory import keep_freed_memory
from lgvsc_flow.engines.stage import Stage
from lgvsc_flow.engines.threads import run_threads
from lgvsc_flow.engines.watch import watch
from lgvsc_flow.engines.wire import Wire
from lgvsc_flow.errors import BlockError
from lgvsc_flow.rounds import rounds
from lgvsc_flow.run import BlockStats, Change, Run, WireStats

if TYPE_CHECKING:
    from lgvsc_flow.graph import Graph

__all__ = ["ENGINES", "Execution"]

_CLAIMS = threading.Lock()
SAMPLE_S = 0.1  # between two looks at how full the wires are


class Engine(Protocol):
    """Drives the stages, given in topological order, to the end of their streams or to the first failure."""

    def __call__(self, stages: list[Stage], growth: Growth, tick: Callable[[], None], control: Control, /) -> None: ...


ENGINES: dict[str, Engine] = {"threads": run_threads, "inline": run_inline}


class Execution:
    """A run that may be watched while it goes on: `snapshot` is what has been measured so far."""

    def __init__(
        self,
        graph: Graph,
        *,
        engine: str,
        capacity: int,
        until: Callable[[], bool] | None,
        stall_s: float | None,
        memory_limit_bytes: int,
    ) -> None:
        if engine not in ENGINES:
            raise ValueError(f"engine is one of {', '.join(ENGINES)}; got {engine!r}")
        if capacity < 1:
            raise ValueError(f"capacity must be >= 1, got {capacity}")
        if stall_s is not None and not stall_s > 0:
            raise ValueError(f"stall_s must be > 0, got {stall_s}")
        _claim(graph)
        self.graph, self.engine, self.stall_s = graph, engine, stall_s
        self._ending = threading.Event()
        stopped = self._ending.is_set
        self.control = Control(stopped if until is None else lambda: stopped() or until(), rounds(graph))
        self.stages, self.wires = _build(graph, capacity)
        self.growth = Growth(self.wires, memory_limit_bytes)
        self._fills = [0] * len(self.wires)
        self._samples = 0
        self._sampled_at = self._began = perf_counter()
        self._elapsed_s: float | None = None
        self._compiled = compiling()
        self._notes: list[str] = []

    def end(self) -> None:
        """Let the sources end; what is under way is finished."""
        self._ending.set()

    def run(self, show: Callable[[Run], None] = lambda run: None) -> Run:
        """Do it all; `show` is called now and then with what has been measured."""

        def tick() -> None:
            if perf_counter() - self._sampled_at >= SAMPLE_S:
                self._sample()
                compiling()  # a block may have imported Numba by now
                show(self.snapshot())

        keep_freed_memory()
        started: list[Stage] = []
        failure: BaseException | None = None
        self._began, self._compiled = perf_counter(), compiling()
        try:
            with watch(self.stages, self.control, self.stall_s):
                for stage in self.stages:
                    stage.block.rng, stage.control = self.graph.rng(stage.block), self.control
                    self.control.check()
                    started.append(stage)
                    self.control.threads[stage] = threading.get_ident()
                    try:
                        stage.start()
                    finally:
                        del self.control.threads[stage]
                    tick()
                ENGINES[self.engine](self.stages, self.growth, tick, self.control)
                self._sample()
        except BaseException as error:
            failure = self.control.failure or error
            if error is not failure and not isinstance(error, HaltedError):
                failure.add_note(f"and then {type(error).__name__}: {error}")
        try:
            _stop(started, failure)
        finally:
            self._elapsed_s = perf_counter() - self._began
            self._notes = note(self._compiled)
            left = set(self.control.threads) if self.engine == "threads" else set()
            for stage in self.stages:
                if stage not in left:  # a thread that could not be ended gives its block back when it ends
                    stage.block._changes = None
        return self.snapshot()

    def _sample(self) -> None:
        self._sampled_at = perf_counter()
        self._samples += 1
        for number, wire in enumerate(self.wires):
            self._fills[number] += len(wire.items)

    def snapshot(self) -> Run:
        """The measurements so far."""
        elapsed_s = perf_counter() - self._began if self._elapsed_s is None else self._elapsed_s
        samples = max(self._samples, 1)
        return Run(
            graph=self.graph.name,
            seed=self.graph.seed,
            engine=self.engine,
            elapsed_s=elapsed_s,
            blocks=[BlockStats(s.label, s.items, s.elements, s.busy_s, s.wait_in_s, s.wait_out_s) for s in self.stages],
            wires=[
                WireStats(w.label, len(w.items), f / samples, w.capacity)
                for w, f in zip(self.wires, self._fills, strict=True)
            ],
            notes=[*self.growth.notes, *self._notes],
            changes=[Change(s.label, item, values) for s in self.stages for item, values in s.changes],
        )


def _claim(graph: Graph) -> None:
    """Let the blocks run in this run alone."""
    with _CLAIMS:
        busy = [b.label for b in graph.blocks if b.running]
        if busy:
            raise RuntimeError(f"graph '{graph.name}' cannot run: {', '.join(busy)} still runs; wait for that run")
        for block in graph.blocks:
            block._changes = deque()


def _build(graph: Graph, capacity: int) -> tuple[list[Stage], list[Wire]]:
    stages = {block: Stage(block) for block in nx.topological_sort(graph.nx)}
    inputs: dict[tuple[object, str], Wire] = {}
    for sender, taker in graph.wires():
        # A batch waits on the wire before its block, and its results on the wires behind.
        batch = max(int(vars(b)["batch_size"]) if b.batches() else 1 for b in (sender.block, taker.block))
        wire = Wire(f"{sender} -> {taker}", max(capacity, batch), finite=taker.port.finite)
        wire.writer, wire.reader = stages[sender.block], stages[taker.block]
        wire.writer.outputs.setdefault(sender.port.name, []).append(wire)
        inputs[taker.block, taker.port.name] = wire
    for block, stage in stages.items():
        stage.inputs = [inputs[block, p.name] for p in block.inputs()]
    return list(stages.values()), list(inputs.values())


def _stop(started: list[Stage], failure: BaseException | None) -> None:
    """Stop every block, also when one of them fails at it; then raise what went wrong first."""
    for stage in reversed(started):
        try:
            stage.stop()
        except BaseException as error:
            if failure is not None:
                failure.add_note(f"and {stage.label} failed to stop: {error}")
            elif isinstance(error, Exception):
                failure = BlockError(stage.label, None, "", f"{error} (from {type(error).__name__}, in stop)")
                failure.__cause__ = error
            else:
                failure = error
    if failure is not None:
        raise failure
