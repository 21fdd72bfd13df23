"""Arrays that end, or begin, at a page that nobody may touch: a kernel that goes beyond one ends the process.

What lies between an array and such a page holds a pattern that must stay, and must not show in any result. Memory that
is allocated anew has no zeros either: see `fill_allocations`.
"""

import ctypes
import mmap
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["Arena", "Case", "check", "fill_allocations", "run_all", "run_in_child"]

PAGE = mmap.PAGESIZE
PATTERNS = (0x00, 0xFF, 0xA5)  # zeros; -1 and NaN; neither
_libc = ctypes.CDLL(None, use_errno=True)


def fill_allocations(byte: int) -> None:
    """From now on the C library fills what it allocates with `byte`, as far as it can (M_PERTURB of glibc)."""
    _libc.mallopt(-6, ~byte & 0xFF)


class Arena:
    """Memory between two pages without any access."""

    def __init__(self, size: int) -> None:
        pages = -(-size // PAGE) + 1
        self._map = mmap.mmap(-1, (pages + 2) * PAGE)
        start = ctypes.addressof(ctypes.c_char.from_buffer(self._map))
        for page in (start, start + (pages + 1) * PAGE):
            if _libc.mprotect(ctypes.c_void_p(page), ctypes.c_size_t(PAGE), 0):
                raise OSError(ctypes.get_errno(), "mprotect")
        self.bytes = np.frombuffer(self._map, np.uint8, pages * PAGE, PAGE)
        self._used, self._pattern = slice(0, 0), 0
        self.bytes[:] = 0

    def place(self, values: np.ndarray, gap: int, at_end: bool, pattern: int) -> np.ndarray:
        """The values, `gap` bytes from the forbidden page behind them (`at_end`) or before them."""
        begin = self.bytes.size - gap - values.nbytes if at_end else gap
        if begin < 0 or begin + values.nbytes > self.bytes.size:
            raise ValueError(f"{values.nbytes} bytes do not fit an arena of {self.bytes.size}")
        self._used, self._pattern = slice(begin, begin + values.nbytes), pattern
        near = slice(max(begin - 4096, 0), begin + values.nbytes + 4096)
        self.bytes[near] = pattern
        placed = self.bytes[self._used].view(values.dtype).reshape(values.shape)
        placed[...] = values
        return placed

    def intact(self) -> bool:
        """Whether what lies around the values is as it was."""
        begin, end = self._used.start, self._used.stop
        around = self.bytes[max(begin - 4096, 0) : begin], self.bytes[end : end + 4096]
        return all((part == self._pattern).all() for part in around)


@dataclass(frozen=True)
class Case:
    """A kernel, what it is given for each of `sizes`, and whether it writes to its arguments.

    `make(size)` gives the arrays, `run(*arrays)` calls the kernel: what it returns, arrays or a tuple of them, is
    compared with what it returns for ordinary arrays; so are the arguments, if it `writes`.
    """

    name: str
    make: Callable[[int], Sequence[np.ndarray]]
    run: Callable[..., Any]
    sizes: Iterable[int] = field(default_factory=lambda: SIZES)
    writes: bool = False


def _around(*steps: int) -> list[int]:
    return [n + d for n in steps for d in (-1, 0, 1)]


SIZES = (*range(201), *_around(256, 512, 1024, 2048), 4099)
MANY_GAPS = {0, 1, 2, 5, 8, *_around(16, 32, 64, 128)}  # sizes at which every alignment is tried


def _places(size: int, item: int) -> Iterator[tuple[int, bool]]:
    yield 0, True
    yield 0, False
    gaps = range(1, 64) if size in MANY_GAPS else [1 + size * 7 % 63, item * (1 + size % 15)]
    for gap in gaps:
        yield gap, True


def _bytes(found: Any) -> list[bytes]:
    if isinstance(found, np.ndarray):
        return [found.dtype.str.encode(), np.ascontiguousarray(found).tobytes()]
    if isinstance(found, tuple | list):
        return [part for one in found for part in _bytes(one)]
    return [repr(found).encode()]


def check(case: Case, arenas: list[Arena]) -> None:
    """Run a case at all sizes and places.

    Raises:
        AssertionError: a result, an argument or what lies around it is not as it must be.
    """
    for turn, size in enumerate(case.sizes):
        good = case.make(size)
        while len(arenas) < len(good):
            arenas.append(Arena(4 << 20))
        expected: list[list[bytes]] = []
        for byte in PATTERNS[:2]:
            fill_allocations(byte)
            copies = [a.copy() for a in good]
            found = _bytes(case.run(*copies))
            expected.append(found + (_bytes(copies) if case.writes else []))
        assert expected[0] == expected[1], f"size {size}: the result depends on what memory held before"
        item = max(a.itemsize for a in good)
        for gap, at_end in _places(size, item):
            if case.writes and gap % item:
                continue  # what is written to must be aligned
            where = f"size {size}, {gap} bytes {'before' if at_end else 'behind'} a forbidden page"
            pattern = PATTERNS[(turn + gap) % len(PATTERNS)]
            placed = [arena.place(a, gap, at_end, pattern) for arena, a in zip(arenas, good, strict=False)]
            found = _bytes(case.run(*placed))
            assert found + (_bytes(placed) if case.writes else []) == expected[0], f"{where}: another result"
            for number, (arena, before, after) in enumerate(zip(arenas, good, placed, strict=False)):
                assert arena.intact(), f"{where}: wrote beside argument {number}"
                if not case.writes:
                    assert before.tobytes() == after.tobytes(), f"{where}: wrote to argument {number}"


def run_all(cases: Sequence[Case], first: int) -> None:
    """In the child: run the cases from number `first` on, telling what happens line by line."""
    arenas: list[Arena] = []
    for number, case in enumerate(cases[first:], first):
        print(f"begin {number} {case.name}", flush=True)
        try:
            check(case, arenas)
        except Exception as error:  # also what the kernel itself raises
            print(f"bad {number} {type(error).__name__}: {' '.join(str(error).split())[:300]}", flush=True)
        else:
            print(f"good {number}", flush=True)


def run_in_child(script: Path, count: int, timeout_s: float = 600) -> dict[int, str]:
    """Run the cases of a script, which calls `run_all`, in a process of their own, and go on behind one that dies.

    Returns:
        What is wrong with each case, by its number: "" where nothing is.
    """
    found: dict[int, str] = {}
    path = os.pathsep.join([str(Path(__file__).parent), *filter(None, [os.environ.get("PYTHONPATH")])])
    while len(found) < count:
        first = len(found)
        done = subprocess.run(
            [sys.executable, "-X", "faulthandler", str(script), str(first)],
            capture_output=True,
            text=True,
            timeout=timeout_s,
            env={**os.environ, "PYTHONPATH": path},
            check=False,
        )
        begun = -1
        for line in done.stdout.splitlines():
            what, number, *rest = line.split(" ", 2)
            begun = int(number) if what == "begin" else begun
            if what in ("good", "bad"):
                found[int(number)] = "".join(rest)
        if begun < first or (begun in found and len(found) < count):
            raise RuntimeError(f"{script} stopped after {len(found)} cases: {done.stderr[-2000:]}")
        if begun not in found:
            found[begun] = f"the process died ({done.returncode}): {done.stderr[:1500]}"
    return found
