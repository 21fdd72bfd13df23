"""The least flowgraph: null source, head, null sink; prints when it had finished."""

import json
import time

from gnuradio import blocks, gr

top = gr.top_block()
top.connect(blocks.null_source(gr.sizeof_gr_complex), blocks.head(gr.sizeof_gr_complex, 4096), blocks.null_sink(8))
top.run()
print(json.dumps({"finished_at": time.time(), "versions": {"gnuradio": gr.version()}}))
