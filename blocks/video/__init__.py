"""Video in and out: files, synthetic scenes, writers."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lgvsc_flow.blocks.video.file import VideoFile, VideoInfo, count_frames, probe
    from lgvsc_flow.blocks.video.side_by_side import SideBySideWriter
    from lgvsc_flow.blocks.video.synthetic import TestScene
    from lgvsc_flow.blocks.video.writer import VideoWriter

__all__ = ["SideBySideWriter", "TestScene", "VideoFile", "VideoInfo", "VideoWriter", "count_frames", "probe"]

_HOMES = {"SideBySideWriter": "side_by_side", "TestScene": "synthetic", "VideoWriter": "writer"}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES.get(name, 'file')}"), name)
