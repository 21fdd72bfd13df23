"""Sizes, traits and item rates, carried through a graph from its sources onwards and compared with what inputs take."""

from __future__ import annotations

import string
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from itertools import pairwise
from operator import index

import networkx as nx

from lgvsc_flow.block import Block
from lgvsc_flow.ports import Demand, Port
from lgvsc_flow.shapes import ShapeError, evaluate, names, solve

__all__ = ["Flow", "Rate", "Trait", "bind", "known_size", "propagate"]


@dataclass(frozen=True)
class Trait:
    """A property of items beside type and size."""

    value: str
    origin: str  # "QamModulator.order=16", or the block's name


@dataclass(frozen=True)
class Rate:
    """Items on a wire: `ratio` for each one that `origin` (a source, or an output of rate `many`) sends."""

    origin: str
    ratio: Fraction


@dataclass(frozen=True)
class Flow:
    """What is known of the items on an output port: size, traits, rate, and how the size came about."""

    size: int | None
    traits: dict[str, Trait]
    rate: Rate
    chain: tuple[str, ...]


@dataclass(frozen=True)
class _Arriving:
    """What comes in on one wire."""

    wire: str
    port: Port
    flow: Flow
    size: int | None  # None also where the wire itself is wrong: sizes behind a clash would only repeat it


def propagate(order: nx.MultiDiGraph) -> tuple[dict[tuple[Block, str], Flow], list[str]]:
    """The flow on each output port of an acyclic graph with one wire per input, and every clash of flows.

    Edges carry `sender` and `taker` (ports) and `fits` (whether the item type is right).
    """
    found: list[str] = []
    flows: dict[tuple[Block, str], Flow] = {}
    balance = nx.Graph()
    for block in nx.topological_sort(order):
        traits: dict[str, tuple[Trait, str]] = {}
        arriving = []
        wires = {d["taker"].name: (s, d) for s, _, d in order.in_edges(block, data=True)}
        for port in block.inputs():
            if port.name not in wires:
                continue
            sender, data = wires[port.name]
            wire = f"{sender.name}.{data['sender'].name} -> {block.name}.{port.name}"
            flow = flows[sender, data["sender"].name]
            clashes = _demands(wire, block, port, flow.traits)
            # What an input demands it also takes away: behind a demodulator there is no constellation.
            passing = {name: trait for name, trait in flow.traits.items() if name not in port.traits}
            found += [*clashes, *_merge(wire, block, traits, passing)]
            arriving.append(_Arriving(wire, port, flow, flow.size if data["fits"] and not clashes else None))
        dims, clashes = _bind(block, arriving)
        found += [*clashes, *_balance(block, arriving, balance)]
        for out in block.outputs():
            flow, clashes = _leaving(block, out, arriving, dims, {n: t for n, (t, _) in traits.items()})
            flows[block, out.name] = flow
            found += clashes
    return flows, found


def _leaving(
    block: Block, out: Port, arriving: list[_Arriving], dims: dict[str, int], traits: dict[str, Trait]
) -> tuple[Flow, list[str]]:
    name = f"{block.name}.{out.name}"
    chain = _chain(out, arriving)
    found, known = [], None
    try:
        known = evaluate(out.shape, partial(known_size, block, dims))
    except ShapeError as error:
        problem = f"{name}: its size {out.shape} does not come out: {error}."
        found.append(f"{problem} Sizes from the source: {', '.join(chain)}." if chain else problem)
    except ValueError as error:
        found.append(f"{name}: {error}.")
    own = {k: Trait(_filled(block, t), _origin(block, t)) for k, t in out.traits.items() if isinstance(t, str)}
    if out.ratio is not None and len(block.outputs()) > 1 and not block.inputs():
        rate = Rate(block.name, out.ratio)  # a source with several outputs sends so many of each in a round
    elif not arriving or out.ratio is None:
        rate = Rate(name, Fraction(1))
    else:
        rate = Rate(arriving[0].flow.rate.origin, arriving[0].flow.rate.ratio * out.ratio)
    return Flow(known, {**traits, **own}, rate, () if known is None else (*chain, f"{name} {known}")), found


def _chain(out: Port, arriving: list[_Arriving]) -> tuple[str, ...]:
    """How the sizes that an output's shape is made of came about; of several inputs, the first that tells."""
    sized = [a for a in arriving if a.size is not None]
    try:
        mentioned = names(out.shape)
        sized.sort(key=lambda a: not names(a.port.shape) & mentioned)
    except ValueError:
        return ()
    return sized[0].flow.chain if sized else ()


