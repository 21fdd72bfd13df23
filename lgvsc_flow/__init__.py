"""A block-graph toolkit for semantic video links."""

from lgvsc_flow.block import Block, setting
from lgvsc_flow.graph import Graph
from lgvsc_flow.ports import Demand, In, Out

__all__ = ["Block", "Demand", "Graph", "In", "Out", "setting"]
