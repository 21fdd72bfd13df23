"""How a GNU Radio flowgraph is measured: it runs, and the items that one block has read are counted over an interval.

The scripts of this folder run under the Python that has GNU Radio, print one line of JSON
({"count", "wall_s", "cpu_s", "versions", ...}) and need nothing of this project.
"""

import argparse
import json
import os
import sys
import time

import numpy as np
from gnuradio import gr

NOISE_SEED = 42


def arguments(*flags: str) -> argparse.Namespace:
    """--seconds and --warm (CPU seconds), --max-noutput, and the flags asked for."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=1.0, help="CPU seconds to measure")
    parser.add_argument("--warm", type=float, default=0.3, help="CPU seconds to run before")
    parser.add_argument("--max-noutput", type=int, default=0, help="items per call of work at most, for every block")
    for flag in flags:
        parser.add_argument(flag)
    return parser.parse_args()


def complex_noise(count: int) -> list:
    """Test samples, as a list: what vector_source_c takes."""
    rng = np.random.default_rng(1)
    return (rng.standard_normal(count) + 1j * rng.standard_normal(count)).astype(np.complex64).tolist()


def measure(top: gr.top_block, blocks: list, options: argparse.Namespace) -> dict:
    """Run the flowgraph; count what the last of `blocks` reads between two looks at the clocks."""
    if options.max_noutput:
        for block in blocks:
            block.set_max_noutput_items(options.max_noutput)
    sink = blocks[-1]
    cores = len(os.sched_getaffinity(0))
    top.start()
    _sleep(options.warm)
    count, wall, cpu = sink.nitems_read(0), time.perf_counter(), time.process_time()
    _sleep(options.seconds * cores)
    spent = {"wall_s": time.perf_counter() - wall, "cpu_s": time.process_time() - cpu}
    return {"count": sink.nitems_read(0) - count, **spent}


def _sleep(cpu_s: float) -> None:
    """Until the process has worked so long; on a busy machine at most four times that by the wall."""
    wall, cpu = time.perf_counter(), time.process_time()
    while time.process_time() - cpu < cpu_s and time.perf_counter() - wall < 4 * cpu_s:
        time.sleep(min(0.05, cpu_s / 4))


def report(result: dict) -> None:
    """Print the result and leave at once: a flowgraph with Python blocks can hang while it is torn down."""
    print(json.dumps({**result, "versions": {"gnuradio": gr.version()}}))
    sys.stdout.flush()
    os._exit(0)
