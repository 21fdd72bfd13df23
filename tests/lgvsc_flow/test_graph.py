from typing import Optional

import numpy as np
import pytest
from chain import Compare, Group, Invert, Soft, Source, Split, Third

from lgvsc_flow import Block, Demand, Graph, In, Out, setting
from lgvsc_flow.errors import SettingError, WiringError
from lgvsc_flow.items import Bits, Segment, Symbols


def wrong(graph):
    with pytest.raises(WiringError) as caught:
        graph.check()
    return caught.value.problems


def test_every_problem_is_reported_at_once():
    source, compare = Source(), Compare()
    graph = Graph("link")
    graph.connect(source, Soft(), compare.a)
    with pytest.raises(WiringError) as caught:
        graph.check()
    text = str(caught.value)
    assert text.startswith("graph 'link' has 2 problems:\n  1. Compare.b: nothing is connected; it takes Bits.\n  2. ")
    assert "2. Soft.llrs -> Compare.a: sends Llrs, takes Bits." in text
    assert "Blocks that turn Llrs into Bits: HardDecision, LdpcDecoder" in text


def test_two_writers():
    a, b, compare = Source(), Source(), Compare()
    graph = Graph()
    graph.connect(a, compare.a)
    graph.connect(b, compare.a)
    graph.connect(a, compare.b)
    assert wrong(graph) == ["Compare.a: has 2 writers, Source.bits, Source-2.bits; an input takes one."]


def test_cycle_is_named_block_by_block():
    first, second = Invert(), Invert()
    graph = Graph()
    graph.connect(first, second, first)
    assert wrong(graph) == ["cycle: Invert -> Invert-2 -> Invert. A loop lives inside one block."]


def test_empty_graph():
    assert wrong(Graph("nothing")) == ["it has no blocks. Wire some with graph.connect."]


def test_two_blocks_of_one_name():
    graph = Graph()
    graph.connect(Source(name="x"), Group(name="x"))
    assert wrong(graph) == ["2 blocks are named 'x' (Source, Group). Give each its own: name='...'."]


def test_sizes_that_do_not_divide():
    graph = Graph()
    graph.connect(Source(n=9), Split())
    assert wrong(graph) == [
        f"Split.{port}: its size n // 2 does not come out: 9 // 2 leaves a remainder. "
        "Sizes from the source: Source.bits 9."
        for port in ("first", "second")
    ]


def test_whole_blocks_are_demanded():
    class Coder(Block):
        """Takes whole blocks."""

        bits = In(Bits, "blocks * k")
        coded = Out(Bits, "blocks * (k + 24)")
        k: int = 10

        def work(self, bits):
            return bits

    graph = Graph()
    graph.connect(Source(n=64), Coder())
    assert wrong(graph) == [
        "Source.bits -> Coder.bits: bursts of 64 elements, 64 does not divide into whole blocks of k=10."
    ]
    graph = Graph()
    compare = Compare()
    source = Source(n=60)
    graph.connect(source, Coder(), compare.a)
    graph.connect(source, compare.b)
    assert wrong(graph) == ["Source.bits -> Compare.b: bursts of 60 elements, Compare takes 204 (n)."]


class Modulate(Block):
    """Sets a trait."""

    bits = In(Bits, "n")
    symbols = Out(Symbols, "*", constellation="{order}-QAM")
    order: int = setting(16, choices=(4, 16, 64))

    def work(self, bits):
        return bits.astype(np.complex64)


class Pass(Block):
    """Names no trait: all pass through."""

    symbols = In(Symbols)
    out = Out(Symbols)

    def work(self, symbols):
        return symbols


class Demodulate(Block):
    """Demands a trait."""

    symbols = In(Symbols, constellation="{order}-QAM")
    order: int = 64

    def work(self, symbols):
        pass


def test_traits_clash_across_blocks_that_do_not_name_them():
    graph = Graph()
    graph.connect(Source(), Modulate(order=16), Pass(), Demodulate(order=64))
    assert wrong(graph) == [
        "Pass.out -> Demodulate.symbols: constellation is 16-QAM (set by Modulate.order=16), "
        "Demodulate takes 64-QAM (order=64)."
    ]
    graph = Graph()
    graph.connect(Source(), Modulate(order=16), Pass(), Demodulate(order=16))
    graph.check()


def test_inputs_that_disagree():
    class Add(Block):
        """Two inputs."""

        a = In(Symbols)
        b = In(Symbols)

        def work(self, a, b):
            pass

    source, add = Source(), Add()
    graph = Graph()
    graph.connect(source, Modulate(order=4), add.a)
    graph.connect(source, Modulate(order=16), add.b)
    assert wrong(graph) == [
        "Add: its inputs disagree on constellation: Modulate.symbols -> Add.a brings 4-QAM (set by Modulate.order=4) "
        "and Modulate-2.symbols -> Add.b brings 16-QAM (set by Modulate-2.order=16)."
    ]


def test_a_demand_speaks_in_its_own_words():
    class Cutter(Block):
        """Variable segments."""

        segments = Out(Segment, rate="many", segment_length="variable")

        def work(self):
            yield from ()

    class Fixed(Block):
        """One length."""

        segments = In(
            Segment,
            segment_length=Demand("{frames}", "segments have {found} length, this was built for {frames} frames."),
        )
        frames: int = 16

        def work(self, segment):
            pass

    graph = Graph()
    graph.connect(Cutter(), Fixed())
    assert wrong(graph) == [
        "Cutter.segments -> Fixed.segments: segments have variable length, this was built for 16 frames."
    ]


