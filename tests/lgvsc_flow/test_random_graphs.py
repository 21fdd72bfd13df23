"""Random graphs finish with the same bits whatever the engine and the capacity of the wires."""

import numpy as np
import pytest
from chain import Group, Invert, Source

from lgvsc_flow import Block, Graph, In, Out
from lgvsc_flow.items import Bits


class Mix(Block):
    """Two streams into one, with noise of its own."""

    a = In(Bits, "n")
    b = In(Bits, "n")
    mixed = Out(Bits, "n")

    def work(self, a, b):
        return a ^ b ^ self.rng.integers(0, 2, a.size, dtype=np.uint8)


def composite(depth):
    graph = Graph("part")
    first, last = Invert(), Group(size=1 + depth)
    graph.connect(first, Invert(), last)
    return graph.open(bits=first.bits, grouped=last.grouped)


def random_graph(seed):
    rng = np.random.default_rng(seed)
    count = int(rng.integers(1, 60))
    graph = Graph(f"random {seed}", seed=seed)
    ends = [Source(n=16, count=count).bits for _ in range(rng.integers(1, 4))]
    for _ in range(rng.integers(2, 14)):
        end = ends[rng.integers(len(ends))]
        match rng.integers(4):
            case 0:
                graph.connect(end, block := Invert())
                ends.append(block.flipped)
            case 1:
                graph.connect(end, block := Group(size=int(rng.integers(1, 40))))
                ends.append(block.grouped)
            case 2:
                graph.connect(end, part := composite(int(rng.integers(8))))
                ends.append(part.grouped)
            case _:
                mix = Mix()
                graph.connect(end, mix.a)
                graph.connect(ends[rng.integers(len(ends))], mix.b)
                ends.append(mix.mixed)
    return graph, [graph.probe(end, keep=None) for end in ends]


def result(graph, probes, **how):
    graph.run(**how)
    return [np.concatenate(p.items).tobytes() for p in probes]


@pytest.mark.parametrize("seed", range(100))
def test_same_bits(seed):
    graph, probes = random_graph(seed)
    expected = result(graph, probes, engine="inline", capacity=16)
    capacity = int(np.random.default_rng(seed).integers(1, 6))
    assert result(graph, probes, engine="inline", capacity=capacity) == expected
    assert result(graph, probes, engine="threads", capacity=capacity) == expected
