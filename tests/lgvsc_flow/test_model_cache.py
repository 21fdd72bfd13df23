from pathlib import Path

import pytest

from lgvsc_flow.model_cache import CACHE_VARIABLE, cache_folder


def test_the_variable_comes_first(monkeypatch):
    monkeypatch.setenv(CACHE_VARIABLE, "~/kept")
    assert cache_folder() == Path.home() / "kept"


@pytest.mark.parametrize(
    ("platform", "variable", "value", "expected"),
    [
        ("linux", "XDG_CACHE_HOME", "/var/tmp/c", Path("/var/tmp/c/lgvsc-flow")),
        ("linux", "XDG_CACHE_HOME", "relative", Path.home() / ".cache" / "lgvsc-flow"),
        ("linux", "XDG_CACHE_HOME", "", Path.home() / ".cache" / "lgvsc-flow"),
        ("darwin", "HOME", None, Path.home() / "Library" / "Caches" / "lgvsc-flow"),
        ("win32", "LOCALAPPDATA", "/local", Path("/local/lgvsc-flow/Cache")),
    ],
)
def test_platforms_have_their_own_rules(monkeypatch, platform, variable, value, expected):
    monkeypatch.delenv(CACHE_VARIABLE, raising=False)
    monkeypatch.setattr("sys.platform", platform)
    if value is not None:
        monkeypatch.setenv(variable, value)
    assert cache_folder() == expected
