"""Pictures and runs of a tiny training: fixtures for tests of the trainer and its command."""

import json
import multiprocessing
import os
import sys
import time
from contextlib import suppress

import numpy as np
from PIL import Image

#: Children share one process that has imported torch, so that starting one takes a moment.
CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["lgvsc_flow.cli", "lgvsc_flow.blocks.ntscc.runs", "matplotlib.figure"])


def rough(height, width, seed=0):
    """Pixels full of detail, as a photograph has."""
    rng = np.random.default_rng(seed)
    walk = rng.normal(size=(height, width, 3)).cumsum(0).cumsum(1) / 4
    return np.clip(128 + walk + rng.normal(size=(height, width, 3)) * 9, 0, 255).astype(np.uint8)


def write_cache(folder):
    """A prepared cache of three pictures of 64 x 80 pixels."""
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / "pictures.npy", np.concatenate([rough(64, 80, seed).ravel() for seed in range(3)]))
    scales = [[{"offset": i * 64 * 80 * 3, "height": 64, "width": 80}] for i in range(3)]
    pictures = [{"source": str(i), "sha256": "", "weight": 1.0, "scales": s} for i, s in enumerate(scales)]
    (folder / "pictures.json").write_text(json.dumps({"pictures": pictures}))
    return folder


def write_photographs(folder, count=3, size=(150, 200)):
    """JPEG files."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        Image.fromarray(rough(*size, number)).save(folder / f"{number}.jpg", quality=92)
    return folder


def command(output, *words):
    """The command line in a child process; what it prints goes to a file."""
    from lgvsc_flow.cli import main

    sink = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(sink, 1)
    os.dup2(sink, 2)
    sys.argv = ["lgvsc-flow", *map(str, words)]
    main()


def start(output, *words):
    """A child that runs the command line."""
    process = CONTEXT.Process(target=command, args=(str(output), *map(str, words)))
    process.start()
    return process


def log_rows(run):
    """The whole lines of a run's log."""
    rows = []
    if (run / "log.jsonl").is_file():
        for line in (run / "log.jsonl").read_text().splitlines():
            with suppress(ValueError):
                rows.append(json.loads(line))
    return rows


def wait_for_rows(process, run, count):
    """Wait until the log has that many lines, or the process has ended."""
    end = time.monotonic() + 60
    while process.is_alive() and len(log_rows(run)) < count:
        assert time.monotonic() < end, "the training does not get on"
        time.sleep(0.003)
