import threading

import numpy as np
import pytest
from chain import Compare, Invert

from lgvsc_flow import Block, Graph, In, Out, setting
from lgvsc_flow.errors import SettingError
from lgvsc_flow.items import Bits


class Endless(Block):
    """Bursts without end."""

    bits = Out(Bits, "n")
    n: int = setting(8, ge=1)

    def work(self):
        while True:
            yield np.zeros(self.n, np.uint8)


class Add(Block):
    """Add a constant that may change."""

    bits = In(Bits, "n")
    sums = Out(Bits, "n")
    value: int = setting(0, ge=0, le=1, live=True)
    fixed: int = 3

    def work(self, bits):
        return bits + np.uint8(self.value)


class Watch(Block):
    """Call a function at item number `at`."""

    bits = In(Bits)

    def start(self):
        self.seen = []

    def work(self, bits):
        self.seen.append(int(bits[0]))
        for at, function in self.calls:
            if len(self.seen) == at:
                function()


def build(*calls):
    add, watch = Add(), Watch()
    watch.calls = calls
    graph = Graph("changes")
    graph.connect(Endless(), add, watch)
    return graph, add, watch


def test_a_live_setting_changes_between_two_items_and_is_recorded():
    graph, add, watch = build()
    watch.calls = ((5, lambda: add.set(value=1)), (40, graph.stop))
    run = graph.run(engine="inline", capacity=1)
    assert watch.seen[:5] == [0] * 5
    assert watch.seen[-1] == 1
    (change,) = run.changes
    assert (change.block, change.settings) == ("Add", {"value": 1})
    assert watch.seen.index(1) == change.item
    assert '"changes": [' in run.to_json()


@pytest.mark.parametrize("engine", ["inline", "threads"])
def test_stop_ends_the_sources_and_finishes_what_is_under_way(engine):
    before = threading.active_count()
    graph, _, watch = build()
    watch.calls = ((100, graph.stop),)
    run = graph.run(engine=engine)
    assert len({b.items for b in run.blocks}) == 1
    assert 100 <= run["Watch"].items < 200
    assert threading.active_count() == before


@pytest.mark.parametrize("engine", ["inline", "threads"])
def test_two_sources_end_together(engine):
    for _ in range(5):
        graph, _, watch = build()
        compare = Compare()
        graph.connect(graph["Add"], compare.a)
        graph.connect(Endless(), compare.b)
        watch.calls = ((50, graph.stop),)
        run = graph.run(engine=engine)
        assert run["Endless"].items == run["Endless-2"].items == run["Compare"].items


def test_until_is_asked_before_each_item():
    graph, _, watch = build()
    run = graph.run(engine="inline", capacity=1, until=lambda: len(watch.seen) >= 10)
    assert 10 <= run["Watch"].items <= 14


def test_what_may_not_change_is_refused_at_once():
    errors = []

    def attempt(**changes):
        try:
            add.set(**changes)
        except SettingError as error:
            errors.append(str(error))

    graph, add, watch = build()
    watch.calls = (
        (1, lambda: attempt(value=2)),
        (2, lambda: attempt(fixed=4)),
        (3, lambda: attempt(size=4)),
        (4, graph.stop),
    )
    run = graph.run(engine="inline")
    assert errors == [
        "Add.value must be <= 1, got 2",
        "Add.fixed cannot change while the graph runs; set it before",
        "Add has no setting 'size'; it has value, fixed",
    ]
    assert run.changes == []
    add.set(fixed=4)
    assert add.fixed == 4


def test_a_second_run_starts_anew():
    graph, _, watch = build()
    watch.calls = ((20, graph.stop),)
    first = graph.run(engine="inline")["Watch"].items
    assert graph.run(engine="inline")["Watch"].items == first
    assert Invert().settings == {}
