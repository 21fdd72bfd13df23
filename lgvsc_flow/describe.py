"""A block class in words: what it is, its ports and their neighbours, its settings, and an example of it in a graph."""

from __future__ import annotations

import dataclasses
import inspect
import textwrap
from typing import Any

from lgvsc_flow.block import Block
from lgvsc_flow.example import example
from lgvsc_flow.items import AnyItem, type_name
from lgvsc_flow.ports import Demand, In, Port
from lgvsc_flow.registry import home, known_blocks

__all__ = ["describe_block"]

_SIGNS = {"ge": ">=", "gt": ">", "le": "<=", "lt": "<"}


def describe_block(kind: type[Block]) -> str:
    """The text that `lgvsc-flow blocks NAME` prints."""
    lines = [f"{kind.__name__}  ({home(kind)})", "", inspect.cleandoc(kind.__doc__ or ""), "", "Ports:"]
    for port in kind.ports.values():
        lines += [f"  {_port(port)}", *_neighbours(kind, port)]
    settings = kind.setting_fields()
    lines += ["", "Settings:" if settings else "Settings: none"]
    lines += [f"  {_setting(f)}" for f in settings.values()]
    lines += ["", "Example:", *(f"  {line}".rstrip() for line in example(kind).splitlines())]
    return "\n".join(lines)


def _neighbours(kind: type[Block], port: Port) -> list[str]:
    """Who may stand at the other end of a wire, by item type."""
    taken = isinstance(port, In)
    if port.kind is AnyItem:
        return []
    found = [
        name
        for name, other in sorted(known_blocks().items())
        for end in (other.outputs() if taken else other.inputs())
        if end.kind is port.kind and other is not kind
    ]
    names = ", ".join(dict.fromkeys(found))
    if not names:
        return []
    text = f"{'sent by' if taken else 'taken by'} {names}"
    return textwrap.wrap(text, 74, initial_indent="      ", subsequent_indent="        ")


def _port(port: Port) -> str:
    side = "in " if isinstance(port, In) else "out"
    shape = f"[{port.shape}]" if port.shape != "*" else ""
    rate = f", rate {port.rate}" if port.rate != "1" else ""
    finite = ", finite values only" if port.finite else ""
    verb = "demands" if isinstance(port, In) else "sets"
    traits = "".join(
        f", {verb} {name} {value.value if isinstance(value, Demand) else value}" for name, value in port.traits.items()
    )
    return f"{side} {port.name}: {type_name(port.kind)}{shape}{rate}{finite}{traits}"


def _setting(field: dataclasses.Field[Any]) -> str:
    meta = field.metadata
    hint = field.type if isinstance(field.type, str) else getattr(field.type, "__name__", str(field.type))
    default = f" = {field.default!r}" if field.default is not dataclasses.MISSING else ""
    parts = [] if default or field.default_factory is not dataclasses.MISSING else ["required"]
    parts += [f"{_SIGNS[k]} {v}" for k, v in meta.get("limits", {}).items()]
    if meta.get("choices"):
        parts.append("one of " + ", ".join(map(str, meta["choices"])))
    if meta.get("unit"):
        parts.append(f"in {meta['unit']}")
    if meta.get("live"):
        parts.append("live: may change while running")
    ranges = f" ({'; '.join(parts)})" if parts else ""
    meaning = f": {meta['doc']}" if meta.get("doc") else ""
    return f"{field.name}: {hint}{default}{ranges}{meaning}"
