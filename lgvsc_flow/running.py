"""A graph that runs in the background."""

from __future__ import annotations

import math
import threading
from time import monotonic
from typing import TYPE_CHECKING

from lgvsc_flow.engines.threads import GIVE_UP_S, GRACE_S
from lgvsc_flow.run import Run

if TYPE_CHECKING:
    from types import TracebackType

    from lgvsc_flow.engines import Execution
    from lgvsc_flow.graph import Graph

__all__ = ["Running"]


class Running:
    """The handle that `Graph.start` gives; used in a `with` statement it stops the run and waits for its end."""

    def __init__(self, graph: Graph, execution: Execution) -> None:
        self._graph, self._execution = graph, execution
        self._result: Run | None = None
        self._failure: BaseException | None = None
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._work, name=f"graph {graph.name}", daemon=True)
        self._thread.start()

    def _work(self) -> None:
        try:
            self._result = self._execution.run()
        except BaseException as error:
            self._failure = error
        finally:
            self._over.set()

    @property
    def done(self) -> bool:
        """Whether the run has ended, well or not."""
        return self._over.is_set()

    @property
    def so_far(self) -> Run:
        """What has been measured until now."""
        return self._execution.snapshot()

    def table(self) -> str:
        """The counters until now, as text."""
        return self.so_far.table()

    def stop(self) -> None:
        """End the sources; what is under way is finished. The run has ended when `wait` returns."""
        self._execution.end()

    def wait(self, timeout_s: float | None = None) -> Run:
        """Wait for the end and return the measurements.

        Raises:
            TimeoutError: the graph still runs after `timeout_s`; it goes on.
            BlockError: a block failed, as from `Graph.run`.
        """
        until = math.inf if timeout_s is None else monotonic() + timeout_s
        try:
            while not self.done and monotonic() < until:
                self._over.wait(0.1)  # in turns, so that Ctrl-C comes through whichever thread the signal meets
        except BaseException as error:  # nothing may be left behind
            self._abort(error)
            raise
        if self.done:
            self._thread.join()
        else:
            raise TimeoutError(f"graph '{self._graph.name}' still runs after {timeout_s:g} s")
        if self._failure is not None:
            raise self._failure
        assert self._result is not None
        return self._result

    def __enter__(self) -> Running:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self.stop()
            self.wait()
        else:
            self._abort(error)

    def _abort(self, error: BaseException) -> None:
        """Halt the run because of an error outside; a failure of its own is noted on that."""
        control = self._execution.control
        control.halt(error)
        if not self._over.wait(GRACE_S):
            control.interrupt()
        self._over.wait(2 * GIVE_UP_S)
        if control.failure is not error:
            error.add_note(f"and graph '{self._graph.name}' had failed: {control.failure}")
