"""The inline engine: every block in the calling thread, sinks first. The debugger's engine."""

from __future__ import annotations

from collections.abc import Callable, Generator
from threading import get_ident

from lgvsc_flow.engines.control import Control
from lgvsc_flow.engines.deadlock import Growth, waiting_cycle
from lgvsc_flow.engines.stage import Stage
from lgvsc_flow.engines.wire import Wait

__all__ = ["run_inline"]


def run_inline(stages: list[Stage], growth: Growth, tick: Callable[[], None], control: Control) -> None:
    """Drive the stages, given in topological order, to the end of their streams."""
    running: dict[Stage, tuple[Generator[Wait, None, None], Wait | None]] = {
        s: (s.steps(), None) for s in reversed(stages)
    }
    for stage in stages:
        control.threads[stage] = get_ident()
    try:
        while running:
            moved = False
            for stage, (steps, wait) in list(running.items()):
                if wait is not None and not wait.ready():
                    continue
                moved = True
                tick()
                try:
                    running[stage] = (steps, next(steps))
                except StopIteration:
                    del running[stage]
            if not moved:
                waits = {stage: wait for stage, (_, wait) in running.items() if wait is not None}
                growth.grow(next(filter(None, (waiting_cycle(s, waits) for s in waits))))
    finally:
        control.threads.clear()
        for steps, _ in running.values():
            steps.close()