def test_connect_says_which_port_to_name():
    graph = Graph()
    with pytest.raises(TypeError, match=r"^Compare has 2 inputs, name one: \.a, \.b$"):
        graph.connect(Source(), Compare())
    with pytest.raises(TypeError, match=r"^Split has 2 outputs, name one: \.first, \.second$"):
        graph.connect(Split(), Invert())
    with pytest.raises(TypeError, match=r"^Compare has no output$"):
        graph.connect(Compare(), Invert())
    with pytest.raises(TypeError, match="connect takes blocks, composites and ports, got str 'Invert'"):
        graph.connect(Source(), "Invert")
    with pytest.raises(TypeError, match=r"^Source\.bits is not an input$"):
        graph.connect(Invert(), Source().bits)


def test_settings_are_checked_when_the_block_is_built():
    with pytest.raises(SettingError, match=r"^Source\.n must be >= 1, got 0$"):
        Source(n=0)
    with pytest.raises(SettingError, match=r"^Modulate\.order is one of 4, 16, 64; got 5$"):
        Modulate(order=5)
    with pytest.raises(SettingError, match=r"^Source\.n takes int, got str 'many'$"):
        Source(n="many")
    with pytest.raises(TypeError, match="unexpected keyword"):
        Source(length=3)
    with pytest.raises(AttributeError, match="port bits cannot be assigned"):
        Source().bits = None


def test_mermaid_and_names():
    graph = Graph("two")
    graph.connect(Source(), Invert(), Invert())
    assert graph.to_mermaid().splitlines() == [
        "flowchart LR",
        '  b0["Source"]',
        '  b1["Invert"]',
        '  b2["Invert-2"]',
        '  b0 -->|"bits: Bits[64]"| b1',
        '  b1 -->|"flipped: Bits[64]"| b2',
    ]
    assert graph["Invert-2"] is graph.blocks[2]
    with pytest.raises(KeyError, match="graph 'two' has no block 'Sink'"):
        graph["Sink"]


def test_draw_writes_a_picture(tmp_path):
    graph = Graph("two")
    graph.connect(Source(), Invert())
    graph.draw(tmp_path / "graph.svg")
    text = (tmp_path / "graph.svg").read_text()
    assert "<svg" in text
    assert "Invert" in text


def test_run_is_json():
    import json

    graph = Graph("two", seed=5)
    graph.connect(Source(), Group())
    run = graph.run(engine="inline")
    data = json.loads(run.to_json())
    assert (data["graph"], data["seed"], data["engine"]) == ("two", 5, "inline")
    assert [b["items"] for b in data["blocks"]] == [20, 20]


def test_branches_of_different_rates_are_a_message_and_not_a_hang():
    source, compare = Source(), Compare()
    graph = Graph()
    graph.connect(source, Invert(), compare.a)
    graph.connect(source, Third(), Third(), compare.b)
    assert wrong(graph) == [
        "Compare: its inputs come at different rates: for each item of Source.bits, "
        "Invert.flipped -> Compare.a brings 1 and Third-2.kept -> Compare.b brings 1/9."
    ]


def test_rates_that_balance_and_rates_that_cannot_be_known():
    source, compare, other = Source(count=9), Compare(), Compare()
    graph = Graph()
    graph.connect(source, Third(), compare.a)
    graph.connect(source, Third(), compare.b)
    graph.connect(source, Group(), other.a)
    graph.connect(source, other.b)
    assert graph.run()["Compare"].items == 3


@pytest.mark.parametrize("rate", ["0", "1/0", "often", "-1"])
def test_a_rate_is_a_positive_fraction(rate):
    with pytest.raises(ValueError, match="rate is 'many' or a positive fraction"):
        Out(Bits, rate=rate)


def test_the_chain_of_sizes_is_printed():
    graph = Graph()
    graph.connect(Source(n=10), Invert(), split := Split())
    graph.connect(split.first, Split())
    assert wrong(graph) == [
        f"Split-2.{port}: its size n // 2 does not come out: 5 // 2 leaves a remainder. "
        "Sizes from the source: Source.bits 10, Invert.flipped 10, Split.first 5."
        for port in ("first", "second")
    ]


def test_inverse_pairs_nest():
    from lgvsc_flow.blocks.phy import BitRepeat, HardDecision, LlrCombine

    graph = Graph()
    graph.connect(
        Source(n=10), BitRepeat(times=2), BitRepeat(times=3), Soft(), LlrCombine(times=3), LlrCombine(times=2)
    )
    graph.connect(graph["LlrCombine-2"], HardDecision())
    graph.check()


def test_results_of_inherited_meters_are_found():
    from lgvsc_flow.blocks.metrics import PsnrMeter
    from lgvsc_flow.blocks.video import TestScene

    scene, meter = TestScene(count=2), PsnrMeter()
    graph = Graph()
    graph.connect(scene, meter.sent)
    graph.connect(scene, meter.received)
    graph.run()
    assert graph.results() == {"PsnrMeter": {"mean": 100.0}}


def test_optional_settings_are_checked_in_both_spellings():
    class Old(Block):
        """Optional as it was written once."""

        bits = In(Bits)
        count: Optional[int] = setting(None, ge=1)  # noqa: UP045

        def work(self, bits):
            pass

    assert Old().count is None
    with pytest.raises(SettingError, match=r"Old.count takes int or None, got str 'a'"):
        Old(count="a")
