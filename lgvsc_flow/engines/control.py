"""What the stages of one run have in common: whether it was halted, and how far its sources may go."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lgvsc_flow.block import Block
    from lgvsc_flow.engines.stage import Stage

__all__ = ["Control", "HaltedError"]


class HaltedError(BaseException):
    """Raised inside a stage to end it when another one has failed. No block may catch it: hence no `Exception`."""


class Control:
    """The reins of one run.

    Args:
        ending: asked before each item of a source; once it says True, the sources end.
        rounds: for each source the part of the graph that it belongs to, and its items per round. The sources of a
            part end after the same number of whole rounds, the first that none of them is beyond, so that their
            streams still match at a join.
    """

    def __init__(
        self,
        ending: Callable[[], bool] = lambda: False,
        rounds: Mapping[Block, tuple[int, int]] | None = None,
    ) -> None:
        self.halted = False
        self.hangs = False
        self.failure: BaseException | None = None
        self.threads: dict[Stage, int] = {}
        self.on_halt: Callable[[], None] = lambda: None
        self._ending, self._rounds = ending, rounds or {}
        self._lock = threading.Lock()
        self._reached: dict[int, int] = {}  # rounds begun, by part
        self._over = False
        self._interrupted: set[int] = set()

    def may_send(self, source: Block, count: int) -> bool:
        """Whether a source that has sent `count` items may send another."""
        part, items = self._rounds.get(source, (0, 1))
        begun = count // items + 1
        with self._lock:
            self._over = self._over or self._ending()
            reached = self._reached.get(part, 0)
            if not self._over:
                self._reached[part] = max(reached, begun)
            return not self._over or begun <= reached

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

    def note(self, text: str) -> None:
        """Add to the failure that the run raises."""
        if self.failure is not None:
            self.failure.add_note(text)

    def interrupt(self) -> None:
        """Raise `HaltedError` once in every thread that is at work, between two lines of its Python code.

        A stage that closes what it has opened is left to do so.
        """
        closing = {thread for stage, thread in list(self.threads.items()) if stage.closing}
        for thread in set(self.threads.values()) - closing - self._interrupted:
            self._interrupted.add(thread)
            ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), ctypes.py_object(HaltedError))
