"""Draw a graph: blocks in columns by their distance from the sources, wires labelled with port and type."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import networkx as nx

from lgvsc_flow.block import Block
from lgvsc_flow.items import type_name

if TYPE_CHECKING:
    from lgvsc_flow.graph import Graph

__all__ = ["draw"]

_TINTS = ("#dbe9f6", "#e3f1dc", "#fbe9d0", "#f6dcdf", "#e6def2", "#d8efed", "#f3eed2", "#e6e6e6")


def draw(graph: Graph, path: str | Path) -> None:
    """Write the drawing to `path`; its ending decides the format (svg, png, pdf)."""
    from matplotlib import rc_context
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    places = _places(graph)
    width = 1 + max(x for x, _ in places.values())
    height = 1 + max(y for _, y in places.values()) - min(y for _, y in places.values())
    with rc_context({"svg.fonttype": "none"}):
        figure = Figure(figsize=(1.75 * width + 0.4, 0.72 * height + 0.7))
        FigureCanvasAgg(figure)
        axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
        axes.axis("off")
        domains = sorted({_domain(b) for b in places})
        for sender, taker in graph.wires():
            (x0, y0), (x1, y1) = places[sender.block], places[taker.block]
            bend = 0.0 if y0 == y1 and x1 - x0 <= 1 else 0.18
            axes.annotate(
                "",
                (x1 - 0.42, y1),
                (x0 + 0.42, y0),
                arrowprops={"arrowstyle": "-|>", "color": "#888888", "connectionstyle": f"arc3,rad={bend}", "lw": 0.8},
            )
            axes.text(
                x0 + 0.46, y0 + 0.1, type_name(sender.port.kind), fontsize=4.5, color="#666666", ha="left", va="bottom"
            )
        for block, (x, y) in places.items():
            tint = _TINTS[domains.index(_domain(block)) % len(_TINTS)]
            axes.text(
                x,
                y,
                block.name,
                ha="center",
                va="center",
                fontsize=6.5,
                bbox={"boxstyle": "round,pad=0.45", "facecolor": tint, "edgecolor": "#555555", "lw": 0.7},
            )
        ys = [y for _, y in places.values()]
        axes.set_xlim(-0.7, width - 0.3)
        axes.set_ylim(min(ys) - 0.7, max(ys) + 0.8)
        axes.set_title(graph.name, fontsize=9, y=0.97, loc="center")
        figure.savefig(path, dpi=160, metadata={"Date": None} if str(path).endswith(".svg") else None)


def _domain(block: Block) -> str:
    return type(block).__module__.rpartition(".")[0]


def _places(graph: Graph) -> dict[Block, tuple[float, float]]:
    """Column and row of each block; rows are ordered by the mean row of a block's senders, so that wires stay short."""
    places: dict[Block, tuple[float, float]] = {}
    for column, layer in enumerate(nx.topological_generations(nx.DiGraph(graph.nx))):

        def wish(block: Block) -> float:
            rows = [places[p][1] for p in graph.nx.predecessors(block)]
            return -sum(rows) / len(rows) if rows else 0.0

        ordered = sorted(layer, key=wish)
        for row, block in enumerate(ordered):
            places[block] = (float(column), (len(ordered) - 1) / 2 - row)
    return places
