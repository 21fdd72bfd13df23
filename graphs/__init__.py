"""Whole systems, each a function that returns a Graph; imports as lgvsc_flow.graphs."""

if __name__ != "lgvsc_flow.graphs":
    raise ImportError("import lgvsc_flow.graphs, not graphs: install the project first (pip install -e .)")
