"""What blocks demand that undo one gain per symbol."""

from __future__ import annotations

from lgvsc_flow.ports import Demand

__all__ = ["FLAT"]

FLAT = Demand(
    "flat",
    "the channel is {found}, each sample holds echoes of others, and one gain per symbol cannot undo that. Put the "
    "channel between OfdmModulator and OfdmDemodulator, as lgvsc_flow.graphs.ofdm.ofdm(channel) does.",
)
