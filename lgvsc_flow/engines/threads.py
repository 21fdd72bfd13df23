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

from lgvsc_flow.engines.control import Control, HaltedError
from lgvsc_flow.engines.deadlock import Growth, waiting_cycle
from lgvsc_flow.engines.stage import Stage
from lgvsc_flow.engines.wire import Wait
from lgvsc_flow.errors import MemoryLimitError

__all__ = ["run_threads"]

GRACE_S = 0.5  # for the call that a block is in when the run is halted; then it is interrupted between two lines
GIVE_UP_S = 5.0  # for a call that cannot be interrupted because it is outside Python


class _Threads:
    def __init__(self, stages: list[Stage], growth: Growth, control: Control) -> None:
        self.lock = threading.RLock()
        self.gates = {s: threading.Lock() for s in stages}
        self.sleepers: dict[Stage, Wait] = {}
        self.live = len(stages)
        self.growth, self.control = growth, control
        self.over = threading.Event()
        # Without a join no two waits can meet, and nobody needs to look for a cycle.
        self.joins = any(len(s.inputs) > 1 for s in stages)
        for stage in stages:
            self.gates[stage].acquire()
            stage.wake = partial(self._wake, stage)
        control.on_halt = self._wake_all

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
            steps.close()
            with self.lock:
                self.live -= 1
                self.control.threads.pop(stage)
            if not self.live:
                self.over.set()

    def _wake(self, stage: Stage) -> None:
        with self.lock:
            self._wake_ready(stage)

    def _wake_ready(self, stage: Stage) -> None:
        """Wake a stage that sleeps and can go on. The lock is held."""
        if stage.sleeping and (self.control.halted or self.sleepers[stage].ready()):
            stage.sleeping = False
            del self.sleepers[stage]
            self.gates[stage].release()

    def _sleep(self, stage: Stage, wait: Wait) -> None:
        began = perf_counter()
        with self.lock:
            stage.sleeping = True
            self.sleepers[stage] = wait
            # Writers that wait for half a wire must not wait for a reader that sleeps.
            for wire in stage.inputs:
                self._wake_ready(wire.writer)
            if self.joins and not wait.ready():
                self._resolve(stage)
            self._wake_ready(stage)
        self.gates[stage].acquire()
        spent = perf_counter() - began
        if wait.wire is None:
            stage.wait_in_s += spent
        else:
            stage.wait_out_s += spent

    def _resolve(self, stage: Stage) -> None:
        """Where the waits of sleeping stages close a cycle, grow a wire. The lock is held."""
        cycle = waiting_cycle(stage, self.sleepers)
        if cycle and not self.control.halted:
            try:
                wire = self.growth.grow(cycle)
            except MemoryLimitError as error:
                self.control.halt(error)
            else:
                self._wake_ready(wire.writer)

    def _wake_all(self) -> None:
        with self.lock:
            for stage in list(self.sleepers):
                self._wake_ready(stage)


def run_threads(stages: list[Stage], growth: Growth, tick: Callable[[], None], control: Control) -> None:
    """Run each stage in a thread of its own until all are done; the first failure stops them all and is raised."""
    engine = _Threads(stages, growth, control)
    threads = [threading.Thread(target=engine.work, args=(s,), name=s.label, daemon=True) for s in stages]
    started: list[threading.Thread] = []
    try:
        for thread in threads:
            thread.start()
            started.append(thread)
        while not engine.over.wait(0.1) and not control.halted:
            tick()
    except BaseException as error:
        control.halt(error)
    stuck = _join(started, control)
    if control.failure is not None:
        if stuck:
            control.failure.add_note(f"still at work, outside Python and in threads of their own: {', '.join(stuck)}")
        raise control.failure


def _join(threads: list[threading.Thread], control: Control) -> list[str]:
    """Wait for the threads; after a halt, those that go on are interrupted. Gives the names of those that still do."""
    began, interrupted = perf_counter(), False
    while alive := [t for t in threads if t.is_alive()]:
        try:
            alive[0].join(0.05)
            spent = perf_counter() - began
        except KeyboardInterrupt:  # not the first: that one has halted the run
            spent = GIVE_UP_S if interrupted else GRACE_S
        if control.halted and spent >= GRACE_S and not interrupted:
            control.interrupt()
            interrupted = True
        elif control.halted and spent >= GIVE_UP_S:
            break
    return [t.name for t in alive]
