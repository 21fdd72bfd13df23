import json
import re

import pytest
from rich.console import Console

from lgvsc_flow import Graph
from lgvsc_flow.blocks.channel import AwgnChannel, Equalizer
from lgvsc_flow.blocks.metrics import BerMeter
from lgvsc_flow.blocks.phy import HardDecision, QamDemodulator, QamModulator, RandomBits
from lgvsc_flow.cli import main
from lgvsc_flow.registry import known_blocks


@pytest.fixture
def command(monkeypatch, capsys):
    def call(*words, columns=200):
        monkeypatch.setattr("sys.argv", ["lgvsc-flow", *map(str, words)])
        monkeypatch.setenv("COLUMNS", str(columns))
        monkeypatch.setattr("lgvsc_flow.cli_common.console", Console(markup=False, width=columns))
        code = 0
        try:
            main()
        except SystemExit as end:
            code = end.code or 0
        captured = capsys.readouterr()
        assert "Traceback" not in captured.out + captured.err
        return code, captured.out + captured.err

    return call


@pytest.fixture
def file(tmp_path):
    graph = Graph("uncoded", seed=7)
    source, meter = RandomBits(n=4096, count=20), BerMeter()
    graph.connect(source, QamModulator(), AwgnChannel(esn0_db=12), Equalizer(), QamDemodulator(), HardDecision())
    graph.connect(graph["HardDecision"], meter.received)
    graph.connect(source, meter.sent)
    graph.save(tmp_path / "link.yaml")
    return tmp_path / "link.yaml"


def test_check_and_run_a_file(command, file):
    assert command("check", file) == (0, "graph 'uncoded' is wired rightly: 7 blocks, 7 wires\n")
    code, text = command("run-graph", file, "--set", "AwgnChannel.esn0_db=40", "--seed", "3")
    assert code == 0
    assert "BerMeter.errors = 0" in text
    assert "BerMeter.bits = 81920" in text
    assert "QamDemodulator" in text


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--set", "AwgnChannel.esn0=6"], "AwgnChannel has no setting 'esn0' (did you mean esn0_db?)"),
        (["--set", "Awgn.esn0_db=6"], "there is no block 'Awgn' (did you mean AwgnChannel?)"),
        (["--set", "AwgnChannel.esn0_db=loud"], "AwgnChannel.esn0_db takes float, got str 'loud'"),
        (["--set", "AwgnChannel.esn0_db=["], "--set AwgnChannel.esn0_db=[: 1. it cannot be read"),
        (["--set", "AwgnChannel.esn0_db=2024-13-45"], "it cannot be read: month must be in 1..12"),
        (["--set", "esn0_db=6"], "--set takes Block.setting=value, got 'esn0_db=6'"),
        (["--set", "QamModulator.order=64"], "constellation is 64-QAM (set by QamModulator.order=64)"),
    ],
)
def test_wrong_changes_end_in_a_message(command, file, words, message):
    code, text = command("run-graph", file, *words)
    assert code == 1
    assert message in " ".join(text.split())


def test_blocks_are_listed_and_shown(command):
    code, text = command("blocks")
    assert code == 0
    assert "QamModulator" in text
    code, text = command("blocks", "QamModulator")
    assert "out symbols: Symbols[n // bits_per_symbol], sets constellation {order}-QAM" in text
    assert "order: int = 16 (one of 4, 16, 64, 256, 1024): constellation points" in text
    assert "taken by AwgnChannel," in text
    assert "graph.connect(" in text
    assert command("blocks", "QamModulater") == (
        1,
        "error: no installed block is called 'QamModulater'; did you mean QamModulator?\n",
    )


def test_the_list_of_blocks_fits_a_terminal(command, monkeypatch):
    code, text = command("blocks", columns=80)
    assert code == 0
    assert max(len(line.rstrip()) for line in text.splitlines()) <= 80
    for name in known_blocks():
        assert re.search(rf"^ {name} ", text, re.MULTILINE), f"{name} is cut"


def test_what_cannot_be_used_is_listed(command, monkeypatch):
    monkeypatch.setattr("lgvsc_flow.registry.problems", lambda: ["radio: its entry 'a = b' cannot be imported: no."])
    code, text = command("blocks")
    assert code == 1
    assert "QamModulator" in text
    assert "error: not all that is installed can be used:\n  radio: its entry 'a = b' cannot be imported: no." in text


def test_results_as_json(command, file, tmp_path):
    path = tmp_path / "new" / "run.json"
    assert command("run-graph", file, "--json", path)[0] == 0
    data = json.loads(path.read_text())
    assert data["results"]["BerMeter"]["bits"] == 81920
    assert data["seed"] == 7
    assert data["blocks"][0]["name"] == "RandomBits"
    (tmp_path / "afile").write_text("")
    code, text = command("run-graph", file, "--json", tmp_path / "afile" / "run.json")
    assert code == 1
    assert "its folder cannot be made: " in text
    assert "bits" not in text


def test_what_is_no_finite_number_is_null_in_json(tmp_path):
    from lgvsc_flow.cli_common import write_json

    write_json(tmp_path / "a.json", {"ber": float("nan"), "all": [float("inf"), 1.5]})
    assert json.loads((tmp_path / "a.json").read_text()) == {"ber": None, "all": [None, 1.5]}


def test_a_wrong_graph_is_drawn_before_it_is_told(command, file, tmp_path):
    code, text = command("check", file, "--set", "QamModulator.order=64", "--draw", tmp_path / "new" / "link.svg")
    assert code == 1
    assert "constellation is 64-QAM" in text
    assert "<svg" in (tmp_path / "new" / "link.svg").read_text()
    code, text = command("run-graph", file, "--draw", tmp_path / "link.png")
    assert code == 0
    assert (tmp_path / "link.png").read_bytes().startswith(b"\x89PNG")
    code, text = command("run-graph", file, "--draw", tmp_path / "link.txt")
    assert code == 1
    assert "link.txt: a drawing ends in" in text


def test_check_takes_changes(command, file):
    assert command("check", file, "--set", "AwgnChannel.esn0_db=3")[0] == 0
    code, text = command("check", file, "--set", "AwgnChannel.esn0=3")
    assert code == 1
    assert "AwgnChannel has no setting 'esn0' (did you mean esn0_db?)" in text


@pytest.mark.parametrize(
    "name", ["", "run", "demo", "calibrate", "run-graph", "check", "ber", "models", "blocks", "compile"]
)
def test_help_has_examples(command, name):
    code, text = command(*name.split(), "--help")
    assert code == 0
    assert "Example" in text
