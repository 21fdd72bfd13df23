import threading
import time

import numpy as np
import pytest
from chain import Compare, DropLast, Fail, Group, Invert, Source, Split

from lgvsc_flow import Block, Graph, In, Out
from lgvsc_flow.errors import BlockError
from lgvsc_flow.items import Bits
from lgvsc_flow.testing import run_block

ENGINES = ["inline", "threads"]


def diamond(seed=7, group=40, count=200):
    """A branch that holds items back, and one that does not, meet again."""
    source, compare = Source(count=count), Compare()
    graph = Graph("diamond", seed=seed)
    graph.connect(source, Invert(), Group(size=group), compare.a)
    graph.connect(source, compare.b)
    return graph, compare


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("capacity", [1, 3, 64])
def test_same_bits_whatever_engine_and_capacity(engine, capacity):
    graph, compare = diamond()
    graph.run(engine="inline", capacity=16)
    expected = np.concatenate(compare.seen)
    run = graph.run(engine=engine, capacity=capacity)
    assert np.array_equal(np.concatenate(compare.seen), expected)
    assert compare.differing == expected.size == run["Compare"].elements // 2
    assert run["Source"].items == run["Compare"].items == 200


def test_seed_decides_the_bits():
    results = []
    for seed in (1, 1, 2):
        graph, compare = diamond(seed=seed)
        graph.run()
        results.append(np.concatenate(compare.seen))
    assert np.array_equal(results[0], results[1])
    assert not np.array_equal(results[0], results[2])


def test_adding_a_reader_changes_nothing():
    graph, compare = diamond()
    graph.run()
    before = np.concatenate(compare.seen)
    source = graph["Source"]
    graph.connect(source.bits, other := Compare().a)
    graph.connect(source.bits, other.block.b)
    graph.run()
    assert np.array_equal(np.concatenate(compare.seen), before)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_full_diamond_grows_a_wire_and_says_so(engine):
    graph, _ = diamond(group=40)
    run = graph.run(engine=engine, capacity=4)
    assert run.notes == ["Source.bits -> Compare.b grew to 64 items so that branches of different delay can meet again"]
    assert "grew to 64" in run.table()


@pytest.mark.parametrize("engine", ENGINES)
def test_failure_stops_everything_and_names_block_and_item(engine):
    before = threading.active_count()
    compare, source = Compare(), Source(count=10_000)
    graph = Graph("fails")
    graph.connect(source, Fail(at=3), compare.a)
    graph.connect(source, compare.b)
    with pytest.raises(BlockError) as caught:
        graph.run(engine=engine)
    assert str(caught.value) == "Fail, item 3: got Bits[64]; a burst must be kinder. (from ValueError)"
    assert isinstance(caught.value.__cause__, ValueError)
    assert (caught.value.block, caught.value.item) == ("Fail", 3)
    assert threading.active_count() == before


@pytest.mark.parametrize("engine", ENGINES)
def test_a_stream_that_ends_early_names_both(engine):
    source, compare = Source(), Compare()
    graph = Graph("early")
    graph.connect(source, DropLast(), compare.a)
    graph.connect(source, compare.b)
    with pytest.raises(BlockError) as caught:
        graph.run(engine=engine)
    assert str(caught.value) == (
        "Compare, item 19: DropLast.kept -> Compare.a ended after 19 items and Source.bits -> Compare.b goes on; "
        "the streams of one block must have the same number of items."
    )


@pytest.mark.parametrize("engine", ENGINES)
def test_stop_is_called_always(engine):
    stopped = []

    class Sink(Block):
        """Remember the end."""

        bits = In(Bits)

        def work(self, bits):
            pass

        def stop(self):
            stopped.append("sink")

    graph = Graph("ends")
    graph.connect(Source(), Fail(at=2), Sink())
    with pytest.raises(BlockError):
        graph.run(engine=engine)
    assert stopped == ["sink"]


def test_a_start_that_fails_starts_nothing_more():
    class Heavy(Block):
        """Weights that are not there."""

        bits = In(Bits)

        def start(self):
            raise FileNotFoundError("weights.safetensors")

        def work(self, bits):
            pass

    graph = Graph("no weights")
    graph.connect(Source(), Heavy())
    with pytest.raises(BlockError, match=r"^Heavy: weights.safetensors \(from FileNotFoundError\)$"):
        graph.run()


