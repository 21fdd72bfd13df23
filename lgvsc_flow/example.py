"""An example of any installed block, made from its ports: a small graph of real neighbours that passes every check."""

from __future__ import annotations

import dataclasses
import itertools
import re
from collections.abc import Iterator, Mapping
from math import lcm
from typing import Any

from lgvsc_flow.block import Block
from lgvsc_flow.check import problems, sizes
from lgvsc_flow.errors import FlowError
from lgvsc_flow.graph import Graph
from lgvsc_flow.items import AnyItem, ItemType
from lgvsc_flow.ports import BoundPort, In, Out
from lgvsc_flow.registry import home, known_blocks
from lgvsc_flow.shapes import ShapeError, evaluate, names

__all__ = ["example", "example_graph"]

BURST = 4096  # about the size of a source's burst
LIMIT = 2**20
CHOICES = 3
Kind = type[Block]
Way = list[tuple[Kind, Out]]


def example(kind: Kind) -> str:
    """Python code with the block in a graph that passes `check`; where none is found, the lines that build it alone."""
    found = _found(kind)
    if found is not None:
        plan, size = found
        return plan.code(size)
    build = f"{_snake(kind)} = {kind.__name__}({_arguments(_required(kind, {}))})"
    return f"from {home(kind)} import {kind.__name__}\n\n{build}"


def example_graph(kind: Kind) -> Graph | None:
    """The graph of the example, None where there is none."""
    found = _found(kind)
    return None if found is None else found[0].graph(found[1])


def _found(kind: Kind) -> tuple[_Plan, int] | None:
    """A plan that passes `check`, and the size of its bursts."""
    for plan in _plans(kind):
        for unit in (8, 24):  # bits of a symbol, of most constellations
            try:
                size = plan.fitting(unit)
                if not problems(plan.graph(size)):
                    return plan, size
            except (FlowError, TypeError, ValueError):
                pass  # another plan, or another size, may do
    return None


