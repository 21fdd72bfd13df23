import sys
from importlib.metadata import EntryPoint

import pytest

from lgvsc_flow import Graph, registry
from lgvsc_flow.blocks.phy import LdpcDecoder, RandomBits
from lgvsc_flow.errors import GraphFileError, SettingError
from lgvsc_flow.registry import BlockNameError, find_block, home, known_blocks, problems

BLOCK = '''
from lgvsc_flow import Block, In
from lgvsc_flow.items import Bits

__all__ = ["{name}", "LIMIT"]
LIMIT = 3

class {name}(Block):
    """Takes bits."""

    bits = In(Bits)

    def work(self, bits):
        pass
'''


class Distribution:
    def __init__(self, name):
        self.name = name


@pytest.fixture
def install(monkeypatch, tmp_path):
    """Add a module of a third-party distribution to the entry points."""
    monkeypatch.syspath_prepend(tmp_path)
    real = registry.entry_points(group=registry.GROUP)
    extra = []
    monkeypatch.setattr(registry, "entry_points", lambda group: [*real, *extra])

    def add(distribution, module, text, value=None):
        (tmp_path / f"{module}.py").write_text(text)
        entry = EntryPoint(module, value or module, registry.GROUP)
        vars(entry)["dist"] = Distribution(distribution)
        extra.append(entry)
        registry._catalogue.cache_clear()

    yield add
    registry._catalogue.cache_clear()
    for name in [n for n in sys.modules if n.startswith("thirdparty_")]:
        del sys.modules[name]


def test_the_toolkit_itself_is_whole():
    assert problems() == []
    assert home(LdpcDecoder) == "lgvsc_flow.blocks.phy"


def test_a_module_and_a_class_are_found(install):
    install("radio", "thirdparty_a", BLOCK.format(name="First"))
    install("radio", "thirdparty_b", BLOCK.format(name="Second"), "thirdparty_b:Second")
    assert {"First", "Second", "RandomBits"} <= set(known_blocks())
    assert (home(known_blocks()["First"]), home(known_blocks()["Second"])) == ("thirdparty_a", "thirdparty_b")
    assert problems() == []


@pytest.mark.parametrize(
    ("text", "value", "problem"),
    [
        ("import no_such_module", None, "cannot be imported: No module named 'no_such_module' (ModuleNotFoundError)."),
        ("1 / 0", None, "cannot be imported: division by zero (ZeroDivisionError)."),
        ("raise SystemExit", None, "cannot be imported: SystemExit."),
        ("def f(:", None, "(SyntaxError)."),
        ("", "thirdparty_x:Gone", "(AttributeError)."),
        (
            "x = 3",
            None,
            "names no block: it is a module without __all__. Name a block class, or a module whose __all__",
        ),
        ("x = 3", "thirdparty_x:x", "names no block: it is of type int."),
        ("__all__ = ['a']\na = 1", None, "names no block: none of a is one."),
        ("__all__ = []", None, "names no block: none of its empty __all__ is one."),
        ("__all__ = ['Gone']", None, ": Gone cannot be imported: module 'thirdparty_x' has no attribute 'Gone'"),
    ],
)
def test_what_cannot_be_used_is_told(install, text, value, problem):
    install("radio", "thirdparty_x", text, value)
    (found,) = problems()
    assert found.startswith(f"radio: its entry 'thirdparty_x = {value or 'thirdparty_x'}' in lgvsc_flow.blocks")
    assert problem in found
    assert find_block("RandomBits") is RandomBits


def test_a_name_of_two_distributions_belongs_to_neither(install, tmp_path):
    graph = Graph("bits")
    graph.connect(RandomBits(), graph_end := known_blocks()["Probe"]())
    graph.save(tmp_path / "bits.yaml")
    install("radio", "thirdparty_c", BLOCK.format(name="RandomBits"))
    message = (
        "2 blocks are called RandomBits, from lgvsc-flow (lgvsc_flow.blocks.phy) and radio (thirdparty_c): "
        "none can be named. Rename one, or uninstall it."
    )
    assert problems() == [message]
    assert "RandomBits" not in known_blocks()
    with pytest.raises(BlockNameError) as caught:
        find_block("RandomBits")
    assert str(caught.value) == message
    with pytest.raises(SettingError, match="RandomBits: 2 blocks are called RandomBits"):
        graph.save(tmp_path / "bits.yaml")
    with pytest.raises(GraphFileError, match="RandomBits: 2 blocks are called RandomBits, from lgvsc-flow"):
        Graph.load(tmp_path / "bits.yaml")
    assert graph_end.label == "Probe"


def test_one_block_by_two_entries_is_one(install):
    install("radio", "thirdparty_d", BLOCK.format(name="Same"))
    install("radio", "thirdparty_d", BLOCK.format(name="Same"), "thirdparty_d:Same")
    assert "Same" in known_blocks()
    assert problems() == []
