"""Error rate curves as JSON-lines files: what the curve depends on in the first line, then a point per line."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from lgvsc_flow.errors import FlowError

__all__ = ["Curve", "Point", "append_point", "load_curve", "open_curve"]

MAX_BYTES = 2**24


@dataclass(frozen=True)
class Point:
    """One point: counts, rates with their intervals, and why it ended (`errors`, `max_bits`, `max_blocks`, `source`).

    `blocks`, `bler` and their like are None where bits are in no blocks; `ebn0_db` where the information bits per
    symbol are not known. With hybrid ARQ, `transmissions` is the mean number of them that a block took, and
    `throughput` what came through whole: information bits per symbol sent.
    """

    esn0_db: float
    ebn0_db: float | None
    ber: float
    ber_low: float
    ber_high: float
    bler: float | None
    bler_low: float | None
    bler_high: float | None
    bits: int
    bit_errors: int
    blocks: int | None
    block_errors: int | None
    bursts: int
    stopped_by: str
    seed: int
    transmissions: float | None = None
    throughput: float | None = None


@dataclass(frozen=True)
class Curve:
    """The points of a link, by rising Es/N0; `settings` are all that they depend on."""

    name: str
    settings: dict[str, Any]
    points: list[Point] = field(default_factory=list)


def load_curve(path: str | Path) -> Curve:
    """Read a curve; a last line that a broken run left unfinished is passed over.

    Raises:
        FlowError: the file is missing or holds no curve.
    """
    curve, _ = _read(Path(path))
    if curve is None:
        raise FlowError(f"{path} is empty; it holds no curve")
    return curve


def open_curve(path: Path, curve: Curve) -> dict[float, Point]:
    """Begin the file of a curve, or go on with it: the points it holds, by Es/N0. An unfinished last line is cut off.

    Raises:
        FlowError: the file holds something else, or another curve, or cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FlowError(f"{path}: its folder cannot be made: {error.strerror}") from None
    try:
        found, whole = _read(path) if path.exists() else (None, 0)
        if found is not None and found.settings != curve.settings:
            raise FlowError(f"{path} holds another curve, {found.name}: {_difference(found, curve)}; take another file")
        with path.open("ab") as file:
            file.truncate(whole)
            if found is None:
                _write(file, {"curve": curve.name, "settings": curve.settings})
    except OSError as error:
        raise FlowError(f"{path} cannot be written: {error.strerror}") from None
    return {point.esn0_db: point for point in found.points} if found else {}


def append_point(path: Path, point: Point) -> None:
    """Add a point, in one piece, and see it to the disk.

    Raises:
        FlowError: the file cannot be written.
    """
    try:
        with path.open("ab") as file:
            _write(file, asdict(point))
    except OSError as error:
        raise FlowError(f"{path} cannot be written: {error.strerror}") from None


def _write(file: Any, record: dict[str, Any]) -> None:
    file.write((json.dumps(record, allow_nan=False) + "\n").encode())
    file.flush()
    os.fsync(file.fileno())


def _difference(found: Curve, curve: Curve) -> str:
    for key, value in curve.settings.items():
        if found.settings.get(key) != value and key != "link":
            return f"its {key} is {found.settings.get(key)}, not {value}"
    return f"its link is not {curve.name} with the same settings"


def _read(path: Path) -> tuple[Curve | None, int]:
    """The curve, None where there is not even a first line, and the bytes of whole lines."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise FlowError(f"{path} does not exist") from None
    except OSError as error:
        raise FlowError(f"{path} cannot be read: {error.strerror}") from None
    if len(content) > MAX_BYTES:
        raise FlowError(f"{path} is larger than {MAX_BYTES >> 20} MiB; no curve is")
    whole = content.rfind(b"\n") + 1
    curve = None
    for number, line in enumerate(content[:whole].splitlines(), 1):
        try:
            record = json.loads(line, parse_constant=_no_number)
            if curve is None:
                curve = Curve(str(record["curve"]), dict(record["settings"]))
            else:
                curve.points.append(_point(record))
        except (ValueError, KeyError, TypeError, RecursionError):
            raise FlowError(f"{path}, line {number}: no part of an error rate curve; take another file") from None
    if curve is None and content and not content.startswith(b'{"curve": '[: len(content)]):
        raise FlowError(f"{path}, line 1: no part of an error rate curve; take another file")
    return curve, whole


def _no_number(text: str) -> float:
    raise ValueError(text)


def _point(record: dict[str, Any]) -> Point:
    point = Point(**record)
    for each in fields(Point):
        value = getattr(point, each.name)
        kinds = {"str": str, "int": int, "float": (int, float)}
        if value is None and "None" in each.type:
            continue
        if isinstance(value, bool) or not isinstance(value, kinds[each.type.split(" ")[0]]):  # type: ignore[arg-type]
            raise TypeError(each.name)
    return point
