"""Whole links through `graph.run()`, in a process of its own: `phy.py` runs it between those of the peers.

    python benchmarks/phy_chains.py ldpc --engine threads --seconds 1

Check, start and stop of the blocks and threads are inside the time. Prints one line of JSON: information bits (of
`soft`, symbols), the wall time, the CPU time of all threads, and the bit error rate.
"""

from __future__ import annotations

import argparse
import json
from functools import partial

from runtime_graphs import Build, modem, throughput
from runtime_rows import ESN0_DB, theory_ber

from lgvsc_flow import Graph
from lgvsc_flow.graphs.modem import Modem

WORDS = 64  # codewords per burst


def coded(count: int, code: str, n: int, esn0_db: float) -> tuple[Graph, int]:
    """Random bits, a code, 16-QAM, AWGN, LLRs, the decoder, bit and block error rates."""
    link = Modem(code=code, order=16, interleave=False, burst_bits=WORDS * n)
    return link(esn0_db, count=count), count * link.words * link.parsed_code.k


CHAINS: dict[str, Build] = {
    "soft": partial(modem, decision="soft"),
    "ldpc": partial(coded, code="wifi:1944/1/2:precision=int8,max_iterations=20", n=1944, esn0_db=9.0),
    "nr": partial(coded, code="nr:1008/2048:precision=int8,max_iterations=10", n=2048, esn0_db=9.0),
    "convolutional": partial(coded, code="conv:1/2:k=2048,termination=truncated", n=4096, esn0_db=9.0),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("chain", choices=CHAINS)
    parser.add_argument("--engine", choices=("threads", "inline"), default="threads")
    parser.add_argument("--seconds", type=float, default=1.0, help="length of the measured run")
    options = parser.parse_args()
    result = throughput(CHAINS[options.chain], options.seconds, engine=options.engine)
    if options.chain == "soft":
        result["theory_ber"] = theory_ber(ESN0_DB)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
