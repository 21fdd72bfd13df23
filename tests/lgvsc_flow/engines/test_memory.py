"""malloc's thresholds are set once, and not against the user's own."""

import os
import platform
import subprocess
import sys

import pytest

CODE = "from lgvsc_flow.engines.memory import keep_freed_memory; print(keep_freed_memory(), keep_freed_memory())"


def ask(**environment):
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("MALLOC_", "GLIBC_"))}
    command = [sys.executable, "-c", CODE]
    return subprocess.run(command, env={**clean, **environment}, capture_output=True, text=True, check=True).stdout


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="mallopt is glibc's")
def test_set_where_nobody_else_has():
    assert ask() == "True True\n"


@pytest.mark.parametrize(
    "environment", [{"MALLOC_TRIM_THRESHOLD_": "100000"}, {"GLIBC_TUNABLES": "glibc.malloc.trim_threshold=100000"}]
)
def test_left_alone_where_the_user_has(environment):
    assert ask(**environment) == "False False\n"
