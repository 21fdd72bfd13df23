import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def sections():
    """The files of the diff in CONTRIBUTING.md: path to its lines."""
    text = (ROOT / "CONTRIBUTING.md").read_text().partition("```diff\n")[2].partition("```")[0]
    found = {}
    for line in text.splitlines():
        if line.startswith("+++ "):
            lines = found.setdefault(line[4:], [])
        elif line != "@@":
            lines.append(line)
    return found


def apply(path, lines):
    """Put each run of added lines behind the line of context before it; a file without context is new."""
    text = path.read_text() if path.exists() else ""
    context, added = "", []
    for line in [*lines, " "]:
        if line.startswith("+"):
            added.append(line[1:] + "\n")
            continue
        if added and context:
            assert text.count(context) == 1, f"{path}: {context!r} is not there once"
            text = text.replace(context, context + "".join(added))
        elif added:
            text += "".join(added)
        context, added = line[1:] + "\n", []
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_the_diff_is_whole(tmp_path):
    for folder in ("lgvsc_flow", "blocks", "graphs"):
        shutil.copytree(ROOT / folder, tmp_path / folder, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "CHANGELOG.md", tmp_path)
    for path, lines in sections().items():
        apply(tmp_path / path, lines)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/blocks/channel/test_gain.py"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert "1 passed" in done.stdout, done.stdout + done.stderr
    assert "- `Gain`: a gain without noise." in (tmp_path / "CHANGELOG.md").read_text()
