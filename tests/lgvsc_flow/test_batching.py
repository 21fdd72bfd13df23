"""Blocks that work on several waiting items at once."""

import numpy as np
import pytest
from chain import Compare, Group, Invert, Source

from lgvsc_flow import Block, Graph, In, Out, setting
from lgvsc_flow.errors import BlockError
from lgvsc_flow.items import Bits
from lgvsc_flow.testing import run_block

ENGINES = ["inline", "threads"]


class Batched(Block):
    """Flip every bit, several bursts at a time."""

    bits = In(Bits, "n")
    flipped = Out(Bits, "n")

    batch_size: int = setting(4, ge=1)

    def start(self):
        self.sizes = []

    def work_batch(self, bits):
        self.sizes.append(len(bits))
        return list(1 - np.stack(bits))


class Sums(Block):
    """Two inputs, two outputs."""

    a = In(Bits, "n")
    b = In(Bits, "n")
    both = Out(Bits, "n")
    either = Out(Bits, "n")

    batch_size: int = 3

    def work_batch(self, a, b):
        return [(x & y, x | y) for x, y in zip(a, b, strict=True)]


class Tally(Block):
    """A sink."""

    bits = In(Bits)
    batch_size: int = 5

    def start(self):
        self.seen = []

    def work_batch(self, bits):
        self.seen += bits


def wide(block):
    """Bursts come forty at a time."""
    source, tally = Source(count=200), Tally()
    graph = Graph("batches", seed=3)
    graph.connect(source, Group(size=40), block, tally)
    return graph, tally


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("capacity", [1, 16])
def test_batches_hold_what_waits_in_order(engine, capacity):
    graph, tally = wide(Invert())
    graph.run(engine="inline")
    expected = tally.seen
    graph, tally = wide(batched := Batched())
    run = graph.run(engine=engine, capacity=capacity)
    assert np.array_equal(tally.seen, expected)
    assert run["Batched"].items == run["Tally"].items == 200
    assert run["Batched"].elements == run["Tally"].elements == 200 * 64
    assert sum(batched.sizes) == 200
    assert max(batched.sizes) == 4


def test_several_ports():
    bits = [np.array([i & 1, i >> 1 & 1], np.uint8) for i in range(4)]
    sent = run_block(Sums(), bits, bits[::-1])
    assert [list(b) for b in sent["both"]] == [[0, 0], [0, 0], [0, 0], [0, 0]]
    assert [list(b) for b in sent["either"]] == [[1, 1], [1, 1], [1, 1], [1, 1]]


@pytest.mark.parametrize("engine", ENGINES)
def test_a_diamond_around_a_batch(engine):
    source, compare = Source(count=200), Compare()
    graph = Graph("diamond")
    graph.connect(source, Group(size=40), Batched(batch_size=8), compare.a)
    graph.connect(source, compare.b)
    graph.run(engine=engine, capacity=2)
    assert compare.differing == 200 * 64


def test_a_failure_names_the_batch():
    class Bad(Batched):
        """Fails."""

        def work_batch(self, bits):
            raise ValueError("no memory.")

    with pytest.raises(BlockError) as caught:
        run_block(Bad(), [np.zeros(4, np.uint8)] * 9)
    assert str(caught.value) == "Bad, item 0: got Bits[4]; no memory. (from ValueError, in a batch of items 0 to 3)"


@pytest.mark.parametrize(("result", "got"), [([], "0"), (None, "NoneType"), (np.zeros(4), "ndarray")])
def test_a_result_for_each_item(result, got):
    class Short(Batched):
        """Loses items."""

        def work_batch(self, bits):
            return result

    with pytest.raises(
        BlockError, match=rf"work_batch must return a list of 4 results, one for each item; got {got}\."
    ):
        run_block(Short(), [np.zeros(4, np.uint8)] * 4)


def test_results_are_checked_one_by_one():
    class Wrong(Batched):
        """The third is of another size."""

        def work_batch(self, bits):
            return [b if i != 2 else b[1:] for i, b in enumerate(bits)]

    with pytest.raises(
        BlockError, match=r"^Wrong, item 2: its output flipped sent 3 elements, its shape 'n' says 4\.$"
    ):
        run_block(Wrong(), [np.zeros(4, np.uint8)] * 4)


def test_what_a_batch_block_must_have():
    with pytest.raises(TypeError, match="Sizeless has work_batch: it takes a setting batch_size"):

        class Sizeless(Block):
            """No batch_size."""

            bits = In(Bits)

            def work_batch(self, bits):
                pass

    with pytest.raises(TypeError, match="outputs of rate 1 only"):

        class Many(Block):
            """A generator."""

            bits = In(Bits)
            out = Out(Bits, rate="many")
            batch_size: int = 2

            def work_batch(self, bits):
                pass
