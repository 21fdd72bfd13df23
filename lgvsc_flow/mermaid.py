"""A graph as Mermaid flowchart text: a subgraph per composite, wires labelled with the type and size of their items."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from lgvsc_flow.check import problems, sizes
from lgvsc_flow.items import type_name

if TYPE_CHECKING:
    from lgvsc_flow.block import Block
    from lgvsc_flow.graph import Graph
    from lgvsc_flow.ports import BoundPort

__all__ = ["mermaid", "wire_label", "wrong_wires"]


def mermaid(graph: Graph) -> str:
    """The flowchart; wires that fail the check are red."""
    ids = {block: f"b{i}" for i, block in enumerate(graph.blocks)}
    lines = ["flowchart LR", *_nodes(graph.blocks, ids, ())]
    known, wrong = sizes(graph), wrong_wires(graph)
    red = []
    for number, (sender, taker) in enumerate(graph.wires()):
        label = f"{sender.port.name}: {wire_label(sender, known.get((sender.block, sender.port.name)))}"
        lines.append(f'  {ids[sender.block]} -->|"{label}"| {ids[taker.block]}')
        if (sender, taker) in wrong:
            red.append(str(number))
    if red:
        lines.append(f"  linkStyle {','.join(red)} stroke:#c62828,color:#c62828")
    return "\n".join(lines)


def _nodes(blocks: list[Block], ids: dict[Block, str], path: tuple[str, ...]) -> list[str]:
    """The blocks whose names begin with `path`, those of deeper composites in subgraphs of their own."""
    lines: list[str] = []
    done: set[str] = set()
    pad = "  " * (len(path) + 1)
    for block in blocks:
        parts = tuple(block.name.split("/"))
        if len(parts) == len(path) + 1:
            lines.append(f'{pad}{ids[block]}["{_text(parts[-1])}"]')
        elif parts[len(path)] not in done:
            done.add(parts[len(path)])
            deeper = (*path, parts[len(path)])
            inside = [b for b in blocks if tuple(b.name.split("/"))[: len(deeper)] == deeper]
            first = ids[inside[0]]
            lines.append(f'{pad}subgraph {first}_{len(deeper)} ["{_text(deeper[-1])}"]')
            lines += [*_nodes(inside, ids, deeper), f"{pad}end"]
    return lines


def _text(name: str) -> str:
    return name.replace('"', "#quot;")


def wire_label(sender: BoundPort, size: int | None) -> str:
    """What travels: `Bits[4096]`, or the type alone where the size is not known before the run."""
    return type_name(sender.port.kind) + (f"[{size}]" if size is not None else "")


def wrong_wires(graph: Graph) -> set[tuple[BoundPort, BoundPort]]:
    """The wires that a problem of the check names, and those into an input with several writers or in a cycle."""
    found = problems(graph)
    wrong = set()
    for sender, taker in graph.wires():
        wire = f"{sender} -> {taker}"
        for problem in found:
            subject = problem.partition(": ")[0]
            loop = problem.removeprefix("cycle: ").partition(". ")[0].split(" -> ") if subject == "cycle" else []
            if (
                wire in problem
                or (subject == str(taker) and "writers" in problem)
                or (sender.block.name, taker.block.name) in pairwise(loop)
            ):
                wrong.add((sender, taker))
    return wrong
