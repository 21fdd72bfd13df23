"""The graph: blocks, the wires between their ports, and what can be asked of the whole."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar
from weakref import WeakSet

import networkx as nx
import numpy as np

from lgvsc_flow.block import Block
from lgvsc_flow.check import problems
from lgvsc_flow.errors import WiringError
from lgvsc_flow.ports import BoundPort, In, Out
from lgvsc_flow.probe import Probe
from lgvsc_flow.wiring import end_of, free_name

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from lgvsc_flow.engines import Execution
    from lgvsc_flow.run import Run
    from lgvsc_flow.running import Running

__all__ = ["Graph"]

B = TypeVar("B", bound=Block)


class Graph:
    """A link graph: blocks wired port to port.

    A graph with open ports (`open`) is a composite: it stands in another graph's chains like a block, and its blocks
    are then called by their path, `coder/LdpcEncoder`.

    Args:
        name: what messages and reports call it.
        seed: the root seed; every block's random stream follows from it and from the block's name.
    """

    def __init__(self, name: str = "graph", seed: int = 0) -> None:
        if seed < 0:
            raise ValueError(f"seed must be >= 0, got {seed}")
        self.name, self.seed = name, seed
        self.nx: nx.MultiDiGraph = nx.MultiDiGraph(name=name)
        self._open: dict[str, BoundPort] = {}
        self._inner: list[Graph] = []
        self._outer: Graph | None = None
        self._executions: WeakSet[Execution] = WeakSet()

    def open(self, **ports: BoundPort) -> Graph:
        """Name the ports that a composite shows to the graph around it; each is then an attribute. Returns itself."""
        for name, port in ports.items():
            if not isinstance(port, BoundPort) or port.block not in self.nx:
                raise TypeError(f"graph '{self.name}' cannot open {name}: it is no port of one of its blocks")
            if hasattr(type(self), name) or name in vars(self):
                raise TypeError(f"graph '{self.name}' cannot call an open port '{name}': Graph has that attribute")
        self._open.update(ports)
        return self

    def __getattr__(self, name: str) -> BoundPort:
        if not name.startswith("_") and name in self._open:
            return self._open[name]
        known = f"; its open ports are {', '.join(self._open)}" if self.__dict__.get("_open") else ""
        raise AttributeError(f"graph '{self.__dict__.get('name', '')}' has no attribute '{name}'{known}")

    @property
    def ports(self) -> dict[str, BoundPort]:
        """The open ports."""
        return dict(self._open)

    @property
    def blocks(self) -> list[Block]:
        """The blocks, in the order in which they were added."""
        return list(self.nx.nodes)

    def __getitem__(self, name: str) -> Block:
        """The block of that name."""
        for block in self.blocks:
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
        self._own()
        if block not in self.nx:
            if not block.name:
                block.name = free_name(type(block).__name__, {b.name for b in self.nx.nodes})
            block._home = block._home or self
            self.nx.add_node(block)
        return block

    def include(self, composite: Graph) -> Graph:
        """Take in a composite: its blocks and wires become this graph's, under its name."""
        if composite is self:
            raise TypeError(f"graph '{self.name}' cannot contain itself")
        self._own()
        if composite._outermost() is not self:
            if composite._outer is not None:
                raise TypeError(
                    f"graph '{composite.name}' already stands in graph '{composite._outer.name}'; build another"
                )
            composite._outer = self
            composite.name = free_name(composite.name, {g.name for g in self._inner})
            self._inner.append(composite)
            for block in composite.blocks:
                block.name = f"{composite.name}/{block.name}"
            self.nx.add_nodes_from(composite.nx.nodes)
            self.nx.add_edges_from(composite.nx.edges(data=True))
        return composite

    def _outermost(self) -> Graph:
        return self if self._outer is None else self._outer._outermost()

    def _own(self) -> None:
        if self._outer is not None:
            raise TypeError(
                f"graph '{self.name}' stands in graph '{self._outer.name}' and cannot change; wire it before, "
                "or wire its blocks there"
            )

    def connect(self, *chain: Block | BoundPort | Graph) -> None:
        """Wire a chain: each element's output to the next one's input.

        A block or composite stands for its only output or input; where it has several, name the port, as in
        `meter.received`.

        Raises:
            TypeError: an element is no block, composite or port, or a port must be named.
        """
        self._own()
        if len(chain) < 2:
            raise TypeError("connect takes at least two blocks or ports")
        for element in chain:
            if isinstance(element, Graph):
                self.include(element)
            elif isinstance(element, BoundPort):
                whole = element.block._home and element.block._home._outermost()
                if whole is not None and whole is not self and whole._open:
                    self.include(whole)  # a port of a composite stands for the composite
        ends = [(end_of(left, Out), end_of(right, In)) for left, right in itertools.pairwise(chain)]
        for sender, taker in ends:
            self.add(sender.block)
            self.add(taker.block)
            self.nx.add_edge(sender.block, taker.block, sender=sender.port, taker=taker.port)

    def probe(self, port: BoundPort, keep: int | None = 100) -> Probe:
        """Tap a wire: the probe keeps the last `keep` items that the output sends, all with None."""
        probe = Probe(keep=keep)
        self.connect(port, probe)
        return probe

    def wires(self) -> list[tuple[BoundPort, BoundPort]]:
        """All wires, sender first."""
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
        self,
        *,
        engine: Literal["threads", "inline"] = "threads",
        capacity: int = 16,
        until: Callable[[], bool] | None = None,
        stall_s: float | None = None,
        memory_limit_bytes: int = 2**30,
        progress: bool = False,
    ) -> Run:
        """Check the graph, run it to the end of its streams, and return the measurements.

        Args:
            engine: `threads` (a thread per block) or `inline` (one thread, for debugging); same bits from both.
            capacity: items a wire holds before its writer waits.
            until: asked before each item of a source; when it says True the sources end, and what is under way is
                finished. Under `threads` a source runs ahead of what it asks about by up to `capacity` items a wire.
            stall_s: end the run with an error that names the block when no item is finished for so long.
            memory_limit_bytes: what all wires together may hold when one must grow so that branches of different
                delay can meet again; until then `capacity` alone bounds them.
            progress: show a live table while running.

        Raises:
            WiringError: the graph is wired wrongly.
            BlockError: a block failed; everything was stopped, and the original is its `__cause__`.
            MemoryLimitError: branches that meet again would need more memory than the limit.
        """
        execution = self._execution(engine, capacity, until, stall_s, memory_limit_bytes)
        if not progress:
            return execution.run()
        from lgvsc_flow.live import live

        with live() as show:
            return execution.run(show)

    def start(
        self,
        *,
        engine: Literal["threads", "inline"] = "threads",
        capacity: int = 16,
        until: Callable[[], bool] | None = None,
        stall_s: float | None = None,
        memory_limit_bytes: int = 2**30,
    ) -> Running:
        """Run in the background, with the arguments of `run`; the handle stops the run, waits for it and watches it.

        Raises:
            WiringError: the graph is wired wrongly.
        """
        from lgvsc_flow.running import Running

        return Running(self, self._execution(engine, capacity, until, stall_s, memory_limit_bytes))

    def _execution(
        self,
        engine: str,
        capacity: int,
        until: Callable[[], bool] | None,
        stall_s: float | None,
        memory_limit_bytes: int,
    ) -> Execution:
        from lgvsc_flow.engines import Execution

        self.check()
        execution = Execution(
            self,
            engine=engine,
            capacity=capacity,
            until=until,
            stall_s=stall_s,
            memory_limit_bytes=memory_limit_bytes,
        )
        self._executions.add(execution)
        return execution

    def stop(self) -> None:
        """End the sources of the graph's runs, from any thread; what is under way is finished, and `run` returns."""
        for execution in list(self._executions):
            execution.end()

    def rng(self, block: Block) -> np.random.Generator:
        """The random generator of one block: a function of the root seed and the block's name alone."""
        digest = hashlib.sha256(block.name.encode()).digest()
        key = tuple(int.from_bytes(digest[i : i + 4], "little") for i in range(0, 16, 4))
        return np.random.Generator(np.random.PCG64(np.random.SeedSequence(self.seed, spawn_key=key)))

    def results(self) -> dict[str, dict[str, float]]:
        """What the sinks measured: their public numbers, settings aside, by block name."""
        from lgvsc_flow.results import measured

        return {block.name: measured(block) for block in self.blocks if not block.outputs()}

    def to_mermaid(self) -> str:
        """The graph as Mermaid flowchart text, wires labelled with type and size, composites framed."""
        from lgvsc_flow.mermaid import mermaid

        return mermaid(self)

    def save(self, path: str | Path) -> None:
        """Write the graph to a YAML file; see `lgvsc_flow.files`."""
        from lgvsc_flow.files import save

        save(self, path)

    @staticmethod
    def load(path: str | Path, changes: Mapping[str, Any] | None = None) -> Graph:
        """Read a graph from a YAML file, with settings changed as in `{"AwgnChannel.esn0_db": 6}`."""
        from lgvsc_flow.files import load

        return load(path, changes)

    def draw(self, path: str | Path | None = None) -> Figure:
        """Draw the graph with matplotlib; the ending of `path` decides the format (svg, png, pdf)."""
        from lgvsc_flow.draw import draw

        return draw(self, path)