def _balance(block: Block, arriving: list[_Arriving], balance: nx.Graph) -> list[str]:
    """The balance of a join: all its inputs must bring equally many items, as far as that is known beforehand.

    Streams of different origins that meet must have equally many items too, which ties their origins together:
    `balance` holds these ties, each with how many items of one there are for each item of the other.
    """
    found = []
    for other in arriving[1:]:
        one = arriving[0]
        a, b = one.flow.rate, other.flow.rate
        balance.add_nodes_from((a.origin, b.origin))
        if a.origin != b.origin and not nx.has_path(balance, a.origin, b.origin):
            ratio = {a.origin: Fraction(1), b.origin: a.ratio / b.ratio}
            balance.add_edge(a.origin, b.origin, ratio=ratio, wires=f"{one.wire} and {other.wire} meet")
            continue
        share, meetings = b.ratio, []
        for left, right in pairwise(nx.shortest_path(balance, a.origin, b.origin)):
            tie = balance.edges[left, right]
            share *= tie["ratio"][right] / tie["ratio"][left]
            meetings.append(tie["wires"])
        if share != a.ratio:
            since = f", since {', and '.join(meetings)}" if meetings else ""
            found.append(
                f"{block.name}: its inputs come at different rates: for each item of {a.origin}, "
                f"{one.wire} brings {a.ratio} and {other.wire} brings {share}{since}."
            )
    return found


def known_size(block: Block, dims: dict[str, int], name: str) -> int | None:
    """The value of a name in a shape: a setting or property of the block, else what its inputs' sizes say."""
    if not _declared(block, name):
        return dims.get(name)
    try:
        return index(getattr(block, name))
    except TypeError:
        return dims.get(name)


def _declared(block: Block, name: str) -> bool:
    return name in block.setting_fields() or hasattr(type(block), name)


def bind(block: Block, sizes: Sequence[tuple[Port, int]]) -> tuple[dict[str, int], list[tuple[int, str]]]:
    """Values of the names in inputs' shapes, for bursts of these sizes, and which of them do not fit, with the reason.

    An input whose shape has one unknown name tells it; one with several waits for the others.
    """
    dims: dict[str, int] = {}
    found: list[tuple[int, str]] = []
    lookup = partial(known_size, block, dims)
    waiting = list(enumerate(sizes))
    while waiting:
        unknown = [sum(lookup(n) is None for n in _names(port)) for _, (port, _) in waiting]
        number, (port, size) = waiting.pop(next((i for i, count in enumerate(unknown) if count < 2), 0))
        try:
            solved = solve(port.shape, size, lookup)
            if solved:
                dims[solved[0]] = solved[1]
            expected = evaluate(port.shape, lookup)
        except ShapeError as error:
            found.append((number, f"bursts of {size} elements, {error}"))
        except ValueError as error:
            found.append((number, f"{block.name}.{port.name}: {error}"))
        else:
            if expected is not None and expected != size:
                found.append((number, f"bursts of {size} elements, {block.name} takes {expected} ({port.shape})"))
    return dims, found


def _bind(block: Block, arriving: list[_Arriving]) -> tuple[dict[str, int], list[str]]:
    sized = [(a, a.size) for a in arriving if a.size is not None]
    dims, clashes = bind(block, [(a.port, size) for a, size in sized])
    found = []
    for number, problem in clashes:
        a, _ = sized[number]
        tail = f" Sizes from the source: {', '.join(a.flow.chain)}." if len(a.flow.chain) > 1 else ""
        found.append(f"{a.wire}: {problem}.{tail}")
    return dims, found


def _names(port: Port) -> set[str]:
    try:
        return names(port.shape)
    except ValueError:
        return set()


def _demands(wire: str, block: Block, port: Port, traits: dict[str, Trait]) -> list[str]:
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


def _merge(wire: str, block: Block, traits: dict[str, tuple[Trait, str]], arriving: dict[str, Trait]) -> list[str]:
    """Add the traits that come on one wire to those of the wires before."""
    found = []
    for name, trait in arriving.items():
        other, first = traits.setdefault(name, (trait, wire))
        if other.value != trait.value:
            found.append(
                f"{block.name}: its inputs disagree on {name}: {first} brings {other.value} (set by {other.origin}) "
                f"and {wire} brings {trait.value} (set by {trait.origin})."
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
