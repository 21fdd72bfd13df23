"""A watch over a run: when nothing moves for a while, the block that hangs is named and the run ends."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from time import perf_counter

from lgvsc_flow.compiling import compiling
from lgvsc_flow.engines.control import Control
from lgvsc_flow.engines.stage import Stage
from lgvsc_flow.errors import BlockError

__all__ = ["watch"]


@contextmanager
def watch(stages: Sequence[Stage], control: Control, stall_s: float | None) -> Iterator[None]:
    """Halt the run when no block has finished an item for `stall_s` seconds; None watches nothing.

    The time in which kernels are compiled does not count.
    """
    if stall_s is None:
        yield
        return
    over = threading.Event()

    def look() -> None:
        seen, since = -1, perf_counter()
        while not over.wait(stall_s / 5):
            now = perf_counter()
            compiled = compiling()
            moved = sum(s.items + s.elements for s in stages) + compiled.kernels
            if moved != seen or compiled.at_work:
                seen, since = moved, now
            stuck = [s for s in stages if s.working_since is not None]
            if stuck and now - since >= stall_s:
                control.halt(
                    BlockError(
                        stuck[0].label,
                        stuck[0].items,
                        "",
                        f"it has been at work for {now - since:.2g} s and no block has finished an item in that time "
                        f"(stall_s={stall_s:g}). Where one item may take so long, run with a longer stall_s.",
                    )
                )
                control.hangs = True
                control.interrupt()
                return

    thread = threading.Thread(target=look, name="stall watch", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
