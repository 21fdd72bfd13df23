import io
import re
from types import SimpleNamespace

import pytest
from numba.core import event
from rich.console import Console

from lgvsc_flow import cli_compile
from lgvsc_flow.cli import main
from lgvsc_flow.compiling import compiling


@pytest.fixture
def command(monkeypatch, capsys):
    def call(*words):
        monkeypatch.setattr("sys.argv", ["lgvsc-flow", "compile", *words])
        code = 0
        try:
            main()
        except SystemExit as end:
            code = end.code or 0
        return code, *capsys.readouterr()

    return call


def dispatcher(folder, name="f", hits=0, misses=0):
    stats = SimpleNamespace(cache_path=folder, cache_hits={0: hits}, cache_misses={0: misses})
    return SimpleNamespace(stats=stats, py_func=SimpleNamespace(__name__=name))


def compile_one(name):
    details = {"dispatcher": SimpleNamespace(__name__=name), "args": (), "return_type": None}
    with event.trigger_event("numba:compile", data=details):
        pass


@pytest.fixture
def steps(monkeypatch):
    """Three steps, the second of which compiles something."""
    found = [dispatcher("/kernels/a", hits=5), dispatcher("/kernels/b")]

    def compiles():
        compile_one("_inner")
        found[1].stats.cache_misses[0] += 1
        found[0].stats.cache_hits[0] += 2

    monkeypatch.setattr(cli_compile, "_steps", lambda: [("one", int), ("two", compiles), ("three", int)])
    monkeypatch.setattr(cli_compile, "_kernels", lambda: found)
    return found


def test_real_kernels_are_compiled_or_read(command):
    code, out, _ = command("--only", "HARD decisions")
    assert code == 0
    assert re.fullmatch(r"compiled \d+ kernels in [\d.]+ s, \d+ came from the cache(; kept in .+)?\n", out)
    assert command("--only", "hard decisions")[1].startswith("compiled 0 kernels in ")


def test_the_names_are_listed(command):
    code, out, err = command("--list")
    assert (code, err) == (0, "")
    assert "modem: hard decisions\n" in out
    assert "LDPC: 802.11n n=648 r=1/2 and all codes of the same check degrees\n" in out
    assert command("--list", "--only", "802.11n n=1296")[1].count("\n") == 1


def test_what_was_done_is_counted_and_told(command, steps):
    code, out, err = command()
    assert code == 0
    assert re.fullmatch(
        r"compiled 1 kernels in 0\.\d s, 2 came from the cache; kept in 2 folders below /kernels\n", out
    )
    assert re.fullmatch(r"2 of 3: two \(0\.\d s\)\n", err)
    assert command("--only", "three")[1:] == ("compiled 0 kernels in 0.0 s, 0 came from the cache\n", "")


def test_progress_is_shown_on_a_terminal(monkeypatch):
    terminal = io.StringIO()
    monkeypatch.setattr(cli_compile.sys, "stderr", SimpleNamespace(isatty=lambda: True))
    monkeypatch.setattr(
        cli_compile, "Console", lambda **_: Console(file=terminal, force_terminal=True, width=100, legacy_windows=False)
    )
    with cli_compile._progress(7) as show:
        show(2, "modem: [4-QAM]", compiling())
    assert "2/7" in terminal.getvalue()
    assert "modem: [4-QAM]" in terminal.getvalue()


def test_kernels_that_could_not_be_kept_are_an_error(command, steps):
    steps.append(dispatcher(None, "_elsewhere", misses=1))
    steps[1].stats.cache_path, steps[1].py_func.__name__ = None, "_demap"
    code, _, err = command()
    assert code == 1
    assert "error: demap could not be kept: there is no folder for them that can be written; set NUMBA_CACHE_DIR" in err


@pytest.mark.parametrize(
    ("words", "message"),
    [(["--only", "fnord"], "--only fnord: nothing to compile has that in its name; --list shows the names")],
)
def test_mistakes(command, words, message):
    code, _, err = command(*words)
    assert code == 1
    assert message in err


def test_numba_must_be_at_work(command, monkeypatch):
    monkeypatch.setenv("NUMBA_DISABLE_JIT", "1")
    assert command()[::2] == (1, "error: NUMBA_DISABLE_JIT is set, so nothing can be compiled; unset it\n")


def test_where_numba_finds_no_folder(command, monkeypatch):
    def steps():
        raise RuntimeError("cannot cache function 'f': no locator available for file 'g.py'")

    monkeypatch.setattr("lgvsc_flow.graphs.warm.steps", steps)
    code, _, err = command()
    assert code == 1
    assert "kernels cannot be kept: cannot cache function 'f'" in err
    assert "set NUMBA_CACHE_DIR to a folder that can be written" in err
