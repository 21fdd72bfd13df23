"""A block class in words: what it is, its ports, its settings, and a line that builds it."""

from __future__ import annotations

import dataclasses
import inspect
from typing import Any

from lgvsc_flow.block import Block
from lgvsc_flow.items import type_name
from lgvsc_flow.ports import Demand, In, Port

__all__ = ["describe_block"]

_SIGNS = {"ge": ">=", "gt": ">", "le": "<=", "lt": "<"}


def describe_block(kind: type[Block]) -> str:
    """The text that `lgvsc-flow blocks NAME` prints."""
    lines = [f"{kind.__name__}  ({kind.__module__})", "", inspect.cleandoc(kind.__doc__ or ""), "", "Ports:"]
    lines += [f"  {_port(p)}" for p in kind.ports.values()]
    settings = kind.setting_fields()
    lines += ["", "Settings:" if settings else "Settings: none"]
    lines += [f"  {_setting(kind, f)}" for f in settings.values()]
    required = ", ".join(f"{n}=..." for n, f in settings.items() if not _has_default(f))
    lines += ["", "Example:", f"  from {kind.__module__.rpartition('.')[0]} import {kind.__name__}"]
    lines += [f"  block = {kind.__name__}({required})"]
    return "\n".join(lines)


def _port(port: Port) -> str:
    side = "in " if isinstance(port, In) else "out"
    shape = f"[{port.shape}]" if port.shape != "*" else ""
    rate = f", rate {port.rate}" if port.rate != "1" else ""
    verb = "demands" if isinstance(port, In) else "sets"
    traits = "".join(
        f", {verb} {name} {value.value if isinstance(value, Demand) else value}" for name, value in port.traits.items()
    )
    return f"{side} {port.name}: {type_name(port.kind)}{shape}{rate}{traits}"


def _setting(kind: type[Block], field: dataclasses.Field[Any]) -> str:
    meta = field.metadata
    hint = field.type if isinstance(field.type, str) else getattr(field.type, "__name__", str(field.type))
    default = f" = {field.default!r}" if field.default is not dataclasses.MISSING else ""
    parts = [f"{_SIGNS[k]} {v}" for k, v in meta.get("limits", {}).items()]
    if meta.get("choices"):
        parts.append("one of " + ", ".join(map(str, meta["choices"])))
    if meta.get("unit"):
        parts.append(f"in {meta['unit']}")
    ranges = f" ({'; '.join(parts)})" if parts else ""
    meaning = f": {meta['doc']}" if meta.get("doc") else ""
    return f"{field.name}: {hint}{default}{ranges}{meaning}"


def _has_default(field: dataclasses.Field[Any]) -> bool:
    return field.default is not dataclasses.MISSING or field.default_factory is not dataclasses.MISSING
