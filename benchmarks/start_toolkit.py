"""Three blocks of the toolkit with a compiled kernel, from its cache: what `runtime.py` starts afresh and times."""

import json
import sys
import time

from lgvsc_flow import Graph
from lgvsc_flow.blocks.phy import QamModulator, RandomBits
from lgvsc_flow.probe import Probe

graph = Graph("start")
probe = Probe()
graph.connect(RandomBits(n=16384), QamModulator(order=16), probe)
graph.run()
finished_at = time.time()
heavy = [name for name in ("torch", "transformers", "diffusers") if name in sys.modules]
print(json.dumps({"finished_at": finished_at, "heavy": len(heavy), "count": probe.items[0].size}))
