"""Where a drawing puts blocks and wires: rows by distance from the sources, room for every label, lanes of composites.

A layered layout (Sugiyama, Tagawa and Toda, 1981): a wire over several rows takes a slot of its own in each of them, so
that it passes blocks and labels by; the order within rows is swept to and fro towards the mean of the neighbours.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import networkx as nx

__all__ = ["Layout", "layout"]

SWEEPS = 12
SLOT = 0.16  # width of a wire that passes, in inches
GAP = 0.12


@dataclass
class Layout:
    """Centres of the nodes, and the points in between that each long wire goes through; x in inches, y in rows."""

    places: dict[int, tuple[float, int]]
    bends: dict[int, list[tuple[float, int]]] = field(default_factory=dict)


def layout(
    nodes: int,
    wires: Sequence[tuple[int, int]],
    widths: Sequence[float],
    lanes: Sequence[tuple[str, ...]],
) -> Layout:
    """Place nodes 0 to `nodes` - 1.

    Args:
        nodes: how many.
        wires: sender and taker; cycles are allowed, their closing wires go back up.
        widths: room that each node needs, in inches.
        lanes: the composite path of each node; nodes of one path stand in columns of their own.
    """
    rows = _rows(nodes, wires)
    count = 1 + max(rows, default=0)
    # Points are nodes, then the slots of long wires; a slot belongs to its sender's lane.
    row, width, lane = list(rows), list(widths), list(lanes)
    links: list[tuple[int, int]] = []
    slots: dict[int, list[int]] = {}
    for number, (a, b) in enumerate(wires):
        step = 1 if rows[b] > rows[a] else -1
        last = a
        for r in range(rows[a] + step, rows[b], step):
            row.append(r)
            width.append(SLOT)
            lane.append(lanes[a] if lanes[a] == lanes[b] else ())
            slots.setdefault(number, []).append(len(row) - 1)
            links.append((last, len(row) - 1))
            last = len(row) - 1
        links.append((last, b))
    near: list[list[int]] = [[] for _ in row]
    for a, b in links:
        near[a].append(b)
        near[b].append(a)
    order = {name: i for i, name in enumerate(sorted(set(lane), key=lambda p: (_first(p, lane, row), p)))}
    layers = [[p for p in range(len(row)) if row[p] == r] for r in range(count)]
    x = [0.0] * len(row)
    for layer in layers:
        _pack(layer, x, width, [order[lane[p]] for p in layer])
    for sweep in range(SWEEPS):
        down = sweep % 2 == 0
        for layer in layers if down else layers[::-1]:
            wish = {}
            for p in layer:
                ahead = [q for q in near[p] if (row[q] < row[p]) == down] if sweep < SWEEPS - 2 else near[p]
                wish[p] = sum(x[q] for q in ahead) / len(ahead) if ahead else x[p]
            layer.sort(key=lambda p: (order[lane[p]], wish[p]))
            _settle(layer, x, width, wish)
    _part(order, lane, x, width)
    low = min((x[p] - width[p] / 2 for p in range(len(row))), default=0.0)
    return Layout(
        {p: (x[p] - low, row[p]) for p in range(nodes)},
        {number: [(x[p] - low, row[p]) for p in points] for number, points in slots.items()},
    )


def _rows(nodes: int, wires: Sequence[tuple[int, int]]) -> list[int]:
    """Longest distance from a source; within a cycle, blocks are taken in the order in which they were added."""
    graph = nx.DiGraph()
    graph.add_nodes_from(range(nodes))
    parts = {n: i for i, part in enumerate(nx.strongly_connected_components(nx.DiGraph(list(wires)))) for n in part}
    graph.add_edges_from((a, b) for a, b in wires if a != b and (parts[a] != parts[b] or a < b))
    rows = [0] * nodes
    for node in nx.topological_sort(graph):
        rows[node] = 1 + max((rows[p] for p in graph.predecessors(node)), default=-1)
    return rows


def _first(path: tuple[str, ...], lanes: Sequence[tuple[str, ...]], rows: Sequence[int]) -> tuple[float, ...]:
    """Sort key of a lane: where it starts, with the lanes of one composite side by side."""
    return tuple(
        float(min(r for p, r in zip(lanes, rows, strict=True) if p[: depth + 1] == path[: depth + 1]))
        for depth in range(len(path))
    )


def _pack(layer: Sequence[int], x: list[float], width: Sequence[float], keys: Sequence[int]) -> None:
    at = 0.0
    for _, p in sorted(zip(keys, layer, strict=True)):
        x[p] = at + width[p] / 2
        at += width[p] + GAP


def _settle(layer: Sequence[int], x: list[float], width: Sequence[float], wish: Mapping[int, float]) -> None:
    """Put a row's points, in their order, as near to their wishes as their widths allow (pool adjacent violators)."""
    pools: list[list[float]] = []  # weight, mean of wishes less offset, number of points
    offset, offsets = 0.0, []
    for i, p in enumerate(layer):
        if i:
            offset += (width[layer[i - 1]] + width[p]) / 2 + GAP
        offsets.append(offset)
        pools.append([1.0, wish[p] - offset, 1.0])
        while len(pools) > 1 and pools[-2][1] > pools[-1][1]:
            weight, mean, number = pools.pop()
            w, m, n = pools[-1]
            pools[-1] = [w + weight, (w * m + weight * mean) / (w + weight), n + number]
    i = 0
    for _, mean, number in pools:
        for _ in range(int(number)):
            x[layer[i]] = mean + offsets[i]
            i += 1


def _part(
    order: Mapping[tuple[str, ...], int], lane: Sequence[tuple[str, ...]], x: list[float], width: Sequence[float]
) -> None:
    """Move the lanes apart where there are several, so that a frame around one holds nothing else."""
    edge = None
    for path in sorted(order, key=lambda p: order[p]) if len(order) > 1 else ():
        points = [p for p in range(len(x)) if lane[p] == path]
        low = min(x[p] - width[p] / 2 for p in points)
        shift = 0.0 if edge is None else max(0.0, edge - low)
        for p in points:
            x[p] += shift
        edge = max(x[p] + width[p] / 2 for p in points) + 3 * GAP
