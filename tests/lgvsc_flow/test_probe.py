import numpy as np
from chain import Compare, Invert, Source

from lgvsc_flow import Graph
from lgvsc_flow.items import Caption
from lgvsc_flow.probe import Probe
from lgvsc_flow.testing import run_block


def test_keeps_the_last_items_and_counts_all():
    probe = Probe(keep=2)
    assert probe.items == []
    run_block(probe, [np.full(3, i, np.uint8) for i in range(5)])
    assert [i.tolist() for i in probe.items] == [[3, 3, 3], [4, 4, 4]]
    assert probe.count == 5


def test_takes_any_item():
    probe, item = Probe(keep=None), Caption(0, "a street")
    run_block(probe, [item])
    assert probe.items == [item]


def test_a_probe_on_a_wire_changes_nothing():
    results = []
    for tapped in (False, True):
        source, compare = Source(), Compare()
        graph = Graph(seed=3)
        graph.connect(source, Invert(), compare.a)
        graph.connect(source, compare.b)
        if tapped:
            probe = graph.probe(graph["Invert"].flipped, keep=3)
        graph.run()
        results.append(np.concatenate(compare.seen))
    assert np.array_equal(*results)
    assert np.array_equal(np.concatenate(probe.items), results[0][-3 * 64 :])
    assert probe.count == 20
