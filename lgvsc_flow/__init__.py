"""A block-graph toolkit for semantic video links."""

from typing import TYPE_CHECKING

from lgvsc_flow.lazy import exports

if TYPE_CHECKING:
    from lgvsc_flow.block import Block as Block, setting as setting
    from lgvsc_flow.graph import Graph as Graph
    from lgvsc_flow.ports import Demand as Demand, In as In, Out as Out

__getattr__, __dir__, __all__ = exports(
    __name__, {"block": ["Block", "setting"], "graph": ["Graph"], "ports": ["Demand", "In", "Out"]}
)
