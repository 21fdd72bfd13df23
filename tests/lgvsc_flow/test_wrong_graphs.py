"""Random graphs that are broken in known ways: the check names every break, and nothing runs."""

import re

import numpy as np
import pytest
from chain import Invert, Soft, Source, Third
from random_graphs import Concat, End, Tint, Xor, component

from lgvsc_flow import Block, Demand, Graph, In, Out
from lgvsc_flow.errors import WiringError
from lgvsc_flow.items import AnyItem, Bits, Payload, Record, type_name
from lgvsc_flow.ports import BoundPort

GRAPHS = 20  # per way of going wrong


class Cut(Block):
    bits = In(Bits, "n")
    out = Out(Bits, "n // parts")
    parts: int = 7

    def work(self, bits):
        return bits[: bits.size // self.parts]


class Minus(Block):
    bits = In(Bits, "n")
    out = Out(Bits, "n - 1000")

    def work(self, bits):
        return bits[1000:]


class Malformed(Block):
    bits = In(Bits, "n")
    out = Out(Bits, "n $ 2")

    def work(self, bits):
        return bits


class Whole(Block):
    bits = In(Bits, "blocks * k")
    k: int = 7

    def work(self, bits):
        pass


class Fixed(Block):
    bits = In(Bits, "n")
    n: int = 17

    def work(self, bits):
        pass


class Wants(Block):
    bits = In(Bits, colour="{colour}")
    colour: str = "blue"

    def work(self, bits):
        pass


class Speaks(Block):
    bits = In(Bits, colour=Demand("{colour}", "{found} is no {colour}."))
    colour: str = "blue"

    def work(self, bits):
        pass


class Anything(Block):
    out = Out(AnyItem)

    def work(self):
        yield from ()


class SomeRecord(Block):
    out = Out(Record)

    def work(self):
        yield from ()


class TakesPayload(Block):
    payload = In(Payload)

    def work(self, payload):
        pass


def exactly(text):
    return re.escape(text)


def wires(part):
    """The wires of one component, as keys and ports."""
    for sender, taker, key, data in part.graph.nx.edges(keys=True, data=True):
        if sender not in part.before:
            yield (sender, taker, key), BoundPort(sender, data["sender"]), BoundPort(taker, data["taker"])


def any_wire(part, fits=lambda sender, taker: True):
    found = [w for w in wires(part) if fits(w[1], w[2])]
    return found[part.rng.integers(len(found))]


def remove_a_wire(part):
    key, _, taker = any_wire(part)
    part.graph.nx.remove_edge(*key)
    return [exactly(f"{taker}: nothing is connected; it takes {type_name(taker.port.kind)}.")]


def a_second_writer(part):
    _, sender, taker = any_wire(part)
    other = Source(n=5, count=1) if part.rng.integers(2) else None
    second = BoundPort(other, other.outputs()[0]) if other else sender  # also the same wire twice
    part.graph.connect(second, taker)
    kind = taker.port.kind
    found = [exactly(f"{taker}: has 2 writers, {sender}, {second}; an input takes one.")]
    if second is not sender and kind not in (Bits, AnyItem):
        found.append(exactly(f"{second} -> {taker}: sends Bits, takes {type_name(kind)}.") + ".*")
    return found


def a_cycle(part):
    end, block, last = part.pick(), Invert(), Invert()
    part.graph.connect(end.port, tap := Xor().a)
    part.graph.connect(tap.block, block, last, tap.block.b)
    names = [tap.block.name, block.name, last.name]
    turns = [names[i:] + names[:i] for i in range(3)]
    return [
        "cycle: (" + "|".join(exactly(" -> ".join([*t, t[0]])) for t in turns) + r")\. A loop lives inside one block\."
    ]


def a_block_into_itself(part):
    block = Xor()
    part.graph.connect(part.pick().port, block.a)
    part.graph.connect(block, block.b)
    return [exactly(f"cycle: {block.name} -> {block.name}. A loop lives inside one block.")]


def another_item_type(part):
    key, sender, taker = any_wire(part, lambda s, t: s.port.kind is Bits and t.port.kind is Bits)
    soft = Soft()
    part.graph.nx.remove_edge(*key)
    part.graph.connect(sender, soft, taker)
    return [exactly(f"{soft.llrs} -> {taker}: sends Llrs, takes Bits.") + " Blocks that turn .*HardDecision.*"]


def any_item_into_bits(part):
    source, block = Anything(), Concat()
    part.graph.connect(part.pick().port, block.a)
    part.graph.connect(source, block.b)
    return [exactly(f"{source.out} -> {block.b}: sends AnyItem, takes Bits.") + ".*"]


def a_record_too_general(part):
    source, block = SomeRecord(), TakesPayload()
    part.graph.connect(source, block)
    return [exactly(f"{source.out} -> {block.payload}: sends Record, takes Payload.") + ".*"]


def a_remainder(part):
    end, block = part.pick(), Cut(parts=17)
    part.graph.connect(end.port, block)
    size = end.size
    text = (
        f"{block.out}: its size n // parts does not come out: {size} // 17 leaves a remainder. Sizes from the source: "
    )
    return [exactly(text) + ".*" + exactly(f"{end.port} {size}.")] if size % 17 else []


def a_negative_size(part):
    end, block = part.pick(), Minus()
    part.graph.connect(end.port, block)
    text = f"{block.out}: its size n - 1000 does not come out: n - 1000 is {end.size - 1000}. Sizes from the source: "
    return [exactly(text) + ".*" + exactly(f"{end.port} {end.size}.")]


def a_malformed_shape(part):
    block = Malformed()
    part.graph.connect(part.pick().port, block)
    return [exactly(f"{block.out}: cannot read shape 'n $ 2' at ' $ 2'.")]


def chain_to(end):
    return "(" + exactly(" Sizes from the source: ") + ".*" + exactly(f"{end.port} {end.size}.") + ")?"


def no_whole_blocks(part):
    end, block = part.pick(), Whole(k=17)
    part.graph.connect(end.port, block)
    wire, size = f"{end.port} -> {block.bits}", end.size
    text = f"{wire}: bursts of {size} elements, {size} does not divide into whole blocks of k=17."
    return [exactly(text) + chain_to(end)] if end.size % 17 else []


def a_fixed_size(part):
    end, block = part.pick(), Fixed(n=1017)
    part.graph.connect(end.port, block)
    text = f"{end.port} -> {block.bits}: bursts of {end.size} elements, {block.name} takes 1017 (n)."
    return [exactly(text) + chain_to(end)]


def sizes_that_differ(part):
    end, double, block = part.pick(), Concat(), Xor()
    part.graph.connect(end.port, double.a)
    part.graph.connect(end.port, double.b)
    part.graph.connect(end.port, block.a)
    part.graph.connect(double, block.b)
    size = 2 * end.size
    text = f"{double.both} -> {block.b}: bursts of {size} elements, {block.name} takes {end.size} (n)."
    return [exactly(text) + chain_to(End(double.both, Bits, size, 0))]


def a_trait_far_away(part):
    tint, between, block = Tint(colour="red"), Invert(), Wants()
    part.graph.connect(part.pick().port, tint, between, block)
    return [
        exactly(
            f"{between.flipped} -> {block.bits}: colour is red (set by {tint.name}.colour=red), "
            f"{block.name} takes blue (colour=blue)."
        )
    ]


def a_trait_in_own_words(part):
    tint, block = Tint(colour="red"), Speaks()
    part.graph.connect(part.pick().port, tint, block)
    return [exactly(f"{tint.out} -> {block.bits}: red is no blue.")]


def traits_that_disagree(part):
    end, red, blue, block = part.pick(), Tint(colour="red"), Tint(colour="blue"), Xor()
    part.graph.connect(end.port, red, block.a)
    part.graph.connect(end.port, blue, block.b)
    return [
        exactly(
            f"{block.name}: its inputs disagree on colour: {red.out} -> {block.a} brings red (set by {red.name}.colour"
            f"=red) and {blue.out} -> {block.b} brings blue (set by {blue.name}.colour=blue)."
        )
    ]


def a_diamond_of_two_rates(part):
    end, third, block = part.pick(), Third(), Xor()
    part.graph.connect(end.port, block.a)
    part.graph.connect(end.port, third, block.b)
    return [
        exactly(f"{block.name}: its inputs come at different rates: for each item of ")
        + r"\S+, "
        + exactly(f"{end.port} -> {block.a} brings ")
        + r"\S+ and "
        + exactly(f"{third.kept} -> {block.b} brings ")
        + r"\S+\."
    ]


def rates_of_two_sources_that_meet(part):
    end, meet, third, block = part.pick(), Xor(), Third(), Xor()
    source = Source(n=end.size)
    part.graph.connect(end.port, meet.a)
    part.graph.connect(source, meet.b)
    part.graph.connect(end.port, third, block.a)
    part.graph.connect(source, block.b)
    return [
        exactly(f"{block.name}: its inputs come at different rates: for each item of ")
        + r"\S+, "
        + exactly(f"{third.kept} -> {block.a} brings ")
        + r"\S+ and "
        + exactly(f"{source.bits} -> {block.b} brings ")
        + r"\S+"
        + exactly(f", since {end.port} -> {meet.a} and {source.bits} -> {meet.b} meet.")
    ]


def two_blocks_of_one_name(part):
    name = f"same {len(part.graph.nx)}"
    part.graph.connect(part.pick().port, Invert(name=name), Xor(name=name).a)
    last = part.graph.blocks[-1]
    part.graph.connect(part.graph.blocks[-2], last.b)
    return [exactly(f"2 blocks are named '{name}' (Invert, Xor). Give each its own: name='...'.")]


def a_composite_wired_wrongly(part):
    inner, outer = Graph("coder"), Graph("link")
    first, soft, xor, last = Invert(), Soft(), Xor(), Invert()
    inner.connect(first, soft, xor.a)
    inner.open(bits=first.bits, out=xor.mixed)
    outer.connect(inner, last)
    outer.open(bits=inner.bits, out=last.flipped)
    part.graph.connect(part.pick().port, outer)
    assert xor.name.startswith("link")
    assert xor.name.endswith("/coder/Xor")
    return [
        exactly(f"{xor.b}: nothing is connected; it takes Bits."),
        exactly(f"{soft.llrs} -> {xor.a}: sends Llrs, takes Bits.") + ".*",
    ]


MUTATIONS = [
    remove_a_wire,
    a_second_writer,
    a_cycle,
    a_block_into_itself,
    another_item_type,
    any_item_into_bits,
    a_record_too_general,
    a_remainder,
    a_negative_size,
    a_malformed_shape,
    no_whole_blocks,
    a_fixed_size,
    sizes_that_differ,
    a_trait_far_away,
    a_trait_in_own_words,
    traits_that_disagree,
    a_diamond_of_two_rates,
    rates_of_two_sources_that_meet,
    two_blocks_of_one_name,
    a_composite_wired_wrongly,
]
METHODS = ("start", "work", "work_batch", "finish", "stop")


def recorded(graph):
    """A list that hears of every call into a block of the graph."""
    calls = []
    for block in graph.blocks:
        for method in METHODS:
            if hasattr(block, method):
                setattr(block, method, lambda *a, n=f"{block.name}.{method}": calls.append(n))
    return calls


def assert_told(graph, expected):
    calls = recorded(graph)
    for attempt in (graph.check, graph.run, lambda: graph.run(engine="inline")):
        with pytest.raises(WiringError) as caught:
            attempt()
        problems, left = caught.value.problems, list(expected)
        for problem in problems:
            fitting = [e for e in left if re.fullmatch(e, problem)]
            assert fitting, f"not expected: {problem}\nexpected: {left}"
            left.remove(fitting[0])
        assert not left
        assert len(problems) == len(expected)
        count = "1 problem" if len(expected) == 1 else f"{len(expected)} problems"
        assert str(caught.value).startswith(f"graph '{graph.name}' has {count}:\n  1. ")
    assert not calls
    assert not any(hasattr(block, "rng") or block.running for block in graph.blocks)


@pytest.mark.parametrize("mutate", MUTATIONS, ids=lambda m: m.__name__)
def test_every_break_is_named_and_nothing_runs(mutate):
    for seed in range(GRAPHS):
        graph = Graph(f"broken {seed}", seed=seed)
        part = component(graph, np.random.default_rng(seed))
        graph.check()
        assert_told(graph, mutate(part))


@pytest.mark.parametrize("seed", range(2 * GRAPHS))
def test_several_breaks_are_told_at_once(seed):
    rng = np.random.default_rng(seed)
    graph, expected = Graph("broken"), []
    for way in rng.choice(len(MUTATIONS), 4, replace=False):
        expected += MUTATIONS[way](component(graph, rng, steps=6))
    assert_told(graph, expected)


def test_a_graph_without_blocks():
    assert_told(Graph("nothing"), [r"it has no blocks\. Wire some with graph\.connect\."])


def test_a_setting_that_is_a_numpy_integer_counts():
    graph = Graph()
    graph.connect(source := Source(n=np.int64(9)), block := Whole(k=np.int64(7)))
    text = f"{source.bits} -> {block.bits}: bursts of 9 elements, 9 does not divide into whole blocks of k=7."
    assert_told(graph, [exactly(text)])
