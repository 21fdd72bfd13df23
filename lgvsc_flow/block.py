"""The block: ports, settings, `start`, `work`, `finish`, in that order."""

from __future__ import annotations

import dataclasses
import math
import threading
import types
import typing
from collections import deque
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, ClassVar, dataclass_transform

import numpy as np

from lgvsc_flow.errors import SettingError
from lgvsc_flow.ports import In, Out, Port

__all__ = ["Block", "setting"]


def setting(
    default: Any = dataclasses.MISSING,
    *,
    ge: float | None = None,
    gt: float | None = None,
    le: float | None = None,
    lt: float | None = None,
    choices: Sequence[Any] | None = None,
    unit: str = "",
    doc: str = "",
    live: bool = False,
) -> Any:
    """A setting of a block with its range, unit and meaning; checked when the block is built.

    A `live` one may change while the graph runs (`Block.set`): `work` reads it anew for every item.
    """
    given = {"ge": ge, "gt": gt, "le": le, "lt": lt}
    limits = {k: v for k, v in given.items() if v is not None}
    meta = {"limits": limits, "choices": choices, "unit": unit, "doc": doc, "live": live}
    if isinstance(default, (list, dict, set)):
        return dataclasses.field(default_factory=lambda: type(default)(default), metadata=meta)
    return dataclasses.field(default=default, metadata=meta)


_TESTS: dict[str, tuple[str, Callable[[float, float], bool]]] = {
    "ge": (">=", lambda a, b: a >= b),
    "gt": (">", lambda a, b: a > b),
    "le": ("<=", lambda a, b: a <= b),
    "lt": ("<", lambda a, b: a < b),
}


_SETTING = threading.Lock()
_hints: Callable[[Any], dict[str, Any]] = cache(typing.get_type_hints)


