"""What wiring needs: free names, and the port that an element of a chain stands for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lgvsc_flow.block import Block
from lgvsc_flow.ports import BoundPort, In, Out

if TYPE_CHECKING:
    from lgvsc_flow.graph import Graph

__all__ = ["end_of", "free_name"]


def free_name(name: str, taken: set[str]) -> str:
    """The name, with a number behind it where it is taken."""
    number, free = 1, name
    while free in taken:
        number += 1
        free = f"{name}-{number}"
    return free


def end_of(end: Block | BoundPort | Graph, direction: type[In] | type[Out]) -> BoundPort:
    """The port that an element of a chain stands for."""
    word = "input" if direction is In else "output"
    if isinstance(end, BoundPort):
        if isinstance(end.port, direction):
            return end
        if direction is In:
            raise TypeError(f"{end} is not an input")
        end = end.block
    from lgvsc_flow.graph import Graph

    if isinstance(end, Block):
        label, ports = end.label, {p.name: BoundPort(end, p) for p in end.ports.values()}
    elif isinstance(end, Graph):
        label, ports = end.name, end.ports
    else:
        raise TypeError(f"connect takes blocks, composites and ports, got {type(end).__name__} {end!r}")
    fitting = {name: p for name, p in ports.items() if isinstance(p.port, direction)}
    if len(fitting) == 1:
        return next(iter(fitting.values()))
    if not fitting:
        raise TypeError(f"{label} has no {word}")
    raise TypeError(f"{label} has {len(fitting)} {word}s, name one: {', '.join(f'.{name}' for name in fitting)}")
