import re

import numpy as np
import pytest
from chain import Compare, Invert, Source

from lgvsc_flow import Block, Graph, In, Out, setting
from lgvsc_flow.errors import BlockError
from lgvsc_flow.items import Bits, Caption, Llrs, Received
from lgvsc_flow.testing import (
    assert_batching_invariant,
    assert_chunking_invariant,
    assert_same_items,
    assert_same_on_all_engines,
    first_difference,
    run_block,
)


class Counts(Block):
    """Sends how often it has ever run: another thing each time."""

    bits = In(Bits, "n")
    out = Out(Bits, "n")

    runs = 0

    def start(self):
        self.runs += 1

    def work(self, bits):
        return np.full_like(bits, self.runs)


class Accumulate(Block):
    """A running parity; `forgetful`: anew in each burst."""

    bits = In(Bits, "n")
    out = Out(Bits, "n")
    forgetful: bool = False

    def start(self):
        self.parity = 0

    def work(self, bits):
        sums = (np.cumsum(bits) + (0 if self.forgetful else self.parity)) % 2
        self.parity = int(sums[-1])
        return sums.astype(np.uint8)


class Mean(Block):
    """Works on several; `leaking`: what comes together matters."""

    llrs = In(Llrs, "n")
    out = Out(Llrs, "n")
    batch_size: int = setting(4, ge=1)
    leaking: float = 0.0

    def work_batch(self, llrs):
        stack = np.stack(llrs)
        return list((stack + np.float32(self.leaking * len(llrs))).astype(np.float32))


def link():
    graph, source, compare = Graph("link", seed=3), Source(), Compare()
    graph.connect(source, Invert(), compare.a)
    graph.connect(source, compare.b)
    return graph


def test_engines_agree_on_a_graph_and_on_a_factory():
    assert_same_on_all_engines(link)
    graph = link()
    assert_same_on_all_engines(graph, capacities=(1, 3))
    assert [b.name for b in graph.blocks] == ["Source", "Invert", "Compare"]
    with pytest.raises(ValueError, match="capacities is empty"):
        assert_same_on_all_engines(link, capacities=())


def test_a_difference_between_runs_is_told():
    graph = Graph("link")
    graph.connect(Source(n=4), Counts())
    text = "graph 'link': Counts.out differs at item 0, element 0: 2 (inline, capacity 1), 3 (inline, capacity 2)"
    with pytest.raises(AssertionError, match=f"^{re.escape(text)}$"):
        assert_same_on_all_engines(graph, capacities=(1, 2))


def test_a_sink_that_remembers_is_told():
    class Remember(Block):
        """Counts over all runs."""

        bits = In(Bits)
        seen = 0

        def work(self, bits):
            self.seen += 1

    graph = Graph("link")
    graph.connect(Source(count=5), Remember())
    text = (
        "graph 'link': what its sinks measured differs at Remember['seen']: "
        "5 (inline, capacity 1, no meters), 10 (inline, capacity 1, a meter on each output)"
    )
    with pytest.raises(AssertionError, match=f"^{re.escape(text)}$"):
        assert_same_on_all_engines(graph, capacities=(1,))


def test_cutting():
    bits = np.random.default_rng(1).integers(0, 2, 240, dtype=np.uint8)
    assert_chunking_invariant(Accumulate(), bits)
    assert_chunking_invariant(Accumulate(), bits, unit=12)
    text = (
        r"Accumulate\.out depends on how its input is cut: element \d+ is \d from one burst of 240, "
        r"and \d from 20 bursts of 12, 12, 12, 12, 12, 12, 12, 12, 12, 12, 12, 12, \.\.\."
    )
    with pytest.raises(AssertionError, match=f"^{text}$"):
        assert_chunking_invariant(Accumulate(forgetful=True), bits, unit=12)
    text = "Accumulate: streams must be equally many whole units, got 240 elements in units of 7"
    with pytest.raises(ValueError, match=f"^{text}$"):
        assert_chunking_invariant(Accumulate(), bits, unit=7)
    with pytest.raises(ValueError, match="a stream of 1 units cannot be cut"):
        assert_chunking_invariant(Accumulate(), bits, unit=240)


