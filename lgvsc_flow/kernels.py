"""`kernel`: Numba's `njit` with a cache on disk for many processes, prepared folders, and accidents.

A kernel of one file, for one set of argument types, one closure and one CPU has a file of its own, named by all of
that, written whole or not at all, and checked when it is read. So:

- processes that compile at the same time do not meet (with Numba's numbered files one kernel can be kept under the
  other's number, and later processes run the wrong one);
- what was cut short, in writing or in copying, is compiled anew;
- where nothing can be written, or the disk is full, kernels work all the same; each process compiles its own;
- a folder that was filled by somebody else, and cannot be written, is read;
- a change of a function that a kernel calls, in whatever file of the same package, makes it compile anew.

Folders are those of Numba: `NUMBA_CACHE_DIR` where it is set, `__pycache__` beside the source, the user's cache.
"""

from __future__ import annotations

import hashlib
import inspect
import logging
import os
import pickle
import sys
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cache, cached_property
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any, TypeVar, overload

import llvmlite.binding
import numba
from numba.core import config as _config, serialize
from numba.core.caching import _Cache
from numba.core.compiler import CompileResult
from numba.core.runtime.nrt import rtsys
from numba.misc.appdirs import AppDirs

__all__ = ["KernelCache", "kernel"]

F = TypeVar("F", bound=Callable[..., Any])
config: Any = _config  # what follows has no types
dumps: Callable[[Any], bytes] = serialize.dumps
rebuild: Callable[..., Any] = CompileResult._rebuild
app_dirs: Callable[..., Any] = AppDirs
_log = logging.getLogger("lgvsc_flow")
_told: set[str] = set()
VERSIONS = (1, sys.version_info[:2], sys.implementation.name, numba.__version__, llvmlite.__version__)


@overload
def kernel(function: F) -> F: ...
@overload
def kernel(function: None = None, *, nogil: bool = True, **options: Any) -> Callable[[F], F]: ...
def kernel(function: Callable[..., Any] | None = None, *, nogil: bool = True, **options: Any) -> Any:
    """`numba.njit(nogil=True, cache=True)`, kept as this module says; other options as of `njit`."""

    def compiled(function: Callable[..., Any]) -> Any:
        dispatcher: Any = numba.njit(nogil=nogil, **options)(function)
        if hasattr(dispatcher, "_cache") and not config.DISABLE_JIT:
            dispatcher._cache = KernelCache(function, repr(sorted(options.items())))
        return dispatcher

    return compiled if function is None else compiled(function)


@cache
def _digest(source: Path) -> str:
    try:
        return hashlib.sha256(source.read_bytes()).hexdigest()
    except OSError:
        return ""