@dataclasses.dataclass
class _Plan:
    """Block classes, one instance of each in the order in which they were needed, and the wires between them."""

    kinds: list[Kind] = dataclasses.field(default_factory=list)
    wires: list[tuple[Kind, Out, Kind, In]] = dataclasses.field(default_factory=list)

    def settings(self, kind: Kind, size: int) -> dict[str, Any]:
        """What the example gives a block: its required settings, and to a source the size of its bursts."""
        known: dict[str, Any] = {}
        for other in self.kinds:
            for name, field in other.setting_fields().items() if other is not kind else ():
                if field.default is not dataclasses.MISSING and field.default is not None:
                    known.setdefault(name, field.default)
                    if field.metadata.get("unit") and not other.inputs():
                        known.setdefault(f"in {field.metadata['unit']}", field.default)
        bursts = _size_setting(kind)
        return _required(kind, known) | ({bursts: size} if bursts else {})

    def graph(self, size: int) -> Graph:
        graph = Graph("example")
        blocks = {k: k(**self.settings(k, size)) for k in self.kinds}
        for block in blocks.values():
            graph.add(block)
        for sender, out, taker, port in self.wires:
            graph.connect(getattr(blocks[sender], out.name), getattr(blocks[taker], port.name))
        return graph

    def fitting(self, size: int) -> int:
        """A multiple of `size`, the smallest near `BURST`, that makes every input's bursts whole blocks."""
        while size < LIMIT:
            graph = self.graph(size)
            known = sizes(graph)
            for sender, taker in graph.wires():
                burst, whole = known.get((sender.block, sender.port.name)), _whole(taker)
                if burst and whole and burst % whole:
                    size *= lcm(burst, whole) // burst
                    break
            else:
                return size * -(-BURST // size)
        raise ValueError("no burst fits")

    def code(self, size: int) -> str:
        homes: dict[str, list[str]] = {"lgvsc_flow": ["Graph"]}
        for kind in self.kinds:
            homes.setdefault(home(kind), []).append(kind.__name__)
        lines = [f"from {place} import {', '.join(sorted(names))}" for place, names in sorted(homes.items())]
        calls = {k: f"{k.__name__}({_arguments(self.settings(k, size))})" for k in self.kinds}
        lines.append("")
        if [(s, t) for s, _, t, _ in self.wires] == list(itertools.pairwise(self.kinds)) and all(
            len(s.outputs()) == len(t.inputs()) == 1 for s, _, t, _ in self.wires
        ):
            lines += ['graph = Graph("example")', f"graph.connect({', '.join(calls.values())})"]
        else:
            lines += [f"{_snake(k)} = {call}" for k, call in calls.items()]
            lines.append('graph = Graph("example")')
            for s, out, t, port in self.wires:
                left = _snake(s) + (f".{out.name}" if len(s.outputs()) > 1 else "")
                right = _snake(t) + (f".{port.name}" if len(t.inputs()) > 1 else "")
                lines.append(f"graph.connect({left}, {right})")
        lines.append("print(graph.run().table())")
        if any(not k.outputs() for k in self.kinds):
            lines.append("print(graph.results())")
        return "\n".join(lines)

    def copy(self) -> _Plan:
        return _Plan(list(self.kinds), list(self.wires))


def _plans(kind: Kind) -> Iterator[_Plan]:
    """Ways to feed the block, the most fitting first, each with a block that takes what it sends and then without."""
    for choice in range(CHOICES):
        plan = _Plan()
        if _feed(kind, plan, (), choice):
            for taker, out, port in _takers(kind):
                if taker not in plan.kinds:
                    yield _Plan([*plan.kinds, taker], [*plan.wires, (kind, out, taker, port)])
            yield plan


def _feed(kind: Kind, plan: _Plan, above: tuple[Kind, ...], choice: int = 0) -> bool:
    """Put into the plan what the block needs in front of it, and the block; False where nothing sends what it takes."""
    if kind in plan.kinds:
        return True
    wires = []
    for port in kind.inputs():
        options = _ways(kind, port, (*above, kind), plan)
        for way in options[min(choice, len(options) - 1) :]:
            trial = plan.copy()
            if _lay(way, trial, (*above, kind)):
                plan.kinds, plan.wires = trial.kinds, trial.wires
                wires.append((*way[-1], kind, port))
                break
        else:
            return False
    plan.kinds.append(kind)
    plan.wires += wires
    return True


def _lay(way: Way, plan: _Plan, above: tuple[Kind, ...]) -> bool:
    """Feed the first block of a way, then put the others behind it."""
    if not _feed(way[0][0], plan, above):
        return False
    for (sender, out), (taker, _) in itertools.pairwise(way):
        if taker not in plan.kinds:
            plan.kinds.append(taker)
            plan.wires.append((sender, out, taker, taker.inputs()[0]))
    return True


def _ways(kind: Kind, port: In, above: tuple[Kind, ...], plan: _Plan) -> list[Way]:
    """Blocks in a row that lead to an input, best first.

    Where the input demands a trait, a row begins with a block that sets it. Elsewhere it is one block: the inverse,
    which lies in the same module, or one that is there already, or speaks of the port, or needs few others.
    """
    usable = [k for k in known_blocks().values() if k not in above]
    setters = [(k, o) for k in usable for o in k.outputs() if set(port.traits) & set(o.traits)]
    ways = [w for k, o in setters if (w := _row(k, o, port, usable))]
    if ways:
        return sorted(ways, key=lambda w: (w[0][0].__module__ != kind.__module__, len(w), w[0][0].__name__))
    costs, found = _costs(), []
    for sender in usable:
        for out in sender.outputs():
            if _fits(out.kind, port.kind) and sender in costs:
                words = {out.name, sender.__module__.rpartition(".")[2], *(p.name for p in sender.inputs())}
                words |= {f.default for f in sender.setting_fields().values() if isinstance(f.default, str)}
                inverse = sender.__module__ == kind.__module__ and all(p.kind is not out.kind for p in sender.inputs())
                points = 6 * inverse + 4 * (port.name in words) + 5 * (sender in plan.kinds) - costs[sender]
                found.append((-points, sender.__name__, sender, out))
    return [[(sender, out)] for _, _, sender, out in sorted(found, key=lambda f: f[:2])]


def _row(setter: Kind, out: Out, port: In, usable: list[Kind]) -> Way:
    """The shortest row of blocks with one input from an output to an input, none of which takes the trait away."""
    ahead: list[Way] = [[(setter, out)]]
    seen = {out.kind}
    for way in ahead:
        if _fits(way[-1][1].kind, port.kind):
            return way
        for block in sorted(usable, key=lambda k: (len(k.outputs()), len(k.setting_fields()), k.__name__)):
            ins = block.inputs()
            if len(ins) == 1 and _fits(way[-1][1].kind, ins[0].kind) and not set(ins[0].traits) & set(port.traits):
                for next_out in block.outputs():
                    if next_out.kind not in seen:
                        seen.add(next_out.kind)
                        ahead.append([*way, (block, next_out)])
    return []


def _takers(kind: Kind) -> list[tuple[Kind, Out, In]]:
    """Up to three blocks with one input for what the block sends; first those that make something else of it.

    Behind an output of any size blocks that take whole blocks come last: only a run tells if they take what comes.
    """
    found = []
    for taker in known_blocks().values():
        for out in kind.outputs():
            ins = taker.inputs()
            if taker is not kind and len(ins) == 1 and _fits(out.kind, ins[0].kind) and ins[0].kind is not AnyItem:
                inverse = bool(set(ins[0].traits) & set(out.traits))
                turns = any(o.kind is not out.kind for o in taker.outputs())
                risky = out.shape == "*" and len(set(names(ins[0].shape))) > 1
                order = (risky, not inverse, not turns, not ins[0].traits, taker.__name__)
                found.append((order, (taker, out, ins[0])))
    return [end for _, end in sorted(found, key=lambda f: f[0])[:3]]


def _costs() -> dict[Kind, int]:
    """How many blocks it takes to have this one send: itself, and all in front of it."""
    costs: dict[Kind, int] = {}
    for _ in range(12):  # the longest row that an example may have
        for kind in known_blocks().values():
            inputs = [
                min((c for k, c in costs.items() for o in k.outputs() if _fits(o.kind, p.kind)), default=None)
                for p in kind.inputs()
            ]
            if None not in inputs:
                required = sum(not _has_default(f) for f in kind.setting_fields().values())
                cost = 1 + 2 * required + sum(i for i in inputs if i is not None)
                costs[kind] = min(cost, costs.get(kind, cost))
    return costs


def _whole(taker: BoundPort) -> int | None:
    """The number whose multiples an input takes, as far as its shape is a product."""
    shape = taker.port.shape
    try:
        unknown = [n for n in names(shape) if not isinstance(getattr(taker.block, n, None), int)]
        if len(unknown) != 1 or "+" in shape.replace("(", "").partition(unknown[0])[0]:
            return None
        return evaluate(shape, lambda n: 1 if n in unknown else getattr(taker.block, n))
    except (ShapeError, ValueError):
        return None


def _fits(sent: ItemType, taken: ItemType) -> bool:
    return taken is AnyItem or sent is taken


def _required(kind: Kind, known: Mapping[str, Any]) -> dict[str, Any]:
    """Values for the settings without default: those of the neighbours' settings of the same name or unit."""
    values: dict[str, Any] = {}
    for name, field in kind.setting_fields().items():
        if _has_default(field):
            continue
        meta = field.metadata
        suffix = re.search(r"\.\w+", meta.get("doc", ""))
        if name in known:
            values[name] = known[name]
        elif meta.get("choices"):
            values[name] = meta["choices"][0]
        elif "Path" in str(field.type):
            values[name] = f"{'received' if kind.inputs() else 'clip'}{suffix.group() if suffix else '.mp4'}"
        elif "str" in str(field.type):
            values[name] = name
        else:
            limits = meta.get("limits", {})
            values[name] = known.get(f"in {meta.get('unit')}", limits.get("ge", limits.get("gt", 0) + 1))
    return values


def _size_setting(kind: Kind) -> str | None:
    """The setting of a source that is the size of its bursts."""
    if kind.inputs():
        return None
    fields = kind.setting_fields()
    return next((o.shape for o in kind.outputs() if o.shape in fields), None)


def _arguments(settings: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={value!r}" for name, value in settings.items())


def _snake(kind: Kind) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", kind.__name__).lower()


def _has_default(field: dataclasses.Field[Any]) -> bool:
    return field.default is not dataclasses.MISSING or field.default_factory is not dataclasses.MISSING
