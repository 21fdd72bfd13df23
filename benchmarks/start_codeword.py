"""From the birth of a process to its first decoded codeword; with --cold, all kernels are compiled anew."""

import json
import os
import sys
import tempfile
import time

with tempfile.TemporaryDirectory() as folder:
    if "--cold" in sys.argv:
        os.environ["NUMBA_CACHE_DIR"] = folder
    import numpy as np

    from lgvsc_flow.blocks.phy import LdpcDecoder

    found = LdpcDecoder(n=1944, precision="int8").work(np.ones(1944, np.float32))
    finished_at = time.time()
print(json.dumps({"finished_at": finished_at, "count": found.size, "right": int(not found.any())}))
