"""The blocks, by domain; imports as lgvsc_flow.blocks."""

if __name__ != "lgvsc_flow.blocks":
    raise ImportError("import lgvsc_flow.blocks, not blocks: install the project first (pip install -e .)")
