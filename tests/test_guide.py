"""The code blocks of the guide and of the README run as they stand."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = sorted((ROOT / "docs" / "guide").glob("*.md"))


def code(page):
    return re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL)


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_page(page, capsys):
    scope = {"__name__": "guide"}
    for block in code(page):
        exec(compile(block, page.name, "exec"), scope)


def test_readme(capsys):
    exec(compile(code(ROOT / "README.md")[0], "README.md", "exec"), {})
    assert "bottleneck" in capsys.readouterr().out
