"""The testing kit: run one block without a graph, and assert what every block and graph must keep.

Strategies for hypothesis are in `lgvsc_flow.strategies`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal, cast

import numpy as np

from lgvsc_flow.block import Block
from lgvsc_flow.difference import fingerprint, first_difference, short
from lgvsc_flow.engines import ENGINES
from lgvsc_flow.engines.stage import Stage
from lgvsc_flow.engines.wire import Wire
from lgvsc_flow.errors import BlockError
from lgvsc_flow.graph import Graph
from lgvsc_flow.items import broken, describe
from lgvsc_flow.ports import BoundPort, Port

__all__ = [
    "assert_batching_invariant",
    "assert_chunking_invariant",
    "assert_same_items",
    "assert_same_on_all_engines",
    "first_difference",
    "run_block",
]


def run_block(block: Block, *inputs: Iterable[Any], seed: int = 0) -> Any:
    """Feed a block its whole input streams and return what it sends.

    Args:
        block: any block; `start`, `work`, `finish` and `stop` are called as in a graph.
        inputs: a list of items per input port, in the order of the ports.
        seed: the root seed of the block's `rng`.

    Returns:
        The items sent: a list where the block has one output, else a dict from port name to list.

    Raises:
        BlockError: as in a graph; also where the block changes an item that it was given, which others may read too.
    """
    sent = _run(block, [_items(i) for i in inputs], seed)
    return next(iter(sent.values())) if len(sent) == 1 else sent


def assert_same_on_all_engines(make_graph: Graph | Callable[[], Graph], capacities: Sequence[int] = (1, 2, 16)) -> None:
    """Assert that every engine, with every capacity of the wires, sends the same bits from every output.

    Each output is tapped by a meter of the kit's own, so this holds also where nothing else looks. The blocks that the
    meters feed on see nothing of them; that too is asserted, by a first run without meters (`Graph.results`).

    Args:
        make_graph: a graph, or a function that builds one. A graph is run as often as there are combinations, its
            meters are taken away again at the end; a function is called for every run, which is what a graph needs
            whose blocks keep something from run to run.
        capacities: of the wires.

    Raises:
        AssertionError: which output, item and element differ, and what each of the two runs had.
        WiringError, BlockError: the graph itself is wrong.
    """
    if not capacities:
        raise ValueError("capacities is empty; name at least one")
    first: tuple[str, dict[str, list[Any]]] | None = None
    plain = make_graph if isinstance(make_graph, Graph) else make_graph()
    plain.run(engine="inline", capacity=capacities[0])
    unmetered = plain.results()
    for engine in sorted(ENGINES):
        for capacity in capacities:
            graph = make_graph if isinstance(make_graph, Graph) else make_graph()
            how = f"{engine}, capacity {capacity}"
            sent, results = _metered(graph, engine, capacity)
            if first is None:
                first = (how, sent)
            _compare_outputs(graph.name, first, (how, sent))
            found = first_difference(unmetered, results)
            if found:
                raise AssertionError(
                    f"graph '{graph.name}': what its sinks measured differs at {found[0]}: "
                    f"{found[1]} (inline, capacity {capacities[0]}, no meters), {found[2]} ({how}, a meter on each "
                    "output)"
                )


def assert_chunking_invariant(
    block: Block,
    *streams: np.ndarray,
    sizes: Sequence[int] = (1, 2, 3, 7, 64),
    unit: int | Sequence[int] = 1,
    rounds: int = 5,
    seed: int = 0,
) -> None:
    """Assert that what a block sends, end to end, does not depend on how its input is cut into bursts.

    Each stream goes through the block as one burst, then in bursts of each of `sizes`, then `rounds` times in bursts
    of random sizes. All streams are cut at the same places.

    Args:
        block: a block whose items are arrays; it is run anew for each way of cutting.
        streams: one array per input port.
        sizes: of the bursts, in units.
        unit: the elements that belong together, such as a codeword; one number, or one for each stream.
        rounds: how often to cut at random.
        seed: of the cuts, and the root seed of the block's `rng`.

    Raises:
        AssertionError: the first element that differs, and how the stream was cut.
        ValueError: a stream is not whole units, or streams have different numbers of them.
    """
    units = [unit] * len(streams) if isinstance(unit, int) else list(unit)
    counts = {s.size // u for s, u in zip(streams, units, strict=True)}
    if not streams or len(counts) != 1 or any(s.size % u for s, u in zip(streams, units, strict=True)):
        lengths = ", ".join(f"{s.size} elements in units of {u}" for s, u in zip(streams, units, strict=True))
        raise ValueError(f"{block.label}: streams must be equally many whole units, got {lengths or 'no stream'}")
    count = counts.pop()
    if count < 2:
        raise ValueError(f"{block.label}: a stream of {count} units cannot be cut")
    whole = _joined(block, _run(block, [[s] for s in streams], seed))
    rng = np.random.default_rng(seed)
    ways = [np.arange(size, count, size) for size in dict.fromkeys(sizes)]
    ways += [np.flatnonzero(rng.random(count) < rng.choice([0.02, 0.2, 0.7])) for _ in range(rounds)]
    for cuts in ways:
        cuts = cuts[(cuts > 0) & (cuts < count)]
        if not cuts.size:
            continue
        bursts = [np.split(s, cuts * u) for s, u in zip(streams, units, strict=True)]
        cut = _joined(block, _run(block, cast("list[list[Any]]", bursts), seed))
        for port, expected in whole.items():
            found = first_difference(expected, cut[port])
            if found:
                lengths = short([b.size for b in bursts[0]])
                raise AssertionError(
                    f"{block.label}.{port} depends on how its input is cut: {found[0] or 'it'} is {found[1]} from one "
                    f"burst of {streams[0].size}, and {found[2]} from {len(bursts[0])} bursts of {lengths}"
                )


def assert_batching_invariant(
    block: Block, *streams: Iterable[Any], rtol: float | None = None, atol: float = 0.0, seed: int = 0
) -> None:
    """Assert that a block with `work_batch` sends the same items however many of them wait when it is called.

    Groups of every size from 1 to `batch_size` are given, then groups of mixed sizes. A block that draws from
    `self.rng` must draw for each item as much as for any other.

    Args:
        block: a block with `work_batch`; it is run anew for each grouping.
        streams: a list of items per input port, more than one item each.
        rtol: how far numbers may lie apart, relative to what one item at a time gives; None asks for the same bits.
        atol: the same, in absolute terms; it counts only with `rtol`.
        seed: the root seed of the block's `rng`.

    Raises:
        AssertionError: the first item and element that differ, and the grouping.
        TypeError: the block has no `work_batch`.
    """
    if not block.batches():
        raise TypeError(f"{block.label} has no work_batch")
    items = [_items(s) for s in streams]
    count, limit = len(items[0]) if items else 0, int(block.settings["batch_size"])
    if count < 2 or limit < 2:
        raise ValueError(f"{block.label}: {count} items and batch_size={limit} make no groups; give at least 2 of each")
    alone = _run(block, items, seed, [1] * count)
    mixed = np.random.default_rng(seed).integers(1, limit + 1, count).tolist()
    for groups in [*([size] * count for size in range(2, min(limit, count) + 1)), mixed]:
        together = _run(block, items, seed, groups)
        for port, expected in alone.items():
            found = first_difference(expected, together[port], rtol=rtol, atol=atol)
            if found:
                raise AssertionError(
                    f"{block.label}.{port} depends on how many items come together: {found[0] or 'the stream'} is "
                    f"{found[1]} one by one, and {found[2]} in groups of {short(groups[:count])}"
                )


def assert_same_items(expected: Any, got: Any, *, rtol: float | None = None, atol: float = 0.0) -> None:
    """Assert that items, or lists of them, are the same: arrays by dtype, shape and bytes, records field by field.

    Raises:
        AssertionError: where they differ first, and what each has.
    """
    found = first_difference(expected, got, rtol=rtol, atol=atol)
    if found:
        raise AssertionError(f"{found[0] or 'the item'} differs: expected {found[1]}, got {found[2]}")


def _items(stream: Iterable[Any]) -> list[Any]:
    return [stream] if isinstance(stream, np.ndarray) else list(stream)


def _joined(block: Block, sent: dict[str, list[Any]]) -> dict[str, np.ndarray]:
    for port, items in sent.items():
        if not all(isinstance(i, np.ndarray) for i in items):
            raise TypeError(f"{block.label}.{port} sends records; only streams of arrays can be cut anew")
    empty = np.empty(0, np.uint8)
    return {port: np.concatenate(items) if items else empty for port, items in sent.items()}


def _run(
    block: Block, inputs: Sequence[list[Any]], seed: int, groups: Sequence[int] | None = None
) -> dict[str, list[Any]]:
    """What a block sends on each output; its input waits all at once, or comes in groups of the sizes given."""
    ports = block.inputs()
    if len(inputs) != len(ports):
        raise TypeError(f"{block.label} has {len(ports)} inputs, got {len(inputs)} streams")
    named = block.name
    stage = Stage(block)
    for port in ports:
        wire = Wire(f"{port.name}", 1)
        wire.writer = wire.reader = stage
        stage.inputs.append(wire)
    sent = {}
    for out in block.outputs():
        wire = Wire(out.name, 2**62)
        wire.writer = wire.reader = stage
        stage.outputs[out.name] = [wire]
        sent[out.name] = wire.items
    block.name = block.label
    block.rng, block._changes = Graph(seed=seed).rng(block), deque()
    rest = [list(i) for i in inputs]
    given = [[fingerprint(i) for i in items] for items in inputs]
    sizes = iter(groups or ())
    try:
        for port, items in zip(ports, inputs, strict=True):
            _finite(block, port, items)
        stage.start()
        steps = stage.steps()
        _feed(stage, rest, next(sizes, None))
        for _ in steps:
            _feed(stage, rest, next(sizes, None))
    finally:
        try:
            stage.stop()
        finally:
            block.name, block._changes = named, None
    for port, before, items in zip(ports, given, inputs, strict=True):
        for number, (mark, item) in enumerate(zip(before, items, strict=True)):
            if mark != fingerprint(item):
                reason = f"it changed the item that came on {port.name}; others may read that too: change a copy."
                raise BlockError(block.label, number, "", reason)
    return {name: list(items) for name, items in sent.items()}


def _finite(block: Block, port: Port, items: Sequence[Any]) -> None:
    for number, item in enumerate(items if port.finite else ()):
        bad = broken(item)
        if bad:
            reason = f"{bad} NaN or infinite values; {port.name} takes finite ones only."
            raise BlockError(block.label, number, describe(item, port.kind), reason)


def _feed(stage: Stage, rest: list[list[Any]], count: int | None) -> None:
    """Put the next `count` items (None: all that are left) on each input, and close those with nothing left."""
    for wire, items in zip(stage.inputs, rest, strict=True):
        wire.items.extend(items[:count])
        del items[:count]
        wire.closed = not items


def _metered(graph: Graph, engine: str, capacity: int) -> tuple[dict[str, list[Any]], dict[str, dict[str, float]]]:
    """The items that every output of a graph sends, by its name, and what the graph's own sinks measured."""
    ends = [BoundPort(b, cast(Port, p)) for b in graph.blocks for p in b.outputs()]
    probes = {str(end): graph.probe(end, keep=None) for end in ends}
    try:
        graph.run(engine=cast(Literal["threads", "inline"], engine), capacity=capacity)
        sent = {name: probe.items for name, probe in probes.items()}
    finally:
        graph.nx.remove_nodes_from(probes.values())
    return sent, graph.results()


def _compare_outputs(
    graph: str, one: tuple[str, dict[str, list[Any]]], other: tuple[str, dict[str, list[Any]]]
) -> None:
    for name, items in one[1].items():
        found = first_difference(items, other[1][name])
        if found:
            raise AssertionError(
                f"graph '{graph}': {name} differs at {found[0] or 'its end'}: "
                f"{found[1]} ({one[0]}), {found[2]} ({other[0]})"
            )
