"""Error rate curves for people: a table, and a plot with error bars and closed forms."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lgvsc_flow.errors import FlowError
from lgvsc_flow.graphs.ber_file import Curve, Point

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from rich.table import Table

__all__ = ["FORMATS", "ber_table", "check_path", "plot_curves"]

FORMATS = (".png", ".svg", ".pdf")
_NOTE: dict[str, Any] = {"ha": "right", "va": "top", "fontsize": 8, "color": "#555555"}
_STEPS = [1, 2, 5, 10]  # of ticks
COLOURS = ("#4477aa", "#ee6677", "#228833", "#aa3377", "#66ccee", "#ccbb44")


def ber_table(curve: Curve) -> Table:
    """The points as a rich table of 80 columns: rates with their intervals, and the counts behind them.

    A star marks what did not end by its errors: fewer were seen than asked for. With hybrid ARQ the transmissions per
    block and the throughput take the place of the interval of the BER.
    """
    from rich import box
    from rich.table import Table

    blocks = any(p.bler is not None for p in curve.points)
    harq = any(p.transmissions is not None for p in curve.points)
    note = "*: ended before there were enough errors" if any(p.stopped_by != "errors" for p in curve.points) else None
    share = f"{100 * curve.settings.get('confidence', 0.95):g} %"
    table = Table(title=curve.name, caption=note, box=box.SIMPLE, padding=(0, 1, 0, 0))
    columns = ["Es/N0\ndB", "Eb/N0\ndB", "BER"]
    columns += [] if harq else [share]
    columns += ["BLER", share, "blocks"] if blocks else ["bits"]
    columns += ["mean\nsent", "bits/\nsymbol"] if harq else []
    for column in columns:
        table.add_column(column, justify="right", no_wrap=True)
    for p in curve.points:
        star = "" if p.stopped_by == "errors" else "*"
        row = [f"{p.esn0_db:g}", "-" if p.ebn0_db is None else f"{p.ebn0_db:.2f}", _rate(p.ber, 2)]
        row += [] if harq else [f"{_rate(p.ber_low)}..{_rate(p.ber_high)}"]
        if p.bler is not None:
            row += [
                _rate(p.bler, 2),
                f"{_rate(p.bler_low)}..{_rate(p.bler_high)}",
                f"{p.block_errors}/{p.blocks}{star}",
            ]
        else:
            row.append(f"{p.bit_errors:,}/{p.bits:,}{star}")
        if harq:
            row.append("-" if p.transmissions is None else f"{p.transmissions:.2f}")
            row.append("-" if p.throughput is None else f"{p.throughput:.3f}")
        table.add_row(*row)
    return table


def _rate(value: float | None, digits: int = 1) -> str:
    """A rate in as few characters as an interval leaves on a terminal: 3.2e-4."""
    if not value:
        return "0"
    mantissa, _, exponent = f"{value:.{digits}e}".partition("e")
    return f"{mantissa}e{int(exponent)}" if int(exponent) else mantissa


def check_path(path: str | Path) -> Path:
    """Make the folder of a plot, and look at its ending.

    Raises:
        FlowError: the ending is none of .png, .svg and .pdf, or the folder cannot be made.
    """
    path = Path(path)
    if path.suffix.lower() not in FORMATS:
        raise FlowError(f"{path}: a plot ends in {', '.join(FORMATS)}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FlowError(f"{path}: its folder cannot be made: {error.strerror}") from None
    if path.is_dir():
        raise FlowError(f"{path} is a folder")
    return path


def plot_curves(
    curves: Sequence[Curve],
    path: str | Path | None = None,
    *,
    closed_forms: Mapping[str, Callable[[float], float]] | None = None,
) -> Figure:
    """Bit error rates (lines), block error rates (broken lines) over Es/N0, with Eb/N0 above where all curves share it.

    A rate of which no error was seen is drawn as an arrow from its upper bound.

    Where a curve is one of hybrid ARQ, a second plot below shows the throughput of all coded ones.

    Where there are closed forms, the first curve is drawn as points only if it is uncoded: the line is the theory.

    Args:
        curves: what to draw.
        path: written here too, whole or not at all; its ending decides the format.
        closed_forms: error rate as a function of Es/N0 in dB, by name.

    Raises:
        FlowError: there are no points, or the file cannot be written.
    """
    if path is not None:
        path = check_path(path)
    points = [p for curve in curves for p in curve.points]
    if not points:
        raise FlowError("there are no points to plot")
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    harq = any(p.throughput is not None for p in points)
    figure = Figure(figsize=(8, 8 if harq else 5.6), layout="constrained")
    FigureCanvasAgg(figure)
    axes, *below = figure.subplots(1 + harq, 1, sharex=True, height_ratios=(5, 3)[: 1 + harq], squeeze=False)[:, 0]
    low, high = min(p.esn0_db for p in points), max(p.esn0_db for p in points)
    lowest = min(_floor(p) for p in points)
    grid = np.linspace(low - 0.3, high + 0.3, 300) if high > low else np.linspace(low - 1, low + 1, 300)
    for i, (name, form) in enumerate((closed_forms or {}).items()):
        rates = np.array([form(float(x)) for x in grid])
        axes.plot(grid, rates, color="#666666", linewidth=1.2, linestyle=("-", ":", "-.")[i % 3], label=name, zorder=1)
    for i, curve in enumerate(curves):
        colour = COLOURS[i % len(COLOURS)]
        closed = i == 0 and bool(closed_forms) and not any(p.blocks for p in curve.points)
        _draw(axes, curve, "ber", colour, "o", "none" if closed else "-", "BER")
        if any(p.bler is not None for p in curve.points):
            _draw(axes, curve, "bler", colour, "s", "--", "BLER")
    axes.set_yscale("log")
    axes.set_ylim(10 ** np.floor(np.log10(lowest)), 1.3)
    axes.set_xlim(grid[0], grid[-1])
    for lower in below:
        _throughput(lower, curves)
    (below[0] if below else axes).set_xlabel("$E_s/N_0$ (dB)")
    axes.xaxis.set_major_locator(MaxNLocator(nbins=14, steps=_STEPS))
    blocks = any(p.bler is not None for p in points)
    axes.set_ylabel("bit error rate (BER), block error rate (BLER)" if blocks else "bit error rate (BER)")
    axes.grid(True, which="major", color="#cccccc", linewidth=0.7)
    axes.grid(True, which="minor", color="#eeeeee", linewidth=0.5)
    _second_axis(axes, curves)
    axes.set_axisbelow(True)
    figure.legend(loc="outside lower center", ncols=2, fontsize=8, frameon=False)
    levels = {c.settings.get("confidence", 0.95) for c in curves}
    if len(levels) == 1:
        axes.annotate(f"bars: {100 * levels.pop():g} % confidence", (0.99, 0.98), xycoords="axes fraction", **_NOTE)
    if path is not None:
        _save(figure, Path(path))
    return figure


def _floor(p: Point) -> float:
    rates = [p.ber_low or p.ber or p.ber_high]
    if p.bler is not None:
        rates.append(p.bler_low or p.bler or p.bler_high or 1.0)
    return max(min(rates) / 2, 1e-12)


def _draw(axes: Any, curve: Curve, rate: str, colour: str, marker: str, line: str, what: str) -> None:
    seen = [p for p in curve.points if getattr(p, rate)]
    x, y = [p.esn0_db for p in seen], [getattr(p, rate) for p in seen]
    below = [getattr(p, rate) - getattr(p, f"{rate}_low") for p in seen]
    above = [getattr(p, f"{rate}_high") - getattr(p, rate) for p in seen]
    hollow = "white" if rate == "bler" else colour
    axes.errorbar(
        x,
        y,
        yerr=[below, above],
        color=colour,
        marker=marker,
        markersize=5,
        markerfacecolor=hollow,
        linestyle=line,
        linewidth=1.2,
        capsize=3,
        label=f"{curve.name}: {what}",
        zorder=3,
    )
    none = [p for p in curve.points if getattr(p, rate) == 0]
    if none:
        bounds = [getattr(p, f"{rate}_high") for p in none]
        axes.errorbar(
            [p.esn0_db for p in none],
            bounds,
            yerr=[0.5 * b for b in bounds],
            uplims=True,
            color=colour,
            marker="_",
            linestyle="none",
        )


def _throughput(axes: Any, curves: Sequence[Curve]) -> None:
    for i, curve in enumerate(curves):
        efficiency = curve.settings.get("information_bits_per_symbol")
        rates = [(p.esn0_db, _delivered(p, efficiency)) for p in curve.points]
        rates = [(x, y) for x, y in rates if y is not None]
        if rates:
            axes.plot(
                *zip(*rates, strict=True), color=COLOURS[i % len(COLOURS)], marker="o", markersize=4, linewidth=1.2
            )
    axes.set_ylim(bottom=0)
    axes.set_ylabel("throughput (bits per symbol)")
    axes.grid(True, which="major", color="#cccccc", linewidth=0.7)
    axes.set_axisbelow(True)


def _delivered(p: Point, efficiency: float | None) -> float | None:
    """Information bits per symbol in whole blocks."""
    if p.throughput is not None or efficiency is None or p.bler is None:
        return p.throughput
    return efficiency * (1 - p.bler)


def _second_axis(axes: Any, curves: Sequence[Curve]) -> None:
    from matplotlib.ticker import MaxNLocator

    shifts = {p.esn0_db - p.ebn0_db if p.ebn0_db is not None else None for c in curves for p in c.points}
    rounded = {None if s is None else round(s, 9) for s in shifts}
    shift = rounded.pop() if len(rounded) == 1 else None
    if shift is not None:
        above = axes.secondary_xaxis("top", functions=(lambda x: x - shift, lambda x: x + shift))
        above.set_xlabel("$E_b/N_0$ (dB)")
        above.xaxis.set_major_locator(MaxNLocator(nbins=14, steps=_STEPS))


def _save(figure: Figure, path: Path) -> None:
    temporary = path.with_name(f"{path.name}.tmp")
    try:
        figure.savefig(temporary, format=path.suffix.lower()[1:], dpi=150)
        os.replace(temporary, path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise FlowError(f"{path} cannot be written: {error.strerror}") from None
