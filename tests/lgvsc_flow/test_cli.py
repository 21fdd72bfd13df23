import pytest

from lgvsc_flow import Graph
from lgvsc_flow.blocks.channel import AwgnChannel, Equalizer
from lgvsc_flow.blocks.metrics import BerMeter
from lgvsc_flow.blocks.phy import HardDecision, QamDemodulator, QamModulator, RandomBits
from lgvsc_flow.cli import main
from lgvsc_flow.registry import known_blocks


@pytest.fixture
def command(monkeypatch, capsys):
    def call(*words):
        monkeypatch.setattr("sys.argv", ["lgvsc-flow", *map(str, words)])
        monkeypatch.setenv("COLUMNS", "200")
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
    assert "order: int = 16 (one of 4, 16, 64, 256): constellation points" in text
    assert "from lgvsc_flow.blocks.phy import QamModulator" in text
    assert command("blocks", "QamModulater") == (
        1,
        "error: no installed block is called 'QamModulater'; did you mean QamModulator?\n",
    )


@pytest.mark.parametrize("name", sorted(known_blocks()))
def test_every_block_describes_itself(name):
    from lgvsc_flow.describe import describe_block

    kind = known_blocks()[name]
    assert (kind.__doc__ or "").strip(), f"{name} has no docstring"
    assert describe_block(kind)
