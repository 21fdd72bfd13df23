import io
import logging
import subprocess
import sys
import time
from contextlib import contextmanager
from types import SimpleNamespace

import numba
import pytest
from chain import Compare, Invert, Source
from numba.core import event
from rich.console import Console

from lgvsc_flow import Block, Graph, In, Out, compiling as module, live
from lgvsc_flow.compiling import Compiling, compiling, line, note
from lgvsc_flow.errors import BlockError
from lgvsc_flow.items import Bits


class Kernel:
    """What stands in for a dispatcher: events carry it, and nothing else of a compilation is needed here."""

    def __init__(self, name, folder="/somewhere"):
        self.py_func = SimpleNamespace(__name__=name)
        self.stats = SimpleNamespace(cache_path=folder)


@contextmanager
def at_work(name="decode", folder="/somewhere"):
    compiling()
    with event.trigger_event(
        "numba:compile", data={"dispatcher": Kernel(name, folder), "args": (), "return_type": None}
    ):
        yield


class Slow(Block):
    """Takes half a second for its second item, and says that it compiles, or does not."""

    bits = In(Bits, "n")
    inverted = Out(Bits, "n")

    def start(self):
        self.count = 0

    def work(self, bits):
        self.count += 1
        if self.count == 2:
            if self.compiles:
                with at_work():
                    time.sleep(0.5)
            else:
                time.sleep(0.5)
        return 1 - bits


def link(compiles):
    slow, compare = Slow(), Compare()
    slow.compiles = compiles
    graph, source = Graph("slow"), Source(count=3)
    graph.connect(source, slow, compare.a)
    graph.connect(source, Invert(), compare.b)
    return graph


@pytest.mark.parametrize("engine", ["inline", "threads"])
def test_the_stall_watch_waits_for_the_compiler(engine):
    link(compiles=True).run(engine=engine, stall_s=0.15)
    with pytest.raises(BlockError, match="no block has finished an item"):
        link(compiles=False).run(engine=engine, stall_s=0.15)


def test_a_run_notes_what_was_compiled():
    (text,) = link(compiles=True).run().notes
    assert text.startswith("1 kernel was compiled for this CPU, which took 0.5")
    assert link(compiles=False).run().notes == []
    assert note(Compiling(compiling().kernels - 7, compiling().seconds - 1)) == [
        "7 kernels were compiled for this CPU, which took 1.0 s of the run"
    ]


def test_a_real_kernel_is_counted_once_with_those_it_calls():
    before = compiling()
    inner = numba.njit(lambda x: x + 1)
    outer = numba.njit(lambda x: inner(x) * 2)
    assert outer(3) == 8
    assert outer(4) == 10
    after = compiling()
    assert after.kernels == before.kernels + 1
    assert 0 < after.seconds - before.seconds < 60
    assert after.at_work == ""


def test_the_line_names_the_kernel_and_counts():
    before = compiling()
    assert line(before) is None
    with at_work("_first"):
        assert str(line(before)) == "compiling kernels for this CPU, once: first (0 s)"
    with at_work("second", folder=None):
        with at_work("inner"):
            assert str(line(before)) == "compiling kernels for this CPU: second (1 so far, 0 s)"
        assert compiling().at_work == "second"
    assert line(before) is None
    assert compiling().kernels == before.kernels + 2


def test_a_failed_compilation_ends():
    before = compiling()
    with pytest.raises(numba.TypingError):
        numba.njit(lambda x: x.nothing)(1)
    assert compiling().at_work == ""
    with pytest.raises(ZeroDivisionError), at_work():
        raise ZeroDivisionError
    assert compiling().at_work == ""
    assert compiling().kernels == before.kernels + 2


def test_an_end_whose_begin_was_not_heard_is_nothing():
    before = compiling().kernels
    event.end_event("numba:compile", data={"dispatcher": Kernel("late")})
    assert compiling().kernels == before
    with at_work("next"):
        assert compiling().at_work == "next"


def test_a_long_compilation_is_logged(monkeypatch, caplog):
    monkeypatch.setattr(module, "LONG_S", 0.05)
    with caplog.at_level(logging.INFO, "lgvsc_flow"):
        with at_work("short"):
            pass
        with at_work("long"):
            time.sleep(0.2)
            assert caplog.messages == ["compiling long for this CPU, once"]
    assert len(caplog.messages) == 2
    assert caplog.messages[1].startswith("compiled long in 0.2 s, kept in /somewhere")
    caplog.clear()
    with at_work("unheard"):
        time.sleep(0.1)
    assert caplog.messages == []


@pytest.mark.parametrize("engine", ["inline", "threads"])
def test_the_live_table_shows_it(engine, monkeypatch):
    terminal = Console(file=io.StringIO(), force_terminal=True, width=100)
    monkeypatch.setattr(live, "Console", lambda **_: terminal)
    link(compiles=True).run(engine=engine, progress=True)
    assert "compiling kernels for this CPU, once: decode (0 s)" in terminal.file.getvalue()


def test_nothing_is_shown_without_progress(capfd):
    link(compiles=True).run()
    assert capfd.readouterr() == ("", "")


def test_numba_is_not_imported_for_it_and_heard_once_it_is():
    code = """
import sys
from lgvsc_flow import Block, Graph, Out
from lgvsc_flow.compiling import compiling
from lgvsc_flow.items import Bits
import numpy as np
class Plain(Block):
    bits = Out(Bits, "n")
    def work(self):
        yield np.zeros(4, np.uint8)
class Late(Plain):
    def work(self):
        import numba, time
        time.sleep(0.3)
        numba.njit(lambda x: x)(1)
        yield np.zeros(4, np.uint8)
graph = Graph(); graph.add(Plain()); graph.run()
assert "numba" not in sys.modules and compiling().kernels == 0
graph = Graph(); graph.add(Late()); graph.run()
assert compiling().kernels == 1
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


def test_bars_show_it():
    terminal = Console(file=io.StringIO(), force_terminal=True, width=100)
    with live.Bars("{task.description}", console=terminal, auto_refresh=False) as bars:
        bars.add_task("points")
        bars.refresh()
        with at_work("demodulate"):
            bars.refresh()
            assert "once: demodulate" in terminal.file.getvalue()
    assert "points" in terminal.file.getvalue()
