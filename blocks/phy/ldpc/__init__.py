"""Low-density parity-check codes."""
