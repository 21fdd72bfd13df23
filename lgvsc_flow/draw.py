"""Draw a graph: blocks in rows, wires labelled with type and size, composites framed, what fails the check in red."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lgvsc_flow.check import problems, sizes
from lgvsc_flow.errors import FlowError
from lgvsc_flow.layout import Layout, layout
from lgvsc_flow.mermaid import wire_label, wrong_wires

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from lgvsc_flow.block import Block
    from lgvsc_flow.graph import Graph

__all__ = ["draw"]

FORMATS = (".svg", ".png", ".pdf")
_TINTS = ("#dbe9f6", "#e3f1dc", "#fbe9d0", "#f6dcdf", "#e6def2", "#d8efed", "#f3eed2", "#e6e6e6")
_RED = "#c62828"
_ROW, _BOX = 0.78, 0.26  # inches from row to row, and of a box's height
_CHAR, _SMALL = 0.075, 0.055  # widest usual advance of a character of 8 and of 6 points, in inches


def draw(graph: Graph, path: str | Path | None = None) -> Figure:
    """The drawing as a matplotlib figure; with `path` it is also written, its ending decides the format.

    A graph that is wired wrongly is drawn too: wires and blocks that a problem names are red, and the problems stand
    below.

    Raises:
        FlowError: the ending is none of .svg, .png and .pdf, or the file cannot be written.
    """
    if path is not None and Path(path).suffix.lower() not in FORMATS:
        raise FlowError(f"{path}: a drawing ends in {', '.join(FORMATS)}")
    from matplotlib import rc_context
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    blocks, found = graph.blocks, problems(graph)
    numbers = {block: i for i, block in enumerate(blocks)}
    labels = _labels(graph)
    wires = [(numbers[s.block], numbers[t.block]) for s, t in graph.wires()]
    plan = layout(len(blocks), wires, [_width(b, labels[b]) for b in blocks], [_path(b) for b in blocks])
    points = [*plan.places.values(), *(p for bend in plan.bends.values() for p in bend)]
    right = max([x + _width(b, labels[b]) / 2 for b, (x, _) in zip(blocks, plan.places.values(), strict=True)] + [2.0])
    right = max([right, *(x for x, _ in points)])
    rows = max([y for _, y in points], default=0)
    notes = [line for i, p in enumerate(found, 1) for line in _wrapped(f"{i}. {p}", right)]
    with rc_context({"svg.fonttype": "none"}):
        low, high = -0.75, (rows + 0.55) * _ROW + 0.14 * len(notes) + 0.1
        figure = Figure(figsize=(right + 0.4, high - low))
        FigureCanvasAgg(figure)
        axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
        axes.axis("off")
        axes.set_xlim(-0.2, right + 0.2)
        axes.set_ylim(high, low)
        axes.text(0.0, low + 0.22, graph.name, fontsize=10, va="center")
        _frames(axes, blocks, plan, labels)
        _wires(axes, graph, plan, labels)
        domains = sorted({_domain(b) for b in blocks})
        subjects = [p.partition(": ")[0] for p in found]
        blamed = [s.partition(".")[0] for s in subjects if " -> " not in s]
        for block, (x, y) in zip(blocks, plan.places.values(), strict=True):
            _block(axes, block, x, y * _ROW, _TINTS[domains.index(_domain(block)) % len(_TINTS)], block.name in blamed)
        for i, line in enumerate(notes):
            axes.text(0.0, (rows + 0.55) * _ROW + 0.14 * (i + 0.5), line, fontsize=7, color=_RED, va="center")
    if path is not None:
        with rc_context({"svg.fonttype": "none"}):
            try:
                figure.savefig(path, dpi=130, metadata={"Date": None} if Path(path).suffix.lower() == ".svg" else None)
            except OSError as error:
                raise FlowError(f"{path}: the drawing cannot be written: {error.strerror}") from None
    return figure


def _labels(graph: Graph) -> dict[Block, dict[str, str]]:
    """What stands below each wired output, by block and port name."""
    known = sizes(graph)
    labels: dict[Block, dict[str, str]] = {b: {} for b in graph.blocks}
    for sender, _ in graph.wires():
        size = known.get((sender.block, sender.port.name))
        labels[sender.block][sender.port.name] = wire_label(sender, size)
    return labels


def _path(block: Block) -> tuple[str, ...]:
    return tuple(block.name.split("/")[:-1])


def _name(block: Block) -> str:
    return block.name.rpartition("/")[2]


def _domain(block: Block) -> str:
    return type(block).__module__.rpartition(".")[0]


def _box_width(block: Block) -> float:
    return _CHAR * len(_name(block)) + 0.16


def _width(block: Block, labels: dict[str, str]) -> float:
    """Room for the box, and for the labels below it, which stand to the right of their wires."""
    return max(_box_width(block), sum(_SMALL * len(t) + 0.12 for t in labels.values()))


def _exits(block: Block, labels: dict[str, str], x: float) -> dict[str, float]:
    """Where the wires of each output leave: left of the label, all of them within the block's room."""
    at = x - sum(_SMALL * len(t) + 0.12 for t in labels.values()) / 2
    if len(labels) == 1:
        return dict.fromkeys(labels, x if _box_width(block) >= _SMALL * 2 * len(next(iter(labels.values()))) else at)
    exits = {}
    for port, text in labels.items():
        exits[port] = at
        at += _SMALL * len(text) + 0.12
    return exits


