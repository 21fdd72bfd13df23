"""What a block has measured, as numbers."""

from __future__ import annotations

from lgvsc_flow.block import Block

__all__ = ["measured"]


def measured(block: Block) -> dict[str, float]:
    """The public numbers of a block that are neither settings nor every block's own."""
    kind = type(block)
    public = [n for n in dict.fromkeys((*vars(block), *dir(kind))) if not n.startswith("_")]
    values = {n: getattr(block, n, None) for n in public if n not in block.settings and not hasattr(Block, n)}
    return {n: v for n, v in values.items() if isinstance(v, int | float)}
