"""The example package is installed into a folder of its own, and the command line then works with its blocks."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "examples" / "own_package"
PIP = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]


@pytest.fixture(scope="module")
def target(tmp_path_factory):
    folder = tmp_path_factory.mktemp("own")
    shutil.copytree(SOURCE, folder / "source", ignore=shutil.ignore_patterns("__pycache__", "build", "*.egg-info"))
    done = subprocess.run(
        [*PIP, "--disable-pip-version-check", "--target", folder / "target", folder / "source"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "target"


@pytest.fixture
def command(target):
    def call(*words, path=target):
        done = subprocess.run(
            [sys.executable, "-c", "from lgvsc_flow.cli import main; main()", *map(str, words)],
            env={**os.environ, "PYTHONPATH": str(path), "COLUMNS": "80"},
            cwd=target,
            capture_output=True,
            text=True,
        )
        assert "Traceback" not in done.stdout + done.stderr
        return done.returncode, done.stdout + done.stderr

    return call


def test_its_blocks_are_listed_and_shown(command):
    code, text = command("blocks")
    assert code == 0, text
    assert "flow_amplifier" in text
    assert " RappAmplifier " in text
    code, text = command("blocks", "RappAmplifier")
    assert code == 0, text
    assert "saturation_db: float = 3.0 (>= -40; <= 40; in dB; live: may change while running)" in text
    assert "from flow_amplifier import " in text
    assert "graph.connect(" in text


def test_its_graph_file_is_checked_and_run(command, tmp_path):
    code, text = command("check", SOURCE / "link.yaml")
    assert (code, text.split(":")[-1]) == (0, " 9 blocks, 9 wires\n"), text
    errors = {}
    for saturation_db in (0, 20):
        path = tmp_path / f"{saturation_db}.json"
        change = f"amplifier.saturation_db={saturation_db}"
        code, text = command("run-graph", SOURCE / "link.yaml", "--set", change, "--json", path)
        assert code == 0, text
        results = json.loads(path.read_text())["results"]
        errors[saturation_db] = results["meter"]["errors"]
        assert f"meter.errors = {errors[saturation_db]}" in text
    assert errors[20] == 0 < errors[0]
    code, text = command("run-graph", SOURCE / "link.yaml", "--set", "amplifier.saturation_db=50")
    assert code == 1
    assert "RappAmplifier.saturation_db must be <= 40 dB, got 50" in text


def test_its_own_test_passes(target, tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", SOURCE / "test_flow_amplifier.py"],
        env={**os.environ, "PYTHONPATH": str(target)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert "4 passed" in done.stdout, done.stdout + done.stderr


def test_a_broken_package_is_told(command, target, tmp_path):
    """A second package: its module fails, and it takes a name of the first."""
    shutil.copytree(target, tmp_path / "both")
    info = tmp_path / "both" / "rival-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: rival\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[lgvsc_flow.blocks]\nbroken = rival_broken\nempty = rival_empty\nsame = rival_same\n"
    )
    (tmp_path / "both" / "rival_broken.py").write_text("import no_such_module\n")
    (tmp_path / "both" / "rival_empty.py").write_text("__all__ = ['x']\nx = 1\n")
    shutil.copy(tmp_path / "both" / "flow_amplifier.py", tmp_path / "both" / "rival_same.py")
    code, text = command("blocks", path=tmp_path / "both")
    assert code == 1
    assert "QamModulator" in text
    assert (
        "rival: its entry 'broken = rival_broken' in lgvsc_flow.blocks cannot be imported: "
        "No module named 'no_such_module' (ModuleNotFoundError)." in text
    )
    assert "rival: its entry 'empty = rival_empty' in lgvsc_flow.blocks names no block: none of x is one." in text
    assert "2 blocks are called RappAmplifier, from " in text
    code, text = command("check", SOURCE / "link.yaml", path=tmp_path / "both")
    assert code == 1
    assert "amplifier: 2 blocks are called RappAmplifier, from " in text
    for package in ("flow-amplifier (flow_amplifier)", "rival (rival_same)"):
        assert package in text