def _block(axes: Axes, block: Block, x: float, y: float, tint: str, wrong: bool) -> None:
    from matplotlib.patches import FancyBboxPatch

    width = _box_width(block)
    style: dict[str, Any] = {"facecolor": tint, "edgecolor": _RED if wrong else "#555555", "lw": 1.4 if wrong else 0.7}
    corner = (x - width / 2, y - _BOX / 2)
    axes.add_patch(FancyBboxPatch(corner, width, _BOX, "round,pad=0,rounding_size=0.06", zorder=3, **style))
    axes.text(x, y, _name(block), ha="center", va="center", fontsize=8, zorder=4)


def _frames(axes: Axes, blocks: Sequence[Block], plan: Layout, labels: dict[Block, dict[str, str]]) -> None:
    from matplotlib.patches import FancyBboxPatch

    paths = {_path(b)[: depth + 1] for b in blocks for depth in range(len(_path(b)))}
    for path in sorted(paths, key=len):
        inside = [i for i, b in enumerate(blocks) if _path(b)[: len(path)] == path]
        deeper = 0.05 * (max(len(_path(blocks[i])) for i in inside) - len(path))
        left = min(plan.places[i][0] - _width(blocks[i], labels[blocks[i]]) / 2 for i in inside) - 0.08 - deeper
        right = max(plan.places[i][0] + _width(blocks[i], labels[blocks[i]]) / 2 for i in inside) + 0.08 + deeper
        rows = [plan.places[i][1] for i in inside]
        top, bottom = min(rows) * _ROW - 0.29 - 2 * deeper, max(rows) * _ROW + 0.32 + deeper
        box = FancyBboxPatch((left, top), right - left, bottom - top, "round,pad=0,rounding_size=0.08", zorder=0)
        box.set(facecolor="#f4f1e8" if len(path) % 2 else "#ebe6d6", edgecolor="#b8ad8c", lw=0.7)
        axes.add_patch(box)
        axes.text(left + 0.05, top + 0.07, path[-1], fontsize=6, color="#7a6f4c", va="center", zorder=1)


def _wires(axes: Axes, graph: Graph, plan: Layout, labels: dict[Block, dict[str, str]]) -> None:
    numbers = {block: i for i, block in enumerate(graph.blocks)}
    wrong = wrong_wires(graph)
    reds = {(s.block, s.port.name) for s, _ in wrong}
    for number, (sender, taker) in enumerate(graph.wires()):
        (x, y), (to_x, to_y) = plan.places[numbers[sender.block]], plan.places[numbers[taker.block]]
        start = _exits(sender.block, labels[sender.block], x)[sender.port.name]
        half = _box_width(sender.block) / 2 - 0.05
        from_x = min(max(start, x - half), x + half)
        inputs = [p.name for p in taker.block.inputs()]
        room = (_box_width(taker.block) - 0.2) / max(len(inputs), 1)
        end = to_x + room * (inputs.index(taker.port.name) - (len(inputs) - 1) / 2)
        step = 1 if to_y > y else -1
        corners = [(from_x, y * _ROW + _BOX / 2), (start, y * _ROW + _BOX / 2 + 0.05), (start, y * _ROW + 0.3)]
        for bend, row in plan.bends.get(number, []):
            corners += [(bend, row * _ROW - step * 0.3), (bend, row * _ROW + step * 0.3)]
        corners += [(end, to_y * _ROW - 0.3), (end, to_y * _ROW - _BOX / 2)]
        light, red = not taker.block.outputs(), (sender, taker) in wrong
        color = _RED if red else "#bdbdbd" if light else "#777777"
        style: dict[str, Any] = {"color": color, "lw": 1.6 if red else 0.7 if light else 1.0, "zorder": 2 if red else 1}
        axes.plot(*zip(*corners, strict=True), solid_joinstyle="round", **style)
        arrow = {"arrowstyle": "-|>", "mutation_scale": 7, "shrinkA": 0, "shrinkB": 0, **style}
        axes.annotate("", corners[-1], corners[-2], arrowprops=arrow, zorder=style["zorder"])
    for block, ports in labels.items():
        x, y = plan.places[numbers[block]]
        for port, at in _exits(block, ports, x).items():
            color = _RED if (block, port) in reds else "#444444"
            axes.text(at + 0.03, y * _ROW + 0.235, ports[port], fontsize=6, color=color, va="center", zorder=4)


def _wrapped(text: str, width: float) -> list[str]:
    from textwrap import wrap

    return wrap(text, max(40, int(width / 0.062)), subsequent_indent="    ")
