"""The letter model of captions and the arithmetic code over it.

The model is a primer (caption sentences of two sources, and the phrases that the embedded describer makes), looked up
by its sorted suffixes, and weights for what the contexts say; see `letter_kernels`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from importlib import resources
from zlib import crc32

import numpy as np

from lgvsc_flow.blocks.semantic.embedded import imagenet_labels
from lgvsc_flow.blocks.semantic.letter_kernels import CAPITAL, CHOICES, END, INPUTS, KINDS, decode, encode
from lgvsc_flow.blocks.semantic.suffixes import sort_suffixes
from lgvsc_flow.blocks.semantic.words import COLOURS, LIGHTS, MOTIONS, phrase

__all__ = [
    "LetterModel",
    "caption_model",
    "decode_letters",
    "encode_letters",
    "mark_capitals",
    "phrases",
    "primer_lines",
    "unmark_capitals",
]

_CAPITAL_LETTERS = {bytes([32, letter]): bytes([CAPITAL, 32, letter + 32]) for letter in range(65, 91)}


class LetterModel:
    """What both ends of a link must hold to code letters.

    Args:
        parts: the primer's two parts, lines of text; nearest to what will be coded first.
        scales: int16 [INPUTS, KINDS].
        weights: int16 [sum(CHOICES), INPUTS].
    """

    def __init__(self, parts: tuple[Iterable[str], Iterable[str]], scales: np.ndarray, weights: np.ndarray) -> None:
        if scales.shape != (INPUTS, KINDS) or weights.shape != (sum(CHOICES), INPUTS):
            raise ValueError(f"weights of {scales.shape} and {weights.shape} are not those of this model")
        self.check = 0
        texts: list[np.ndarray] = []
        orders: list[np.ndarray] = []
        bounds = [0]
        for lines in parts:
            text = b"\n" + b"".join(mark_capitals(line.encode()) + b"\n" for line in lines)
            letters, order = sort_suffixes(text)
            orders.append(order + sum(len(t) for t in texts))
            bounds.append(bounds[-1] + len(order))
            texts.append(letters)
            self.check = crc32(text, self.check)
        logs, squash = _tables()
        for table in (scales, weights, logs, squash):
            self.check = crc32(np.ascontiguousarray(table, dtype="<i4").tobytes(), self.check)
        self.tables = (
            np.concatenate(texts), np.concatenate(orders).astype(np.int32), np.array(bounds, dtype=np.int64),
            logs, scales.astype(np.int32), weights.astype(np.int32), squash,
        )  # fmt: skip


def mark_capitals(text: bytes) -> bytes:
    """A space in front, and a mark before every word that begins with a capital in its place."""
    marked = b" " + text
    for plain, mark in _CAPITAL_LETTERS.items():
        marked = marked.replace(plain, mark)
    return marked


def unmark_capitals(marked: bytes) -> bytes | None:
    """The inverse of `mark_capitals`, or None where there is no text with these marks."""
    text = marked
    for plain, mark in _CAPITAL_LETTERS.items():
        text = text.replace(mark, plain)
    return text[1:] if text[:1] == b" " and mark_capitals(text[1:]) == marked else None


def encode_letters(text: bytes, model: LetterModel, first: int = 0, last: int = 256) -> bytes | None:
    """The shortest code of a text, its first byte (0 where it is empty) from `first` below `last`; None where the text
    holds bytes that the model has for itself."""
    marked = mark_capitals(text)
    if END in marked or unmark_capitals(marked) != text:
        return None
    code, size = encode(np.frombuffer(marked + bytes([END]), dtype=np.uint8), model.tables, first, last)
    return code[:size].tobytes()


def decode_letters(code: bytes, model: LetterModel, max_bytes: int, first: int = 0, last: int = 256) -> bytes | None:
    """The text of a code, or None where no end comes within `max_bytes`. A damaged code gives some other text."""
    letters, size = decode(np.frombuffer(code, dtype=np.uint8), model.tables, first, last, 2 * max_bytes + 1)
    text = None if size < 0 else unmark_capitals(letters[:size].tobytes())
    return None if text is None or len(text) > max_bytes else text


@cache
def caption_model() -> LetterModel:
    """The model that ships: both ends of a link hold the same."""
    with resources.files(__package__).joinpath("data", "letter_weights.npz").open("rb") as file:
        tables = np.load(file)
        return LetterModel(primer_lines(), tables["scales"], tables["weights"])


def primer_lines() -> tuple[list[str], list[str]]:
    """The two parts of the primer that ships: written captions with phrases behind them, and generated captions."""
    data = resources.files(__package__).joinpath("data")
    written, generated = (
        data.joinpath(name).read_text(encoding="utf-8").splitlines()
        for name in ("captions.txt", "captions_generated.txt")
    )
    return [*written, *phrases()], generated


@cache
def _tables() -> tuple[np.ndarray, np.ndarray]:
    """256 ln(n + 0.4) of the counts n below 4096, and 2^16 / (1 + exp(-z / 256)) for z from -3072 to 3072."""
    logs = np.rint(256 * np.log(np.arange(4096) + 0.4)).astype(np.int32)
    squash = np.rint(65536 / (1 + np.exp(-np.arange(-3072, 3073) / 256)))
    return logs, np.clip(squash, 8, 65528).astype(np.int32)


def phrases() -> Iterator[str]:
    """Texts such as the embedded describer's, every label once in each place."""
    labels = imagenet_labels()
    for i, label in enumerate(labels):
        # Strides without a common factor, so that the words meet in many combinations.
        names = [[], [label], [label, labels[(i * 7 + 3) % len(labels)]]][i % 5 % 3]
        light = LIGHTS[i % 7 % len(LIGHTS)]
        first, second = COLOURS[i % len(COLOURS)], COLOURS[(i * 5 + 1) % len(COLOURS)]
        colours = [first, second] if i % 3 == 0 and first != second else [first]
        yield phrase([names or [label], [light], colours, [MOTIONS[i % len(MOTIONS)]]])
