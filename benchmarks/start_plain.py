"""The least graph of the toolkit, three blocks of one's own: what `runtime.py` starts afresh and times."""

import json
import sys
import time
from collections.abc import Iterator

import numpy as np

from lgvsc_flow import Block, Graph, In, Out
from lgvsc_flow.items import Symbols


class Ones(Block):
    """One burst."""

    symbols = Out(Symbols)

    def work(self) -> Iterator[np.ndarray]:
        yield np.ones(4096, np.complex64)


class Half(Block):
    """Half the amplitude."""

    symbols = In(Symbols, "n")
    halves = Out(Symbols, "n")

    def work(self, symbols: np.ndarray) -> np.ndarray:
        return symbols * np.float32(0.5)


class Count(Block):
    """Count symbols."""

    symbols = In(Symbols)

    count = 0

    def work(self, symbols: np.ndarray) -> None:
        self.count += symbols.size


graph = Graph("start")
graph.connect(Ones(), Half(), Count())
graph.run()
finished_at = time.time()
heavy = [name for name in ("torch", "transformers", "diffusers") if name in sys.modules]
print(json.dumps({"finished_at": finished_at, "heavy": len(heavy), "count": graph.find(Count).count}))
