"""Plain words for what pixels show: colours, brightness, motion. They make a caption of the embedded describer."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

__all__ = ["COLOURS", "LIGHTS", "MOTIONS", "colour_words", "light_word", "motion_words", "phrase"]

COLOURS = (
    "black", "grey", "white", "red", "brown", "orange", "yellow", "green", "turquoise", "blue", "purple", "pink",
)  # fmt: skip
LIGHTS = ("dark", "dim", "", "bright")
MOTIONS = ("still", "slow motion", "motion", "fast motion")

_LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)  # ITU-R BT.601
_SECOND_COLOUR = 0.2  # share of the picture that a second colour must fill to be named


def colour_words(thumbnail: np.ndarray) -> list[str]:
    """The one or two colours that fill most of a picture, the larger first.

    Args:
        thumbnail: uint8 [height, width, 3] RGB, small.
    """
    counts = np.bincount(_colour_of_pixels(thumbnail), minlength=len(COLOURS))
    first, second = np.argsort(-counts, kind="stable")[:2]
    named = [COLOURS[first]]
    if counts[second] >= _SECOND_COLOUR * counts.sum():
        named.append(COLOURS[second])
    return named


def light_word(thumbnail: np.ndarray) -> str:
    """`dark`, `dim`, `bright`, or "" for ordinary light; by mean luma."""
    luma = float((thumbnail.astype(np.float32) @ _LUMA).mean())
    return LIGHTS[int(np.searchsorted((50.0, 85.0, 165.0), luma, side="right"))]


def motion_words(motion: float, width: int) -> str:
    """Words for a mean flow of `motion` pixels per frame in a picture `width` pixels wide."""
    return MOTIONS[int(np.searchsorted((0.0005, 0.004, 0.015), motion / width, side="right"))]


def phrase(parts: Sequence[Sequence[str]]) -> str:
    """Join parts with commas and the words of a part with "and"; empty parts and words are left out."""
    kept = [" and ".join(w for w in words if w) for words in parts]
    return ", ".join(part for part in kept if part)


def _colour_of_pixels(thumbnail: np.ndarray) -> np.ndarray:
    """Index into `COLOURS` per pixel, by hue, saturation and value."""
    rgb = thumbnail.reshape(-1, 3).astype(np.float32) / 255
    high, low = rgb.max(axis=1), rgb.min(axis=1)
    spread = np.maximum(high - low, 1e-6)
    r, g, b = rgb.T
    hue = np.select([high == r, high == g], [((g - b) / spread) % 6, (b - r) / spread + 2], (r - g) / spread + 4) * 60
    # Upper ends of red, orange, yellow, green, turquoise, blue, purple, pink; above 345 degrees it is red again.
    names = ("red", "orange", "yellow", "green", "turquoise", "blue", "purple", "pink", "red")
    table = np.array([COLOURS.index(n) for n in names])
    found = table[np.searchsorted((15, 42, 68, 160, 195, 255, 290, 345), hue, side="right")]
    warm = (found == COLOURS.index("orange")) | (found == COLOURS.index("red"))
    found = np.where(warm & (high < 0.6), COLOURS.index("brown"), found)
    colourless = spread < np.maximum(0.16 * high, 0.08)
    found = np.where(colourless, COLOURS.index("grey"), found)
    found = np.where(colourless & (high > 0.85), COLOURS.index("white"), found)
    return np.where(high < 0.18, COLOURS.index("black"), found)
