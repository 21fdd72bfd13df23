"""The cost of one call of work: null source, a chain of copies (--kind python or cpp, --blocks N), null sink."""

import numpy as np
from gnuradio import blocks, gr
from harness import arguments, measure, report


class PythonCopy(gr.sync_block):
    """The least that a Python block can do: hand its input on."""

    def __init__(self):
        gr.sync_block.__init__(self, "python copy", in_sig=[np.complex64], out_sig=[np.complex64])
        self.calls = self.items = 0

    def work(self, input_items, output_items):
        output_items[0][:] = input_items[0]
        self.calls += 1
        self.items += len(output_items[0])
        return len(output_items[0])


def main() -> None:
    options = arguments("--kind", "--blocks")
    options.max_noutput = options.max_noutput or 64
    number = int(options.blocks)
    make = PythonCopy if options.kind == "python" else lambda: blocks.copy(gr.sizeof_gr_complex)
    copies = [make() for _ in range(number)]
    chain = [blocks.null_source(gr.sizeof_gr_complex), *copies, blocks.null_sink(gr.sizeof_gr_complex)]
    top = gr.top_block()
    top.connect(*chain)
    result = measure(top, chain, options)
    # C++ blocks count calls only where performance counters slow them down. With those on, calls carry 63.96 items on
    # average at a limit of 64 (GNU Radio 3.10.5): taken as full.
    per_call = copies[0].items / max(copies[0].calls, 1) if options.kind == "python" else options.max_noutput
    report({**result, "count": number * result["count"] / per_call, "items_per_call": per_call})


if __name__ == "__main__":
    main()
