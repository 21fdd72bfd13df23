"""Throughput of the channels and of OFDM on one core, beside NumPy and GNU Radio; the ratio comes first.

    python benchmarks/channels.py [--json out.jsonl] [--repeats 5] [--only OFDM]

Each row runs `work` of a block on one burst, noise drawn anew each time. NumPy is the shortest program that does the
same in single precision; GNU Radio's fading models run where it is installed, as flowgraphs of their own, and add no
noise. Run it on an idle machine: the load is printed.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from measure import Bench, Row, rate
from runtime import sample
from runtime_rows import Job

from lgvsc_flow import Block
from lgvsc_flow.blocks.channel import (
    GilbertElliottChannel,
    JakesChannel,
    MimoChannel,
    MimoEqualizer,
    RicianChannel,
    TdlChannel,
)
from lgvsc_flow.blocks.phy import ChannelEstimator, OfdmDemodulator, OfdmModulator

BURST = 16384


def started(block: Block, rng: np.random.Generator) -> Any:
    block.rng = rng
    block.start()
    return block


def noise(n: int, rng: np.random.Generator) -> np.ndarray:
    return rng.standard_normal(2 * n, dtype=np.float32).view(np.complex64)


def flat_rows(bench: Bench) -> None:
    x, rng = np.ones(BURST, np.complex64), bench.rng

    def row(what: str, block: Block, theirs: Callable[[], object]) -> None:
        ready = started(block, rng)
        bench.row(what, "symbols", lambda: ready.work(x), BURST, "NumPy", theirs, BURST)

    def rician() -> object:
        gain = np.repeat(noise(BURST // 64, rng), 64) + np.float32(0.5)
        return gain * x + noise(BURST, rng)

    turns = rng.uniform(-1e-4, 1e-4, 64)

    def jakes(step: int) -> Callable[[], object]:
        def work() -> object:
            angle = (2 * np.pi * turns[:, None] * np.arange(0, BURST, step)).astype(np.float32)
            return np.repeat(np.exp(1j * angle).sum(axis=0), step) * x + noise(BURST, rng)

        return work

    def erasures() -> object:
        bad, lost = False, np.empty(BURST, bool)
        for i, u in enumerate(rng.random(BURST).tolist()):
            bad = u >= 0.01 if bad else u < 0.0005
            lost[i] = bad
        return np.where(lost, 0, x + noise(BURST, rng))

    def mimo() -> object:
        h = np.repeat(noise(4 * BURST // 128, rng).reshape(-1, 2, 2), 64, axis=0)
        return (h @ x.reshape(-1, 2, 1)).reshape(-1) + noise(BURST, rng)

    row("Rician, 64 symbols a block", RicianChannel(), rician)
    row("Jakes, 64 sinusoids, each symbol its own gain", JakesChannel(), jakes(1))
    row("Jakes, 64 sinusoids, 16 symbols a gain", JakesChannel(coherence=16), jakes(16))
    row("Gilbert-Elliott erasures", GilbertElliottChannel(), erasures)
    row("MIMO 2x2", MimoChannel(), mimo)
    received, equalizer = started(MimoChannel(), rng).work(x), MimoEqualizer()

    def separate() -> object:
        h = received.gain
        y = received.symbols.reshape(len(h), 64, 2)
        return y @ np.linalg.inv(h.conj().transpose(0, 2, 1) @ h + 0.1 * np.eye(2)) @ h.conj().transpose(0, 2, 1)

    bench.row("MIMO 2x2, MMSE", "symbols", lambda: equalizer.work(received), BURST, "NumPy", separate, BURST)


def tdl_rows(bench: Bench) -> None:
    x, rng = noise(BURST, bench.rng), bench.rng
    taps = noise(16, rng)
    for what, settings in (("still", {}), ("Doppler, taps held for 64 samples", {"doppler_hz": 100.0})):
        block = started(TdlChannel(**settings), rng)
        bench.row(
            f"TDL-A, 16 taps, {what}",
            "samples",
            lambda block=block: block.work(x),
            BURST,
            "NumPy, still",
            lambda: np.convolve(x, taps)[:BURST] + noise(BURST, rng),
            BURST,
        )


def gnuradio_rows(bench: Bench, seconds: float) -> None:
    """Fading that goes on in time, the gain of each sample its own in GNU Radio."""
    x = np.ones(BURST, np.complex64)
    cases: list[tuple[str, Block, int]] = [
        ("Jakes, 64 sinusoids, each symbol its own gain", JakesChannel(), 1),
        ("Jakes, 64 sinusoids, 16 symbols a gain", JakesChannel(coherence=16), 1),
        ("TDL-A, 23 paths of 64 sinusoids, each sample its own taps", TdlChannel(doppler_hz=1500.0, coherence=1), 23),
        ("TDL-A, 23 paths of 64 sinusoids, taps held for 64 samples", TdlChannel(doppler_hz=1500.0), 23),
    ]
    for what, block, paths in cases:
        if bench.only not in what.lower():
            continue
        ready = started(block, bench.rng)
        ours = rate(lambda ready=ready: ready.work(x), BURST, bench.repeats, time.thread_time)
        job = Job("GNU Radio", "gnuradio/fading.py", ("--sinusoids", "64", "--paths", str(paths)))
        found = sample(job, "rate", seconds)
        bench.rows.append(Row(what, "M samples/s", ours, job.label, found["cpu"] if found else None))


def ofdm_rows(bench: Bench) -> None:
    modulator, demodulator = OfdmModulator(), OfdmDemodulator()
    grid, count = modulator.grid, 2 * modulator.frame_symbols
    modulator.start()
    x, mask = noise(count, bench.rng), ~grid.is_pilot
    samples = modulator.work(x)
    received = started(TdlChannel(), bench.rng).work(samples)
    data, pilots = demodulator.work(received)

    def modulate() -> object:
        slots = np.ones((2, *mask.shape), np.complex64)
        slots[:, mask] = x.reshape(2, -1)
        spectrum = np.zeros((28, 1024), np.complex64)
        spectrum[:, np.arange(-300, 300)] = slots.reshape(28, 600)
        body = np.fft.ifft(spectrum, norm="ortho")
        return np.hstack([body[:, -72:], body]).reshape(-1)

    def demodulate() -> object:
        spectrum = np.fft.fft(received.symbols.reshape(28, -1)[:, 72:], norm="ortho")
        slots = spectrum[:, np.arange(-300, 300)].reshape(2, 14, 600)
        response = np.fft.fft(received.taps[0], 1024)[np.arange(-300, 300)]
        return slots[:, mask], np.broadcast_to(response, slots.shape)[:, mask], slots[:, ~mask]

    bench.row("OFDM modulator", "symbols", lambda: modulator.work(x), count, "NumPy", modulate, count)
    what = "OFDM demodulator with the true gains"
    bench.row(what, "symbols", lambda: demodulator.work(received), count, "NumPy", demodulate, count)
    at = np.flatnonzero(grid.is_pilot)
    whole = noise(grid.is_pilot.size * at.size, bench.rng).reshape(-1, at.size)
    seen = pilots.symbols.reshape(2, -1)
    for method in ("ls", "lmmse"):
        estimator = started(ChannelEstimator(method=method), bench.rng)
        bench.row(
            f"OFDM channel estimation, {method}",
            "symbols",
            lambda estimator=estimator: estimator.work(data, pilots),
            count,
            "NumPy, one matrix product",
            lambda: seen @ whole.T,
            count,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="write the rows here too, one line of JSON each")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.0, help="CPU seconds of each flowgraph")
    parser.add_argument("--only", default="", help="rows whose name contains this")
    arguments = parser.parse_args()
    bench = Bench(arguments.repeats, arguments.only)
    flat_rows(bench)
    tdl_rows(bench)
    gnuradio_rows(bench, arguments.seconds)
    ofdm_rows(bench)
    bench.show(arguments.json)


if __name__ == "__main__":
    main()
