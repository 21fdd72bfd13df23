"""PHY blocks and links on one core beside their peers: ours and the peer's in turn, pinned, medians, ratio first.

    python benchmarks/phy.py [--only NAME] [--json out.jsonl] [--markdown table.md] [--repeats N]

docs/benchmarks.md says what each row means, how to install the peers, and how a run goes wrong.
"""

from __future__ import annotations

from collections.abc import Sequence

from children import command
from phy_rows import CASES


def main(given: Sequence[str] | None = None) -> None:
    command(CASES, "phy.py", __doc__, seconds=0.5, given=given)


if __name__ == "__main__":
    main()
