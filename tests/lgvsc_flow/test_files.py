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
        "mod2: QamModulator.order is one of 4, 16, 64, 256, 1024; got 5.",
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


def test_wiring_problems_come_with_the_file_s_own(tmp_path):
    (tmp_path / "both.yaml").write_text(
        """
blocks:
  source: {block: RandomBits, n: 10, n: 12}
  mod: {block: QamModulator, order: 16}
  away: {block: QamModulater}
  dem: {block: QamDemodulator, order: 64}
  channel: {block: AwgnChannel}
  meter: {block: BerMeter}
wires:
- source.bits -> mod.bits
- mod.symbols -> channel.symbols
- channel.received -> dem.received
- dem.lrs -> meter.sent
- away.symbols -> meter.received
"""
    )
    assert problems(tmp_path / "both.yaml") == [
        "line 3: the key 'n' is there twice, first in line 3.",
        "away: 'QamModulater' is no installed block (did you mean QamModulator?).",
        "wire 'dem.lrs -> meter.sent': dem has no output 'lrs' (did you mean llrs?); its outputs: llrs.",
        "channel.received -> dem.received: constellation is 16-QAM (set by mod.order=16), dem takes 64-QAM (order=64).",
    ]


def test_numbers_without_a_point_and_aliases_of_plain_values(tmp_path):
    (tmp_path / "plain.yaml").write_text(
        """
blocks:
  mod: {block: QamModulator, order: &order 64}
  channel: {block: AwgnChannel, esn0_db: 1e1}
  dem: {block: QamDemodulator, order: *order}
"""
    )
    graph = Graph.load(tmp_path / "plain.yaml")
    assert (graph["channel"].esn0_db, graph["dem"].order) == (10.0, 64)


def bomb(levels, merge):
    lines = ["a0: &a0 {x: 1}" if merge else "a0: &a0 [1, 2]"]
    for i in range(1, levels):
        inner = ", ".join([f"*a{i - 1}"] * 10)
        lines.append(f"a{i}: &a{i} {{<<: [{inner}]}}" if merge else f"a{i}: &a{i} [{inner}]")
    return "\n".join(lines)


@pytest.mark.parametrize("merge", [False, True])
def test_a_short_file_cannot_stand_for_a_huge_one(tmp_path, merge):
    (tmp_path / "bomb.yaml").write_text(f"blocks: {{}}\n{bomb(12, merge)}\n")
    found = problems(tmp_path / "bomb.yaml")
    assert len(found) == 110
    assert found[0] == "line 3: the alias *a0 stands for a list or mapping; only plain values have aliases."


def test_deep_and_large_files(tmp_path):
    (tmp_path / "deep.yaml").write_text("blocks: " + "[" * 5000)
    assert problems(tmp_path / "deep.yaml")[0].startswith("it cannot be read: maximum recursion depth exceeded")
    (tmp_path / "large.yaml").write_text("# " + "x" * 2**20)
    assert problems(tmp_path / "large.yaml") == ["it is larger than 1 MiB; no graph file is."]
    (tmp_path / "long.yaml").write_text(f"blocks: {{mod: {{block: QamModulator, order: {'x' * 5000}}}}}")
    (found,) = problems(tmp_path / "long.yaml")
    assert found.startswith("mod: QamModulator.order takes int, got str 'xxx")
    assert len(found) < 450


@pytest.mark.parametrize(
    ("section", "problem"),
    [
        ("order: [16]", "mod: QamModulator.order takes int, got list [16]."),
        ("order: null", "mod: QamModulator.order takes int, got NoneType None."),
        ("order: {a: 1}", "mod: QamModulator.order takes int, got dict {'a': 1}."),
        ("order: true", "mod: QamModulator.order takes int, got bool True."),
        ("order: 2024-01-02", "mod: QamModulator.order takes int, got date datetime.date(2024, 1, 2)."),
        ("name: other", "mod: QamModulator has no setting 'name'; it has order."),
        ("3: 4", "mod: QamModulator has no setting 3; it has order."),
    ],
)
def test_settings_of_a_wrong_type(tmp_path, section, problem):
    (tmp_path / "odd.yaml").write_text(f"blocks: {{mod: {{block: QamModulator, {section}}}}}")
    assert problems(tmp_path / "odd.yaml")[0] == problem


def test_one_name_by_two_keys(tmp_path):
    (tmp_path / "odd.yaml").write_text("blocks: {1: {block: Probe}, '1': {block: Probe}}")
    assert "1: is there twice." in problems(tmp_path / "odd.yaml")


def test_names_that_a_file_cannot_hold(tmp_path):
    graph = Graph("names")
    graph.connect(RandomBits(name="x"), QamModulator(name="x"))
    with pytest.raises(SettingError, match=r"^x: two blocks have that name"):
        graph.save(tmp_path / "link.yaml")
    graph = Graph("names")
    graph.connect(RandomBits(name="a -> b"), QamModulator())
    with pytest.raises(SettingError, match=r"^'a -> b' cannot name a block in a file"):
        graph.save(tmp_path / "link.yaml")
    graph = Graph("folder")
    graph.connect(RandomBits(), QamModulator())
    with pytest.raises(GraphFileError, match="it cannot be written: No such file or directory"):
        graph.save(tmp_path / "none" / "link.yaml")
    assert list(tmp_path.iterdir()) == []


def test_settings_of_a_world_model_are_kept(tmp_path):
    pytest.importorskip("diffusers")
    from lgvsc_flow.blocks.world import DsaWorldModel

    settings = {"steps": 4, "resolution": [64, 96]}
    graph = Graph("world")
    graph.add(DsaWorldModel(num_frames=9, height=64, width=96, model="ltx", world_settings=settings))
    graph.save(tmp_path / "world.yaml")
    (block,) = Graph.load(tmp_path / "world.yaml").blocks
    assert dict(block.world_settings) == settings
