"""How runs end: by `until` and `stop`, with what sources have opened, with handles of runs that are over."""

import threading
import time

import numpy as np
import pytest
from chain import Compare, Fail, Group, Invert, Source

from lgvsc_flow import Block, Graph, In, Out
from lgvsc_flow.errors import BlockError
from lgvsc_flow.items import Bits
from lgvsc_flow.rounds import rounds

ENGINES = ["inline", "threads"]


class Half(Block):
    """Send every second burst."""

    bits = In(Bits, "n")
    kept = Out(Bits, "n", rate="1/2")

    def start(self):
        self.calls = 0

    def work(self, bits):
        self.calls += 1
        if self.calls % 2 == 0:
            yield bits


class Twice(Block):
    """Send each burst two times."""

    bits = In(Bits, "n")
    sent = Out(Bits, "n", rate="2")

    def work(self, bits):
        yield bits
        yield bits


class Pairs(Block):
    """A source with two outputs."""

    a = Out(Bits, "4")
    b = Out(Bits, "4")

    def work(self):
        while True:
            yield self.a, np.zeros(4, np.uint8)
            yield self.b, np.zeros(4, np.uint8)


class Opened(Source):
    """A source that closes something, slowly or badly."""

    seconds: float = 0.0
    fault: str = ""

    def start(self):
        self.closed = False

    def work(self):
        try:
            while True:
                yield np.zeros(self.n, np.uint8)
        finally:
            for _ in range(10):
                time.sleep(self.seconds / 10)
            if self.fault:
                raise OSError(self.fault)
            self.closed = True


def until(count):
    asked = iter(range(count))
    return lambda: next(asked, None) is None


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("count", [1, 2, 7, 16, 33])
def test_sources_of_different_rates_end_level(engine, count):
    graph, compare = Graph("rates"), Compare()
    slow, fast = Source(count=10**6), Source(count=10**6)
    graph.connect(fast, Half(), compare.a)
    graph.connect(slow, compare.b)
    run = graph.run(engine=engine, until=until(count))
    assert run["Source"].items == 2 * run["Source-2"].items == 2 * run["Compare"].items


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("count", [1, 2, 7, 16, 33])
def test_branches_that_halve_and_double_end_level(engine, count):
    graph, source, compare = Graph("halves"), Source(count=10**6), Compare()
    graph.connect(source, Half(), Twice(), compare.a)
    graph.connect(source, compare.b)
    run = graph.run(engine=engine, until=until(count))
    assert run["Source"].items % 2 == 0
    assert run["Compare"].items == run["Source"].items


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("count", [1, 2, 7, 16, 33])
def test_a_source_with_two_outputs_ends_after_whole_rounds(engine, count):
    graph, source, compare = Graph("pairs"), Pairs(), Compare()
    graph.connect(source.a, compare.a)
    graph.connect(source.b, compare.b)
    run = graph.run(engine=engine, until=until(count))
    assert run["Pairs"].items == 2 * run["Compare"].items


def test_rounds_are_the_smallest_whole_numbers():
    graph, compare = Graph("rates"), Compare()
    third, half, alone = Source(name="third"), Source(name="half"), Source(name="alone")
    graph.connect(third, Half(), Twice(), Half(), compare.a)
    graph.connect(half, Invert(), compare.b)
    graph.connect(alone, Invert())
    found = {block.name: (part, items) for block, (part, items) in rounds(graph).items()}
    assert (found["third"][1], found["half"][1], found["alone"][1]) == (2, 1, 1)
    assert found["third"][0] == found["half"][0] != found["alone"][0]


@pytest.mark.parametrize("engine", ENGINES)
def test_what_fails_while_a_source_closes_is_a_note_on_what_failed_before(engine):
    graph = Graph("closing")
    graph.connect(Opened(fault="disk full"), Fail(at=2), Group())
    with pytest.raises(BlockError, match=r"^Fail, item 2: ") as caught:
        graph.run(engine=engine)
    (note,) = caught.value.__notes__
    assert note.startswith("and Opened, item ")
    assert note.endswith(": disk full (from OSError, while it closes)")


