"""The inline engine: every block in the calling thread. The debugger's engine."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import partial
from threading import get_ident
from time import perf_counter

from lgvsc_flow.engines.control import Control
from lgvsc_flow.engines.deadlock import Growth
from lgvsc_flow.engines.sleepers import LOOK_S, Sleepers
from lgvsc_flow.engines.stage import Stage

__all__ = ["run_inline"]


def run_inline(stages: list[Stage], growth: Growth, tick: Callable[[], None], control: Control) -> None:
    """Drive the stages, given in topological order, to the end of their streams; those that can go on take turns."""
    awake = deque(reversed(stages))
    sleepers = Sleepers(stages, growth, control, awake.append)
    lives = {stage: stage.steps() for stage in stages}
    for stage in stages:
        stage.wake = partial(sleepers.wake, stage)
        control.threads[stage] = get_ident()
    looked_at = perf_counter()
    try:
        while awake:
            tick()
            if perf_counter() - looked_at > LOOK_S:
                sleepers.resolve()
                looked_at = perf_counter()
            stage = awake.popleft()
            wait = next(lives[stage], None)
            if wait is None:
                sleepers.finish()
            elif wait.ready():
                awake.append(stage)
            else:
                sleepers.sleep(stage, wait)
            control.check()
    except BaseException as error:
        control.halt(error)
        raise
    finally:
        for life in lives.values():
            life.close()
        control.threads.clear()