def test_batching():
    llrs = list(np.ones((9, 3), np.float32))
    assert_batching_invariant(Mean(), llrs)
    text = (
        "Mean.out depends on how many items come together: item 0, element 0 is 1.5 one by one, "
        "and 2.0 in groups of 2, 2, 2, 2, 2, 2, 2, 2, 2"
    )
    with pytest.raises(AssertionError, match=f"^{re.escape(text)}$"):
        assert_batching_invariant(Mean(leaking=0.5), llrs)
    assert_batching_invariant(Mean(leaking=1e-5), llrs, rtol=1e-3)
    with pytest.raises(AssertionError, match="depends on how many"):
        assert_batching_invariant(Mean(leaking=1e-5), llrs)
    with pytest.raises(TypeError, match=r"^Invert has no work_batch$"):
        assert_batching_invariant(Invert(), [])
    with pytest.raises(ValueError, match="make no groups; give at least 2 of each"):
        assert_batching_invariant(Mean(), llrs[:1])


def test_items_are_compared_bit_by_bit():
    nan = np.float32("nan")
    one = Received(np.ones(2, np.complex64), np.complex64(1), np.array(nan))
    assert_same_items([one], [Received(np.ones(2, np.complex64), np.complex64(1), np.array(nan))])
    other = Received(np.ones(2, np.complex64), np.complex64(1), np.array(1, np.float32))
    with pytest.raises(AssertionError, match=r"^item 0\.noise_variance differs: expected nan, got 1\.0$"):
        assert_same_items([one], [other])
    with pytest.raises(AssertionError, match=r"^the item differs: expected uint8\[2\], got int64\[2\]$"):
        assert_same_items(np.zeros(2, np.uint8), np.zeros(2, np.int64))
    with pytest.raises(AssertionError, match=r"^element 0, 1 differs: expected 0, got 1$"):
        assert_same_items(np.zeros((2, 3), int), np.eye(3, dtype=int)[1:])
    with pytest.raises(AssertionError, match=r"^text differs: expected 'a', got None$"):
        assert_same_items(Caption(0, "a"), Caption(0, None, lost=True))
    with pytest.raises(AssertionError, match=r"^the item differs: expected 1 items, got 2 items$"):
        assert_same_items([1], [1, 2])
    assert first_difference(np.float32([0.0]), np.float32([-0.0])) == ("element 0", "0.0", "-0.0")
    assert first_difference(float("nan"), float("nan")) is None


def test_run_block_gives_what_each_output_sends():
    assert [b.tolist() for b in run_block(Invert(), [np.array([0, 1], np.uint8)])] == [[1, 0]]
    with pytest.raises(TypeError, match="Invert has 1 inputs, got 0 streams"):
        run_block(Invert())


def test_a_block_that_changes_what_it_was_given_is_told():
    class Flip(Block):
        """In place."""

        bits = In(Bits, "n")
        flipped = Out(Bits, "n")

        def work(self, bits):
            bits ^= 1
            return bits

    with pytest.raises(BlockError, match=r"^Flip, item 0: it changed the item that came on bits; others may read that"):
        run_block(Flip(), [np.zeros(4, np.uint8)])


def test_finite_inputs_are_looked_through_as_in_a_graph():
    class Strict(Block):
        """Takes finite LLRs."""

        llrs = In(Llrs, "n", finite=True)

        def work(self, llrs):
            pass

    with pytest.raises(BlockError) as caught:
        run_block(Strict(), [np.ones(2, np.float32), np.array([1, np.nan], np.float32)])
    assert str(caught.value) == "Strict, item 1: got Llrs[2]; 1 NaN or infinite values; llrs takes finite ones only."


def test_a_block_that_ran_alone_may_join_any_graph():
    blocks = [Invert(), Invert()]
    for block in blocks:
        run_block(block, [np.zeros(4, np.uint8)])
    graph = Graph()
    graph.connect(Source(), *blocks)
    graph.check()
