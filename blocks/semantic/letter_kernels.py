"""Kernels of the letter model: what contexts say of the next bit, how it is weighed, and the arithmetic code.

A text is coded letter by letter and bit by bit. For every context (the last 1 to 11 letters, the current word, it and
up to three words before it) the primer tells how often a 0 and a 1 followed; so does the text itself for its own
repetitions. The logarithms of these odds are weighed, with weights learned beforehand that depend on how often each
context was seen, on the bits of the letter that are known, on how long a context the primer knows, and on the place in
the word. All of it is integer arithmetic, so that two machines hold the same probabilities to the last bit.

Ref: Mahoney 2005 (PAQ: mixing in the logistic domain); Martin 1979 (range coding).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from lgvsc_flow.blocks.semantic.suffixes import DEPTH, first_at_least
from lgvsc_flow.kernels import kernel

__all__ = ["CAPITAL", "CHOICES", "END", "INPUTS", "KINDS", "decode", "encode", "gather", "new_state", "probability"]

END = 10  # the letter that ends a text, a line feed
CAPITAL = 1  # the letter before a word whose first letter is a capital
ORDERS = (1, 2, 3, 4, 5, 6, 8, 11)  # contexts of so many letters
WORDS = 4  # contexts that begin with the current word, the one before it, ...
CONTEXTS = len(ORDERS) + WORDS
PARTS = 2  # of the primer
OWN = 3  # contexts looked up in the text itself
INPUTS = PARTS * CONTEXTS + OWN + 1  # the last is a constant
KINDS = 20
LONGEST = 12
CHOICES = (256, LONGEST * LONGEST, 1024)  # of weights, for each of three ways to choose

_ORDERS = np.array(ORDERS, dtype=np.int64)
_WINDOW = 512  # letters of the text itself that are looked back at
_ONE = 256  # scale of logarithms of odds
_WEIGHT_BITS = 11
_LIMIT = 3072  # 12 nats
_TOP = 1 << 48  # the coder's numbers are below this
_SMALLEST = 1 << 40


@kernel
def new_state(bounds: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """What is known before the first letter: for texts of up to `size` letters, the leading and last END included.

    Returns:
        ranges [PARTS, DEPTH + 1, 2] of the last k letters in the primer's order; matches [size], how many letters
        before a place agree with the last ones; words [size], starts of words, their number in words[0]; contexts
        [PARTS * CONTEXTS, 4], low, high, depth and where a 1 begins; the text so far, uint8 [size].
    """
    ranges = np.zeros((PARTS, DEPTH + 1, 2), dtype=np.int64)
    for part in range(PARTS):
        ranges[part, 0] = bounds[part], bounds[part + 1]
    text = np.zeros(size, dtype=np.uint8)
    text[0] = END
    contexts = np.zeros((PARTS * CONTEXTS, 4), dtype=np.int64)
    return ranges, np.zeros(size + 1, dtype=np.int64), np.zeros(size + 2, dtype=np.int64), contexts, text


@kernel
def follow(primer: np.ndarray, order: np.ndarray, state: tuple, at: int, chosen: np.ndarray) -> None:
    """Look up every context of the letter at `at`; those before it are known."""
    ranges, matches, words, contexts, text = state
    letter = text[at - 1]
    for j in range(at - 1, max(at - _WINDOW, 0), -1):
        matches[j] = min(matches[j - 1] + 1, DEPTH) if text[j - 1] == letter else 0
    if not _in_word(letter):
        words[0] += 1
        words[words[0]] = at - 1  # a word begins with what stands before it
    for part in range(PARTS):
        chosen[part] = 0
        for k in range(min(at, DEPTH) - 1, -1, -1):
            low, high = ranges[part, k]
            if low < high:
                low = first_at_least(primer, order, low, high, k, letter)
                high = first_at_least(primer, order, low, high, k, letter + 1)
            ranges[part, k + 1] = low, high
            if low < high and not chosen[part]:
                chosen[part] = k + 1
        for i in range(CONTEXTS):
            depth = DEPTH + 1
            if i < len(_ORDERS):
                depth = _ORDERS[i]
            elif words[0] > i - len(_ORDERS):
                depth = at - words[words[0] - (i - len(_ORDERS))]
            context = contexts[part * CONTEXTS + i]
            context[:] = 0
            if depth <= min(at, DEPTH):
                context[0], context[1] = ranges[part, depth]
                context[2] = depth
    chosen[PARTS] = at - 1 - words[words[0]]  # letters of the current word
    chosen[PARTS + 1] = _class(letter) + (8 if text[1] == CAPITAL else 0)


@kernel
def gather(
    primer: np.ndarray,
    order: np.ndarray,
    logs: np.ndarray,
    state: tuple,
    at: int,
    known: int,
    bit: int,
    odds: np.ndarray,
    kinds: np.ndarray,
    own: int,
) -> None:
    """The logarithms of odds for bit `bit` of the letter at `at`, `known` its bits so far behind a 1, and their kinds.

    `own` is the number of letters of the current word.
    """
    _, matches, _, contexts, text = state
    middle = (known << (8 - bit) & 255) + (1 << (7 - bit))
    for i in range(PARTS * CONTEXTS):
        low, high, depth = contexts[i, 0], contexts[i, 1], contexts[i, 2]
        split = first_at_least(primer, order, low, high, depth, middle)
        contexts[i, 3] = split
        odds[i] = _log(logs, high - split) - _log(logs, split - low)
        kinds[i] = _kind(split - low, high - split)
    zeros, ones = np.zeros(OWN, dtype=np.int64), np.zeros(OWN, dtype=np.int64)
    for j in range(max(at - _WINDOW, 0) + 1, at):
        if matches[j] >= 2 and (text[j] | 256) >> (8 - bit) == known:
            one = text[j] >> (7 - bit) & 1
            for i in range(OWN):
                if matches[j] >= (3 if i == 0 else 5 if i == 1 else max(own + 1, 2)):
                    ones[i] += one
                    zeros[i] += 1 - one
    for i in range(OWN):
        odds[PARTS * CONTEXTS + i] = _log(logs, ones[i]) - _log(logs, zeros[i])
        kinds[PARTS * CONTEXTS + i] = _kind(zeros[i], ones[i])
    odds[INPUTS - 1] = _ONE
    kinds[INPUTS - 1] = 0


@kernel
def narrow(contexts: np.ndarray, one: int) -> None:
    """Keep of each context what has this bit."""
    for i in range(len(contexts)):
        contexts[i, 1 - one] = contexts[i, 3]


@kernel
def choose(chosen: np.ndarray, known: int, bit: int, rows: np.ndarray) -> None:
    """Which weights are taken, one row in each of the three tables."""
    rows[0] = known
    rows[1] = CHOICES[0] + min(chosen[0], LONGEST - 1) * LONGEST + min(chosen[1], LONGEST - 1)
    rows[2] = CHOICES[0] + CHOICES[1] + (chosen[PARTS + 1] * 8 + min(chosen[PARTS], 7)) * 8 + bit


@kernel
def probability(
    odds: np.ndarray, kinds: np.ndarray, rows: np.ndarray, scales: np.ndarray, weights: np.ndarray, squash: np.ndarray
) -> int:
    """The probability of a 1, in 2^-16."""
    total: Any = np.int64(0)
    for i in range(INPUTS):
        weight = np.int64(weights[rows[0], i]) + weights[rows[1], i] + weights[rows[2], i]
        total += (odds[i] * scales[i, kinds[i]] >> _WEIGHT_BITS) * weight
    found: Any = np.int64(squash[min(max(total >> _WEIGHT_BITS, -_LIMIT), _LIMIT) + _LIMIT])
    return found


@kernel
def encode(letters: np.ndarray, model: tuple, first: int, last: int) -> tuple[np.ndarray, int]:
    """The shortest code of letters that end with END, among those whose first byte is from `first` below `last`.

    Returns:
        A buffer and how many bytes of it are the code.
    """
    primer, order, bounds, logs, scales, weights, squash = model
    size = len(letters)
    state = new_state(bounds, size + 1)
    contexts, text = state[3], state[4]
    odds, kinds = np.zeros(INPUTS, dtype=np.int64), np.zeros(INPUTS, dtype=np.int64)
    chosen, rows = np.zeros(PARTS + 2, dtype=np.int64), np.zeros(3, dtype=np.int64)
    out = np.zeros(13 * size + 16, dtype=np.uint8)  # a bit costs at most 13
    count = 0
    low: Any = np.int64(first) << 40
    span: Any = np.int64(last - first) << 40
    for at in range(1, size + 1):
        follow(primer, order, state, at, chosen)
        letter: Any = np.int64(letters[at - 1])
        known = 1
        for bit in range(8):
            gather(primer, order, logs, state, at, known, bit, odds, kinds, chosen[PARTS])
            choose(chosen, known, bit, rows)
            share = (span >> 16) * probability(odds, kinds, rows, scales, weights, squash)
            one = letter >> (7 - bit) & 1
            narrow(contexts, one)
            known = known << 1 | one
            if one:
                span = share
            else:
                low += share
                span -= share
            while span < _SMALLEST:
                count = _put(out, count, low)
                low, span = (low & (_SMALLEST - 1)) << 8, span << 8
        text[at] = letter
    # The multiple of the largest power of 256 at or above `low`; the decoder reads zeros behind it.
    for used in range(7):
        unit: Any = np.int64(1) << (48 - 8 * used)
        number = -(-low // unit) * unit
        if number < low + span:
            if used == 0 and number:
                _carry(out, count)
            for _ in range(used):
                count = _put(out, count, number)
                number = (number & (_SMALLEST - 1)) << 8
            break
    return out, count


@kernel
def decode(code: np.ndarray, model: tuple, first: int, last: int, limit: int) -> tuple[np.ndarray, int]:
    """The letters of a code, END not among them; -1 where none comes within `limit` letters or the code's own length.

    A damaged code gives some other letters.
    """
    primer, order, bounds, logs, scales, weights, squash = model
    state = new_state(bounds, limit + 3)
    contexts, text = state[3], state[4]
    odds, kinds = np.zeros(INPUTS, dtype=np.int64), np.zeros(INPUTS, dtype=np.int64)
    chosen, rows = np.zeros(PARTS + 2, dtype=np.int64), np.zeros(3, dtype=np.int64)
    rest = np.int64(0)
    for i in range(6):
        rest = rest << 8 | (np.int64(code[i]) if i < len(code) else 0)
    read = 6
    rest -= np.int64(first) << 40
    span = np.int64(last - first) << 40
    if rest < 0 or rest >= span:
        return text, -1
    for at in range(1, limit + 2):
        follow(primer, order, state, at, chosen)
        known = 1
        for bit in range(8):
            gather(primer, order, logs, state, at, known, bit, odds, kinds, chosen[PARTS])
            choose(chosen, known, bit, rows)
            share = (span >> 16) * probability(odds, kinds, rows, scales, weights, squash)
            one = 1 if rest < share else 0
            narrow(contexts, one)
            known = known << 1 | one
            if one:
                span = share
            else:
                rest -= share
                span -= share
            while span < _SMALLEST:
                rest = rest << 8 | (np.int64(code[read]) if read < len(code) else 0)
                span <<= 8
                read += 1
        if read - 6 > len(code):
            return text, -1  # no encoder leaves out so many bytes
        if known == 256 + END:
            return text[1:at], at - 1
        text[at] = known & 255
    return text, -1


@kernel
def _put(out: np.ndarray, count: int, low: int) -> int:
    """Write the top byte of `low`, which may be 256 or more: then 1 is carried into the bytes before it."""
    if low >= _TOP:
        _carry(out, count)
    out[count] = low >> 40 & 255
    return count + 1


@kernel
def _carry(out: np.ndarray, count: int) -> None:
    i = count - 1
    while out[i] == 255:
        out[i] = 0
        i -= 1
    out[i] += 1


@kernel
def _in_word(letter: int) -> bool:
    return (
        97 <= letter <= 122 or 65 <= letter <= 90 or 48 <= letter <= 57 or letter >= 128 or letter == 39
    )  # letters, digits, all that is not ASCII, the apostrophe


@kernel
def _class(letter: int) -> int:
    if 97 <= letter <= 122:
        return 1
    if letter == 32:
        return 2
    if letter == 44:
        return 3
    if letter == 46:
        return 4
    if letter == CAPITAL:
        return 5
    if letter == END:
        return 6
    return 7 if letter >= 128 else 0


@kernel
def _log(logs: np.ndarray, count: int) -> int:
    """256 ln(count + 0.4)."""
    halvings = 0
    while count >= len(logs):
        count >>= 1
        halvings += 1
    log: Any = logs[count]
    return log + (halvings * 45426 >> 8)


@kernel
def _kind(zeros: int, ones: int) -> int:
    """How much was seen: 0 nothing, to 10 only zeros or only ones, from 11 both."""
    total = zeros + ones
    if zeros == 0 or ones == 0:
        if total <= 4:
            return total
        return 5 if total <= 6 else 6 if total <= 10 else 7 if total <= 20 else 8 if total <= 60 else 9 + (total > 250)
    if total <= 3:
        return 9 + total
    if total <= 9:
        return 13 + (total > 5)
    return 15 if total <= 20 else 16 if total <= 60 else 17 if total <= 250 else 18 + (total > 2000)
