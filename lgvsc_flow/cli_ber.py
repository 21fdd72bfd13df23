"""The command `lgvsc-flow ber`: error rate curves of a modem."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from lgvsc_flow.errors import FlowError

__all__ = ["ber", "parse_points"]

MAX_POINTS = 1000
EXAMPLES = (
    "Examples: `lgvsc-flow ber --code nr:512/1024 --order 16 --channel rayleigh --esn0-db 0:20:2 --plot out.png`, "
    "`lgvsc-flow ber --code none --order 64 --channel rician:k_db=6,coherence=1 --esn0-db 0:30:3`, "
    "`lgvsc-flow ber --code wifi:1944/1/2 --order 4 --channel tdl-a:delay_spread_s=100e-9,receiver=ls "
    "--esn0-db 0,2,4,6 --errors 50 --out curve.jsonl`, "
    "`lgvsc-flow ber --code conv:3/4:k=800 --channel awgn+phase-noise:linewidth_hz=1000 --esn0-db 8:14:1 "
    "--compare curve.jsonl --plot both.svg`, "
    "`lgvsc-flow ber --code ldpc:my.alist --order 4 --esn0-db 0:4:0.5`"
)


class Engine(StrEnum):
    """The engines."""

    THREADS = "threads"
    INLINE = "inline"


class Demapper(StrEnum):
    """The demappers."""

    MAX_LOG = "max-log"
    EXACT = "exact"


def ber(
    esn0_db: Annotated[str, typer.Option("--esn0-db", help="the points: 0:20:2 (both ends), or 0,3,5.5")],
    code: Annotated[
        str,
        typer.Option(
            "--code",
            help="none, wifi:LENGTH/RATE, nr:K/N, conv:RATE, or ldpc:FILE with a matrix of your own (alist or .qc); "
            "settings follow a colon",
        ),
    ] = "none",
    order: Annotated[int, typer.Option("--order", help="constellation points")] = 16,
    mcs: Annotated[
        str | None, typer.Option("--mcs", help="instead of code and order: a row of an NR MCS table, as in 1/17")
    ] = None,
    channel: Annotated[
        str,
        typer.Option(
            "--channel",
            help="awgn, rayleigh, rician, jakes, tdl-a to tdl-e (in OFDM), gilbert-elliott, mimo or replay, with "
            "settings behind a colon; then, each behind a +, cfo, phase-noise or iq",
        ),
    ] = "awgn",
    errors: Annotated[int, typer.Option("--errors", help="errors per point: wrong blocks, bits without a code")] = 100,
    max_bits: Annotated[float, typer.Option("--max-bits", help="information bits per point at most")] = 1e7,
    seed: Annotated[int, typer.Option("--seed", min=0, help="root seed of all randomness")] = 0,
    confidence: Annotated[float, typer.Option("--confidence", help="of the intervals")] = 0.95,
    demapper: Annotated[Demapper, typer.Option("--demapper", help="max-log, or exact LLRs")] = Demapper.MAX_LOG,
    interleave: Annotated[
        bool | None,
        typer.Option("--interleave/--no-interleave", help="spread words over a burst; default: all codes but nr"),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="points go here as they are done (JSON lines); a run goes on from it")
    ] = None,
    plot: Annotated[Path | None, typer.Option("--plot", help="plot here: png, svg or pdf")] = None,
    compare: Annotated[list[Path], typer.Option("--compare", help="another curve's --out, drawn too; often")] = [],  # noqa: B006
    engine: Annotated[Engine, typer.Option("--engine", help="threads or inline; the same bits")] = Engine.THREADS,
) -> None:
    """Measure bit and block error rates over Es/N0; print a table, plot it with error bars and closed forms.

    Without a code the plot has the closed form of the channel, with one that of uncoded bits at the same Es/N0.
    """
    points = parse_points(esn0_db)
    from lgvsc_flow.graphs.ber import ber_curve, errors as stop_after
    from lgvsc_flow.graphs.ber_file import load_curve
    from lgvsc_flow.graphs.ber_plot import ber_table, check_path, plot_curves
    from lgvsc_flow.graphs.ber_theory import theory
    from lgvsc_flow.graphs.codes import mcs_row
    from lgvsc_flow.graphs.modem import Modem

    if mcs is None:
        modem = Modem(code=code, order=order, channel=channel, method=demapper.value, interleave=interleave)
    elif (code, order) != ("none", 16):
        raise FlowError("--mcs says code and order; leave them out")
    else:
        modem = Modem.of_mcs(mcs_row(mcs), channel=channel, method=demapper.value, interleave=interleave)
    stop = stop_after(errors, max_bits=max_bits)
    if plot is not None:
        check_path(plot)
    others = [load_curve(path) for path in compare]
    with _progress(len(points), errors, max_bits) as show:
        curve = ber_curve(
            modem, points, stop=stop, seed=seed, confidence=confidence, engine=engine.value, out=out, show=show
        )
    Console(markup=False).print(ber_table(curve))
    if plot is not None:
        form = theory(modem.order, modem.parsed_channel)
        named = {} if form is None else {f"uncoded {modem.order}-QAM, {channel}: closed form": form}
        plot_curves([curve, *others], plot, closed_forms=named)


def parse_points(text: str) -> list[float]:
    """`start:stop:step` with both ends, `start:stop` in steps of 1, or values with commas between them.

    Raises:
        FlowError: it is none of these, or too many points.
    """
    wrong = FlowError(f"--esn0-db takes start:stop:step or values with commas, as in 0:20:2 or 0,3,5.5; got {text!r}")
    try:
        if ":" not in text:
            values = [float(part) for part in text.split(",")]
        else:
            start, stop, *rest = (float(part) for part in text.split(":"))
            (step,) = rest or [1.0]
            if not all(map(math.isfinite, (start, stop, step))) or step <= 0 or stop < start:
                raise wrong
            count = (stop - start) / step
            if count >= MAX_POINTS:
                raise FlowError(f"--esn0-db {text} makes more than {MAX_POINTS} points")
            values = [round(start + i * step, 9) for i in range(math.floor(count + 1e-9) + 1)]
    except ValueError:
        raise wrong from None
    if not all(-100 <= value <= 100 for value in values):
        raise FlowError(f"--esn0-db {text}: Es/N0 is from -100 to 100 dB")
    return values


@contextmanager
def _progress(points: int, errors: int, max_bits: float) -> Iterator[Callable[[float, int, int], None] | None]:
    """A line for all points and one for that at work, on a terminal's standard error; gives what `ber_curve` calls."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn

    from lgvsc_flow.live import Bars

    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[count]}"), TimeElapsedColumn())
    with Bars(*columns, console=Console(stderr=True), transient=True) as bars:
        task = bars.add_task("begins", total=1.0, count="")
        done: list[float] = []

        def show(esn0_db: float, wrong: int, bits: int) -> None:
            if esn0_db not in done:
                done.append(esn0_db)
            bars.update(
                task,
                description=f"{esn0_db:g} dB, point {len(done)} of {points}",
                completed=min(1.0, max(wrong / errors, bits / max_bits)),
                count=f"{wrong:,} of {errors:,} errors, {bits:,} bits",
            )

        yield show
