"""Where branches meet again, wires grow: the right one, at once, and not beyond the limit."""

import threading
import time

import numpy as np
import pytest
from chain import Compare, Group, Invert, Source

from lgvsc_flow import Block, Graph, In, Out
from lgvsc_flow.errors import MemoryLimitError
from lgvsc_flow.items import Bits

ENGINES = ["inline", "threads"]


def diamond(group):
    source, compare = Source(count=400), Compare()
    graph = Graph("diamond")
    graph.connect(source, Invert(), Group(size=group), compare.a)
    graph.connect(source, compare.b)
    return graph, compare


@pytest.mark.parametrize("engine", ENGINES)
def test_growth_ends_at_the_limit(engine):
    graph, _ = diamond(group=300)
    with pytest.raises(MemoryLimitError) as caught:
        graph.run(engine=engine, capacity=4, memory_limit_bytes=8192)
    text = str(caught.value)
    assert text.startswith("Source.bits -> Compare.b is full with 128 items, and the branches that meet again behind")
    assert text.endswith(
        "the limit is 0.00781 MiB. Let a branch hold back fewer items, or run(memory_limit_bytes=...) with more."
    )
    assert graph.run(engine=engine, capacity=4, memory_limit_bytes=2**20).notes


@pytest.mark.parametrize("engine", ENGINES)
def test_only_a_wire_that_stands_in_the_way_grows(engine):
    graph, _ = diamond(group=50)
    graph.connect(graph["Source"], Invert(), Invert(), Compare().a)
    graph.connect(graph["Source"], graph["Compare-2"].b)
    notes = graph.run(engine=engine, capacity=2).notes
    assert [n.partition(" grew")[0] for n in notes] == ["Source.bits -> Compare.b"]


def test_a_deadlock_is_seen_while_another_part_still_works():
    class Slow(Block):
        """Works until it is told that the diamond is done."""

        bits = Out(Bits)

        def work(self):
            while not done.is_set() and time.monotonic() < deadline:
                time.sleep(0.01)
                yield np.zeros(1, np.uint8)

    class Last(Compare):
        """Says that the diamond is done."""

        def finish(self):
            done.set()

    done, deadline = threading.Event(), time.monotonic() + 20
    graph = Graph("two parts")
    source, last = Source(count=200), Last()
    graph.connect(source, Group(size=60), last.a)
    graph.connect(source, last.b)
    graph.connect(Slow(), Group(size=1000))
    graph.run(capacity=2)
    assert done.is_set()
    assert time.monotonic() < deadline


def test_a_long_chain_beside_a_join():
    source, compare = Source(count=30), Compare()
    graph = Graph("long")
    graph.connect(source, *[Invert() for _ in range(600)], Group(size=25), compare.a)
    graph.connect(source, compare.b)
    graph.run(engine="inline", capacity=1)
    assert compare.differing == 0


class Sink(Block):
    """Take all, slowly."""

    bits = In(Bits)

    def work(self, bits):
        time.sleep(0.002)


def test_a_writer_with_two_readers_of_different_speed():
    graph = Graph("fan")
    source = Source(count=100)
    graph.connect(source, Sink())
    graph.connect(source, Invert(), Group(size=3), Sink())
    run = graph.run(capacity=3)
    assert run["Sink"].items == run["Sink-2"].items == 100
