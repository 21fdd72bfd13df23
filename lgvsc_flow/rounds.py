"""How many items each source sends in a round: the smallest numbers after which all branches stand level again.

Ref: the repetition vector of synchronous dataflow (Lee and Messerschmitt, 1987).
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import TYPE_CHECKING

import networkx as nx

from lgvsc_flow.block import Block

if TYPE_CHECKING:
    from lgvsc_flow.graph import Graph

__all__ = ["rounds"]


def rounds(graph: Graph) -> dict[Block, tuple[int, int]]:
    """For each source the part of the graph that it belongs to, and its items per round, of a graph that is balanced.

    Parts are connected by wires. Streams of rate `many` say nothing about a round; they are taken as one to one.
    """
    found = {}
    for part, blocks in enumerate(nx.weakly_connected_components(graph.nx)):
        wires = [(a, b, d["sender"].ratio) for a, b, d in graph.nx.subgraph(blocks).edges(data=True)]
        known = nx.MultiGraph()
        known.add_nodes_from(blocks)
        known.add_edges_from((a, b, {"from": a, "ratio": ratio}) for a, b, ratio in wires if ratio is not None)
        for together in nx.connected_components(known):
            calls = _calls(known, next(iter(together)))
            whole = math.lcm(*(c.denominator for c in calls.values()))
            for block in together:
                if not block.inputs():
                    sent = sum((out.ratio or Fraction(1) for out in block.outputs()), Fraction(0))
                    found[block] = (part, max(1, math.ceil(calls[block] * whole * sent)))
    return found


def _calls(known: nx.MultiGraph, first: Block) -> dict[Block, Fraction]:
    """Calls of each block, relative to those of the first."""
    calls = {first: Fraction(1)}
    for here, there in nx.bfs_edges(known, first):
        edge = next(iter(known[here][there].values()))
        calls[there] = calls[here] * edge["ratio"] if edge["from"] is here else calls[here] / edge["ratio"]
    return calls
