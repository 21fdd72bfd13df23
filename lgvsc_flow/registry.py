"""The blocks that are installed, found through the entry point group `lgvsc_flow.blocks`.

An entry point names a module (its `__all__` lists the blocks) or one block class. What cannot be used is not passed
over: `problems` says what it is, which distribution it comes from, and why. A name that two distributions give to
different blocks belongs to neither of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from types import ModuleType

from lgvsc_flow.block import Block
from lgvsc_flow.errors import FlowError
from lgvsc_flow.items import ItemType

__all__ = ["GROUP", "BlockNameError", "Installed", "bridges", "find_block", "home", "known_blocks", "problems"]

GROUP = "lgvsc_flow.blocks"


class BlockNameError(FlowError):
    """Several distributions install a block of one name."""


@dataclass(frozen=True)
class Installed:
    """A block class, the module to import it from, and the distribution that brings it."""

    kind: type[Block]
    home: str
    distribution: str


@dataclass(frozen=True)
class _Catalogue:
    blocks: Mapping[str, Installed]
    clashes: Mapping[str, tuple[Installed, ...]]
    broken: tuple[str, ...]


def known_blocks() -> dict[str, type[Block]]:
    """Block classes by name; without those that cannot be used, see `problems`."""
    return {name: found.kind for name, found in _catalogue().blocks.items()}


def find_block(name: str) -> type[Block] | None:
    """The installed block of a name, or None.

    Raises:
        BlockNameError: several distributions install a block of that name.
    """
    catalogue = _catalogue()
    if name in catalogue.clashes:
        raise BlockNameError(_clash(name, catalogue.clashes[name]))
    return catalogue.blocks[name].kind if name in catalogue.blocks else None


def home(kind: type[Block]) -> str:
    """The module from which a user imports a block: the one its entry point names, else where it is defined."""
    found = _catalogue().blocks.get(kind.__name__)
    return found.home if found is not None and found.kind is kind else kind.__module__


def problems() -> list[str]:
    """Why entry points or blocks cannot be used, one line each: failed imports, entries without a block, clashes."""
    catalogue = _catalogue()
    return [*catalogue.broken, *(_clash(name, found) for name, found in catalogue.clashes.items())]


def bridges(sent: ItemType, taken: ItemType) -> list[str]:
    """Names of the blocks with one input and one output that turn `sent` into `taken`."""
    fitting = []
    for name, block in known_blocks().items():
        ins, outs = block.inputs(), block.outputs()
        if len(ins) == 1 and len(outs) == 1 and ins[0].kind is sent and outs[0].kind is taken:
            fitting.append(name)
    return sorted(fitting)


@cache
def _catalogue() -> _Catalogue:
    found: dict[str, list[Installed]] = {}
    broken: list[str] = []
    for entry in entry_points(group=GROUP):
        for block in _load(entry, broken):
            same = found.setdefault(block.kind.__name__, [])
            if all(other.kind is not block.kind for other in same):
                same.append(block)
    return _Catalogue(
        {name: same[0] for name, same in found.items() if len(same) == 1},
        {name: tuple(same) for name, same in found.items() if len(same) > 1},
        tuple(broken),
    )


def _load(entry: EntryPoint, broken: list[str]) -> Iterator[Installed]:
    """The blocks of one entry point. Foreign code runs here: whatever it raises is a line in `broken`."""
    distribution = entry.dist.name if entry.dist is not None else "an unknown distribution"
    where = f"{distribution}: its entry '{entry.name} = {entry.value}' in {GROUP}"
    try:
        loaded = entry.load()
    except (Exception, SystemExit) as error:
        broken.append(f"{where} cannot be imported: {_told(error)}.")
        return
    if isinstance(loaded, type) and issubclass(loaded, Block):
        yield Installed(loaded, entry.module, distribution)
        return
    names = getattr(loaded, "__all__", None)
    if not isinstance(names, list | tuple):
        what = "a module without __all__" if isinstance(loaded, ModuleType) else f"of type {type(loaded).__name__}"
        broken.append(
            f"{where} names no block: it is {what}. Name a block class, or a module whose __all__ lists some."
        )
        return
    count = 0
    for name in names:
        try:
            value = getattr(loaded, name)
        except (Exception, SystemExit) as error:
            broken.append(f"{where}: {name} cannot be imported: {_told(error)}.")
            count += 1
            continue
        if isinstance(value, type) and issubclass(value, Block):
            count += 1
            yield Installed(value, entry.module, distribution)
    if not count:
        broken.append(f"{where} names no block: none of {', '.join(map(str, names)) or 'its empty __all__'} is one.")


def _told(error: BaseException) -> str:
    text = " ".join(str(error).split()).rstrip(".")
    return f"{text} ({type(error).__name__})" if text else type(error).__name__


def _clash(name: str, found: tuple[Installed, ...]) -> str:
    homes = " and ".join(f"{f.distribution} ({f.home})" for f in found)
    return f"{len(found)} blocks are called {name}, from {homes}: none can be named. Rename one, or uninstall it."
