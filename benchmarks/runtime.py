"""The runtime's speed and memory beside GNU Radio's: ours and the peer's in turn, pinned, medians, ratio first.

    python benchmarks/runtime.py [--only NAME] [--json out.jsonl] [--markdown table.md] [--repeats N]

docs/benchmarks.md says what each row means, and how a run goes wrong.
"""

from __future__ import annotations

from collections.abc import Sequence

from children import command
from runtime_rows import CASES


def main(given: Sequence[str] | None = None) -> None:
    command(CASES, "runtime.py", __doc__, seconds=1.0, given=given)


if __name__ == "__main__":
    main()
