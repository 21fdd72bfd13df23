import importlib.util
import sys
from pathlib import Path

import pytest

from lgvsc_flow.blocks import channel

ROOT = Path(__file__).parents[1]


def sections():
    """The files of the diff in CONTRIBUTING.md: path to (added lines, removed lines)."""
    text = (ROOT / "CONTRIBUTING.md").read_text().partition("```diff\n")[2].partition("```")[0]
    found = {}
    for line in text.splitlines():
        if line.startswith("+++ "):
            added, removed = found.setdefault(line[4:], ([], []))
        elif line.startswith("+"):
            added.append(line[1:])
        elif line.startswith("-"):
            removed.append(line[1:])
    return found


def test_the_new_block_and_its_test_run(tmp_path, monkeypatch):
    for path, (added, _) in sections().items():
        (tmp_path / Path(path).name).write_text("\n".join(added))
    spec = importlib.util.spec_from_file_location("lgvsc_flow.blocks.channel.gain", tmp_path / "gain.py")
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)
    spec.loader.exec_module(module)
    monkeypatch.setattr(channel, "Gain", module.Gain, raising=False)
    scope = {}
    exec((tmp_path / "test_gain.py").read_text(), scope)
    scope["test_twenty_db_is_ten_times_the_amplitude"]()


@pytest.mark.parametrize("path", [p for p, (_, removed) in sections().items() if removed])
def test_the_lines_it_changes_are_there(path):
    lines = (ROOT / path).read_text().splitlines()
    for line in sections()[path][1]:
        assert line in lines
