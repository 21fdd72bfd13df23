"""How a checked graph is run: the engines, and what they have in common."""

from lgvsc_flow.engines.execution import ENGINES, Execution

__all__ = ["ENGINES", "Execution"]
