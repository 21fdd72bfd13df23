"""One measurement of ours, in a process of its own: `runtime.py` runs it pinned, and between those of the peers.

    python benchmarks/runtime_graphs.py elementwise --engine threads --seconds 1

Prints one line of JSON: how much was done (`count`), the wall time and the CPU time of all threads.
"""

from __future__ import annotations

import argparse
import json
import re
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
from elementwise import AnySink, Bursts, Samples, nine
from runtime_rows import ESN0_DB, theory_ber

from lgvsc_flow import Block, Graph, In, Out, setting
from lgvsc_flow.blocks.channel import AwgnChannel
from lgvsc_flow.blocks.metrics import BerMeter
from lgvsc_flow.graphs.modem import uncoded
from lgvsc_flow.kernels import kernel

Build = Callable[[int], tuple[Graph, int]]  # bursts to a graph, and to what it is counted as

CALL_ITEMS = 64
BURST = 16384
HEAVY_BURST = 1024
FIRST = 32  # bursts of the first run


class Nothing(Block):
    """Hand every burst on as it is."""

    samples = In(Samples, "n")
    same = Out(Samples, "n")

    def work(self, samples: np.ndarray) -> np.ndarray:
        return samples


class Repeat(Block):
    """One burst over and over."""

    samples = Out(Samples, "n")

    n: int = setting(CALL_ITEMS, ge=1, doc="samples per burst")
    count: int = setting(1, ge=0, doc="bursts")

    def work(self) -> Iterator[np.ndarray]:
        burst = np.ones(self.n, np.complex64)
        for _ in range(self.count):
            yield burst


class Drop(Block):
    """Take every burst and do nothing with it."""

    samples = In(Samples)

    def work(self, samples: np.ndarray) -> None:
        pass


@kernel
def iterate(x: np.ndarray, times: int) -> np.ndarray:
    y = np.empty_like(x)
    for i in range(x.size):
        z = x[i]
        for _ in range(times):
            z = z * z * np.float32(0.1) + x[i]
        y[i] = z
    return y


class Heavy(Block):
    """A kernel of some microseconds per sample, which touches little memory."""

    samples = In(Samples, "n")
    iterated = Out(Samples, "n")

    times: int = setting(100, ge=1, doc="rounds per sample")

    def work(self, samples: np.ndarray) -> np.ndarray:
        return iterate(samples * np.float32(0.1), self.times)


def call(count: int) -> tuple[Graph, int]:
    """Nine do-nothing blocks on bursts of 64; what is counted are their calls."""
    graph = Graph("nine blocks that do nothing")
    graph.connect(Repeat(count=count), *(Nothing() for _ in range(9)), Drop())
    return graph, 9 * count


def elementwise(count: int) -> tuple[Graph, int]:
    """Nine light blocks on bursts of 16384 samples."""
    graph = Graph("nine element-wise blocks")
    graph.connect(Bursts(n=BURST, count=count), *nine(), AnySink())
    return graph, BURST * count


def modem(count: int, decision: Literal["soft", "hard"]) -> tuple[Graph, int]:
    """Bits, 16-QAM, noise, decision, bit error rate."""
    channel = AwgnChannel(esn0_db=ESN0_DB)
    return uncoded(order=16, channel=channel, n=4 * BURST, count=count, decision=decision), BURST * count


def heavy(count: int) -> tuple[Graph, int]:
    """Four blocks with a heavy kernel."""
    graph = Graph("four heavy blocks")
    graph.connect(Repeat(n=HEAVY_BURST, count=count), *(Heavy() for _ in range(4)), Drop())
    return graph, HEAVY_BURST * count


GRAPHS: dict[str, Build] = {
    "call": call,
    "elementwise": elementwise,
    "hard": partial(modem, decision="hard"),
    "soft": partial(modem, decision="soft"),
    "heavy": heavy,
}


def timed(graph: Graph, **how: Any) -> tuple[float, float]:
    """Wall and CPU seconds of a run: check, start and stop of the blocks and threads included."""
    wall, cpu = time.perf_counter(), time.process_time()
    graph.run(**how)
    return time.perf_counter() - wall, time.process_time() - cpu


def throughput(build: Build, seconds: float, **how: Any) -> dict[str, Any]:
    """A run of about so many seconds, behind shorter ones: the first compiles, the last says how fast it goes.

    `how` are arguments of `graph.run`.
    """
    bursts = FIRST
    timed(build(bursts)[0], **how)
    while (wall := timed(build(bursts)[0], **how)[0]) < seconds / 4:
        bursts *= 4
    graph, count = build(max(1, round(bursts * seconds / wall)))
    wall, cpu = timed(graph, **how)
    result = {"count": count, "wall_s": wall, "cpu_s": cpu}
    meters = [b for b in graph.blocks if isinstance(b, BerMeter)]
    return {**result, "ber": meters[0].ber} if meters else result


def memory(build: Build, bursts: int, **how: Any) -> dict[str, Any]:
    """Resident memory of this process: its peak, and what is left behind the run. In MiB, from the kernel.

    The peak is VmHWM: `getrusage` also counts what the parent held before this process was born.
    """
    graph, count = build(bursts)
    timed(graph, **how)
    status = Path("/proc/self/status").read_text()
    kib = dict(re.findall(r"(\w+):\s+(\d+) kB", status))
    return {"count": count, "peak": int(kib["VmHWM"]) / 1024, "end": int(kib["VmRSS"]) / 1024}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("graph", choices=GRAPHS)
    parser.add_argument("--engine", choices=("threads", "inline"), default="threads")
    parser.add_argument("--capacity", type=int, help="items a wire holds; the default of `graph.run` where not given")
    parser.add_argument("--seconds", type=float, default=1.0, help="length of the measured run")
    parser.add_argument("--memory", type=int, metavar="BURSTS", help="measure memory over so many bursts")
    options = parser.parse_args()
    how = {"engine": options.engine, **({"capacity": options.capacity} if options.capacity else {})}
    if options.memory:
        result = memory(GRAPHS[options.graph], options.memory, **how)
    else:
        result = throughput(GRAPHS[options.graph], options.seconds, **how)
    print(json.dumps({**result, **({"theory_ber": theory_ber(ESN0_DB)} if "ber" in result else {})}))


if __name__ == "__main__":
    main()
