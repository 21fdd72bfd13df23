"""The small language of port shapes: names, integers, `+ - * //`, parentheses; `*` alone means any size.

A shape is parsed, never evaluated as Python. Its length, its nesting and its integers are bounded.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache

__all__ = ["MAX_CHARACTERS", "MAX_DEPTH", "ShapeError", "evaluate", "names", "solve"]

MAX_CHARACTERS = 256
MAX_DEPTH = 16  # parentheses within parentheses
MAX_DIGITS = 18

_TOKEN = re.compile(r"[ \t]*(?:([0-9]+)|([A-Za-z_][A-Za-z_0-9]*)|(//|[-+*()]))")

Lookup = Callable[[str], int | None]


class ShapeError(ValueError):
    """Sizes that do not fit; the message says how."""


class _UnknownNameError(Exception):
    """A name in the expression has no value yet."""


@dataclass(frozen=True)
class _Node:
    """An integer, a name, or an operation on two nodes."""

    text: str
    left: _Node | None = None
    right: _Node | None = None

    @property
    def names(self) -> Iterator[str]:
        """The names below, each as often as it occurs."""
        if self.left is not None and self.right is not None:
            yield from self.left.names
            yield from self.right.names
        elif not self.text.isdigit():
            yield self.text

    def __str__(self) -> str:
        if self.left is None or self.right is None:
            return self.text
        left, right = self.left, self.right
        tight = self.text in ("*", "//")
        a = f"({left})" if tight and left.text in ("+", "-") else str(left)
        b = f"({right})" if right.left is not None and (tight or right.text in ("+", "-")) else str(right)
        return f"{a} {self.text} {b}"


class _Parser:
    def __init__(self, text: str) -> None:
        if len(text) > MAX_CHARACTERS:
            raise ValueError(f"a shape has at most {MAX_CHARACTERS} characters, got {len(text)}")
        self.text, self.depth, self.tokens = text, 0, list(_tokens(text))

    def parse(self) -> _Node:
        node = self.sum()
        if self.tokens:
            raise ValueError(f"cannot read shape {self.text!r} at {self.tokens[0]!r}")
        return node

    def next(self) -> str:
        return self.tokens[0] if self.tokens else ""

    def sum(self) -> _Node:
        node = self.product()
        while self.next() in ("+", "-"):
            node = _Node(self.tokens.pop(0), node, self.product())
        return node

    def product(self) -> _Node:
        node = self.atom()
        while self.next() in ("*", "//"):
            node = _Node(self.tokens.pop(0), node, self.atom())
        return node

    def atom(self) -> _Node:
        if not self.tokens:
            raise ValueError(f"the shape {self.text!r} ends too early")
        token = self.tokens.pop(0)
        if token == "(":
            self.depth += 1
            if self.depth > MAX_DEPTH:
                raise ValueError(f"a shape has at most {MAX_DEPTH} parentheses within each other: {self.text!r}")
            node = self.sum()
            if self.next() != ")":
                raise ValueError(f"the shape {self.text!r} misses ')'")
            self.tokens.pop(0)
            self.depth -= 1
            return node
        if not (token.isalnum() or token.isidentifier()):
            raise ValueError(f"cannot read shape {self.text!r} at {token!r}")
        if len(token) > MAX_DIGITS and token.isdigit():
            raise ValueError(f"an integer in a shape has at most {MAX_DIGITS} digits: {self.text!r}")
        return _Node(token)


def _tokens(text: str) -> Iterator[str]:
    text, position = text.rstrip(), 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise ValueError(f"cannot read shape {text!r} at {text[position:]!r}")
        yield match.group().strip()
        position = match.end()


@lru_cache(maxsize=1024)
def _parse(text: str) -> _Node | None:
    """The tree of an expression; None for any size."""
    return None if text == "*" else _Parser(text).parse()


def names(text: str) -> set[str]:
    """The names an expression mentions.

    Raises:
        ValueError: the expression cannot be read.
    """
    tree = _parse(text)
    return set() if tree is None else set(tree.names)


def evaluate(text: str, lookup: Lookup) -> int | None:
    """The value of an expression; None for `*` or while a name is unknown.

    Raises:
        ShapeError: a division leaves a remainder, or the result is negative.
        ValueError: the expression cannot be read.
    """
    tree = _parse(text)
    if tree is None:
        return None
    try:
        value = _value(tree, lookup)
    except _UnknownNameError:
        return None
    if value < 0:
        raise ShapeError(f"{text} is {value}")
    return value


def solve(text: str, size: int, lookup: Lookup) -> tuple[str, int] | None:
    """The one unknown name of `text` and the value that makes the expression equal `size`.

    None where no name is unknown, several are, or the one occurs more than once.

    Raises:
        ShapeError: no whole number >= 0 does it.
        ValueError: the expression cannot be read.
    """
    tree = _parse(text)
    unknown = [] if tree is None else [n for n in tree.names if lookup(n) is None]
    if tree is None or len(unknown) != 1:
        return None
    value = _inverse(tree, unknown[0], size, lookup)
    if value is not None and value < 0:
        raise ShapeError(f"{unknown[0]} would be {value} in {text}")
    return None if value is None else (unknown[0], value)


def _inverse(node: _Node, name: str, value: int, lookup: Lookup) -> int | None:
    """What `name` must be for the expression to equal `value`; None where it is not determined."""
    if node.left is None or node.right is None:
        return value
    if node.text == "*":
        inner, factors = _factors(node, name)
        product = 1
        for factor in factors:
            product *= _value(factor, lookup)
        if product == 0:
            return None
        if value % product:
            known = " * ".join(sorted(_told(factor, lookup) for factor in factors))
            raise ShapeError(f"{value} does not divide into whole blocks of {known}")
        return _inverse(inner, name, value // product, lookup)
    inside = name in node.left.names
    inner, known_value = (node.left, _value(node.right, lookup)) if inside else (node.right, _value(node.left, lookup))
    if node.text == "+":
        return _inverse(inner, name, value - known_value, lookup)
    if node.text == "-":
        return _inverse(inner, name, value + known_value if inside else known_value - value, lookup)
    if inside and known_value:
        return _inverse(inner, name, value * known_value, lookup)
    return None  # a known size over an unknown one: several may do, or none


def _factors(tree: _Node, name: str) -> tuple[_Node, list[_Node]]:
    """Of a product: the factor that mentions `name`, and the others."""
    factors = []
    while tree.text == "*" and tree.left is not None and tree.right is not None:
        inside = name in tree.left.names
        factors.append(tree.right if inside else tree.left)
        tree = tree.left if inside else tree.right
    return tree, factors


def _told(node: _Node, lookup: Lookup) -> str:
    if node.text.isdigit():
        return node.text
    return f"{node}={_value(node, lookup)}" if node.left is None else f"({node})={_value(node, lookup)}"


def _value(node: _Node, lookup: Lookup) -> int:
    if node.left is None or node.right is None:
        value = int(node.text) if node.text.isdigit() else lookup(node.text)
        if value is None:
            raise _UnknownNameError(node.text)
        return value
    left, right = _value(node.left, lookup), _value(node.right, lookup)
    if node.text == "+":
        return left + right
    if node.text == "-":
        return left - right
    if node.text == "*":
        return left * right
    if right == 0:
        raise ShapeError(f"{left} // 0 divides by zero")
    if left % right:
        raise ShapeError(f"{left} // {right} leaves a remainder")
    return left // right
