"""The command `lgvsc-flow blocks`: what is installed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING, Annotated

import typer

from lgvsc_flow import cli_common as common
from lgvsc_flow.errors import FlowError

if TYPE_CHECKING:
    from lgvsc_flow.ports import Port

__all__ = ["EXAMPLES", "blocks"]

EXAMPLES = "Examples: `lgvsc-flow blocks`, `lgvsc-flow blocks QamDemodulator`"


def blocks(name: Annotated[str | None, typer.Argument(help="one block's name")] = None) -> None:
    """List the installed blocks, or show one: ports, settings, meaning, an example."""
    from rich.table import Table

    from lgvsc_flow.describe import describe_block
    from lgvsc_flow.registry import find_block, home, known_blocks, problems

    known = known_blocks()
    if name is None:
        table = Table(box=None, padding=(0, 1, 0, 0))
        table.add_column("block", no_wrap=True)
        table.add_column("takes -> gives", max_width=24)
        table.add_column("what it is", ratio=1)
        place = ""
        for kind in sorted(known, key=lambda k: (home(known[k]), k)):
            cls = known[kind]
            if home(cls) != place:
                place = home(cls)
                table.add_row(place, style="bold")
            takes, gives = (_kinds(ports) for ports in (cls.inputs(), cls.outputs()))
            table.add_row(f" {kind}", f"{takes} -> {gives}".strip(), (cls.__doc__ or "").strip().partition("\n")[0])
        common.console.print(table)
        if problems():
            raise FlowError("not all that is installed can be used:\n  " + "\n  ".join(problems()))
        return
    found = find_block(name)
    if found is None:
        close = get_close_matches(name, known, 1)
        raise FlowError(f"no installed block is called {name!r}{f'; did you mean {close[0]}?' if close else ''}")
    common.console.print(describe_block(found), soft_wrap=True)


def _kinds(ports: Sequence[Port]) -> str:
    """Item types with their number: `3 Payload, Bits`."""
    from lgvsc_flow.items import type_name

    counts = Counter(type_name(p.kind) for p in ports)
    return ", ".join(f"{count} {kind}" if count > 1 else kind for kind, count in counts.items())
