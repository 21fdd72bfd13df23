"""The folder of the user's cache in which converted models are kept."""

from __future__ import annotations

import os
import sys
from pathlib import Path

__all__ = ["CACHE_VARIABLE", "cache_folder"]

CACHE_VARIABLE = "LGVSC_FLOW_CACHE"


def cache_folder() -> Path:
    """`LGVSC_FLOW_CACHE`, or `lgvsc-flow` in the user's cache folder by the rules of the platform."""
    chosen = os.environ.get(CACHE_VARIABLE)
    if chosen:
        return Path(chosen).expanduser()
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "lgvsc-flow" / "Cache"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "lgvsc-flow"
    base = os.environ.get("XDG_CACHE_HOME") or ""
    return (Path(base) if os.path.isabs(base) else Path.home() / ".cache") / "lgvsc-flow"
