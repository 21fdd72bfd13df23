"""The code blocks of the guide and of the README run as they stand, and the pages lead from one to the next."""

import os
import re
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ALL_PAGES = sorted((ROOT / "docs" / "guide").glob("*.md"))
PAGES = [p for p in ALL_PAGES if p.name[0].isdecimal()]  # those that are read in order and run here


def code(page):
    return re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL)


def files(page, folder):
    """Write the page's code: blocks that begin with `# file: NAME` to files of their own, the others to one."""
    main = []
    for block in code(page):
        named = re.match(r"# file: (\w+\.py)\n", block)
        if named:
            (folder / named[1]).write_text(block)
        else:
            main.append(block)
    path = folder / f"page_{page.stem[:2]}.py"
    path.write_text("\n".join(main))
    return path


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_page(page, capsys, tmp_path, monkeypatch):
    before = set(sys.modules)
    monkeypatch.syspath_prepend(tmp_path)
    path = files(page, tmp_path)  # a file, since Numba keeps compiled code beside it
    try:
        exec(compile(path.read_text(), str(path), "exec"), {"__name__": "guide"})
    finally:
        for name in set(sys.modules) - before:
            if str(getattr(sys.modules[name], "__file__", "")).startswith(str(tmp_path)):
                del sys.modules[name]


def test_the_block_of_the_guide_passes_the_type_checker(tmp_path):
    """Strictly, but for `np.ndarray` without its element type and for Numba's untyped decorator."""
    page = files(ROOT / "docs" / "guide" / "03-phy-block.md", tmp_path)
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file=", "--ignore-missing-imports", page.name]
    command += ["--cache-dir", str(ROOT / ".mypy_cache"), "--disable-error-code=type-arg"]
    command += ["--disable-error-code=untyped-decorator"]
    environment = {**os.environ, "MYPYPATH": str(ROOT)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert "(checked 1 source file)" in done.stdout or "no issues found in 1 source file" in done.stdout, done.stderr
    assert [line for line in done.stdout.splitlines() if line.startswith(page.name)] == []


def test_pages_lead_to_the_next():
    assert [int(p.name[:2]) for p in PAGES] == list(range(1, len(PAGES) + 1))
    for page, following in pairwise(PAGES):
        assert page.read_text().rstrip().endswith(f"]({following.name})."), page.name
        assert following.read_text().startswith(f"# {int(following.name[:2])}. ")


@pytest.mark.parametrize("page", ALL_PAGES, ids=lambda p: p.name)
def test_links_lead_somewhere(page):
    for link in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
        assert link.startswith("https://") or (page.parent / link).exists(), link


def test_readme(capsys):
    exec(compile(code(ROOT / "README.md")[0], "README.md", "exec"), {})
    assert "bottleneck" in capsys.readouterr().out
