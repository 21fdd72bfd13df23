"""The command `lgvsc-flow compile`: all kernels compiled ahead of their use."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from lgvsc_flow.compiling import Compiling, compiling
from lgvsc_flow.errors import FlowError

if TYPE_CHECKING:
    from lgvsc_flow.graphs.warm import Step

__all__ = ["compile_kernels"]

EXAMPLES = (
    "Examples: `lgvsc-flow compile`, `lgvsc-flow compile --only 802.11n`, "
    "`NUMBA_CACHE_DIR=/opt/kernels lgvsc-flow compile` (and the same variable for what runs later)"
)
WHAT_TO_DO = "set NUMBA_CACHE_DIR to a folder that can be written, now and for the programs that use the kernels"


def compile_kernels(
    only: Annotated[str | None, typer.Option("--only", help="what has this in its name, as in 802.11n or tdl")] = None,
    names: Annotated[bool, typer.Option("--list", help="only say what there is to compile")] = False,
) -> None:
    """Compile all kernels for this CPU now and keep them on disk, so that no later process has to.

    For images, CI and lectures; some minutes at first, seconds when it is done already. Kernels are for one kind of
    CPU: where it is another one that will use them, name that in NUMBA_CPU_NAME and NUMBA_CPU_FEATURES, here and there.
    """
    began = perf_counter()
    todo = [step for step in _steps() if only is None or only.lower() in step[0].lower()]
    console = Console(markup=False, highlight=False, soft_wrap=True)
    if not todo:
        raise FlowError(f"--only {only}: nothing to compile has that in its name; --list shows the names")
    if names:
        for name, _ in todo:
            console.print(name)
        return
    before = {id(found[0]): found for found in _counts()}
    with _progress(len(todo)) as show:
        for number, (name, call) in enumerate(todo):
            so_far = compiling()
            show(number, name, None)
            call()
            show(number + 1, name, so_far)
    used, compiled, cached = [], 0, 0
    for kernel, misses, hits in _counts():
        _, misses_before, hits_before = before.get(id(kernel), (kernel, 0, 0))
        if (misses, hits) != (misses_before, hits_before):
            used.append(kernel)
            compiled, cached = compiled + misses - misses_before, cached + hits - hits_before
    spent = perf_counter() - began
    console.print(f"compiled {compiled} kernels in {spent:.1f} s, {cached} came from the cache{_kept(used)}")


def _steps() -> list[Step]:
    """What there is to do, or why it cannot be."""
    if os.environ.get("NUMBA_DISABLE_JIT", "0") not in ("", "0"):
        raise FlowError("NUMBA_DISABLE_JIT is set, so nothing can be compiled; unset it")
    try:
        from lgvsc_flow.graphs.warm import steps

        return list(steps())
    except RuntimeError as error:  # Numba's own cache, as the kernels of others use it
        if "no locator available" not in str(error):
            raise
        raise FlowError(f"kernels cannot be kept: {error}; {WHAT_TO_DO}") from None


def _kernels() -> list[Any]:
    """All of Numba's dispatchers that keep what they compile, here or in other packages."""
    from numba.core.caching import NullCache
    from numba.core.dispatcher import Dispatcher

    found = [o for o in gc.get_objects() if issubclass(type(o), Dispatcher)]
    return [d for d in found if not isinstance(getattr(d, "_cache", None), NullCache)]


def _counts() -> list[tuple[Any, int, int]]:
    """Each kernel, how often it was compiled in this process, and how often it was read from disk."""
    return [(d, sum(d.stats.cache_misses.values()), sum(d.stats.cache_hits.values())) for d in _kernels()]


def _kept(kernels: list[Any]) -> str:
    """Where they are.

    Raises:
        FlowError: some are nowhere.
    """
    folders = {d.stats.cache_path for d in kernels}
    if None in folders:
        homeless = sorted({d.py_func.__name__.lstrip("_") for d in kernels if d.stats.cache_path is None})
        raise FlowError(
            f"{', '.join(homeless)} could not be kept: there is no folder for them that can be written; {WHAT_TO_DO}"
        )
    if len(folders) > 1:
        return f"; kept in {len(folders)} folders below {Path(os.path.commonpath(sorted(folders)))}"
    return "".join(f"; kept in {folder}" for folder in folders)


@contextmanager
def _progress(total: int) -> Iterator[Callable[[int, str, Compiling | None], None]]:
    """A bar on a terminal's standard error, elsewhere a line for each step that compiled something."""
    if not sys.stderr.isatty():

        def tell(number: int, name: str, before: Compiling | None) -> None:
            now = compiling()
            if before is not None and now.kernels > before.kernels:
                seconds = now.seconds - before.seconds
                print(f"{number} of {total}: {name} ({seconds:.1f} s)", file=sys.stderr, flush=True)

        yield tell
        return
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
    from rich.table import Column

    from lgvsc_flow.live import Bars

    text = TextColumn("{task.description}", markup=False, table_column=Column(no_wrap=True, ratio=1))
    columns = (MofNCompleteColumn(), BarColumn(20), TimeElapsedColumn(), text)
    with Bars(*columns, console=Console(stderr=True), transient=True, expand=True) as bars:
        task = bars.add_task("begins", total=total)
        yield lambda number, name, before: bars.update(task, completed=number, description=name)
