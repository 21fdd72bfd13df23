from fractions import Fraction

import pytest

from lgvsc_flow import Block, Graph, In
from lgvsc_flow.blocks.channel import AwgnChannel, Equalizer
from lgvsc_flow.blocks.metrics import BerMeter
from lgvsc_flow.blocks.phy import HardDecision, QamDemodulator, QamModulator, RandomBits
from lgvsc_flow.blocks.video import TestScene, VideoWriter
from lgvsc_flow.errors import GraphFileError, SettingError
from lgvsc_flow.items import Bits


def link():
    graph = Graph("uncoded", seed=7)
    source, meter = RandomBits(n=4096, count=20), BerMeter(name="meter")
    graph.connect(source, QamModulator(order=16), AwgnChannel(esn0_db=12), Equalizer(), QamDemodulator(order=16))
    graph.connect(graph["QamDemodulator"], HardDecision(), meter.received)
    graph.connect(source, meter.sent)
    return graph, meter


def problems(path):
    with pytest.raises(GraphFileError) as caught:
        Graph.load(path)
    return caught.value.problems


def test_a_saved_graph_gives_the_same_bits(tmp_path):
    graph, meter = link()
    graph.run()
    graph.save(tmp_path / "link.yaml")
    loaded = Graph.load(tmp_path / "link.yaml")
    loaded.run(engine="inline")
    assert loaded["meter"].errors == meter.errors > 0
    assert (loaded.name, loaded.seed, loaded.to_mermaid()) == (graph.name, graph.seed, graph.to_mermaid())
    changed = Graph.load(tmp_path / "link.yaml", {"AwgnChannel.esn0_db": 40})
    changed.run()
    assert changed["meter"].errors == 0


def test_fractions_and_paths_are_text(tmp_path):
    graph = Graph("scene")
    graph.connect(TestScene(fps=Fraction(30000, 1001)), VideoWriter(path=tmp_path / "a.mp4"))
    graph.save(tmp_path / "scene.yaml")
    assert "30000/1001" in (tmp_path / "scene.yaml").read_text()
    assert Graph.load(tmp_path / "scene.yaml")["TestScene"].fps == "30000/1001"


def test_every_problem_of_a_file_is_named(tmp_path):
    (tmp_path / "bad.yaml").write_text(
        """
graph: bad
seed: -1
blocks:
  source: {block: RandomBit, n: 10}
  mod: {block: QamModulator, ordre: 16}
  mod2: {block: QamModulator, order: 5}
  meter: {block: BerMeter}
  loose: 3
wires:
- mod.symbols -> meter.sent
- meter.sent -> meter.received
- nowhere.bits -> meter.sent
- meter.sent
"""
    )
    found = problems(tmp_path / "bad.yaml")
    assert found == [
        "loose: takes a mapping with 'block: ClassName' and its settings.",
        "seed: takes a whole number from 0, got -1.",
        "source: 'RandomBit' is no installed block (did you mean RandomBits?).",
        "mod: QamModulator has no setting 'ordre' (did you mean order?); it has order.",
        "mod2: QamModulator.order is one of 4, 16, 64, 256; got 5.",
        "wire 'meter.sent -> meter.received': meter has no output 'sent'; its outputs: none.",
        "wire 'nowhere.bits -> meter.sent': there is no block 'nowhere'.",
        "wire 'meter.sent': write it as 'Block.port -> Block.port'.",
    ]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "it has no section 'blocks'"),
        ("blocks: {a: [", "it cannot be read"),
        ("blocks: {}\nrun: rm", "unknown sections: run"),
        ("blocks: {}\nwires: 3", "its section 'wires' is no list"),
        ("blocks: !!python/object/apply:os.system ['true']", "it cannot be read: could not determine a constructor"),
    ],
)
def test_files_that_are_no_graph(tmp_path, text, problem):
    (tmp_path / "odd.yaml").write_text(text)
    assert problem in problems(tmp_path / "odd.yaml")[0]


def test_missing_file(tmp_path):
    assert problems(tmp_path / "none.yaml") == ["the file does not exist."]


def test_what_a_file_cannot_hold_is_refused(tmp_path):
    class Own(Block):
        """Not installed."""

        bits = In(Bits)

        def work(self, bits):
            pass

    graph = Graph("own")
    graph.connect(RandomBits(), Own())
    with pytest.raises(SettingError, match="Own: Own is no installed block, so a file cannot name it"):
        graph.save(tmp_path / "own.yaml")
    assert not list(tmp_path.iterdir())