class KernelCache(_Cache):
    """The files of one function's kernels."""

    def __init__(self, function: Callable[..., Any], options: str = "") -> None:
        self._function, self._options = function, options
        self._source = Path(inspect.getfile(function))
        self._enabled = True

    @cached_property
    def folders(self) -> list[Path]:
        """Where kernels are looked for, in this order; they are kept in the first that can be written."""
        home = self._source.resolve().parent
        nested = f"{home.name}_{hashlib.sha256(str(home).encode()).hexdigest()[:16]}"
        found = [Path(config.CACHE_DIR) / nested] if config.CACHE_DIR else []
        if home.is_dir():
            found.append(self._source.parent / "__pycache__")
        return [*found, Path(app_dirs(appname="numba", appauthor=False).user_cache_dir) / nested]

    @property
    def cache_path(self) -> str | None:
        """The folder that kernels are kept in; None where no folder can be written."""
        return next((str(folder) for folder in self.folders if _writable(folder)), None)

    def enable(self) -> None:
        """Read and keep kernels, as at first."""
        self._enabled = True

    def disable(self) -> None:
        """Neither read nor keep kernels."""
        self._enabled = False

    def flush(self) -> None:
        """Remove what is kept of this function."""
        for folder in self.folders:
            _remove(folder.glob(f"{self._stem}-*-*.nbc"))

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """The kernel for these argument types, None where none is kept or it cannot be used."""
        name, key = self._key(sig, target_context.codegen())
        for folder in self.folders if name else []:
            path = folder / name
            try:
                data = path.read_bytes()
            except OSError:
                continue
            try:
                if hashlib.sha256(data[32:]).digest() != data[:32]:
                    raise ValueError("it is not what was written")
                kept, externals, payload = pickle.loads(data[32:])
                if kept != key:
                    raise ValueError("it is another kernel's")
                _prepare(target_context, externals)
                return rebuild(target_context, *payload)
            except Exception as error:
                _log.warning("%s cannot be used, %s is compiled anew: %s", path, self._function.__name__, error)
        return None

    def save_overload(self, sig: Any, data: Any) -> None:
        """Keep a compiled kernel; where that fails, the log says why and what to do."""
        name, key = self._key(sig, data.codegen)
        if not name or data.lifted or data.library.has_dynamic_globals:
            return
        payload = dumps((key, _externals(data.library), data._reduce()))
        whole = hashlib.sha256(payload).digest() + payload
        errors = []
        for folder in self.folders:
            try:
                folder.mkdir(parents=True, exist_ok=True)
                _write(folder / name, whole)
            except OSError as error:
                errors.append(f"{folder} ({error.strerror})")
            else:
                ours = name.rpartition("-")[0]
                _remove(p for p in folder.glob(f"{self._stem}-*-*.nbc") if not p.name.startswith(ours))
                return
        self._tell(errors)

    @cached_property
    def _stamp(self) -> str:
        """Of all source that the kernel is made from; empty where it has no file of its own."""
        if not _digest(self._source):
            return ""
        files = sorted(_sources(self._function) | {self._source})
        return hashlib.sha256("".join(map(_digest, files)).encode()).hexdigest()

    @cached_property
    def _stem(self) -> str:
        name = self._function.__qualname__.replace("<", "").replace(">", "")
        return f"{self._source.stem}.{name}"

    def _key(self, sig: Any, codegen: Any) -> tuple[str, str]:
        """The file's name, and all that the kernel depends on. No name: it cannot be told apart in other processes."""
        cells = self._function.__closure__ or ()
        closure = hashlib.sha256(dumps(tuple(c.cell_contents for c in cells)) if cells else b"").hexdigest()
        code = hashlib.sha256(self._function.__code__.co_code).hexdigest()
        source = self._stamp
        key = repr((VERSIONS, str(sig), codegen.magic_tuple(), code, closure, self._options, source))
        if not self._enabled or not source or " at 0x" in key:
            return "", key
        return f"{self._stem}-{source[:8]}-{hashlib.sha256(key.encode()).hexdigest()[:24]}.nbc", key

    def _tell(self, errors: list[str]) -> None:
        text = "; ".join(errors)
        if text not in _told:
            _told.add(text)
            _log.warning(
                "compiled kernels cannot be kept, every process compiles its own: %s. "
                "Set NUMBA_CACHE_DIR to a folder that can be written.",
                text,
            )


def _externals(library: Any) -> list[str] | None:
    """The functions and variables that compiled code expects to find when it is loaded; None: not known."""
    module = getattr(library, "_final_module", None)
    if module is None:
        return None
    declared = [v.name for v in (*module.functions, *module.global_variables) if v.is_declaration]
    return sorted(name for name in declared if not name.startswith("llvm."))


def _prepare(target_context: Any, externals: list[str] | None) -> None:
    """Bring up as much of Numba as loaded code needs.

    Its run time will do for nearly all. The rest, what can be compiled, is half of a short program's time: it is
    brought up where code needs more, and by Numba itself before it compiles.
    """
    rtsys.initialize(target_context)
    if externals is None or any(llvmlite.binding.address_of_symbol(name) is None for name in externals):
        target_context.refresh()


def _writable(folder: Path) -> bool:
    for place in (folder, *folder.parents):
        if place.exists():
            return place.is_dir() and os.access(place, os.W_OK | os.X_OK)
    return False


def _write(path: Path, data: bytes) -> None:
    temporary = path.with_name(f"{path.name}.{uuid.uuid4().hex[:12]}.tmp")
    try:
        temporary.write_bytes(data)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _remove(paths: Iterator[Path]) -> None:
    for path in paths:
        with suppress(OSError):  # another process was first, or the folder cannot be written
            path.unlink()


def _sources(function: Callable[..., Any]) -> set[Path]:
    """The source files, in the function's own package, of it and of all that it reaches by names and closures."""
    top = function.__module__.partition(".")[0]
    todo: list[Any] = [function]
    seen: set[int] = set()
    files: set[Path] = set()
    while todo:
        value = todo.pop()
        if isinstance(value, tuple | list):
            todo += value
            continue
        value = getattr(value, "py_func", getattr(value, "_defn", value))  # of a dispatcher, of an intrinsic
        home = value.__name__ if isinstance(value, ModuleType) else getattr(value, "__module__", None)
        if id(value) in seen or not isinstance(home, str) or home.partition(".")[0] != top:
            continue
        seen.add(id(value))
        file = getattr(sys.modules.get(home), "__file__", None)
        if file:
            files.add(Path(file))
        if isinstance(value, FunctionType):
            names = _names(value.__code__)
            todo += [value.__globals__[name] for name in names if name in value.__globals__]
            todo += [cell.cell_contents for cell in value.__closure__ or ()]
    return files


def _names(code: CodeType) -> set[str]:
    inner = [_names(c) for c in code.co_consts if isinstance(c, CodeType)]
    return set(code.co_names).union(*inner)
