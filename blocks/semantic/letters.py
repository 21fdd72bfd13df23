"""A static letter model of captions and the arithmetic code over it.

The model predicts each byte from up to the `ORDER` bytes before it: counts over a primer (caption sentences, and
the phrases that the embedded describer makes) per context length, blended from short to long by absolute
discounting. All of it is integer arithmetic, so that two machines hold the same model to the last bit.

Ref: Cleary and Witten 1984 (prediction by partial matching, with its update exclusion); Ney, Essen and Kneser
1994 (absolute discounting); Martin 1979 (range coding).
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from importlib import resources
from zlib import crc32

import numpy as np

from lgvsc_flow.blocks.semantic.embedded import imagenet_labels
from lgvsc_flow.blocks.semantic.words import COLOURS, LIGHTS, MOTIONS, phrase

__all__ = ["END", "ORDER", "LetterModel", "caption_model", "decode_letters", "encode_letters"]

END = 10  # the byte that ends a text, a line feed
ORDER = 5

_ONE = 1 << 24  # scale of a probability
_TOTAL = 1 << 16  # scale of the coder's frequencies
_SMALLEST_RANGE = 1 << 24


class LetterModel:
    """Frequencies of the next byte, given those before it.

    Args:
        primer: text to count in; every line is one text.
    """

    def __init__(self, primer: bytes) -> None:
        self.check = crc32(primer)
        self._counts: list[dict[bytes, dict[int, int]]] = [{} for _ in range(ORDER + 1)]
        data = bytes([END]) + primer
        for at in range(1, len(data)):
            self._count(data[max(at - ORDER, 0) : at], data[at])
        self._tables = [
            {context: _table(counts) for context, counts in by_context.items()} for by_context in self._counts
        ]
        self._counts.clear()

    def frequencies(self, context: bytes) -> np.ndarray:
        """Frequency of each next byte, int64 [256], all positive, adding to at most 2^16."""
        shares = np.full(256, _ONE // 256, dtype=np.int64)
        for order in range(min(ORDER, len(context)) + 1):
            table = self._tables[order].get(context[len(context) - order :])
            if table is None:
                break  # a longer context was not seen either
            symbols, counts, total = table
            # Half a count is taken from every symbol seen and given to the shorter context's prediction.
            shares = shares * len(symbols) // (2 * total)
            shares[symbols] += (2 * counts - 1) * _ONE // (2 * total)
        return (shares * (_TOTAL - 256) >> 24) + 1

    def _count(self, context: bytes, symbol: int) -> None:
        for order in range(len(context), -1, -1):
            counts = self._counts[order].setdefault(context[len(context) - order :], {})
            seen = symbol in counts
            counts[symbol] = counts.get(symbol, 0) + 1
            if seen:  # what a longer context already predicts is no news to a shorter one
                return


def _table(counts: dict[int, int]) -> tuple[np.ndarray, np.ndarray, int]:
    symbols = np.array(sorted(counts), dtype=np.int64)
    values = np.array([counts[s] for s in symbols.tolist()], dtype=np.int64)
    return symbols, values, int(values.sum())


def encode_letters(text: bytes, model: LetterModel) -> bytes:
    """The shortest code of a text that holds no `END`."""
    low, span, bits = 0, 1 << 32, 32
    context = bytes([END])
    for symbol in text + bytes([END]):
        frequencies = model.frequencies(context)
        unit = span // int(frequencies.sum())
        low += unit * int(frequencies[:symbol].sum())
        span = unit * int(frequencies[symbol])
        while span < _SMALLEST_RANGE:
            low, span, bits = low << 8, span << 8, bits + 8
        context = (context + bytes([symbol]))[-ORDER:]
    size = 0
    while True:
        # The first multiple of 2^(bits - 8 size) at or above `low`; the decoder reads zeros behind it.
        rest = bits - 8 * size
        number = -(-low >> rest)
        if number << rest < low + span:
            return number.to_bytes(size, "big")
        size += 1


def decode_letters(code: bytes, model: LetterModel, max_bytes: int) -> bytes | None:
    """The text of a code, or None where no end comes within `max_bytes`. A damaged code gives some other text."""
    text = bytearray()
    rest, span, at = int.from_bytes(code[:4].ljust(4, b"\0"), "big"), 1 << 32, 4
    context = bytes([END])
    while len(text) <= max_bytes:
        frequencies = model.frequencies(context)
        ends = np.cumsum(frequencies)
        unit = span // int(ends[-1])
        symbol = min(int(np.searchsorted(ends, rest // unit, side="right")), 255)
        if symbol == END:
            return bytes(text)
        text.append(symbol)
        rest -= unit * int(ends[symbol] - frequencies[symbol])
        span = unit * int(frequencies[symbol])
        while span < _SMALLEST_RANGE:
            rest, span = (rest << 8) | (code[at] if at < len(code) else 0), span << 8
            at += 1
        context = (context + bytes([symbol]))[-ORDER:]
    return None


@cache
def caption_model() -> LetterModel:
    """The model that ships: both ends of a link hold the same."""
    sentences = resources.files(__package__).joinpath("data", "captions.txt").read_text(encoding="utf-8")
    lines = [*sentences.splitlines(), *_phrases()]
    return LetterModel("".join(f"{line}\n" for line in lines).encode())


def _phrases() -> Iterator[str]:
    """Texts such as the embedded describer's, every label once in each place."""
    labels = imagenet_labels()
    for i, label in enumerate(labels):
        # Strides without a common factor, so that the words meet in many combinations.
        names = [[], [label], [label, labels[(i * 7 + 3) % len(labels)]]][i % 5 % 3]
        light = LIGHTS[i % 7 % len(LIGHTS)]
        first, second = COLOURS[i % len(COLOURS)], COLOURS[(i * 5 + 1) % len(COLOURS)]
        colours = [first, second] if i % 3 == 0 and first != second else [first]
        yield phrase([names or [label], [light], colours, [MOTIONS[i % len(MOTIONS)]]])
