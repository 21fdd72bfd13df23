from pathlib import Path

import pytest
from chain import Compare, Invert, Soft, Source, Split

from lgvsc_flow import Graph
from lgvsc_flow.blocks.channel import AwgnChannel
from lgvsc_flow.blocks.phy import QamDemodulator, QamModulator, RandomBits
from lgvsc_flow.draw import draw
from lgvsc_flow.errors import FlowError
from lgvsc_flow.mermaid import mermaid, wrong_wires

RED = "#c62828"


def coder():
    inner, outer = Graph("inner"), Graph("coder")
    first, second, last = Invert(), Invert(), Invert()
    inner.connect(first, second)
    inner.open(bits=first.bits, flipped=second.flipped)
    outer.connect(inner, last)
    return outer.open(bits=inner.bits, flipped=last.flipped)


def right():
    graph, source, compare, split = Graph("two branches"), Source(), Compare(), Split()
    graph.connect(source, coder(), compare.a)
    graph.connect(source, Invert(), Invert(), compare.b)
    graph.connect(source, split)
    graph.connect(split.first, Invert())
    return graph


def texts(figure):
    return [t.get_text() for t in figure.axes[0].texts if t.get_text()]


def extents(figure):
    renderer = figure.canvas.get_renderer()
    return [(t.get_text(), t.get_window_extent(renderer)) for t in figure.axes[0].texts if t.get_text()]


def overlaps(figure):
    boxes = extents(figure)
    return [(a, b) for i, (a, one) in enumerate(boxes) for b, other in boxes[:i] if one.overlaps(other)]


def test_a_drawing_names_types_sizes_and_composites():
    figure = draw(right())
    found = texts(figure)
    assert {"two branches", "coder", "inner", "Bits[64]", "Bits[32]", "Compare", "Invert-2"} <= set(found)
    assert overlaps(figure) == []
    assert not any(line.get_color() == RED for line in figure.axes[0].lines)


def test_the_drawing_of_the_whole_link_is_readable():
    from lgvsc_flow.blocks.video import VideoInfo
    from lgvsc_flow.graphs.lgvsc import Scheme, lgvsc

    figure = draw(lgvsc(Scheme(), Path("clip.mp4"), VideoInfo(272, 640, 25, 250), Path("out")))
    assert overlaps(figure) == []
    inside = figure.get_window_extent()
    for text, box in extents(figure):
        assert inside.x0 <= box.x0, text
        assert box.x1 <= inside.x1, text
    patches = [p.get_window_extent() for p in figure.axes[0].patches if p.get_zorder() == 3]
    assert not any(a.overlaps(b) for i, a in enumerate(patches) for b in patches[:i])


def test_frames_hold_their_own_blocks_only():
    figure = draw(right())
    frames = [p.get_window_extent() for p in figure.axes[0].patches if p.get_zorder() == 0]
    boxes = [p.get_window_extent() for p in figure.axes[0].patches if p.get_zorder() == 3]
    held = sorted(sum(f.x0 < b.x0 < f.x1 and f.y0 < b.y0 < f.y1 for b in boxes) for f in frames)
    assert held == [2, 3]
    assert not any(f.overlaps(b) and not f.containsx(b.x0) for f in frames for b in boxes)


def wrong():
    graph = Graph("wrong")
    graph.connect(RandomBits(n=64), QamModulator(order=64), AwgnChannel(), QamDemodulator(order=16))
    return graph


def test_a_wrong_graph_is_drawn_with_its_problem():
    graph = wrong()
    ((sender, taker),) = wrong_wires(graph)
    assert (str(sender), str(taker)) == ("AwgnChannel.received", "QamDemodulator.received")
    figure = draw(graph)
    assert sum(line.get_color() == RED for line in figure.axes[0].lines) == 1
    text = " ".join(" ".join(texts(figure)).split())
    assert "constellation is 64-QAM (set by QamModulator.order=64)" in text


@pytest.mark.parametrize(
    ("build", "count"),
    [
        (lambda g, s, c: (g.connect(s, Soft(), c.a), g.connect(s, c.b)), 1),
        (lambda g, s, c: (g.connect(s, c.a), g.connect(s, Invert(), c.a), g.connect(s, c.b)), 2),
        (lambda g, s, c: (g.connect(i := Invert(), j := Invert(), i), g.connect(j, c.a), g.connect(s, c.b)), 2),
        (lambda g, s, c: g.connect(s, c.a), 0),
    ],
    ids=["type", "two writers", "cycle", "open input"],
)
def test_every_wrong_wire_is_red(build, count):
    graph = Graph("wrong")
    build(graph, Source(), Compare())
    assert len(wrong_wires(graph)) == count
    figure = draw(graph)
    assert sum(line.get_color() == RED for line in figure.axes[0].lines) == count
    blamed = [p for p in figure.axes[0].patches if p.get_zorder() == 3 and p.get_linewidth() > 1]
    assert count or len(blamed) == 1


def test_files(tmp_path):
    draw(right(), tmp_path / "a.svg")
    assert "Invert" in (tmp_path / "a.svg").read_text()
    draw(right(), tmp_path / "b.pdf")
    assert (tmp_path / "b.pdf").read_bytes().startswith(b"%PDF")
    with pytest.raises(FlowError, match=r"c\.txt: a drawing ends in \.svg, \.png, \.pdf"):
        draw(right(), tmp_path / "c.txt")
    with pytest.raises(FlowError, match="the drawing cannot be written: No such file"):
        draw(right(), tmp_path / "none" / "a.svg")


def test_an_empty_graph_is_drawn():
    text = " ".join(" ".join(texts(draw(Graph("empty")))).split())
    assert text == "empty 1. it has no blocks. Wire some with graph.connect."


def test_mermaid_has_sizes_and_a_subgraph_per_composite():
    assert mermaid(right()).splitlines() == [
        "flowchart LR",
        '  subgraph b0_1 ["coder"]',
        '    subgraph b0_2 ["inner"]',
        '      b0["Invert"]',
        '      b1["Invert-2"]',
        "    end",
        '    b2["Invert"]',
        "  end",
        '  b3["Source"]',
        '  b4["Compare"]',
        '  b5["Invert"]',
        '  b6["Invert-2"]',
        '  b7["Split"]',
        '  b8["Invert-3"]',
        '  b0 -->|"flipped: Bits[64]"| b1',
        '  b1 -->|"flipped: Bits[64]"| b2',
        '  b2 -->|"flipped: Bits[64]"| b4',
        '  b3 -->|"bits: Bits[64]"| b0',
        '  b3 -->|"bits: Bits[64]"| b5',
        '  b3 -->|"bits: Bits[64]"| b7',
        '  b5 -->|"flipped: Bits[64]"| b6',
        '  b6 -->|"flipped: Bits[64]"| b4',
        '  b7 -->|"first: Bits[32]"| b8',
    ]


def test_mermaid_marks_what_is_wrong():
    lines = mermaid(wrong()).splitlines()
    assert lines[-1] == "  linkStyle 2 stroke:#c62828,color:#c62828"
    assert len(lines) == 9
