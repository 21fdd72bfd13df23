"""The checks on a whole graph, made before anything is started. Every problem is found at once."""

from __future__ import annotations

import string
from collections import defaultdict
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from typing import TYPE_CHECKING

import networkx as nx

from lgvsc_flow.block import Block
from lgvsc_flow.items import AnyItem, ItemType, type_name
from lgvsc_flow.ports import BoundPort, Demand, Port
from lgvsc_flow.registry import bridges
from lgvsc_flow.shapes import ShapeError, evaluate, solve

if TYPE_CHECKING:
    from lgvsc_flow.graph import Graph

__all__ = ["problems"]


@dataclass(frozen=True)
class _Trait:
    value: str
    origin: str  # "QamModulator.order=16", or the block's name


@dataclass(frozen=True)
class _Rate:
    """Items on a wire: `ratio` for each one that `origin` (a source, or an output of rate `many`) sends."""

    origin: str
    ratio: Fraction


@dataclass
class _Flow:
    """What is known of the items on an output port: size, traits, rate, and how the size came about."""

    size: int | None
    traits: dict[str, _Trait]
    rate: _Rate
    chain: tuple[str, ...]


def problems(graph: Graph) -> list[str]:
    """Every wiring problem of a graph, one line each; an empty list means that it may run."""
    found = [*_names(graph), *_inputs(graph), *_types(graph)]
    cycles = _cycles(graph)
    if cycles:
        return found + cycles
    return found + _propagate(graph)


def _names(graph: Graph) -> list[str]:
    groups = defaultdict(list)
    for block in graph.nx.nodes:
        groups[block.name].append(type(block).__name__)
    return [
        f"{len(kinds)} blocks are named '{name}' ({', '.join(kinds)}). Give each its own: name='...'."
        for name, kinds in groups.items()
        if len(kinds) > 1
    ]


def _inputs(graph: Graph) -> list[str]:
    if not graph.nx:
        return ["it has no blocks. Wire some with graph.connect."]
    writers: dict[tuple[Block, str], list[BoundPort]] = defaultdict(list)
    for sender, taker in graph.wires():
        writers[taker.block, taker.port.name].append(sender)
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


def _cycles(graph: Graph) -> list[str]:
    found = []
    for part in nx.strongly_connected_components(graph.nx):
        if len(part) == 1 and not graph.nx.has_edge(*(list(part) * 2)):
            continue
        loop = [edge[0] for edge in nx.find_cycle(graph.nx.subgraph(part))]
        path = " -> ".join(b.name for b in [*loop, loop[0]])
        found.append(f"cycle: {path}. A loop lives inside one block.")
    return found


def _propagate(graph: Graph) -> list[str]:
    """Carry sizes, traits and rates from the sources onwards, and compare them with what inputs take."""
    found: list[str] = []
    flows: dict[tuple[Block, str], _Flow] = {}
    for block in nx.topological_sort(graph.nx):
        dims: dict[str, int] = {}
        traits: dict[str, _Trait] = {}
        arriving: dict[str, _Flow] = {}
        for sender, _, data in graph.nx.in_edges(block, data=True):
            port: Port = data["taker"]
            wire = f"{sender.name}.{data['sender'].name} -> {block.name}.{port.name}"
            flow = arriving[wire] = flows[sender, data["sender"].name]
            clashes = _demands(wire, block, port, flow.traits)
            # What an input demands it also takes away: behind a demodulator there is no constellation.
            passing = {name: trait for name, trait in flow.traits.items() if name not in port.traits}
            found += [*clashes, *_merge(block, traits, passing)]
            # Sizes behind a clash would only repeat it.
            if flow.size is not None and not clashes and _fits(data["sender"].kind, port.kind):
                found += [_chained(p, flow.chain) for p in _bind(wire, block, port, flow.size, dims)]
        found += _rates(block, arriving)
        chain = next((f.chain for f in arriving.values() if f.size is not None), ())
        for out in block.outputs():
            known = None
            try:
                known = evaluate(out.shape, partial(_value, block, dims))
            except ShapeError as error:
                problem = f"{block.name}.{out.name}: its size {out.shape} does not come out: {error}."
                found.append(_chained(problem, chain))
            own = {k: _Trait(_filled(block, t), _origin(block, t)) for k, t in out.traits.items() if isinstance(t, str)}
            name = f"{block.name}.{out.name}"
            flows[block, out.name] = _Flow(
                known,
                {**traits, **own},
                _sent(name, out, arriving),
                () if known is None else (*chain, f"{name} {known}"),
            )
    return found


