"""Finished points on disk: one JSON object a line, appended as they come, so that a killed run goes on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


class Store:
    """Points by key in one file; a line cut short by a kill is left out."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.points: dict[str, dict[str, Any]] = {}
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_file():
            whole = path.read_text()
            if whole and not whole.endswith("\n"):
                path.write_text(whole[: whole.rfind("\n") + 1])
            for line in path.read_text().splitlines():
                point = json.loads(line)
                self.points[point["key"]] = point

    def __contains__(self, key: str) -> bool:
        return key in self.points

    def __getitem__(self, key: str) -> dict[str, Any]:
        return self.points[key]

    def get(self, key: str) -> dict[str, Any] | None:
        return self.points.get(key)

    def add(self, key: str, **values: Any) -> None:
        """Store a point and write it at once."""
        self.points[key] = {"key": key, **values}
        with self.path.open("a") as file:
            file.write(json.dumps(self.points[key]) + "\n")
