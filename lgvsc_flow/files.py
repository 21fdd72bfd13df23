"""Graphs as YAML files: the blocks with their settings, and the wires between their ports.

```yaml
graph: uncoded
seed: 7
blocks:
  RandomBits: {block: RandomBits, n: 4096, count: 50}
  meter: {block: BerMeter}
wires:
- RandomBits.bits -> meter.sent
```

A file is data: it is read by YAML's safe loader, and names only blocks that are installed. Of YAML's anchors those of
plain values may be used (`order: &o 16`, `order: *o`), so that no short file stands for a huge one.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from lgvsc_flow.block import Block
from lgvsc_flow.check import problems as wiring_problems
from lgvsc_flow.errors import GraphFileError, SettingError
from lgvsc_flow.plain import plain_yaml
from lgvsc_flow.ports import BoundPort, In, Out
from lgvsc_flow.registry import BlockNameError, find_block, known_blocks

if TYPE_CHECKING:
    from lgvsc_flow.graph import Graph

__all__ = ["load", "save"]

PLAIN = (bool, int, float, str, type(None))
MAX_BYTES = 2**20  # of a graph file: some ten thousand blocks
MAX_SHOWN = 400  # characters of a value in a message


def save(graph: Graph, path: str | Path) -> None:
    """Write a graph to a YAML file. Open ports are not kept: a file holds a whole graph.

    Raises:
        SettingError: a block is not installed under its class name, holds an object as a setting, or has a name that
            another has too or that cannot stand in a wire's line.
        GraphFileError: the file cannot be written.
    """
    blocks: dict[str, dict[str, Any]] = {}
    for block in graph.blocks:
        kind = type(block).__name__
        if block.name in blocks:
            raise SettingError(f"{block.name}: two blocks have that name, a file needs one for each")
        if " -> " in block.name or not block.name.strip():
            raise SettingError(f"{block.name!r} cannot name a block in a file; name it without ' -> '")
        try:
            installed = find_block(kind)
        except BlockNameError as error:
            raise SettingError(f"{block.name}: {error}") from None
        if installed is not type(block):
            raise SettingError(f"{block.name}: {kind} is no installed block, so a file cannot name it")
        blocks[block.name] = {"block": kind} | {k: _plain(block, k, v) for k, v in block.settings.items()}
    wires = [f"{sender} -> {taker}" for sender, taker in graph.wires()]
    data = {"graph": graph.name, "seed": graph.seed, "blocks": blocks, "wires": wires}
    temporary = Path(f"{path}.tmp")
    try:
        temporary.write_text(yaml.safe_dump(data, sort_keys=False, allow_unicode=True), encoding="utf-8")
        os.replace(temporary, path)
    except OSError as error:
        raise GraphFileError(str(path), [f"it cannot be written: {error.strerror or error}."]) from error


def load(path: str | Path, changes: Mapping[str, Any] | None = None) -> Graph:
    """Read a graph from a YAML file.

    Args:
        path: the file.
        changes: settings to change, by `Block.setting`.

    Raises:
        GraphFileError: with every problem of the file, and of the wiring as far as the file says it.
    """
    from lgvsc_flow.graph import Graph

    problems: list[str] = []
    data = _read(path, problems)
    sections = _settings(data, changes or {}, problems)
    graph = Graph(str(data.get("graph", Path(path).stem)), seed=_seed(data, problems))
    blocks: dict[str, Block] = {}
    for name, (kind, settings) in sections.items():
        block = _build(name, kind, settings, problems)
        if block is not None:
            blocks[name] = graph.add(block)
    unwired = set()  # inputs whose wire the file names and which could not be laid
    for wire in data.get("wires") or []:
        ends = [_end(str(wire), text, kind, blocks, sections, problems) for text, kind in _halves(str(wire), problems)]
        if len(ends) == 2 and ends[0] and ends[1]:
            graph.connect(*[e for e in ends if e])
        elif len(ends) == 2 and ends[1]:
            unwired.add(f"{ends[1]}: nothing is connected;")
    if problems:
        if blocks:
            problems += [p for p in wiring_problems(graph) if not any(map(p.startswith, unwired))]
        raise GraphFileError(str(path), [_short(p) for p in problems])
    return graph


def _plain(block: Block, name: str, value: Any) -> Any:
    if isinstance(value, Fraction | os.PathLike):
        return str(value)
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        return {key: _plain(block, f"{name}.{key}", each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(block, name, each) for each in value]
    if not isinstance(value, PLAIN):
        raise SettingError(f"{block.name}.{name} is an object ({type(value).__name__}); a file holds plain values only")
    return value


def _read(path: str | Path, problems: list[str]) -> dict[str, Any]:
    try:
        with Path(path).open("rb") as file:
            content = file.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            raise GraphFileError(str(path), [f"it is larger than {MAX_BYTES // 2**20} MiB; no graph file is."])
        text = content.decode("utf-8")
    except FileNotFoundError:
        raise GraphFileError(str(path), ["the file does not exist."]) from None
    except (OSError, UnicodeDecodeError) as error:
        raise GraphFileError(str(path), [f"it cannot be read: {' '.join(str(error).split())}."]) from None
    data = plain_yaml(text, str(path), problems)
    if not isinstance(data, dict) or not isinstance(data.get("blocks"), dict):
        raise GraphFileError(str(path), ["it has no section 'blocks'; see the guide for the form of a graph file."])
    unknown = set(data) - {"graph", "seed", "blocks", "wires"}
    if unknown:
        raise GraphFileError(str(path), [f"unknown sections: {', '.join(map(str, sorted(unknown, key=str)))}."])
    if not isinstance(data.get("wires") or [], list):
        raise GraphFileError(str(path), ["its section 'wires' is no list of 'Block.port -> Block.port'."])
    return data


def _seed(data: dict[str, Any], problems: list[str]) -> int:
    seed = data.get("seed", 0)
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        problems.append(f"seed: takes a whole number from 0, got {seed!r}.")
        return 0
    return seed


def _settings(
    data: dict[str, Any], changes: Mapping[str, Any], problems: list[str]
) -> dict[str, tuple[str, dict[str, Any]]]:
    sections = {}
    for key, section in data["blocks"].items():
        name = str(key)
        if name in sections:  # 1 and "1" are two keys for YAML
            problems.append(f"{name}: is there twice.")
        if not isinstance(section, dict) or not isinstance(section.get("block"), str):
            problems.append(f"{name}: takes a mapping with 'block: ClassName' and its settings.")
            continue
        sections[name] = (section["block"], {k: v for k, v in section.items() if k != "block"})
    for key, value in changes.items():
        name, _, setting = key.rpartition(".")
        if name in sections:
            sections[name][1][setting] = value
        else:
            problems.append(f"{key}: there is no block {name!r}{_hint(name, sections)}.")
    return sections


def _build(name: str, kind: str, settings: dict[str, Any], problems: list[str]) -> Block | None:
    try:
        cls = find_block(kind)
    except BlockNameError as error:
        problems.append(f"{name}: {error}")
        return None
    if cls is None:
        problems.append(f"{name}: {kind!r} is no installed block{_hint(kind, known_blocks())}.")
        return None
    names = list(cls.setting_fields())
    unknown = [k for k in settings if k not in names]
    for setting in unknown:
        has = f"it has {', '.join(names)}" if names else "it has none"
        problems.append(f"{name}: {kind} has no setting {setting!r}{_hint(str(setting), names)}; {has}.")
    if unknown:
        return None
    try:
        return cls(name=name, **settings)
    except (SettingError, TypeError) as error:
        problems.append(f"{name}: {_short(str(error))}.")
    except Exception as error:  # a block's own `validate` may trip over any value
        problems.append(f"{name}: {kind} cannot be built: {_short(str(error))} (from {type(error).__name__}).")
    return None


def _halves(wire: str, problems: list[str]) -> list[tuple[str, type[In] | type[Out]]]:
    sender, arrow, taker = wire.partition(" -> ")
    if not arrow:
        problems.append(f"wire {wire!r}: write it as 'Block.port -> Block.port'.")
        return []
    return [(sender.strip(), Out), (taker.strip(), In)]


def _end(
    wire: str,
    text: str,
    direction: type[In] | type[Out],
    blocks: dict[str, Block],
    sections: Mapping[str, Any],
    problems: list[str],
) -> BoundPort | None:
    name, _, port = text.rpartition(".")
    if name not in blocks:
        if name not in sections:
            problems.append(f"wire '{wire}': there is no block {name!r}{_hint(name, sections)}.")
        return None
    fitting = [p for p, kind in blocks[name].ports.items() if isinstance(kind, direction)]
    if port not in fitting:
        word = "input" if direction is In else "output"
        has = ", ".join(fitting) or "none"
        problems.append(f"wire '{wire}': {name} has no {word} {port!r}{_hint(port, fitting)}; its {word}s: {has}.")
        return None
    return BoundPort(blocks[name], blocks[name].ports[port])


def _short(text: str) -> str:
    return text if len(text) <= MAX_SHOWN else f"{text[: MAX_SHOWN - 20]} ... {text[-15:]}"


def _hint(name: str, known: Any) -> str:
    close = difflib.get_close_matches(name, list(known), 1, cutoff=0.5)
    return f" (did you mean {close[0]}?)" if close else ""
