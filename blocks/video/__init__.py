"""Video in and out: files, synthetic scenes, writers."""

from typing import TYPE_CHECKING

from lgvsc_flow.lazy import exports

if TYPE_CHECKING:
    from lgvsc_flow.blocks.video.file import (
        VideoFile as VideoFile,
        VideoInfo as VideoInfo,
        count_frames as count_frames,
        probe as probe,
    )
    from lgvsc_flow.blocks.video.side_by_side import SideBySideWriter as SideBySideWriter
    from lgvsc_flow.blocks.video.synthetic import TestScene as TestScene
    from lgvsc_flow.blocks.video.writer import VideoWriter as VideoWriter

__getattr__, __dir__, __all__ = exports(
    __name__,
    {
        "file": ["VideoFile", "VideoInfo", "count_frames", "probe"],
        "side_by_side": ["SideBySideWriter"],
        "synthetic": ["TestScene"],
        "writer": ["VideoWriter"],
    },
)
