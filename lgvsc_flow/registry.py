"""The blocks that are installed, found through the entry point group `lgvsc_flow.blocks`.

An entry point names a module (its `__all__` lists the blocks) or one block class.
"""

from __future__ import annotations

from functools import cache
from importlib.metadata import entry_points

from lgvsc_flow.block import Block
from lgvsc_flow.items import ItemType

__all__ = ["bridges", "known_blocks"]


@cache
def known_blocks() -> dict[str, type[Block]]:
    """Block classes by name; those whose packages are missing are left out."""
    found: dict[str, type[Block]] = {}
    for entry in entry_points(group="lgvsc_flow.blocks"):
        try:
            loaded = entry.load()
        except ImportError:
            continue
        for name in getattr(loaded, "__all__", [entry.name]):
            try:
                value = getattr(loaded, name, loaded)
            except ImportError:
                continue
            if isinstance(value, type) and issubclass(value, Block):
                found[value.__name__] = value
    return found


def bridges(sent: ItemType, taken: ItemType) -> list[str]:
    """Names of the blocks with one input and one output that turn `sent` into `taken`."""
    fitting = []
    for name, block in known_blocks().items():
        ins, outs = block.inputs(), block.outputs()
        if len(ins) == 1 and len(outs) == 1 and ins[0].kind is sent and outs[0].kind is taken:
            fitting.append(name)
    return sorted(fitting)
