"""Run one block without a graph."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from lgvsc_flow.block import Block
from lgvsc_flow.engines.stage import Stage
from lgvsc_flow.engines.wire import Wire
from lgvsc_flow.graph import Graph

__all__ = ["run_block"]


def run_block(block: Block, *inputs: Iterable[Any], seed: int = 0) -> Any:
    """Feed a block its whole input streams and return what it sends.

    Args:
        block: any block; `start`, `work`, `finish` and `stop` are called as in a graph.
        inputs: a list of items per input port, in the order of the ports.
        seed: the root seed of the block's `rng`.

    Returns:
        The items sent: a list where the block has one output, else a dict from port name to list.

    Raises:
        BlockError: as in a graph.
    """
    ports = block.inputs()
    if len(inputs) != len(ports):
        raise TypeError(f"{block.label} has {len(ports)} inputs, got {len(inputs)} streams")
    graph = Graph(seed=seed)
    graph.add(block)
    stage = Stage(block)
    for port, items in zip(ports, inputs, strict=True):
        wire = Wire(f"{port.name}", 1)
        wire.writer = wire.reader = stage
        wire.items.extend([items] if isinstance(items, np.ndarray) else items)
        wire.closed = True
        stage.inputs.append(wire)
    sent = {}
    for out in block.outputs():
        wire = Wire(out.name, 2**62)
        wire.writer = wire.reader = stage
        stage.outputs[out.name] = [wire]
        sent[out.name] = wire.items
    block.rng = graph.rng(block)
    try:
        stage.start()
        for _ in stage.steps():
            pass
    finally:
        stage.stop()
    lists = {name: list(items) for name, items in sent.items()}
    return next(iter(lists.values())) if len(lists) == 1 else lists
