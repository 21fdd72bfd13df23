"""Decode a video file frame by frame, and say in clear words what is wrong with it."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lgvsc_flow.errors import MediaError
from lgvsc_flow.models import import_extra

if TYPE_CHECKING:
    import av
    from av.container import InputContainer
    from av.video.stream import VideoStream

__all__ = ["decode", "frame_rate", "import_av", "open_video"]

# Demuxers of video containers. Playlists, pictures and text "video" are left out: a file must not name others.
_FORMATS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,mpegvideo,h264,hevc,m4v,av1,obu,ivf,flv,ogg,asf,mxf,nut,"
    "gif,yuv4mpegpipe"
)
# What may come in as sound or pictures, opened only to say so.
_NO_VIDEO = f"{_FORMATS},mp3,wav,flac,aac,aiff,w64,caf"

_MAX_PIXELS = 1 << 26  # twice 8K; a damaged header must not ask for all the memory


def import_av(what: str) -> Any:
    """PyAV, or `MissingExtraError` in the name of `what`."""
    return import_extra("av", what, "video", "av")


@contextmanager
def open_video(path: str | os.PathLike[str]) -> Iterator[tuple[InputContainer, VideoStream]]:
    """Open a file and find its first video stream (cover pictures of sound files do not count).

    Raises:
        MediaError: no such file, a folder, an empty or unreadable file, no video container, no video stream.
    """
    av = import_av("VideoFile")
    path = Path(path)
    _check_file(path)
    try:
        options = {"format_whitelist": _NO_VIDEO, "protocol_whitelist": "file"}
        container = av.open(f"file:{path}", options=options, metadata_errors="replace")
    except (av.error.FFmpegError, OSError) as error:
        raise MediaError(
            f"'{path}' is no video file that can be read. If it was a video, its beginning or its index is damaged: "
            "fetch it again, or repair it with ffmpeg."
        ) from error
    with container:
        yield container, _video_stream(av, container, path)


def _check_file(path: Path) -> None:
    if not path.exists():
        raise MediaError(f"video '{path}': no such file. Check the path.")
    if not path.is_file():
        raise MediaError(f"'{path}' is no file. Give the path of a video file.")
    if path.stat().st_size == 0:
        raise MediaError(f"'{path}' is empty (0 bytes). Fetch it again.")
    if not os.access(path, os.R_OK):
        raise MediaError(f"'{path}' may not be read. Check its permissions.")


def _video_stream(av: Any, container: InputContainer, path: Path) -> VideoStream:
    for stream in container.streams.video:
        if stream.disposition & av.stream.Disposition.attached_pic:
            continue
        if stream.codec_context is None:
            raise MediaError(
                f"'{path}' is coded in a format that this FFmpeg does not know. Convert it to H.264 first."
            )
        return stream
    kind = "only sound" if container.streams.audio else "no pictures"
    raise MediaError(f"'{path}' has no video stream, {kind}. Give a file with a video in it.")


def decode(
    path: str | os.PathLike[str], *, max_frames: int | None = None, on_truncated: str = "error"
) -> Generator[av.VideoFrame, None, str]:
    """Decode frame by frame, up to `max_frames`; returns what was found wrong with the end, or "".

    A file counts as truncated where the decoder fails, where its last frame is damaged, or where it ends before the
    length that it announces (by its number of frames, and by its duration where it names one).

    Raises:
        MediaError: see `open_video`; also no frame at all, a size that changes, and, unless `on_truncated` is
            "stop", a truncated file.
    """
    av = import_av("VideoFile")
    with open_video(path) as (container, stream):
        # Frame threads tell of damage to the last frame or not, as their timing falls.
        stream.thread_type = "SLICE"
        stream.codec_context.options = {"max_pixels": str(_MAX_PIXELS)}
        count, last, wrong = 0, None, ""
        try:
            for frame in container.decode(stream):
                if last is not None and (frame.width, frame.height) != (last.width, last.height):
                    raise MediaError(
                        f"'{path}': frame {count} is {frame.height}x{frame.width}, those before it are "
                        f"{last.height}x{last.width}. Scale the video to one size first."
                    )
                yield frame
                last = frame
                count += 1
                if count == max_frames:
                    return ""
        except av.error.FFmpegError as error:
            wrong = f"the decoder fails there ({error.strerror or error})"
        if last is None:
            raise MediaError(f"'{path}' has a video stream, but no frame of it can be decoded. Fetch the file again.")
        wrong = wrong or _missing_end(stream, last, count)
        if not wrong:
            return ""
        announced = f" of {stream.frames}" if stream.frames else ""
        message = f"'{path}' is truncated or damaged: it breaks off after {count}{announced} frames; {wrong}."
        if on_truncated != "stop":
            raise MediaError(f"{message} Fetch it again, or take the frames there are: on_truncated='stop'.")
        return message


def _missing_end(stream: VideoStream, last: av.VideoFrame, count: int) -> str:
    """Why the file is thought to end too early, or ""."""
    if last.is_corrupt:
        return "the last frame is damaged"
    if stream.frames and count >= stream.frames:
        return ""
    announced = _duration(stream)
    if announced is None or last.pts is None or last.time_base is None:
        return "the file announces more" if stream.frames else ""
    # Where a cut was made by the container's edit list, the duration is right and the number of frames is not.
    period = 1 / frame_rate(stream)
    start = (stream.start_time or 0) * (stream.time_base or 0)
    end = last.pts * last.time_base + ((last.duration or 0) * last.time_base or period) - start
    if announced - end < 2 * period:
        return ""
    return f"the file announces {float(announced):.2f} s and ends at {float(end):.2f} s"


def _duration(stream: VideoStream) -> Fraction | None:
    """The duration that the container states for the video stream, in seconds."""
    if stream.duration is not None and stream.time_base is not None:
        return stream.duration * stream.time_base
    tag = stream.metadata.get("DURATION", "")  # Matroska: hours:minutes:seconds.fraction
    try:
        hours, minutes, seconds = tag.split(":")
        return 3600 * int(hours) + 60 * int(minutes) + Fraction(seconds)
    except ValueError:
        return None


def frame_rate(stream: VideoStream) -> Fraction:
    """Frames per second as announced; 25 where the container does not say."""
    rate = stream.average_rate or stream.guessed_rate
    return Fraction(rate) if rate and rate > 0 else Fraction(25)
