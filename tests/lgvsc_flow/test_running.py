"""Graphs in the background."""

import threading
import time

import numpy as np
import pytest
from chain import Fail, Group, Invert, Source

from lgvsc_flow import Block, Graph, Out
from lgvsc_flow.errors import BlockError, WiringError
from lgvsc_flow.items import Bits


class Endless(Block):
    """Bursts without end."""

    bits = Out(Bits)

    def work(self):
        while True:
            time.sleep(0.0005)
            yield np.zeros(8, np.uint8)


def endless():
    graph = Graph("endless")
    graph.connect(Endless(), Invert(), Group(size=1))
    probe = graph.probe(graph["Group"].grouped)
    return graph, probe


@pytest.mark.parametrize("engine", ["inline", "threads"])
def test_start_stop_wait(engine):
    graph, probe = endless()
    running = graph.start(engine=engine)
    while running.so_far["Probe"].items < 20:
        time.sleep(0.01)
    assert not running.done
    assert "Endless" in running.table()
    with pytest.raises(TimeoutError, match=r"^graph 'endless' still runs after 0.05 s$"):
        running.wait(timeout_s=0.05)
    running.stop()
    run = running.wait()
    assert running.done
    assert run["Endless"].items == run["Probe"].items == probe.count >= 20
    assert run == running.wait()


def test_a_with_statement_ends_the_run():
    before = threading.active_count()
    graph, _ = endless()
    with graph.start() as running:
        assert not running.done
    assert running.done
    with pytest.raises(ZeroDivisionError), graph.start() as running:
        raise ZeroDivisionError
    assert running.done
    assert threading.active_count() == before


def test_failures_arrive_where_one_waits():
    graph = Graph("fails")
    graph.connect(Source(), Fail(at=3), Group())
    running = graph.start()
    with pytest.raises(BlockError, match=r"^Fail, item 3"):
        running.wait()
    with pytest.raises(WiringError):
        Graph("empty").start()


def test_blocks_run_in_one_run_at_a_time():
    graph, _ = endless()
    other = Graph("other")
    other.connect(graph["Endless"].bits, Group())
    with graph.start() as running:
        while running.so_far["Endless"].items < 1:
            time.sleep(0.001)
        with pytest.raises(
            RuntimeError, match=r"^graph 'endless' cannot run: Endless, .* still runs; wait for that run$"
        ):
            graph.run()
        with pytest.raises(RuntimeError, match=r"^graph 'other' cannot run: Endless still runs"):
            other.run()
    graph.start().stop()


@pytest.mark.parametrize(
    ("how", "text"), [({"capacity": 0}, "capacity"), ({"stall_s": 0}, "stall_s"), ({"engine": "gpu"}, "engine")]
)
def test_arguments_out_of_range(how, text):
    graph, _ = endless()
    with pytest.raises(ValueError, match=f"^{text}"):
        graph.run(**how)
