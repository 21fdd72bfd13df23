"""What a video model is told: the caption, the motion in words, and never more than it reads."""

from __future__ import annotations

from typing import Any

from lgvsc_flow.items import SideInfo

__all__ = ["STYLES", "fitted_prompt", "motion_words"]

STYLES = ("motion", "caption")
"""What a prompt holds: the caption and a sentence on the motion, or the caption alone."""

_MOST_LETTERS = 20_000
# Picture heights per second up to which each sentence is said.
_WORDS = (
    (0.01, "Almost nothing moves."),
    (0.08, "Slow movement."),
    (0.35, "Steady movement."),
    (float("inf"), "Fast movement."),
)


def motion_words(side: SideInfo, height: int, fps: float) -> str:
    """The mean motion of a segment as a sentence; none where it is not known.

    LTX and Wan were trained on captions in plain language, and read no scores ("motion score: 5" is Open-Sora's way).

    Args:
        side: `motion` in pixels per frame.
        height: of the video, in pixels.
        fps: of the video, in frames per second.
    """
    if side.lost or not 0 <= side.motion < float("inf"):
        return ""
    speed = side.motion * fps / height
    return next(words for most, words in _WORDS if speed <= most)


def fitted_prompt(caption: str | None, motion: str, tokenizer: Any, max_tokens: int) -> tuple[str, bool]:
    """Caption and motion as one prompt that the text encoder reads whole, and whether words were left out.

    A pipeline cuts what is too long, the end first and without a word. Here the caption loses its last words instead,
    and the sentence on the motion stays.

    Args:
        caption: None where it was lost.
        motion: from `motion_words`.
        tokenizer: the pipeline's.
        max_tokens: what the text encoder reads, its closing token included.
    """
    text = " ".join((caption or "")[:_MOST_LETTERS].split())
    left_out = len(caption or "") > _MOST_LETTERS
    ending = "" if not text or text[-1] in ".!?;" or not motion else "."

    def joined(part: str) -> str:
        return " ".join(p for p in (part + (ending if part else ""), motion) if p)

    def fits(part: str) -> bool:
        return len(tokenizer(joined(part)).input_ids) <= max_tokens

    if fits(text):
        return joined(text), left_out
    ending = "." if motion else ""
    pieces = text.split(" ")
    if not fits(pieces[0]):
        pieces = list(text)
    few, many = 0, len(pieces)
    glue = "" if len(pieces) == len(text) else " "
    while many - few > 1:
        middle = (few + many) // 2
        few, many = (middle, many) if fits(glue.join(pieces[:middle])) else (few, middle)
    return joined(glue.join(pieces[:few]).rstrip()), True