def test_wrong_item_is_refused_at_its_sender():
    class Wrong(Block):
        """Floats for bits."""

        bits = In(Bits)
        out = Out(Bits)

        def work(self, bits):
            return bits.astype(np.float64)

    with pytest.raises(BlockError, match="its output out sent a wrong item: Bits is one-dimensional uint8, got float"):
        run_block(Wrong(), [np.zeros(4, np.uint8)])


def test_keyboard_interrupt_leaves_no_thread(monkeypatch):
    from lgvsc_flow.engines import threads as engine

    class Slow(Block):
        """An endless source."""

        bits = Out(Bits)

        def work(self):
            while True:
                time.sleep(0.001)
                yield np.zeros(4, np.uint8)

    class Sink(Block):
        """Take all."""

        bits = In(Bits)

        def work(self, bits):
            pass

    def interrupt():
        raise KeyboardInterrupt

    before = threading.active_count()
    stages = None
    original = engine.run_threads

    def run(given, grow, tick, control):
        nonlocal stages
        stages = given
        return original(given, grow, interrupt, control)

    monkeypatch.setitem(__import__("lgvsc_flow.engines", fromlist=["ENGINES"]).ENGINES, "threads", run)
    graph = Graph("endless")
    graph.connect(Slow(), Sink())
    with pytest.raises(KeyboardInterrupt):
        graph.run()
    assert threading.active_count() == before
    assert stages


def test_run_block_returns_a_list_per_output():
    bits = np.arange(8, dtype=np.uint8) % 2
    assert np.array_equal(run_block(Invert(), [bits])[0], 1 - bits)
    halves = run_block(Split(), [bits, bits])
    assert {k: len(v) for k, v in halves.items()} == {"first": 2, "second": 2}
    assert len(run_block(Group(size=3), [bits] * 5)) == 5
    assert np.array_equal(run_block(Source(count=2), seed=3)[1], run_block(Source(count=2), seed=3)[1])


def test_many_runs_of_wide_graphs_end():
    for number in range(30):
        source = Source(count=50)
        graph = Graph("wide", seed=number)
        for width in range(6):
            compare = Compare()
            graph.connect(source, Group(size=5 + 7 * width), compare.a)
            graph.connect(source, compare.b)
        run = graph.run(capacity=2)
        assert all(b.items == 50 for b in run.blocks)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_failure_stops_a_source_that_nobody_reads(engine):
    class Alone(Block):
        """An endless source."""

        bits = Out(Bits)

        def work(self):
            while True:
                yield np.zeros(4, np.uint8)

    graph = Graph("alone")
    graph.add(Alone())
    graph.connect(Source(), Fail(at=2), Group())
    with pytest.raises(BlockError, match=r"^Fail, item 2"):
        graph.run(engine=engine)


@pytest.mark.parametrize("engine", ENGINES)
def test_generators_are_closed_before_their_block_is_stopped(engine):
    log = []

    class Careful(Block):
        """A source with something to close."""

        bits = Out(Bits)

        def work(self):
            try:
                while True:
                    yield np.zeros(4, np.uint8)
            finally:
                log.append("closed")

        def stop(self):
            log.append("stopped")

    graph = Graph("careful")
    graph.connect(Careful(), Fail(at=2), Group())
    with pytest.raises(BlockError):
        graph.run(engine=engine)
    assert log == ["closed", "stopped"]


def test_a_stop_that_fails_hides_neither_the_error_nor_the_other_stops():
    stopped = []

    class Bad(Group):
        """Fails in stop."""

        def stop(self):
            raise OSError("disk full")

    class Good(Source):
        """Remembers its stop."""

        def stop(self):
            stopped.append(True)

    graph = Graph("stops")
    graph.connect(Good(), Fail(at=2), Bad())
    with pytest.raises(BlockError, match=r"^Fail, item 2") as caught:
        graph.run()
    assert caught.value.__notes__ == ["and Bad failed to stop: disk full"]
    graph = Graph("stops")
    graph.connect(Good(), Bad())
    with pytest.raises(BlockError, match=r"^Bad: disk full \(from OSError, in stop\)$"):
        graph.run()
    assert stopped == [True, True]


def test_a_sink_may_be_a_generator_and_its_errors_are_named():
    class Sink(Block):
        """A generator without outputs."""

        bits = In(Bits)

        def work(self, bits):
            yield
            raise ValueError("boom")

    with pytest.raises(BlockError, match=r"^Sink, item 0: got Bits\[4\]; boom \(from ValueError\)$"):
        run_block(Sink(), [np.zeros(4, np.uint8)])
