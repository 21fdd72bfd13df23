import errno
import importlib.util
import itertools
import logging
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numba.core import config
from numba.core.registry import cpu_target

from lgvsc_flow import kernels

SOURCE = """
from functools import cache
from lgvsc_flow.kernels import kernel

@kernel
def double(x):
    return 2 * x

@cache
def scaled(n):
    @kernel
    def scale(x):
        return n * x
    return scale
"""
number = itertools.count()


def load(path: Path, package: str = ""):
    """The module, anew: its kernels know of no earlier compilation but by what is on disk."""
    name = f"{package}." * bool(package) + f"fresh_{next(number)}"
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def hits(dispatcher) -> tuple[int, int]:
    """From disk, and compiled."""
    return sum(dispatcher.stats.cache_hits.values()), sum(dispatcher.stats.cache_misses.values())


@pytest.fixture
def source(tmp_path, monkeypatch):
    """A file with kernels, and no other folder to keep them in than `kept`."""
    monkeypatch.setattr(config, "CACHE_DIR", str(tmp_path / "kept"))
    monkeypatch.setattr(kernels, "app_dirs", lambda **_: type("d", (), {"user_cache_dir": tmp_path / "user"}))
    kernels._digest.cache_clear()
    kernels._told.clear()
    path = tmp_path / "code" / "source.py"
    path.parent.mkdir()
    path.write_text(SOURCE)
    return path


def files(folder):
    return sorted(folder.rglob("*.nbc"))


def test_a_kernel_is_kept_and_read(source, tmp_path):
    first, second = load(source), load(source)
    assert first.double(3) == 6
    assert hits(first.double) == (0, 1)
    assert [f.name.partition("-")[0] for f in files(tmp_path)] == ["source.double"]
    assert Path(first.double.stats.cache_path) == files(tmp_path)[0].parent
    assert second.double(4) == 8
    assert hits(second.double) == (1, 0)
    assert list(tmp_path.rglob("*.tmp")) == []


def test_types_layouts_and_closures_have_files_of_their_own(source, tmp_path):
    array = np.arange(4.0)
    fixed = np.arange(4.0)
    fixed.setflags(write=False)
    arguments = [3, 3.0, array, array[::2], fixed, array.astype(np.float32), array.reshape(2, 2)]
    first, second = load(source), load(source)
    for x in arguments:
        first.double(x)
    for n in (2, 3):
        assert first.scaled(n)(5) == 5 * n
    assert len(files(tmp_path)) == len(arguments) + 2
    for x in arguments:
        assert np.array_equal(second.double(x), 2 * x)
    assert hits(second.double) == (len(arguments), 0)
    for n in (3, 2):
        assert second.scaled(n)(7) == 7 * n
        assert hits(second.scaled(n)) == (1, 0)


@pytest.mark.parametrize("damage", ["empty", "cut", "changed", "garbage", "another"])
def test_a_damaged_file_is_compiled_anew(source, tmp_path, caplog, damage):
    module = load(source)
    module.double(1)
    (file,) = files(tmp_path)
    whole = file.read_bytes()
    module.scaled(3)(1)
    other = next(f for f in files(tmp_path) if "scale" in f.name).read_bytes()
    file.write_bytes(
        {
            "empty": b"",
            "cut": whole[: len(whole) // 2],
            "changed": whole[:500] + bytes([whole[500] ^ 1]) + whole[501:],
            "garbage": bytes(range(256)) * 9,
            "another": other,
        }[damage]
    )
    again = load(source)
    with caplog.at_level(logging.WARNING, "lgvsc_flow"):
        assert again.double(21) == 42
    assert hits(again.double) == (0, 1)
    assert f"{file} cannot be used, double is compiled anew: it is" in caplog.text
    assert hits_of_a_fresh(source) == (1, 0)


def hits_of_a_fresh(source):
    module = load(source)
    assert module.double(5) == 10
    return hits(module.double)


def test_without_a_folder_kernels_work_and_the_log_says_so_once(source, tmp_path, caplog, monkeypatch):
    for name in ("kept", "user", "code/__pycache__"):
        (tmp_path / name).write_text("a file, where a folder is wanted")
    module = load(source)
    with caplog.at_level(logging.WARNING, "lgvsc_flow"):
        assert module.double(3) == 6
        assert module.double(3.0) == 6.0
    assert module.double.stats.cache_path is None
    (message,) = caplog.messages
    assert message.startswith("compiled kernels cannot be kept, every process compiles its own: ")
    assert message.endswith("Set NUMBA_CACHE_DIR to a folder that can be written.")
    assert str(tmp_path / "kept") in message


def test_a_full_disk_leaves_nothing_behind_and_the_next_folder_is_taken(source, tmp_path, monkeypatch):
    write = Path.write_bytes

    def full(self, data):
        if tmp_path / "kept" in self.parents:
            write(self, data[:100])
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(self, data)

    monkeypatch.setattr(Path, "write_bytes", full)
    module = load(source)
    assert module.double(3) == 6
    assert [f.parent for f in files(tmp_path)] == [source.parent / "__pycache__"]
    assert list(tmp_path.rglob("*.tmp")) == []
    assert hits_of_a_fresh(source) == (1, 0)


def test_a_folder_that_another_user_filled_is_read(source, tmp_path, monkeypatch):
    monkeypatch.setattr(config, "CACHE_DIR", "")
    load(source).double(3)
    assert [f.parent for f in files(tmp_path)] == [source.parent / "__pycache__"]
    monkeypatch.setattr(kernels.os, "access", lambda path, mode: tmp_path / "code" not in (path, *Path(path).parents))
    module = load(source)
    assert module.double(4) == 8
    assert hits(module.double) == (1, 0)
    assert str(tmp_path / "user") in module.double.stats.cache_path


def test_other_source_is_compiled_anew_and_the_old_is_gone(source, tmp_path):
    load(source).double(3)
    load(source).scaled(3)(3)
    before = files(tmp_path)
    source.write_text(SOURCE.replace("2 * x", "2 * x + 1"))
    kernels._digest.cache_clear()
    assert load(source).double(3) == 7
    after = files(tmp_path)
    assert len(after) == 2
    assert [a == b for a, b in zip(before, after, strict=True)] == [False, True]  # of this kernel alone


def test_a_change_in_another_file_of_the_package_is_seen(source):
    helper = source.with_name("helper.py")
    helper.write_text("from numba import njit\n@njit\ndef more(x):\n    return x + 1\n")
    caller = source.with_name("caller.py")
    caller.write_text(
        "from lgvsc_flow.kernels import kernel\nfrom pack.helper import more\n"
        "@kernel\ndef twice(x):\n    return 2 * more(x)\n"
    )

    def anew():
        for name in [n for n in sys.modules if n.partition(".")[0] == "pack"]:
            del sys.modules[name]
        spec = importlib.util.spec_from_file_location("pack.helper", helper)
        sys.modules["pack.helper"] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules["pack.helper"])
        sys.modules["pack"] = type(sys)("pack")
        sys.modules["pack"].helper = sys.modules["pack.helper"]
        kernels._digest.cache_clear()
        return load(caller, "pack").twice

    assert anew()(1) == 4
    again = anew()
    assert (again(1), hits(again)) == (4, (1, 0))
    helper.write_text(helper.read_text().replace("x + 1", "x + 10"))
    changed = anew()
    assert (changed(1), hits(changed)) == (22, (0, 1))


