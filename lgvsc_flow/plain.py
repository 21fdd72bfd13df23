"""YAML text as plain data: the safe loader, without the traps that YAML holds for a careful reader."""

from __future__ import annotations

import re
from typing import Any

import yaml

from lgvsc_flow.errors import GraphFileError

__all__ = ["plain_yaml"]


class _Loader(yaml.SafeLoader):
    """The safe loader; keys that are there twice and aliases of a list or mapping are collected as problems."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.twice: list[str] = []
        self.aliases: list[str] = []

    def compose_node(self, parent: Any, index: Any) -> Any:
        events: Any = self  # PyYAML's parser has no types
        alias = events.peek_event() if events.check_event(yaml.AliasEvent) else None
        node = super().compose_node(parent, index)
        if alias is not None and not isinstance(node, yaml.ScalarNode):
            line = alias.start_mark.line + 1
            self.aliases.append(
                f"line {line}: the alias *{alias.anchor} stands for a list or mapping; only plain values have aliases."
            )
            return yaml.ScalarNode("tag:yaml.org,2002:null", "")
        return node

    def compose_mapping_node(self, anchor: Any) -> Any:
        node = super().compose_mapping_node(anchor)
        lines: dict[str, int] = {}
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                line = key.start_mark.line + 1
                if key.value in lines:
                    first = f", first in line {lines[key.value]}"
                    self.twice.append(f"line {line}: the key {key.value!r} is there twice{first}.")
                lines.setdefault(key.value, line)
        return node


# YAML 1.1 takes 1e-3, which has no point, and 1.5e3, whose exponent has no sign, for text.
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?[0-9]+(?:\.[0-9]*)?[eE][-+]?[0-9]+$"), list("-+0123456789")
)


def plain_yaml(text: str, where: str, twice: list[str] | None = None) -> Any:
    """YAML text as plain data, by the safe loader.

    Args:
        text: the YAML.
        where: what messages call it.
        twice: takes a line for each key that is there twice, whose last value then counts; None makes it an error.

    Raises:
        GraphFileError: it is no such text, a key is there twice, or an alias stands for more than a plain value.
    """
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        if loader.aliases or (loader.twice and twice is None):
            raise GraphFileError(where, [*loader.twice, *loader.aliases])
        data = None if node is None else loader.construct_document(node)
    # The loader makes dates and numbers by itself, trips over odd ones in many ways, and recurses for every bracket.
    except (
        yaml.YAMLError,
        ValueError,
        RecursionError,
        LookupError,
        AttributeError,
        ArithmeticError,
        TypeError,
    ) as error:
        raise GraphFileError(where, [f"it cannot be read: {' '.join(str(error).split())}."]) from None
    if twice is not None:
        twice += loader.twice
    return data