def _chained(problem: str, chain: tuple[str, ...]) -> str:
    return f"{problem} Sizes from the source: {', '.join(chain)}." if len(chain) > 1 else problem


def _rates(block: Block, arriving: dict[str, _Flow]) -> list[str]:
    """The balance of a join: all its inputs must bring equally many items, as far as that is known beforehand."""
    first: dict[str, tuple[str, Fraction]] = {}
    found = []
    for wire, flow in arriving.items():
        other, ratio = first.setdefault(flow.rate.origin, (wire, flow.rate.ratio))
        if ratio != flow.rate.ratio:
            found.append(
                f"{block.name}: its inputs come at different rates: for each item of {flow.rate.origin}, "
                f"{other} brings {ratio} and {wire} brings {flow.rate.ratio}."
            )
    return found


def _sent(name: str, out: Port, arriving: dict[str, _Flow]) -> _Rate:
    if not arriving or out.ratio is None:
        return _Rate(name, Fraction(1))
    rate = next(iter(arriving.values())).rate
    return _Rate(rate.origin, rate.ratio * out.ratio)


def _value(block: Block, dims: dict[str, int], name: str) -> int | None:
    value = getattr(block, name, None)
    if isinstance(value, int):
        return value
    return dims.get(name)


def _bind(wire: str, block: Block, port: Port, size: int, dims: dict[str, int]) -> list[str]:
    def lookup(name: str) -> int | None:
        return _value(block, dims, name)

    try:
        solved = solve(port.shape, size, lookup)
        if solved:
            dims[solved[0]] = solved[1]
        expected = evaluate(port.shape, lookup)
    except ShapeError as error:
        return [f"{wire}: bursts of {size} elements, {error}."]
    if expected is not None and expected != size:
        return [f"{wire}: bursts of {size} elements, {block.name} takes {expected} ({port.shape})."]
    return []


def _demands(wire: str, block: Block, port: Port, traits: dict[str, _Trait]) -> list[str]:
    found = []
    for name, demand in port.traits.items():
        arriving = traits.get(name)
        template = demand.value if isinstance(demand, Demand) else demand
        if arriving is None or arriving.value == _filled(block, template):
            continue
        if isinstance(demand, Demand):
            found.append(f"{wire}: {_filled(block, demand.message, found=arriving.value)}")
            continue
        used = _used(block, template)
        found.append(
            f"{wire}: {name} is {arriving.value} (set by {arriving.origin}), "
            f"{block.name} takes {_filled(block, template)}{f' ({used})' if used else ''}."
        )
    return found


def _merge(block: Block, traits: dict[str, _Trait], arriving: dict[str, _Trait]) -> list[str]:
    found = []
    for name, trait in arriving.items():
        other = traits.setdefault(name, trait)
        if other.value != trait.value:
            found.append(
                f"{block.name}: its inputs disagree on {name}: {other.value} (set by {other.origin}) "
                f"and {trait.value} (set by {trait.origin})."
            )
    return found


def _filled(block: Block, template: str, **extra: str) -> str:
    fields = {f for _, f, _, _ in string.Formatter().parse(template) if f}
    return template.format(**{f: extra[f] if f in extra else getattr(block, f) for f in fields})


def _used(block: Block, template: str) -> str:
    fields = [f for _, f, _, _ in string.Formatter().parse(template) if f]
    return ", ".join(f"{f}={getattr(block, f)}" for f in fields)


def _origin(block: Block, template: str | Demand) -> str:
    used = _used(block, template) if isinstance(template, str) else ""
    return f"{block.name}.{used}" if used else block.name
