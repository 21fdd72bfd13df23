"""Short texts that name a block with settings, as `rician:k_db=6` or `nr:512/1024:max_iterations=10`."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, TypeVar

from lgvsc_flow import Block
from lgvsc_flow.errors import FlowError, GraphFileError
from lgvsc_flow.plain import plain_yaml

__all__ = ["Parts", "SpecError", "build", "choose", "split"]

B = TypeVar("B", bound=Block)
T = TypeVar("T")
MAX_LENGTH = 1000  # characters


class SpecError(FlowError, ValueError):
    """A text names no code or channel."""


@dataclass(frozen=True)
class Parts:
    """`name`, what stands behind it without an equals sign (`detail`), and the settings."""

    text: str
    name: str
    detail: str
    settings: dict[str, Any]


def split(text: str) -> Parts:
    """`name[:detail][:key=value[,key=value ...]]`, values as YAML has them: numbers, true, false, null, text.

    Raises:
        SpecError: a part has no meaning.
    """
    if len(text) > MAX_LENGTH:
        raise SpecError(f"{text[:20]}...: {len(text)} characters, at most {MAX_LENGTH}")
    name, _, rest = text.strip().partition(":")
    head, equals, _ = rest.partition("=")
    detail, _, first = head.rpartition(":") if equals else (rest, "", "")
    listed = rest[len(head) - len(first) :] if equals else ""
    settings: dict[str, Any] = {}
    for item in listed.split(",") if listed else ():
        key, equals, value = item.partition("=")
        key = key.strip()
        if not key or not equals:
            raise SpecError(f"{text}: settings are written key=value, key=value; got {item!r}")
        if key in settings:
            raise SpecError(f"{text}: {key} is there twice")
        if re.fullmatch(r"[-+]?0\d+", value.strip()):
            raise SpecError(f"{text}: {key}={value} begins with a 0; several numbers have spaces between them")
        try:
            found = plain_yaml(value, text)
        except GraphFileError:
            raise SpecError(f"{text}: {key} takes a number, true, false, null or text; got {value!r}") from None
        if isinstance(found, list | dict):
            raise SpecError(f"{text}: {key} takes one plain value, got {value!r}")
        settings[key] = found
    return Parts(text.strip(), name.strip().lower(), detail.strip().lower(), settings)


def choose(what: str, parts: Parts, known: Mapping[str, T]) -> T:
    """The entry of a name.

    Raises:
        SpecError: there is none; the message lists what there is.
    """
    if parts.name in known:
        return known[parts.name]
    close = get_close_matches(parts.name, known, 1)
    hint = f" (did you mean {close[0]}?)" if close else ""
    raise SpecError(f"there is no {what} {parts.name!r}{hint}; there are {', '.join(known)}")


def build(kind: type[B], parts: Parts, settings: Mapping[str, Any], reserved: Iterable[str] = ()) -> B:
    """A block with these settings, of which the text gave some; `reserved` ones are not the text's to set.

    Raises:
        SpecError: the block has no such setting, or not with such a value.
    """
    known = [name for name in kind.setting_fields() if name not in reserved]
    for name in parts.settings:
        if name in reserved:
            raise SpecError(f"{parts.text}: {name} is set elsewhere, leave it out")
    for name in settings:
        if name not in known and name not in reserved:
            has = f"it has {', '.join(known)}" if known else "it has none"
            close = get_close_matches(name, known, 1)
            hint = f" (did you mean {close[0]}?)" if close else ""
            raise SpecError(f"{parts.text}: no setting {name!r}{hint}; {has}")
    for name, value in settings.items():
        field = kind.setting_fields()[name]
        if isinstance(value, int) and not isinstance(value, bool) and "float" in str(field.type).split(" | "):
            settings = {**settings, name: float(value)}
    for name, field in kind.setting_fields().items():
        required = field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
        if required and name not in settings and name not in reserved:
            raise SpecError(f"{parts.text}: needs {name}, as in {parts.name}:{name}=...")
    try:
        return kind(**settings)
    except (FlowError, ValueError, TypeError) as error:
        raise SpecError(f"{parts.text}: {error}") from None