# `setting` is not among the specifiers: type checkers would not see its positional default.
@dataclass_transform(kw_only_default=True, field_specifiers=(dataclasses.field,))
@dataclasses.dataclass(kw_only=True, eq=False, repr=False)
class Block:
    """A stage of a graph.

    A subclass declares ports (`In`, `Out`), then settings (annotated fields, keyword-only), then its methods:

    - `start(self)`: load weights, build tables, open files; called once, before the first item.
    - `work(self, *items)`: one item per input, in the order of the ports; returns one item per output (a tuple
      where there are several, None for a sink). A source, and a block with an output of another rate than 1, is a
      generator of items, or of `(port, item)` pairs where it has several outputs.
    - `work_batch(self, *lists)`: instead of `work`, in a block with a setting `batch_size`: up to that many items that
      wait are given at once, one list per input; returns a list with one result per item. How many come together
      depends on timing, so results must not.
    - `finish(self)`: called at the end of the stream; may yield as `work` does.
    - `stop(self)`: called last, always, also after a failure; releases what `start` took and must not raise.

    `self.rng` is the block's own random generator, derived from the graph's root seed and the block's name.
    """

    name: str = ""
    rng: np.random.Generator = dataclasses.field(init=False)
    _changes: deque[dict[str, Any]] | None = dataclasses.field(default=None, init=False)
    _home: Any = dataclasses.field(default=None, init=False)  # the graph to which it was added first

    work: ClassVar[Callable[..., Any]]
    work_batch: ClassVar[Callable[..., Any]]
    ports: ClassVar[dict[str, Port]] = {}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        dataclasses.dataclass(kw_only=True, eq=False, repr=False)(cls)
        found = {name: p for base in reversed(cls.__mro__) for name, p in vars(base).items() if isinstance(p, Port)}
        cls.ports = found
        if cls.batches() and (cls.yields() or "batch_size" not in cls.setting_fields()):
            raise TypeError(f"{cls.__name__} has work_batch: it takes a setting batch_size and outputs of rate 1 only")

    def __post_init__(self) -> None:
        hints = _hints(type(self))
        for field in dataclasses.fields(self):
            if field.init:
                self._check_setting(field, hints.get(field.name))
        self.validate()

    def _check_setting(self, field: dataclasses.Field[Any], hint: Any) -> None:
        value = getattr(self, field.name)
        where = f"{type(self).__name__}.{field.name}"
        unit = f" {field.metadata['unit']}" if field.metadata.get("unit") else ""
        union = typing.get_args(hint) if typing.get_origin(hint) in (types.UnionType, typing.Union) else (hint,)
        allowed = tuple(t for t in union if t in (int, float, str, bool, type(None)))
        if len(allowed) == len(union):
            accepted = (*allowed, int, np.integer, np.floating) if float in allowed else (*allowed, np.integer)
            wrong_bool = isinstance(value, bool) and bool not in allowed
            if wrong_bool or not isinstance(value, accepted if int in allowed or float in allowed else allowed):
                names = " or ".join("None" if t is type(None) else t.__name__ for t in allowed)
                raise SettingError(f"{where} takes {names}, got {type(value).__name__} {value!r}")
        if value is None:
            return
        choices = field.metadata.get("choices")
        if choices is not None and value not in choices:
            raise SettingError(f"{where} is one of {', '.join(map(str, choices))}; got {value!r}")
        if isinstance(value, (float, np.floating)) and math.isnan(value):
            raise SettingError(f"{where} is NaN")
        for key, limit in field.metadata.get("limits", {}).items():
            sign, holds = _TESTS[key]
            if not holds(value, limit):
                raise SettingError(f"{where} must be {sign} {limit}{unit}, got {value}")

    def validate(self) -> None:
        """Check settings against each other; raise `SettingError`. Override where ranges are not enough."""

    def set(self, **changes: Any) -> None:
        """Change settings; in a running graph only `live` ones, and the change takes effect between two items.

        All are checked together, with those that still wait for their item; a change outlasts the run.

        Raises:
            SettingError: no such setting, a value out of range, or a setting that is not live in a running graph.
        """
        fields = self.setting_fields()
        with _SETTING:
            running = self._changes
            for name in changes:
                if name not in fields:
                    raise SettingError(f"{type(self).__name__} has no setting {name!r}; it has {', '.join(fields)}")
                if running is not None and not fields[name].metadata.get("live"):
                    raise SettingError(f"{self.label}.{name} cannot change while the graph runs; set it before")
            queued = {name: value for change in list(running or ()) for name, value in change.items()}
            type(self)(**{**self.settings, **queued, **changes})
            if running is None:
                self.apply(changes)
                self.validate()
            else:
                running.append(changes)

    def apply(self, changes: dict[str, Any]) -> None:
        """Take changed settings that have been checked; override where something must follow them."""
        for name, value in changes.items():
            setattr(self, name, value)

    def start(self) -> None:
        """Prepare for the first item."""

    def finish(self) -> Any:
        """Send what is left at the end of the stream."""

    def stop(self) -> None:
        """Release what `start` took; called last, also after a failure."""

    @property
    def label(self) -> str:
        """The name in messages: the given name, else the class."""
        return self.name or type(self).__name__

    @property
    def running(self) -> bool:
        """Whether a graph runs the block now."""
        return self._changes is not None

    @property
    def settings(self) -> dict[str, Any]:
        """Setting names and values, without the name."""
        return {name: getattr(self, name) for name in self.setting_fields()}

    @classmethod
    def setting_fields(cls) -> dict[str, dataclasses.Field[Any]]:
        """The settings, by name; ranges, unit and meaning are in each field's metadata."""
        return {f.name: f for f in dataclasses.fields(cls) if f.init and f.name != "name"}

    @classmethod
    def inputs(cls) -> list[In]:
        return [p for p in cls.ports.values() if isinstance(p, In)]

    @classmethod
    def outputs(cls) -> list[Out]:
        return [p for p in cls.ports.values() if isinstance(p, Out)]

    @classmethod
    def yields(cls) -> bool:
        """Whether `work` is a generator of items: a source, or any output of another rate than 1."""
        return not cls.inputs() or any(p.ratio != 1 for p in cls.outputs())

    @classmethod
    def batches(cls) -> bool:
        """Whether the block works on several waiting items at once."""
        return hasattr(cls, "work_batch")

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{k}={v!r}' for k, v in self.settings.items())})"
