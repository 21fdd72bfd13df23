import numpy as np
import pytest
from chain import Compare, Fail, Group, Invert, Source, Split

from lgvsc_flow import Graph
from lgvsc_flow.errors import BlockError, WiringError


def twice():
    """Invert two times: one input, one output."""
    graph = Graph("twice")
    first, second = Invert(), Invert()
    graph.connect(first, second)
    return graph.open(bits=first.bits, flipped=second.flipped)


def nested():
    graph = Graph("nested")
    inner, last = twice(), Invert()
    graph.connect(inner, last)
    return graph.open(bits=inner.bits, flipped=last.flipped)


def test_a_composite_stands_in_a_chain_like_a_block():
    source, compare = Source(), Compare()
    graph = Graph("link")
    graph.connect(source, twice(), compare.a)
    graph.connect(source, compare.b)
    run = graph.run()
    assert compare.differing == 0
    assert [b.name for b in run.blocks] == ["Source", "twice/Invert", "twice/Invert-2", "Compare"]


def test_composites_nest_and_are_named_by_their_path():
    source, compare, part = Source(), Compare(), nested()
    graph = Graph("link")
    graph.connect(source, part, compare.a)
    graph.connect(source, compare.b)
    assert {b.name for b in graph.blocks} == {
        "Source",
        "Compare",
        "nested/Invert",
        "nested/twice/Invert",
        "nested/twice/Invert-2",
    }
    graph.run()
    assert compare.differing == np.concatenate(compare.seen).size
    assert str(part.flipped) == "nested/Invert.flipped"


def test_two_of_a_kind_get_numbers():
    compare, source = Compare(), Source()
    graph = Graph("link")
    graph.connect(source, twice(), twice(), compare.a)
    graph.connect(source, compare.b)
    assert "twice-2/Invert" in {b.name for b in graph.blocks}
    graph.check()


def test_errors_name_the_path():
    graph, inner = Graph("link"), Graph("coder")
    fail = Fail(at=0)
    inner.connect(fail, group := Group())
    inner.open(bits=fail.bits, grouped=group.grouped)
    compare = Compare()
    graph.connect(Source(), inner, compare.a)
    with pytest.raises(WiringError, match=r"Compare\.b: nothing is connected"):
        graph.check()
    graph.connect(graph["Source"], compare.b)
    with pytest.raises(BlockError, match=r"^coder/Fail, item 0: "):
        graph.run()


def test_open_ports_are_attributes_and_must_exist():
    part = twice()
    assert set(part.ports) == {"bits", "flipped"}
    with pytest.raises(AttributeError, match="graph 'twice' has no attribute 'bitz'; its open ports are bits, flipped"):
        _ = part.bitz
    with pytest.raises(TypeError, match="it is no port of one of its blocks"):
        part.open(other=Invert().bits)
    with pytest.raises(TypeError, match="Graph has that attribute"):
        part.open(run=part.bits)
    several = Graph("several")
    several.connect(Source(), split := Split())
    several.open(first=split.first, second=split.second)
    with pytest.raises(TypeError, match=r"several has 2 outputs, name one: \.first, \.second"):
        Graph().connect(several, Invert())


def test_a_composite_stands_in_one_graph_and_cannot_change_then():
    part = twice()
    graph = Graph("link")
    graph.include(part)
    graph.include(part)
    with pytest.raises(TypeError, match=r"^graph 'twice' already stands in graph 'link'; build another$"):
        Graph("other").include(part)
    with pytest.raises(
        TypeError, match=r"^graph 'twice' stands in graph 'link' and cannot change; wire it before, or "
    ):
        part.connect(Invert(), Invert())
    with pytest.raises(TypeError, match="cannot change"):
        part.add(Invert())


def test_a_port_of_a_composite_brings_the_whole_of_it():
    source, compare, part = Source(), Compare(), nested()
    graph = Graph("link")
    graph.connect(source, part.bits)
    graph.connect(part.flipped, compare.a)
    graph.connect(source, compare.b)
    graph.run()
    assert len(graph.blocks) == 5
    assert compare.differing == 20 * 64