def test_processes_that_compile_at_the_same_time(source, tmp_path):
    """Each with kernels of its own and shared ones; all are kept, each as what it is."""
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); import source; n = int(sys.argv[2])\n"
        "assert [source.scaled(i)(10) for i in (n, n + 1)] == [10 * n, 10 * n + 10]\n"
        "assert source.scaled(n)(1.5) == 1.5 * n and source.double(n) == 2 * n\n"
        "used = source.double, source.scaled(n), source.scaled(n + 1)\n"
        "print(sum(sum(d.stats.cache_misses.values()) for d in used))"
    )
    environment = {"NUMBA_CACHE_DIR": str(tmp_path / "kept"), "PATH": "", "HOME": str(tmp_path)}
    environment["PYTHONPATH"] = str(Path(kernels.__file__).parents[1])

    def start(n):
        command = [sys.executable, "-c", code, str(source.parent), str(n)]
        return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)

    racing = [start(n) for n in (2, 3)]
    assert all(process.wait(120) == 0 for process in racing)
    assert len(files(tmp_path)) == 6  # double, 2 and 3 and 4 of int, 2 and 3 of float
    for process in (start(2), start(3)):
        assert process.communicate(timeout=120)[0] == "0\n"


def test_a_process_that_only_reads_kernels_does_not_bring_up_the_compiler(source, tmp_path):
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); import numpy as np, numba, source\n"
        "assert source.double(3) == 6 and (source.double(np.arange(3)) == [0, 2, 4]).all()\n"
        "print('numba.np.linalg' in sys.modules, *map(len, source.double.stats[1:]))\n"
        "assert numba.njit(lambda x: np.sort(x)[0] + source.double(1))(np.array([5.0, 4.0])) == 6\n"
    )
    environment = {"NUMBA_CACHE_DIR": str(tmp_path / "kept"), "PATH": "", "HOME": str(tmp_path)}
    environment["PYTHONPATH"] = str(Path(kernels.__file__).parents[1])
    command = [sys.executable, "-c", code, str(source.parent)]
    told = [
        subprocess.run(command, env=environment, check=True, capture_output=True, text=True, timeout=120).stdout
        for _ in range(2)
    ]
    assert told == ["True 0 2\n", "False 2 0\n"]


@pytest.mark.parametrize("known", [True, False])
def test_what_loaded_code_may_miss_is_brought_up(source, monkeypatch, known):
    if not known:
        monkeypatch.setattr(kernels, "_externals", lambda library: None)
    load(source).double(3)
    calls = []
    monkeypatch.setattr(kernels.llvmlite.binding, "address_of_symbol", lambda name: None)
    monkeypatch.setattr(type(cpu_target.target_context), "refresh", lambda self: calls.append(self))
    module = load(source)
    assert module.double(4) == 8
    assert hits(module.double) == (1, 0)
    assert len(calls) == 1


def test_options_and_switches(source, tmp_path):
    @kernels.kernel(fastmath=True, nogil=False)
    def half(x):
        return x / 2

    assert half(3.0) == 1.5
    assert half.targetoptions["fastmath"] is True
    assert half.targetoptions["nogil"] is False
    assert load(source).double.targetoptions["nogil"] is True
    module = load(source)
    module.double._cache.disable()
    module.double(1)
    assert [f for f in files(tmp_path) if "double" in f.name] == []
    module.double._cache.enable()
    module.double(1.0)
    assert len([f for f in files(tmp_path) if "double" in f.name]) == 1
    module.double._cache.flush()
    assert [f for f in files(tmp_path) if "double" in f.name] == []
