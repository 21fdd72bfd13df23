import configparser
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def packages_on_disk():
    found = set()
    for folder, name in (
        (ROOT / "lgvsc_flow", "lgvsc_flow"),
        (ROOT / "blocks", "lgvsc_flow.blocks"),
        (ROOT / "graphs", "lgvsc_flow.graphs"),
    ):
        for init in folder.rglob("__init__.py"):
            part = init.parent.relative_to(folder)
            if name == "lgvsc_flow" and part.parts[:1] in (("blocks",), ("graphs",)):
                continue
            found.add(".".join((name, *part.parts)))
    return found


def test_the_package_list_is_the_folders():
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    assert set(config["options"]["packages"].split()) == packages_on_disk()


@pytest.mark.parametrize("name", ["blocks", "graphs"])
def test_the_folders_refuse_to_be_top_level(name):
    done = subprocess.run([sys.executable, "-c", f"import {name}"], cwd=ROOT, capture_output=True, text=True)
    assert f"ImportError: import lgvsc_flow.{name}, not {name}" in done.stderr


def test_importing_blocks_is_light():
    code = (
        "import sys, lgvsc_flow, lgvsc_flow.blocks.phy, lgvsc_flow.blocks.semantic, lgvsc_flow.blocks.ntscc, "
        "lgvsc_flow.blocks.video, lgvsc_flow.blocks.world, lgvsc_flow.blocks.metrics, lgvsc_flow.blocks.channel; "
        "print([m for m in ('torch', 'cv2', 'av', 'transformers', 'numba') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_runtime_imports_nothing_below_it():
    for path in (ROOT / "lgvsc_flow").glob("**/*.py"):
        if path.relative_to(ROOT / "lgvsc_flow").parts[0] in (
            "blocks",
            "graphs",
            "cli.py",
            "cli_train.py",
            "cli_prefer.py",
        ):
            continue
        assert "import lgvsc_flow.blocks" not in path.read_text()
        assert "from lgvsc_flow.blocks" not in path.read_text(), path


def test_looking_through_the_blocks_imports_no_model():
    code = (
        "import sys; from lgvsc_flow.registry import known_blocks; known_blocks(); "
        "print([m for m in ('torch', 'cv2', 'av', 'transformers') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
