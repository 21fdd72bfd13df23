"""One part of the PHY, in a process of its own: `phy.py` runs it pinned, and between those of the peers.

    python benchmarks/phy_parts.py ldpc.decoder n=1944 code_rate=1/2 words=128 --seconds 1

A part is a function in a file `phy_*.py`: it prepares everything, and returns a call and the elements that one call
handles. Prints one line of JSON: how much was done (`count`), the wall time and the CPU time of the process.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np

from lgvsc_flow import Block
from lgvsc_flow.engines.memory import keep_freed_memory

Part = tuple[Callable[[], object], int]
BURST = 16384
GROUP_S = 0.01  # a look at the clocks costs as much as a small kernel: calls between two take so long at least


def started(block: Block, rng: np.random.Generator | None = None) -> Any:
    """A block as a graph has it when items come."""
    block.rng = rng or np.random.default_rng(0)
    block.start()
    return block


def bits(n: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 2, n, dtype=np.uint8)


def noise(n: int, rng: np.random.Generator) -> np.ndarray:
    """Complex Gaussian noise in single precision, of power 2."""
    return rng.standard_normal(2 * n, dtype=np.float32).view(np.complex64)


def load(name: str, settings: list[str]) -> Part:
    """The part `file.function`, from settings such as `order=16`."""
    file, _, function = name.partition(".")
    pairs = (text.partition("=") for text in settings)
    return getattr(import_module(f"phy_{file}"), function)(**{key: value(text) for key, _, text in pairs})


def value(text: str) -> int | float | str:
    """A number where it is one."""
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def timed(call: Callable[[], object], elements: int, seconds: float) -> dict[str, float]:
    """Elements, wall and CPU seconds of as many calls as fill the time, behind some that compile and warm up."""
    call()
    group, spent = 1, 0.0
    while spent < min(GROUP_S, seconds):
        group *= 2 if spent else 1
        begin = time.process_time()
        for _ in range(group):
            call()
        spent = time.process_time() - begin + 1e-9
    calls, wall, cpu = 0, time.perf_counter(), time.process_time()
    while time.process_time() - cpu < seconds:
        for _ in range(group):
            call()
        calls += group
    return {"count": calls * elements, "wall_s": time.perf_counter() - wall, "cpu_s": time.process_time() - cpu}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", help="a file and a function in it, as in qam.mapper")
    parser.add_argument("settings", nargs="*", help="its arguments, as in order=16")
    parser.add_argument("--seconds", type=float, default=1.0, help="CPU seconds to measure")
    options = parser.parse_args()
    keep_freed_memory()  # as in a run: the engines ask for it
    print(json.dumps(timed(*load(options.part, options.settings), options.seconds)))


if __name__ == "__main__":
    main()
