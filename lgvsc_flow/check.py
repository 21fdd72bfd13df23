"""The checks on a whole graph, made before anything is started. Every problem is found at once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import TYPE_CHECKING

import networkx as nx

from lgvsc_flow.block import Block
from lgvsc_flow.items import AnyItem, ItemType, type_name
from lgvsc_flow.ports import BoundPort
from lgvsc_flow.propagate import Flow, propagate
from lgvsc_flow.registry import bridges

if TYPE_CHECKING:
    from lgvsc_flow.graph import Graph

__all__ = ["flows", "problems", "sizes"]


def problems(graph: Graph) -> list[str]:
    """Every wiring problem of a graph, one line each; an empty list means that it may run."""
    return [*_names(graph), *_inputs(graph), *_types(graph), *_cycles(graph), *flows(graph)[1]]


def sizes(graph: Graph) -> dict[tuple[Block, str], int | None]:
    """The burst size on each output port, by block and port name; None where it is not known before the run."""
    return {end: flow.size for end, flow in flows(graph)[0].items()}


def flows(graph: Graph) -> tuple[dict[tuple[Block, str], Flow], list[str]]:
    """What is known of the items on each output port, and the problems found on the way there.

    Wires that are wrong by themselves (in a cycle, one of several into one input, of a type the input does not take)
    tell nothing about sizes; wires in a cycle or with a rival tell nothing at all.
    """
    rivals = {taker for taker, senders in _writers(graph).items() if len(senders) > 1}
    order = nx.MultiDiGraph()
    order.add_nodes_from(graph.nx)
    parts = {block: n for n, part in enumerate(nx.strongly_connected_components(graph.nx)) for block in part}
    for sender, taker, data in graph.nx.edges(data=True):
        if parts[sender] != parts[taker] and (taker, data["taker"].name) not in rivals:
            order.add_edge(sender, taker, **data, fits=_fits(data["sender"].kind, data["taker"].kind))
    return propagate(order)


def _names(graph: Graph) -> list[str]:
    groups = defaultdict(list)
    for block in graph.nx.nodes:
        groups[block.name].append(type(block).__name__)
    return [
        f"{len(kinds)} blocks are named '{name}' ({', '.join(kinds)}). Give each its own: name='...'."
        for name, kinds in groups.items()
        if len(kinds) > 1
    ]


def _writers(graph: Graph) -> dict[tuple[Block, str], list[BoundPort]]:
    writers: dict[tuple[Block, str], list[BoundPort]] = defaultdict(list)
    for sender, taker in graph.wires():
        writers[taker.block, taker.port.name].append(sender)
    return writers


def _inputs(graph: Graph) -> list[str]:
    if not graph.nx:
        return ["it has no blocks. Wire some with graph.connect."]
    writers = _writers(graph)
    found = []
    for block in graph.nx.nodes:
        for port in block.inputs():
            sources = writers[block, port.name]
            name = f"{block.name}.{port.name}"
            if not sources:
                found.append(f"{name}: nothing is connected; it takes {type_name(port.kind)}.")
            elif len(sources) > 1:
                found.append(f"{name}: has {len(sources)} writers, {', '.join(map(str, sources))}; an input takes one.")
    return found


def _types(graph: Graph) -> list[str]:
    found = []
    for sender, taker in graph.wires():
        sent, taken = sender.port.kind, taker.port.kind
        if not _fits(sent, taken):
            line = f"{sender} -> {taker}: sends {type_name(sent)}, takes {type_name(taken)}."
            between = bridges(sent, taken)
            if between:
                line += f" Blocks that turn {type_name(sent)} into {type_name(taken)}: {', '.join(between)}."
            found.append(line)
    return found


def _fits(sent: ItemType, taken: ItemType) -> bool:
    if taken is AnyItem:
        return True
    if isinstance(sent, type) and isinstance(taken, type):
        return issubclass(sent, taken)
    return sent is taken


def _cycles(graph: Graph) -> Iterator[str]:
    for part in nx.strongly_connected_components(graph.nx):
        if len(part) == 1 and not graph.nx.has_edge(*(list(part) * 2)):
            continue
        loop = [edge[0] for edge in nx.find_cycle(graph.nx.subgraph(part))]
        path = " -> ".join(b.name for b in [*loop, loop[0]])
        yield f"cycle: {path}. A loop lives inside one block."