@pytest.mark.parametrize("engine", ENGINES)
def test_what_fails_while_a_source_closes_fails_the_run(engine):
    graph = Graph("closing")
    graph.connect(Opened(fault="disk full"), Group())
    with pytest.raises(BlockError, match=r"^Opened, item \d+: disk full \(from OSError, while it closes\)$"):
        graph.run(engine=engine, until=until(10))


@pytest.mark.parametrize("engine", ENGINES)
def test_a_source_closes_in_its_own_time(engine, capfd):
    graph, source = Graph("closing"), Opened(seconds=1.0)
    graph.connect(source, Fail(at=2), Group())
    with pytest.raises(BlockError, match=r"^Fail, item 2: "):
        graph.run(engine=engine)
    assert source.closed
    assert capfd.readouterr().err == ""


def test_a_refused_run_changes_nothing_and_an_old_handle_ends_nothing_new():
    graph = Graph("handles")
    graph.connect(Opened(), Group(size=1))
    first = graph.start()
    first.stop()
    with pytest.raises(RuntimeError, match="still runs"):
        graph.start()
    first.wait(timeout_s=5)
    second = graph.start()
    first.stop()
    time.sleep(0.1)
    assert not second.done
    graph.stop()
    second.wait(timeout_s=5)


def test_two_starts_at_once_cannot_both_have_the_blocks():
    graph = Graph("claims")
    graph.connect(Opened(), Group(size=1))
    running, refused = [], []

    def start():
        try:
            running.append(graph.start())
        except RuntimeError as error:
            refused.append(error)

    threads = [threading.Thread(target=start) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(running), len(refused)) == (1, 5)
    running[0].stop()
    running[0].wait(timeout_s=5)


class Stuck(Block):
    """Works for ever, in Python."""

    bits = In(Bits)

    def work(self, bits):
        while True:
            time.sleep(0.01)


def leave(running, wait):
    with running:
        wait(running)
        raise KeyError("mine")


@pytest.mark.parametrize("engine", ENGINES)
def test_an_error_in_a_with_statement_ends_a_run_that_hangs(engine):
    graph = Graph("stuck")
    graph.connect(Opened(), Stuck())
    began = time.monotonic()
    with pytest.raises(KeyError):
        leave(graph.start(engine=engine), lambda running: time.sleep(0.1))
    assert time.monotonic() - began < 2
    assert not any(b.running for b in graph.blocks)


def test_an_error_in_a_with_statement_keeps_the_failure_of_the_run():
    graph = Graph("fails")
    graph.connect(Source(), Fail(at=1), Group())
    with pytest.raises(KeyError) as caught:
        leave(graph.start(), lambda running: [time.sleep(0.01) for _ in iter(lambda: running.done, True)])
    assert caught.value.__notes__[0].startswith("and graph 'fails' had failed: Fail, item 1: ")


def test_stall_s_watches_starts_too():
    class Slow(Group):
        """Loads for ever."""

        def start(self):
            while True:
                time.sleep(0.01)

    graph = Graph("slow")
    graph.connect(Source(), Slow())
    with pytest.raises(BlockError, match=r"^Slow, item 0: it has been at work for 0\.\d+ s"):
        graph.run(stall_s=0.2)
    assert not any(b.running for b in graph.blocks)


@pytest.mark.parametrize("engine", ENGINES)
def test_what_is_no_stream_is_told(engine):
    class One(Block):
        """Forgets to yield."""

        bits = In(Bits)
        out = Out(Bits, rate="many")

        def work(self, bits):
            return 5

    class Last(Group):
        """Returns a number at the end."""

        def finish(self):
            return 7

    graph = Graph("one")
    graph.connect(Source(), One())
    text = r"must yield them, or return a list; got 5 \(from TypeError\)$"
    with pytest.raises(
        BlockError, match=rf"^One, item 0: got Bits\[64\]; a block that sends none or several items {text}"
    ):
        graph.run(engine=engine)
    graph = Graph("last")
    graph.connect(Source(), Last())
    with pytest.raises(BlockError, match=r"^Last, item 20: .*got 7 \(from TypeError, in finish\)$"):
        graph.run(engine=engine)
