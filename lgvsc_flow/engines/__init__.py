"""How a checked graph is run."""
