"""A newcomer's block passes the strictest type check as it stands, and mistakes in using it are found by it."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]

NEWCOMER = '''
import numpy as np

from lgvsc_flow import Block, In, Out, setting
from lgvsc_flow.items import Symbols


class Rotate(Block):
    """Turn the phase of symbols."""

    symbols = In(Symbols, "n")
    turned = Out(Symbols, "n")

    phase_rad: float = setting(0.1, ge=-3.2, le=3.2, unit="rad", live=True)

    def work(self, symbols: np.ndarray) -> np.ndarray:
        return symbols * np.complex64(np.exp(1j * self.phase_rad))
'''

USE = """
from lgvsc_flow import Graph

graph = Graph("link")
rotate = Rotate(phase_rad=0.2, name="first")
graph.connect(rotate, Rotate().symbols)
probe = graph.probe(rotate.turned)
print(graph.run(engine="inline")["first"].items, probe.items)
"""

MISTAKES = {
    "rotate.symbls": '"Rotate" has no attribute "symbls"',
    "Rotate(phase_rad='wide')": 'Argument "phase_rad" to "Rotate" has incompatible type "str"; expected "float"',
    "Rotate(phase=1.0)": 'Unexpected keyword argument "phase" for "Rotate"',
    "Rotate(1.0)": 'Too many positional arguments for "Rotate"',
    'graph.run(engine="thread")': 'Argument "engine" to "run" of "Graph" has incompatible type',
}


def mypy(folder, code):
    (folder / "newcomer.py").write_text(code)
    environment = {**os.environ, "MYPYPATH": str(ROOT)}
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file=", "newcomer.py"]
    command += ["--cache-dir", str(ROOT / ".mypy_cache"), "--ignore-missing-imports"]
    result = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert "1 source file" in result.stdout, result.stderr
    return [line for line in result.stdout.splitlines() if line.startswith("newcomer.py:") and ": error: " in line]


def test_a_block_of_fifteen_lines(tmp_path):
    assert len([line for line in NEWCOMER.splitlines() if line]) <= 15
    assert mypy(tmp_path, NEWCOMER + USE) == []


def test_mistakes_are_found_before_anything_runs(tmp_path):
    right = (NEWCOMER + USE).count("\n")
    found = mypy(tmp_path, NEWCOMER + USE + "\n".join(MISTAKES) + "\n")
    for number, text in enumerate(MISTAKES.values(), right + 1):
        assert any(line.startswith(f"newcomer.py:{number}: error: {text}") for line in found), (text, found)
    assert {int(line.split(":")[1]) for line in found} == {right + 1 + i for i in range(len(MISTAKES))}
