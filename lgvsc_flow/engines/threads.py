"""The threads engine: a thread per block, bounded wires, back-pressure.

A stage takes the lock only to sleep and to wake another, so a busy chain runs without it. The order of the two
steps is what makes this safe: a sleeper says that it sleeps and then looks again; a waker changes the wire and
then looks for sleepers. Whoever wakes a stage also marks it as awake, so that it is woken once.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from time import perf_counter
from typing import Any

from lgvsc_flow.engines.control import Control, HaltedError
from lgvsc_flow.engines.deadlock import Growth
from lgvsc_flow.engines.sleepers import LOOK_S, Sleepers
from lgvsc_flow.engines.stage import Stage
from lgvsc_flow.engines.wire import Wait

__all__ = ["run_threads"]

GRACE_S = 0.5  # for the call that a block is in when the run is halted; then it is interrupted between two lines
GIVE_UP_S = 10.0  # for a call outside Python, which cannot be interrupted; one that is known to hang gets no more


class _Threads:
    def __init__(self, stages: list[Stage], growth: Growth, control: Control) -> None:
        self.lock = threading.RLock()
        self.gates = {s: threading.Lock() for s in stages}
        self.sleepers = Sleepers(stages, growth, control, lambda s: self.gates[s].release())
        self.control = control
        self.stages, self.finished = len(stages), 0
        self.over, self.given_up = threading.Event(), False
        for stage in stages:
            self.gates[stage].acquire()
            stage.wake = partial(self._locked, self.sleepers.wake, stage)
        control.on_halt = partial(self._locked, self.sleepers.wake_all)

    def work(self, stage: Stage) -> None:
        self.control.threads[stage] = threading.get_ident()
        steps = stage.steps()
        try:
            for wait in steps:
                if not wait.ready():
                    self._sleep(stage, wait)
                self.control.check()
        except HaltedError:
            pass
        except BaseException as error:
            self.control.halt(error)
        finally:
            try:
                steps.close()
            finally:
                with self.lock:
                    self.control.threads.pop(stage)
                    self.sleepers.finish()
                    self.finished += 1
                    if self.given_up:
                        stage.block._changes = None
                    if self.finished == self.stages:
                        self.over.set()

    def _locked(self, function: Callable[..., None], *arguments: Any) -> None:
        with self.lock:
            function(*arguments)

    def look(self) -> None:
        """Free the stages that wait for each other while others go on."""
        self._locked(self.sleepers.resolve)

    def _sleep(self, stage: Stage, wait: Wait) -> None:
        began = perf_counter()
        self._locked(self.sleepers.sleep, stage, wait)
        self.gates[stage].acquire()
        spent = perf_counter() - began
        if wait.wire is None:
            stage.wait_in_s += spent
        else:
            stage.wait_out_s += spent


def run_threads(stages: list[Stage], growth: Growth, tick: Callable[[], None], control: Control) -> None:
    """Run each stage in a thread of its own until all are done; the first failure stops them all and is raised."""
    engine = _Threads(stages, growth, control)
    threads = [threading.Thread(target=engine.work, args=(s,), name=s.label, daemon=True) for s in stages]
    started = 0
    try:
        for thread in threads:
            thread.start()
            started += 1
        while not engine.over.wait(LOOK_S) and not control.halted:
            tick()
            engine.look()
    except BaseException as error:
        control.halt(error)
    stuck = _await(engine, started)
    for thread in threads[:started]:
        if thread.name not in stuck:
            thread.join(GRACE_S)  # it has only to leave its function
    if control.failure is not None:
        if stuck:
            control.failure.add_note(f"still at work, outside Python and in threads of their own: {', '.join(stuck)}")
        raise control.failure


def _await(engine: _Threads, started: int) -> list[str]:
    """Wait until all threads are done; after a halt, those that go on are interrupted. Gives the stages that still do.

    An event and not `Thread.join`: a join that Ctrl-C breaks off may take a thread that runs for ended.
    """
    control, began, presses = engine.control, perf_counter(), 0
    while engine.finished < started:
        spent = perf_counter() - began
        try:
            engine.over.wait(0.02)
        except KeyboardInterrupt:  # not the first: that one has halted the run
            presses += 1
        if control.halted and (spent >= GRACE_S or presses):
            control.interrupt()
        if control.halted and (spent >= GIVE_UP_S or presses > 1 or (control.hangs and spent >= 2 * GRACE_S)):
            engine.given_up = engine.finished < started
            break
    return [stage.label for stage in list(control.threads)]
