"""Kernels that Numba compiles: seen in whatever thread it happens, and told.

Numba compiles a kernel when it is first called on a machine, which takes seconds; later processes read it from disk.
Numba's own events say when; a process without Numba is not made to import it.
"""

from __future__ import annotations

import logging
import sys
import threading
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.text import Text

__all__ = ["LONG_S", "Compiling", "compiling", "line", "note"]

LONG_S = 3.0  # what takes longer is logged
LISTED_S = 0.5  # what took longer in all is noted in the report of a run
_log = logging.getLogger("lgvsc_flow")


@dataclass(frozen=True)
class Compiling:
    """What this process has compiled so far: `kernels`, in `seconds`; and the one at work, with its seconds so far.

    A kernel that another one calls is compiled with it and not counted by itself. `cached` tells whether what is at
    work is kept on disk.
    """

    kernels: int
    seconds: float
    at_work: str = ""
    cached: bool = True


class _Ledger:
    """Keeps the count. Numba compiles in one thread at a time, and tells of it there."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.listening = False
        self.kernels, self.seconds = 0, 0.0
        self.now: tuple[str, bool, float] | None = None  # what is at work, whether it is kept, since when
        self.thread, self.depth = 0, 0
        self.timer: threading.Timer | None = None

    def begin(self, dispatcher: Any) -> None:
        thread = threading.get_ident()
        if self.depth and thread == self.thread:
            self.depth += 1
            return
        name = str(getattr(getattr(dispatcher, "py_func", dispatcher), "__name__", "a kernel")).lstrip("_")
        folder = getattr(getattr(dispatcher, "stats", None), "cache_path", None)
        self.thread, self.depth, self.now = thread, 1, (name, folder is not None, perf_counter())
        if _log.isEnabledFor(logging.INFO):
            self.timer = threading.Timer(
                LONG_S, _log.info, ("compiling %s for this CPU%s", name, ", once" if folder else "")
            )
            self.timer.daemon = True
            self.timer.start()

    def end(self, dispatcher: Any) -> None:
        if threading.get_ident() != self.thread or not self.depth:
            return  # it began before anyone listened
        self.depth -= 1
        if self.depth or self.now is None:
            return
        name, _, began = self.now
        spent = perf_counter() - began
        self.kernels, self.seconds, self.now = self.kernels + 1, self.seconds + spent, None
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None
            if spent > LONG_S:
                folder = getattr(getattr(dispatcher, "stats", None), "cache_path", None)
                _log.info("compiled %s in %.1f s%s", name, spent, f", kept in {folder}" if folder else "")


_ledger = _Ledger()


def _listen() -> None:
    """Listen to Numba from now on, where this process has imported it."""
    event: Any = sys.modules.get("numba.core.event")
    if _ledger.listening or not hasattr(event, "trigger_event"):  # its last name but one: the import has come so far
        return
    with _ledger.lock:
        if _ledger.listening:
            return

        class Listener(event.Listener):  # type: ignore[misc]
            def on_start(self, event: Any) -> None:
                _ledger.begin(event.data["dispatcher"])

            def on_end(self, event: Any) -> None:
                _ledger.end(event.data["dispatcher"])

        event.register("numba:compile", Listener())
        _ledger.listening = True


def compiling() -> Compiling:
    """What has been compiled in this process since the first call of this function, and what is at work now."""
    _listen()
    kernels, seconds, now = _ledger.kernels, _ledger.seconds, _ledger.now
    if now is None:
        return Compiling(kernels, seconds)
    name, cached, began = now
    return Compiling(kernels, seconds + perf_counter() - began, name, cached)


def line(since: Compiling) -> Text | None:
    """One line on what is being compiled, with the counts from `since` on; None where nothing is."""
    now = compiling()
    if not now.at_work:
        return None
    from rich.text import Text

    kernels, seconds = now.kernels - since.kernels, now.seconds - since.seconds
    counts = f"{kernels} so far, {seconds:.0f} s" if kernels else f"{seconds:.0f} s"
    once = ", once" if now.cached else ""
    return Text(f"compiling kernels for this CPU{once}: {now.at_work} ({counts})", no_wrap=True, overflow="ellipsis")


def note(since: Compiling) -> list[str]:
    """What the report of a run says of the kernels that were compiled while it went on, if it took any time."""
    now = compiling()
    kernels, seconds = now.kernels - since.kernels, now.seconds - since.seconds
    if not kernels or seconds < LISTED_S:
        return []
    what = "1 kernel was" if kernels == 1 else f"{kernels} kernels were"
    return [f"{what} compiled for this CPU, which took {seconds:.1f} s of the run"]
