"""The graph: blocks, the wires between their ports, and what can be asked of the whole."""

from __future__ import annotations

import hashlib
import itertools
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeVar

import networkx as nx
import numpy as np

from lgvsc_flow.block import Block
from lgvsc_flow.check import problems
from lgvsc_flow.errors import WiringError
from lgvsc_flow.items import type_name
from lgvsc_flow.ports import BoundPort, In, Out

if TYPE_CHECKING:
    from lgvsc_flow.run import Run

__all__ = ["Graph"]

B = TypeVar("B", bound=Block)


class Graph:
    """A link graph: blocks wired port to port.

    Args:
        name: what messages and reports call it.
        seed: the root seed; every block's random stream follows from it and from the block's name.
    """

    def __init__(self, name: str = "graph", seed: int = 0) -> None:
        if seed < 0:
            raise ValueError(f"seed must be >= 0, got {seed}")
        self.name, self.seed = name, seed
        self.nx: nx.MultiDiGraph = nx.MultiDiGraph(name=name)

    @property
    def blocks(self) -> list[Block]:
        """The blocks, in the order in which they were added."""
        return list(self.nx.nodes)

    def __getitem__(self, name: str) -> Block:
        """The block of that name."""
        for block in self.nx.nodes:
            if block.name == name:
                return block
        raise KeyError(f"graph '{self.name}' has no block '{name}'; it has {', '.join(b.name for b in self.blocks)}")

    def find(self, kind: type[B]) -> B:
        """The one block of a class."""
        found = [b for b in self.nx.nodes if isinstance(b, kind)]
        if len(found) != 1:
            raise KeyError(
                f"graph '{self.name}' has {len(found)} blocks of class {kind.__name__}; name one: graph[...]"
            )
        return found[0]

    def add(self, block: Block) -> Block:
        """Add a block; one without a name is called after its class, with a number where that is taken."""
        if block not in self.nx:
            if not block.name:
                kind = type(block).__name__
                taken = {b.name for b in self.nx.nodes}
                number = 1
                while (name := kind if number == 1 else f"{kind}-{number}") in taken:
                    number += 1
                block.name = name
            self.nx.add_node(block)
        return block

    def connect(self, *chain: Block | BoundPort) -> None:
        """Wire a chain: each element's output to the next one's input.

        A block stands for its only output or input; where it has several, name the port, as in `meter.received`.

        Raises:
            TypeError: an element is no block or port, or a block needs its port named.
        """
        if len(chain) < 2:
            raise TypeError("connect takes at least two blocks or ports")
        for left, right in itertools.pairwise(chain):
            sender, taker = _end(left, Out), _end(right, In)
            self.add(sender.block)
            self.add(taker.block)
            self.nx.add_edge(sender.block, taker.block, sender=sender.port, taker=taker.port)

    def wires(self) -> list[tuple[BoundPort, BoundPort]]:
        """All wires, sender first, in the order in which they were made."""
        return [(BoundPort(a, d["sender"]), BoundPort(b, d["taker"])) for a, b, d in self.nx.edges(data=True)]

    def check(self) -> None:
        """Check the whole graph; nothing is started.

        Raises:
            WiringError: with every problem found.
        """
        found = problems(self)
        if found:
            raise WiringError(self.name, found)

    def run(
        self, *, engine: Literal["threads", "inline"] = "threads", capacity: int = 16, progress: bool = False
    ) -> Run:
        """Check the graph, run it to the end of its streams, and return the measurements.

        Args:
            engine: `threads` (a thread per block) or `inline` (one thread, for debugging); same bits from both.
            capacity: items a wire holds before its writer waits.
            progress: show a live table while running.

        Raises:
            WiringError: the graph is wired wrongly.
            BlockError: a block failed; everything was stopped, and the original is its `__cause__`.
        """
        from lgvsc_flow.engines import execute

        if capacity < 1:
            raise ValueError(f"capacity must be >= 1, got {capacity}")
        self.check()
        return execute(self, engine=engine, capacity=capacity, progress=progress)

    def rng(self, block: Block) -> np.random.Generator:
        """The random generator of one block: a function of the root seed and the block's name alone."""
        digest = hashlib.sha256(block.name.encode()).digest()
        key = tuple(int.from_bytes(digest[i : i + 4], "little") for i in range(0, 16, 4))
        return np.random.Generator(np.random.PCG64(np.random.SeedSequence(self.seed, spawn_key=key)))

    def to_mermaid(self) -> str:
        """The graph as Mermaid flowchart text."""
        ids = {block: f"b{i}" for i, block in enumerate(self.nx.nodes)}
        lines = ["flowchart LR"]
        lines += [f'  {ids[block]}["{block.name}"]' for block in self.nx.nodes]
        lines += [
            f"  {ids[s.block]} -->|{s.port.name}: {type_name(s.port.kind)}| {ids[t.block]}" for s, t in self.wires()
        ]
        return "\n".join(lines)

    def draw(self, path: str | Path) -> None:
        """Draw the graph with matplotlib; the file's ending decides the format (svg, png, pdf)."""
        from lgvsc_flow.draw import draw

        draw(self, path)


def _end(end: Block | BoundPort, direction: type[In] | type[Out]) -> BoundPort:
    """The port that an element of a chain stands for."""
    word = "input" if direction is In else "output"
    if isinstance(end, BoundPort):
        if isinstance(end.port, direction):
            return end
        end = end.block if direction is Out else _wrong(end, word)
    if not isinstance(end, Block):
        raise TypeError(f"connect takes blocks and ports, got {type(end).__name__} {end!r}")
    ports = [p for p in end.ports.values() if isinstance(p, direction)]
    if len(ports) == 1:
        return BoundPort(end, ports[0])
    if not ports:
        raise TypeError(f"{end.label} has no {word}")
    raise TypeError(f"{end.label} has {len(ports)} {word}s, name one: {', '.join(f'.{p.name}' for p in ports)}")


def _wrong(end: BoundPort, word: str) -> Block:
    raise TypeError(f"{end} is not an {word}")
