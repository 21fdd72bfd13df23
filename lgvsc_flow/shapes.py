"""The small language of port shapes: names, integers, `+ - * //`, parentheses; `*` alone means any size."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["ShapeError", "UnknownNameError", "evaluate", "names", "solve"]

_TOKEN = re.compile(r"\s*(?:(\d+)|([A-Za-z_]\w*)|(//|[-+*()]))")


class ShapeError(ValueError):
    """Sizes that do not fit; the message says how."""


class UnknownNameError(Exception):
    """A name in the expression has no value yet."""


@dataclass(frozen=True)
class _Tokens:
    values: list[str]

    def peek(self) -> str | None:
        return self.values[0] if self.values else None

    def take(self) -> str:
        return self.values.pop(0)


def _tokenize(text: str) -> _Tokens:
    tokens, position = [], 0
    text = text.rstrip()
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise ValueError(f"cannot read shape {text!r} at {text[position:]!r}")
        tokens.append(match.group().strip())
        position = match.end()
    return _Tokens(tokens)


def names(text: str) -> set[str]:
    """The names an expression mentions."""
    return {t for t in _tokenize(text).values if t[0].isalpha() or t[0] == "_"} if text != "*" else set()


def evaluate(text: str, lookup: Callable[[str], int | None]) -> int | None:
    """The value of an expression; None for `*` or while a name is unknown.

    Raises:
        ShapeError: a division leaves a remainder, or the result is negative.
    """
    if text == "*":
        return None
    tokens = _tokenize(text)
    try:
        value = _sum(tokens, lookup)
    except UnknownNameError:
        return None
    if tokens.values:
        raise ValueError(f"cannot read shape {text!r} at {tokens.values[0]!r}")
    if value < 0:
        raise ShapeError(f"{text} is {value}")
    return value


def solve(text: str, size: int, lookup: Callable[[str], int | None]) -> tuple[str, int] | None:
    """The one unknown name of `text` and the value that makes the expression equal `size`, if it has that form.

    Understood: a lone name, and a product of one unknown name with known factors.

    Raises:
        ShapeError: `size` is not a whole number of the known factors.
    """
    unknown = {n for n in names(text) if lookup(n) is None}
    if len(unknown) != 1:
        return None
    name = unknown.pop()
    if text.strip() == name:
        return name, size
    if "+" in text or "-" in text or "//" in text or "(" in text:
        return None
    factor = evaluate(text, lambda n: 1 if n == name else lookup(n))
    if not factor:
        return None
    if size % factor:
        known = " * ".join(f"{n}={lookup(n)}" for n in sorted(names(text) - {name})) or str(factor)
        raise ShapeError(f"{size} does not divide into whole blocks of {known}")
    return name, size // factor


def _sum(tokens: _Tokens, lookup: Callable[[str], int | None]) -> int:
    value = _product(tokens, lookup)
    while tokens.peek() in ("+", "-"):
        sign = tokens.take()
        right = _product(tokens, lookup)
        value = value + right if sign == "+" else value - right
    return value


def _product(tokens: _Tokens, lookup: Callable[[str], int | None]) -> int:
    value = _atom(tokens, lookup)
    while tokens.peek() in ("*", "//"):
        sign = tokens.take()
        right = _atom(tokens, lookup)
        if sign == "*":
            value *= right
        elif right == 0 or value % right:
            raise ShapeError(f"{value} // {right} leaves a remainder")
        else:
            value //= right
    return value


def _atom(tokens: _Tokens, lookup: Callable[[str], int | None]) -> int:
    token = tokens.peek()
    if token is None:
        raise ValueError("a shape ends too early")
    tokens.take()
    if token == "(":
        value = _sum(tokens, lookup)
        if tokens.peek() != ")":
            raise ValueError("a shape misses ')'")
        tokens.take()
        return value
    if token.isdigit():
        return int(token)
    found = lookup(token)
    if found is None:
        raise UnknownNameError(token)
    return found
