"""Draw a graph: blocks in rows by their distance from the sources, wires labelled with the type of their items."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import networkx as nx

from lgvsc_flow.block import Block
from lgvsc_flow.items import type_name

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from lgvsc_flow.graph import Graph

__all__ = ["draw"]

_TINTS = ("#dbe9f6", "#e3f1dc", "#fbe9d0", "#f6dcdf", "#e6def2", "#d8efed", "#f3eed2", "#e6e6e6")


def draw(graph: Graph, path: str | Path) -> None:
    """Write the drawing to `path`; its ending decides the format (svg, png, pdf)."""
    from matplotlib import rc_context
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    places = _places(graph)
    xs, ys = [x for x, _ in places.values()], [y for _, y in places.values()]
    with rc_context({"svg.fonttype": "none"}):
        figure = Figure(figsize=(1.9 * (max(xs) - min(xs) + 1.2), 0.62 * (max(ys) - min(ys) + 1.6)))
        FigureCanvasAgg(figure)
        axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
        axes.axis("off")
        axes.set_xlim(min(xs) - 0.6, max(xs) + 0.6)
        axes.set_ylim(max(ys) + 0.6, min(ys) - 1.0)
        axes.set_title(graph.name, fontsize=10, y=0.98, va="top")
        _draw_wires(axes, graph, places)
        domains = sorted({_domain(b) for b in places})
        for block, (x, y) in places.items():
            tint = _TINTS[domains.index(_domain(block)) % len(_TINTS)]
            box = {"boxstyle": "round,pad=0.4", "facecolor": tint, "edgecolor": "#555555", "lw": 0.7}
            axes.text(x, y, block.name, ha="center", va="center", fontsize=8, bbox=box, zorder=3)
        figure.savefig(path, dpi=130, metadata={"Date": None} if str(path).endswith(".svg") else None)


def _draw_wires(axes: Axes, graph: Graph, places: dict[Block, tuple[float, float]]) -> None:
    labelled = set()
    for sender, taker in graph.wires():
        (x0, y0), (x1, y1) = places[sender.block], places[taker.block]
        light = not taker.block.outputs()
        bend = 0.0 if y1 - y0 <= 1 or x0 != x1 else 0.25
        style = {"arrowstyle": "-|>", "color": "#c4c4c4" if light else "#777777", "lw": 0.7 if light else 1.0}
        style["connectionstyle"] = f"arc3,rad={bend}"
        axes.annotate("", (x1, y1 - 0.24), (x0, y0 + 0.24), arrowprops=style, zorder=1 if light else 2)
        label = type_name(sender.port.kind)
        spot = (0.75 * x0 + 0.25 * x1 + 0.03, 0.75 * (y0 + 0.24) + 0.25 * (y1 - 0.24))
        if not light and (sender.block, label) not in labelled:
            labelled.add((sender.block, label))
            axes.text(*spot, label, fontsize=6, color="#444444", ha="left", va="center", zorder=4)


def _domain(block: Block) -> str:
    return type(block).__module__.rpartition(".")[0]


def _places(graph: Graph) -> dict[Block, tuple[float, float]]:
    """Column and row of each block: rows by distance from the sources, sinks to the right of the row they end in.

    Within a row, blocks are ordered by the mean column of their senders, so that wires stay short.
    """
    rows: dict[Block, int] = {}
    for block in nx.topological_sort(graph.nx):
        rows[block] = 1 + max((rows[p] for p in graph.nx.predecessors(block)), default=-1)
    places: dict[Block, tuple[float, float]] = {}
    for row in range(1 + max(rows.values())):
        layer = [b for b in rows if rows[b] == row]
        inner = [b for b in layer if b.outputs()]

        def wish(block: Block) -> float:
            columns = [places[p][0] for p in graph.nx.predecessors(block)]
            return sum(columns) / len(columns) if columns else 0.0

        for number, block in enumerate(sorted(inner, key=wish)):
            places[block] = (number - (len(inner) - 1) / 2, float(row))
        for number, block in enumerate(b for b in layer if not b.outputs()):
            places[block] = (max(2.0, len(inner) / 2 + 0.5) + number, float(row))
    return places
