"""The stages that wait: who sleeps, who is woken when, and what happens when they wait for each other."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from lgvsc_flow.engines.control import Control
from lgvsc_flow.engines.deadlock import Growth, waiting_cycle
from lgvsc_flow.engines.stage import Stage
from lgvsc_flow.engines.wire import Wait
from lgvsc_flow.errors import MemoryLimitError

__all__ = ["LOOK_S", "Sleepers"]

LOOK_S = 0.1  # between two looks for stages that wait for each other while the rest of the graph goes on


class Sleepers:
    """What engines have in common; with several threads, every call is made with the engine's lock held.

    Args:
        stages: of the run; each one's `wake` is left to the engine.
        growth: for wires that block each other.
        control: of the run.
        awaken: called with a stage that may go on; it is already marked as awake, so it is woken once.
    """

    def __init__(
        self, stages: Sequence[Stage], growth: Growth, control: Control, awaken: Callable[[Stage], None]
    ) -> None:
        self.waits: dict[Stage, Wait] = {}
        self._live = len(stages)
        self._growth, self._control, self._awaken = growth, control, awaken

    def sleep(self, stage: Stage, wait: Wait) -> None:
        """Let a stage sleep; it is woken at once when it can go on after all."""
        stage.sleeping = True
        self.waits[stage] = wait
        # Writers that wait for half a wire must not wait for a reader that sleeps.
        for wire in stage.inputs:
            self.wake(wire.writer)
        self.wake(stage)
        if len(self.waits) == self._live:
            self.resolve()

    def finish(self) -> None:
        """A stage has done all its work."""
        self._live -= 1
        if self._live and len(self.waits) == self._live:
            self.resolve()

    def resolve(self) -> None:
        """Where stages wait for each other, grow a wire; called when all sleep, and now and then for some of them."""
        cycle = waiting_cycle(self.waits)
        if cycle and not self._control.halted:
            try:
                wire = self._growth.grow(cycle)
            except MemoryLimitError as error:
                self._control.halt(error)
            else:
                self.wake(wire.writer)

    def wake(self, stage: Stage) -> None:
        """Wake a stage if it sleeps and can go on, or must end."""
        if stage.sleeping and (self._control.halted or self.waits[stage].ready()):
            stage.sleeping = False
            del self.waits[stage]
            self._awaken(stage)

    def wake_all(self) -> None:
        for stage in list(self.waits):
            self.wake(stage)
