"""What the stages of one run have in common: whether it was halted, and how far its sources may go."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lgvsc_flow.engines.stage import Stage

__all__ = ["Control", "HaltedError"]


class HaltedError(BaseException):
    """Raised inside a stage to end it when another one has failed. No block may catch it: hence no `Exception`."""


class Control:
    """The reins of one run.

    Args:
        ending: asked before each item of a source; once it says True, all sources end after the same number of items,
            the highest that any of them had reached, so that their streams still match at a join.
    """

    def __init__(self, ending: Callable[[], bool] = lambda: False) -> None:
        self.halted = False
        self.hangs = False
        self.failure: BaseException | None = None
        self.threads: dict[Stage, int] = {}
        self.on_halt: Callable[[], None] = lambda: None
        self._ending = ending
        self._lock = threading.Lock()
        self._highest = 0
        self._target: int | None = None

    def may_send(self, count: int) -> bool:
        """Whether a source that has sent `count` items may send another."""
        with self._lock:
            if self._target is None and self._ending():
                self._target = self._highest
            if self._target is not None:
                return count < self._target
            self._highest = max(self._highest, count + 1)
            return True

    def check(self) -> None:
        """Raise `HaltedError` when the run was halted."""
        if self.halted:
            raise HaltedError

    def halt(self, failure: BaseException) -> None:
        """End all stages at once; the first failure is the one that the run raises."""
        if self.failure is None:
            self.failure = failure
        self.halted = True
        self.on_halt()

    def interrupt(self) -> None:
        """Raise `HaltedError` in every thread that is at work, between two lines of its Python code."""
        for thread in set(self.threads.values()):
            ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), ctypes.py_object(HaltedError))
