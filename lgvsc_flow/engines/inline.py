"""The inline engine: every block in the calling thread, sinks first. The debugger's engine."""

from __future__ import annotations

from collections.abc import Callable, Generator

from lgvsc_flow.engines.control import Control
from lgvsc_flow.engines.stage import Stage, Wait, Wire

__all__ = ["run_inline"]

Steps = Generator[Wait, None, None]


def run_inline(
    stages: list[Stage], grow: Callable[[list[Wait]], Wire], tick: Callable[[], None], control: Control
) -> None:
    """Drive the stages, given in topological order, to the end of their streams."""
    running: dict[Stage, tuple[Generator[Wait, None, None], Wait | None]] = {
        s: (s.steps(), None) for s in reversed(stages)
    }
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
                grow([wait for _, wait in running.values() if wait is not None])
    finally:
        for steps, _ in running.values():
            steps.close()
