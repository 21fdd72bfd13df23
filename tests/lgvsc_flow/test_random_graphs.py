"""Random valid graphs finish, with the same bits on every wire whatever the engine and the capacity of the wires."""

import numpy as np
import pytest
from random_graphs import random_graph

from lgvsc_flow.check import sizes
from lgvsc_flow.items import size
from lgvsc_flow.ports import BoundPort
from lgvsc_flow.testing import assert_same_items, assert_same_on_all_engines

GROUPS, PER_GROUP = 26, 20


def sent(graph, probes, **how):
    graph.run(**how)
    return {name: probe.items for name, probe in probes.items()}


@pytest.mark.parametrize("group", range(GROUPS))
def test_the_same_bits_on_every_wire(group):
    for seed in range(group * PER_GROUP, (group + 1) * PER_GROUP):
        graph, part = random_graph(seed)
        foretold, probes = sizes(graph), {}
        for block in graph.blocks:
            for port in block.outputs():
                end = BoundPort(block, port)
                probes[str(end)] = graph.probe(end, keep=None)
        one, other = np.random.default_rng(seed).integers(1, 9, 2).tolist()
        expected = sent(graph, probes, engine="inline", capacity=one)
        assert_same_items(expected, sent(graph, probes, engine="threads", capacity=other))
        for end in part.ends:
            items = expected[str(end.port)]
            assert len(items) == end.count
            assert foretold[end.port.block, end.port.port.name] == end.size
            assert all(size(i) == end.size for i in items)


@pytest.mark.parametrize("seed", range(1000, 1010))
def test_the_kit_says_the_same(seed):
    assert_same_on_all_engines(lambda: random_graph(seed)[0], capacities=(1, 5))


def test_there_is_everything_among_them():
    """The generator makes what the tests above claim to try."""
    kinds, composites, joins, nested, several = set(), 0, 0, 0, 0
    for seed in range(GROUPS * PER_GROUP):
        graph, _ = random_graph(seed)
        kinds |= {type(b).__name__ for b in graph.blocks}
        names = [b.name for b in graph.blocks]
        composites += any("/" in n for n in names)
        nested += any(n.count("/") > 1 for n in names)
        joins += any(len(b.inputs()) > 1 for b in graph.blocks)
        several += sum(not b.inputs() for b in graph.blocks) > 1
    assert kinds >= {"Xor", "Concat", "Pack", "Unpack", "Third", "Twice", "Staircase", "Group", "Together", "Tint"}
    assert min(composites, joins, nested, several) >= 50
