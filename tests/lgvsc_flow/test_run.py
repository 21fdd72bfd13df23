"""What a run says of itself: counters, shares of the time, the fill of wires, the bottleneck."""

import json
import time

import numpy as np
import pytest
from chain import Compare, Invert, Source

from lgvsc_flow import Block, Graph, In
from lgvsc_flow.items import Bits
from lgvsc_flow.run import BlockStats, Change, Run, WireStats


class Slow(Block):
    """A sink that takes its time."""

    bits = In(Bits)

    def work(self, bits):
        time.sleep(0.01)


def made():
    blocks = [BlockStats("Source", 40, 4000, 0.5, 0.0, 1.5), BlockStats("coder/Slow", 36, 3600, 1.8, 0.2, 0.0)]
    wires = [WireStats("Source.bits -> coder/Slow.bits", 4, 12.5, 16)]
    return Run("link", 7, "threads", 2.0, blocks, wires, ["a note"])


def test_the_table_gives_rates_shares_fill_and_the_bottleneck():
    lines = made().table().splitlines()
    assert "link: 2.0 s, threads" in lines[0]
    header, source, slow = (
        [cell.strip() for cell in line.replace("┃", "│").split("│")[1:-1]] for line in (lines[2], lines[4], lines[5])
    )
    assert header == ["block", "items", "items/s", "elements/s", "working", "waits in", "waits out", "on its wires"]
    assert source == ["Source", "40", "20", "2e+03", "25%", "0%", "75%", ""]
    assert slow == ["coder/Slow <- bottleneck", "36", "18", "1.8e+03", "90%", "10%", "0%", "12.5/16"]
    assert lines[-1] == "a note"


def test_json_holds_all_of_it():
    data = json.loads(made().to_json())
    assert data["bottleneck"] == "coder/Slow"
    assert data["wires"] == [{"name": "Source.bits -> coder/Slow.bits", "items": 4, "mean_items": 12.5, "capacity": 16}]
    assert [b["busy_s"] for b in data["blocks"]] == [0.5, 1.8]


def test_a_block_that_is_not_there():
    with pytest.raises(KeyError, match=r"the run has no block 'Slow'; it has Source, coder/Slow"):
        made()["Slow"]


def test_a_slow_reader_is_the_bottleneck_and_its_wire_is_full():
    graph = Graph("slow")
    graph.connect(Source(count=60), Slow())
    run = graph.run(capacity=8)
    assert run.bottleneck == "Slow"
    (wire,) = run.wires
    assert wire.mean_items > 3
    source, slow = run["Source"], run["Slow"]
    assert slow.busy_s > 0.55 > source.busy_s
    assert source.wait_out_s > 0.2
    assert slow.busy_s + slow.wait_in_s <= run.elapsed_s


@pytest.mark.parametrize("engine", ["inline", "threads"])
def test_the_live_table_changes_nothing(engine, capfd):
    graph, compare = Graph("live"), Compare()
    source = Source(count=400)
    graph.connect(source, Invert(), compare.a)
    graph.connect(source, compare.b)
    graph.run(engine=engine)
    expected = np.concatenate(compare.seen)
    graph.run(engine=engine, progress=True)
    assert np.array_equal(np.concatenate(compare.seen), expected)
    assert capfd.readouterr().out == ""


def test_names_are_text_and_no_markup():
    run = Run("a [/b] [red]", 0, "inline", 1.0, [BlockStats("x [/y]", 1, 1, 0.5, 0.0, 0.0)])
    assert "a [/b] [red]: 1.0 s" in run.table()
    assert "x [/y] <- bottleneck" in run.table()


def test_json_is_strict():
    run = Run("a", 0, "inline", 1.0, [], changes=[Change("x", 3, {"level": float("inf")})])
    assert json.loads(run.to_json(), parse_constant=pytest.fail)["changes"][0]["settings"] == {"level": "Infinity"}
