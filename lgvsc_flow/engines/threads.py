"""The threads engine: a thread per block, bounded wires, back-pressure.

A stage takes the lock only to sleep and to wake another, so a busy chain runs without it. The order of the two
steps is what makes this safe: a sleeper says that it sleeps and then looks again; a waker changes the wire and
then looks for sleepers.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from time import perf_counter

from lgvsc_flow.engines.control import Control, HaltedError
from lgvsc_flow.engines.stage import Stage, Wait, Wire

__all__ = ["run_threads"]


class _Threads:
    def __init__(self, stages: list[Stage], grow: Callable[[list[Wait]], Wire], control: Control) -> None:
        self.lock = threading.Lock()
        self.conditions = {s: threading.Condition(self.lock) for s in stages}
        self.sleepers: dict[Stage, Wait] = {}
        self.live = len(stages)
        self.grow = grow
        self.failure: BaseException | None = None
        self.control = control
        self.over = threading.Event()
        for stage in stages:
            stage.wake = partial(self._wake, self.conditions[stage])

    def work(self, stage: Stage) -> None:
        steps = stage.steps()
        try:
            for wait in steps:
                if not wait.ready():
                    self._sleep(stage, wait)
                self.control.check()
        except HaltedError:
            pass
        except BaseException as error:
            self.fail(error)
        finally:
            steps.close()
            with self.lock:
                self.live -= 1
                self._resolve()
            if not self.live:
                self.over.set()

    def _wake(self, condition: threading.Condition) -> None:
        with self.lock:
            condition.notify()

    def _sleep(self, stage: Stage, wait: Wait) -> None:
        began = perf_counter()
        with self.lock:
            stage.sleeping = True
            self.sleepers[stage] = wait
            self._resolve()
            while not wait.ready() and not self.control.halted:
                self.conditions[stage].wait()
            del self.sleepers[stage]
            stage.sleeping = False
        if wait.wire is None:
            stage.wait_in_s += perf_counter() - began
        else:
            stage.wait_out_s += perf_counter() - began

    def _resolve(self) -> None:
        """Where every live stage sleeps and none can go on, grow a wire. The lock is held."""
        if self.live and len(self.sleepers) == self.live and not self.control.halted:
            waits = list(self.sleepers.values())
            if not any(w.ready() for w in waits):
                try:
                    wire = self.grow(waits)
                except BaseException as error:
                    self._stop(error)
                else:
                    self.conditions[wire.writer].notify()

    def fail(self, error: BaseException) -> None:
        with self.lock:
            self._stop(error)

    def _stop(self, error: BaseException) -> None:
        if self.failure is None:
            self.failure = error
        self.control.halted = True
        for condition in self.conditions.values():
            condition.notify()


def run_threads(
    stages: list[Stage], grow: Callable[[list[Wait]], Wire], tick: Callable[[], None], control: Control
) -> None:
    """Run each stage in a thread of its own until all are done; the first failure stops them all and is raised."""
    engine = _Threads(stages, grow, control)
    threads = [threading.Thread(target=engine.work, args=(s,), name=s.label, daemon=True) for s in stages]
    started: list[threading.Thread] = []
    try:
        for thread in threads:
            thread.start()
            started.append(thread)
        while not engine.over.wait(0.1):
            tick()
    except BaseException as error:
        engine.fail(error)
        raise
    finally:
        for thread in started:
            thread.join()
    if engine.failure is not None:
        raise engine.failure
