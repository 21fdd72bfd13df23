"""A graph that runs in the background."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

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
        self._thread = threading.Thread(target=self._work, name=f"graph {graph.name}", daemon=True)
        self._thread.start()

    def _work(self) -> None:
        try:
            self._result = self._execution.run()
        except BaseException as error:
            self._failure = error

    @property
    def done(self) -> bool:
        """Whether the run has ended, well or not."""
        return not self._thread.is_alive()

    @property
    def so_far(self) -> Run:
        """What has been measured until now."""
        return self._execution.snapshot()

    def table(self) -> str:
        """The counters until now, as text."""
        return self.so_far.table()

    def stop(self) -> None:
        """End the sources; what is under way is finished. The run has ended when `wait` returns."""
        self._graph.stop()

    def wait(self, timeout_s: float | None = None) -> Run:
        """Wait for the end and return the measurements.

        Raises:
            TimeoutError: the graph still runs after `timeout_s`; it goes on.
            BlockError: a block failed, as from `Graph.run`.
        """
        try:
            self._thread.join(timeout_s)
        except BaseException as error:  # Ctrl-C: nothing may be left behind
            self._execution.control.halt(error)
            self._thread.join()
            raise
        if not self.done:
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
        self.stop()
        if error is None:
            self.wait()
        else:
            self._thread.join()
