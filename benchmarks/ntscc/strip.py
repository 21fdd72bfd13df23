"""A photograph side by side: NTSCC, HEVC with LDPC, and the linear code, at 10 dB and at 4 dB, designed for 10 dB.

The photograph is NASA's portrait of Eileen Collins, in the public domain, as scikit-image ships it.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from ntscc import plan
from ntscc.analog import NtsccPicture, noise_rng
from ntscc.links import LossCurves, Scheme
from ntscc.scores import GREY, Original
from ntscc.still_codecs import hevc
from PIL import Image, ImageDraw, ImageFont

from lgvsc_flow.blocks.ntscc.codec import NtsccCodec
from lgvsc_flow.blocks.ntscc.linear import LinearPicture

DIGEST = "88431cd9653ccd539741b555fb0a46b61558b301d4110412b5bc28b5e3ea6cb5"  # of astronaut.png
CROP = (slice(20, 276), slice(96, 352))
SNRS_DB = (10.0, 4.0)


def draw(codec: NtsccCodec, curves: LossCurves, scheme: Scheme, path: Path) -> None:
    """Two rows of four tiles, as JPEG."""
    from skimage.data import astronaut

    pixels = astronaut()
    original, coded, linear = Original(pixels), NtsccPicture(codec, DIGEST, pixels), LinearPicture(pixels)
    stream = _finest(original, scheme)
    payload, symbols = coded.encode(plan.CBR, plan.DESIGN_DB, plan.LINK_DB)
    tiles = []
    for snr_db in SNRS_DB:
        n0 = 10 ** (-snr_db / 10)
        noise = noise_rng(DIGEST, snr_db).normal(0, np.sqrt(n0 / 2), (2, symbols.size))
        learned = codec.decode(payload, symbols + noise[0] + 1j * noise[1], n0)
        lost = float(curves.loss(scheme, snr_db, scheme.blocks(stream[0])[0])) > 0.5
        streamed = np.full_like(pixels, GREY) if lost else stream[1]
        sent = linear.send(
            plan.CBR, plan.DESIGN_DB, noise_rng(DIGEST, snr_db), true_snr_db=snr_db, link_db=plan.LINK_DB
        )
        row = [("original", pixels)] if snr_db == plan.DESIGN_DB else [(f"designed for {plan.DESIGN_DB:g} dB", pixels)]
        named = (
            ("NTSCC", learned),
            ("HEVC + LDPC, lost" if lost else "HEVC + LDPC", streamed),
            ("linear", sent.pixels),
        )
        for name, picture in named:
            score = "" if name.endswith("lost") else f", {original.scores(picture, perceptual=False).psnr_db:.1f} dB"
            row.append((f"{name} at {snr_db:g} dB{score}", picture))
        tiles.append(row)
    _paste(tiles, path)


def _finest(original: Original, scheme: Scheme) -> tuple[int, np.ndarray]:
    """The HEVC stream of the best PSNR that fits: (bytes, decoded picture)."""
    budget, found = plan.CBR * original.pixels.size, []
    for chroma in ("444", "420"):
        low, high, fitting = 20, 51, None  # the finest quantiser that fits lies between them
        while low <= high:
            middle = (low + high) // 2
            size, decoded = hevc(original.pixels, middle, chroma)
            if scheme.blocks(size)[1] <= budget:
                fitting, high = (original.scores(decoded, perceptual=False).psnr_db, size, decoded), middle - 1
            else:
                low = middle + 1
        found += [fitting] if fitting else []
    if not found:
        raise ValueError(f"no HEVC stream of the photograph fits CBR {plan.CBR:g} with {scheme.name}")
    _, size, decoded = max(found, key=lambda f: f[0])
    return size, decoded


def _paste(rows: list[list[tuple[str, np.ndarray]]], path: Path) -> None:
    side, band = CROP[0].stop - CROP[0].start, 20
    sheet = Image.new("RGB", (len(rows[0]) * (side + 4) - 4, len(rows) * (side + band)), "white")
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(13)
    for j, row in enumerate(rows):
        for i, (name, picture) in enumerate(row):
            sheet.paste(Image.fromarray(picture[CROP]), (i * (side + 4), j * (side + band) + band))
            pen.text((i * (side + 4) + 2, j * (side + band) + 2), name, "black", font)
    path.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(path, quality=92, subsampling=0)
