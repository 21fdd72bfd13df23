"""Still pictures by the codecs to compare with: HEVC intra, AVIF and JPEG; every byte of a stream counts.

HEVC: libx265 through PyAV, preset veryslow, tuned for PSNR, one intra picture, 4:4:4 and 4:2:0, full-range BT.601;
parameter sets counted. AVIF: libaom through Pillow, 4:4:4, speed 4. JPEG: libjpeg-turbo through Pillow, 4:2:0,
progressive, optimised tables.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from fractions import Fraction

import av
import cv2
import numpy as np
from PIL import Image

_MATRIX = np.array([[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]])


def hevc(pixels: np.ndarray, qp: int, chroma: str) -> tuple[int, np.ndarray]:
    """(bytes of the stream, decoded picture) of one HEVC intra picture.

    Args:
        chroma: "444" or "420".
    """
    height, width = pixels.shape[:2]
    even = np.pad(pixels, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
    form = f"yuv{chroma}p"
    context = av.CodecContext.create("libx265", "w")
    context.width, context.height, context.pix_fmt, context.time_base = even.shape[1], even.shape[0], form, Fraction(1)
    parameters = f"qp={qp}:keyint=1:info=0:log-level=none:pools=1:frame-threads=1"
    context.options = {"preset": "veryslow", "tune": "psnr", "x265-params": parameters}
    packets = context.encode(av.VideoFrame.from_ndarray(_planes(even, chroma), format=form)) + context.encode(None)
    decoder = av.CodecContext.create("hevc", "r")
    frames = [f for p in packets for f in decoder.decode(p)] + decoder.decode(None)
    decoded = _pixels(frames[0].to_ndarray(format=form), even.shape[:2], chroma)
    return sum(p.size for p in packets), decoded[:height, :width]


def _planes(pixels: np.ndarray, chroma: str) -> np.ndarray:
    yuv = pixels.astype(float) @ _MATRIX.T + [0, 128, 128]
    if chroma == "444":
        return np.clip(np.rint(yuv), 0, 255).astype(np.uint8).transpose(2, 0, 1)
    height, width = pixels.shape[:2]
    small = yuv[..., 1:].reshape(height // 2, 2, width // 2, 2, 2).mean((1, 3))
    planes = [yuv[..., 0].ravel(), small[..., 0].ravel(), small[..., 1].ravel()]
    return np.clip(np.rint(np.concatenate(planes)), 0, 255).astype(np.uint8).reshape(height * 3 // 2, width)


def _pixels(planes: np.ndarray, shape: tuple[int, int], chroma: str) -> np.ndarray:
    if chroma == "444":
        yuv = planes.transpose(1, 2, 0).astype(np.float32)
    else:
        height, width = shape
        luma, rest = planes.ravel()[: height * width], planes.ravel()[height * width :]
        small = rest.reshape(2, height // 2, width // 2).astype(np.float32)
        large = [cv2.resize(c, (width, height), interpolation=cv2.INTER_LINEAR) for c in small]
        yuv = np.stack([luma.reshape(shape).astype(np.float32), *large], -1)
    rgb = (yuv - np.float32([0, 128, 128])) @ np.linalg.inv(_MATRIX).T
    return np.clip(np.rint(rgb), 0, 255).astype(np.uint8)


def _pillow(pixels: np.ndarray, form: str, **settings: object) -> tuple[int, np.ndarray]:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, form, **settings)
    return buffer.tell(), np.asarray(Image.open(io.BytesIO(buffer.getvalue())).convert("RGB"))


def avif(pixels: np.ndarray, quality: int) -> tuple[int, np.ndarray]:
    """(bytes, decoded picture) as AVIF."""
    return _pillow(pixels, "AVIF", quality=quality, subsampling="4:4:4", speed=4, codec="aom", max_threads=1)


def jpeg(pixels: np.ndarray, quality: int) -> tuple[int, np.ndarray]:
    """(bytes, decoded picture) as JPEG."""
    return _pillow(pixels, "JPEG", quality=quality, subsampling="4:2:0", optimize=True, progressive=True)


#: Codec: its encoder, and the quantisers from coarse to fine.
CODECS: dict[str, tuple[Callable[[np.ndarray, int], tuple[int, np.ndarray]], tuple[int, ...]]] = {
    "hevc444": (lambda pixels, q: hevc(pixels, q, "444"), tuple(range(51, 10, -4))),
    "hevc420": (lambda pixels, q: hevc(pixels, q, "420"), tuple(range(51, 34, -4))),  # finer ones are behind 4:4:4
    "avif": (avif, (0, 12, 28, 45, 62, 80)),
    "jpeg": (jpeg, (1, 6, 16, 35, 60, 85)),
}
FINEST_BITS = 0.85  # per pixel: more than the finest rate of the benchmark can carry


def curve(codec: str, pixels: np.ndarray):
    """Yield (quantiser, bytes, decoded picture) from coarse to fine, until the stream has FINEST_BITS per pixel."""
    encode, quantisers = CODECS[codec]
    for quantiser in quantisers:
        size, decoded = encode(pixels, quantiser)
        yield quantiser, size, decoded
        if 8 * size > FINEST_BITS * pixels.shape[0] * pixels.shape[1]:
            return
