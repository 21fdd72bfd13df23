import pytest

from lgvsc_flow import Block, In, Out, setting
from lgvsc_flow.blocks.phy import QamModulator
from lgvsc_flow.describe import describe_block
from lgvsc_flow.example import example
from lgvsc_flow.items import Bits, Record, Symbols
from lgvsc_flow.registry import home, known_blocks

BLOCKS = sorted(known_blocks())
CHEAP = [n for n in BLOCKS if home(known_blocks()[n]).rpartition(".")[2] in ("phy", "channel")]
NEED_FILES = ("ReceivedSink", "ReceivedSource", "ReplayChannel", "SigmfSource", "SigmfSink")


@pytest.mark.parametrize("name", BLOCKS)
def test_every_block_describes_itself(name):
    kind = known_blocks()[name]
    assert (kind.__doc__ or "").strip(), f"{name} has no docstring"
    text = describe_block(kind)
    assert f"{name}  ({home(kind)})" in text
    assert all(f" {s}: " in text for s in kind.setting_fields())


@pytest.mark.parametrize("name", BLOCKS)
def test_every_example_passes_the_check(name):
    """Types, sizes, traits and rates of the printed code; `check` stands where it says `run`."""
    checked = []
    code = example(known_blocks()[name]).replace("print(graph.run().table())", "checked.append(graph.check())")
    exec(compile(code.replace("print(graph.results())", ""), name, "exec"), {"checked": checked})
    assert checked == [None] * code.count("graph.check()")


def test_nearly_every_block_has_neighbours():
    alone = [n for n in BLOCKS if "graph.connect(" not in example(known_blocks()[n])]
    assert len(alone) <= len(BLOCKS) // 20, alone


@pytest.mark.parametrize("name", [n for n in CHEAP if n not in NEED_FILES])
def test_examples_of_the_phy_run(name, capsys):
    exec(compile(example(known_blocks()[name]), name, "exec"), {})
    assert "bottleneck" in capsys.readouterr().out or "graph.connect(" not in example(known_blocks()[name])


def test_inverse_blocks_come_in_pairs():
    pairs = (("LdpcDecoder", "LdpcEncoder"), ("TextDecoder", "TextEncoder"), ("FlowDecoder", "FlowEncoder"))
    for decoder, encoder in (*pairs, ("CrcCheck", "CrcAppend"), ("QamDemodulator", "QamModulator")):
        assert f"{encoder}(" in example(known_blocks()[decoder])


class Own(Record):
    """Nobody else's."""


class Odd(Block):
    """Settings of all sorts.

    And a second line.
    """

    own = In(Own)
    bits = Out(Bits, "n", finite=True, rate="1/3", colour="{tint}")

    n: int = setting(ge=1, unit="bits", doc="how many")
    tint: str = setting("red", choices=("red", "blue"), live=True)


def test_ports_and_settings_in_words():
    text = describe_block(Odd)
    assert "  in  own: Own\n" in text
    assert "  out bits: Bits[n], rate 1/3, finite values only, sets colour {tint}\n      taken by BerMeter, " in text
    assert "  n: int (required; >= 1; in bits): how many\n" in text
    assert "  tint: str = 'red' (one of red, blue; live: may change while running)\n" in text
    assert "And a second line." in text
    assert text.endswith(f"Example:\n  from {__name__} import Odd\n\n  odd = Odd(n=1)")


def test_neighbours_are_named():
    text = describe_block(QamModulator)
    assert "sent by" in text
    assert "taken by" in text
    assert "QamModulator" not in text.partition("Ports:")[2].partition("Settings:")[0]
    assert Symbols.name in text
