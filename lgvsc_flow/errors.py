"""The errors a user meets. Each says where, what was found, and what to do next."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = [
    "BlockError",
    "FlowError",
    "GraphFileError",
    "MediaError",
    "MemoryLimitError",
    "MissingExtraError",
    "ModelError",
    "SettingError",
    "WiringError",
]


class FlowError(Exception):
    """Base of all errors that a user's input can cause; the command line prints them without a traceback."""


class SettingError(FlowError, ValueError):
    """A block was built with a setting out of its range."""


class MediaError(FlowError):
    """A video, picture or recording cannot be read or written."""


class ModelError(FlowError):
    """Model weights are missing, corrupt, or not what they should be."""


class MemoryLimitError(FlowError):
    """Branches that meet again would need more items on their wires than the run may hold."""


class MissingExtraError(FlowError, ImportError):
    """A block needs packages of an extra that is not installed."""

    def __init__(self, what: str, extra: str, package: str) -> None:
        super().__init__(f"{what} needs {package}: pip install 'lgvsc-flow[{extra}]'")
        self.extra = extra


class WiringError(FlowError):
    """A graph is wired wrongly; `problems` holds every problem, one line each."""

    def __init__(self, graph: str, problems: Sequence[str]) -> None:
        self.problems = list(problems)
        count = "1 problem" if len(self.problems) == 1 else f"{len(self.problems)} problems"
        lines = "".join(f"\n  {i}. {p}" for i, p in enumerate(self.problems, 1))
        super().__init__(f"graph '{graph}' has {count}:{lines}")


class GraphFileError(FlowError):
    """A graph file is wrong; `problems` holds every problem, one line each."""

    def __init__(self, path: str, problems: Sequence[str]) -> None:
        self.problems = list(problems)
        super().__init__(f"graph file {path}:" + "".join(f"\n  {i}. {p}" for i, p in enumerate(self.problems, 1)))


class BlockError(FlowError):
    """A block failed while the graph ran. The original exception is the `__cause__`."""

    def __init__(self, block: str, item: int | None, got: str, reason: str) -> None:
        self.block, self.item = block, item
        where = block if item is None else f"{block}, item {item}"
        super().__init__(f"{where}: {f'got {got}; ' if got else ''}{reason}")
