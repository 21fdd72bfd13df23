"""Measure the Es/N0 at which the block error rate over AWGN is 0.1 and 0.01, for every NR scheme.

    python benchmarks/nr_mcs.py [--errors 100] [--only 16:340]

The figures are those of blocks/phy/nr_mcs.py: transport blocks of 1560 symbols sent once, max-log demapping, decoder
and iterations as in the blocks' defaults. Points 0.2 dB apart run until they have so many block errors; a threshold is
interpolated between the two points around it, with log(BLER) linear in dB.
"""

from __future__ import annotations

import argparse
import math
import time
from functools import cache

import numpy as np

from lgvsc_flow.blocks.phy.ldpc.nr_blocks import NrLdpcDecoder, NrLdpcEncoder
from lgvsc_flow.blocks.phy.nr_mcs import NR_MCS_TABLES, REFERENCE_SYMBOLS, NrMcs, transport_block_size
from lgvsc_flow.blocks.phy.qam import demodulate, modulate
from lgvsc_flow.items import Received

STEP_DB = 0.2
LEVELS = (0.1, 0.01)
BLOCKS = 64  # per burst


class Curve:
    """The block error rate of one scheme over AWGN, measured where it is asked for."""

    def __init__(self, mcs: NrMcs, errors: int) -> None:
        self.mcs, self.wanted = mcs, errors
        settings = {
            "a": transport_block_size(REFERENCE_SYMBOLS, mcs),
            "e": REFERENCE_SYMBOLS * mcs.bits_per_symbol,
            "code_rate": mcs.code_rate,
            "order": mcs.order,
        }
        self.encoder, self.decoder = NrLdpcEncoder(**settings), NrLdpcDecoder(**settings)
        self.encoder.start()
        self.decoder.start()
        self.bler = cache(self._bler)

    def _bler(self, step: int) -> float:
        """At `step * STEP_DB`; from as many blocks as give the errors wanted, or say that it is below 2e-3."""
        rng = np.random.default_rng([self.mcs.order, int(2 * self.mcs.code_rate_1024), step + 1000])
        variance = 10 ** (-step * STEP_DB / 10)
        errors = blocks = 0
        while errors < self.wanted and blocks < self.wanted / 2e-3:
            bits = rng.integers(0, 2, BLOCKS * self.encoder.a, dtype=np.uint8)
            symbols = modulate(self.encoder.work(bits), self.mcs.order)
            noise = rng.standard_normal(2 * symbols.size, dtype=np.float32).view(np.complex64)
            noisy = symbols + np.float32(math.sqrt(variance / 2)) * noise
            llrs = demodulate(Received(noisy, np.complex64(1), np.float32(variance)), self.mcs.order)
            found, _ = self.decoder.work(llrs)
            errors += int((found != bits).reshape(BLOCKS, -1).any(axis=1).sum())
            blocks += BLOCKS
        return max(errors, 0.5) / blocks

    def threshold_db(self, level: float) -> float:
        shannon_db = 10 * math.log10(2**self.mcs.efficiency - 1)
        step = round((shannon_db + 1.5) / STEP_DB)
        while self.bler(step) > level:
            step += 1
        while self.bler(step - 1) <= level:
            step -= 1
        upper, lower = math.log(self.bler(step - 1)), math.log(self.bler(step))
        return (step - 1 + (upper - math.log(level)) / (upper - lower)) * STEP_DB


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--errors", type=int, default=100, help="block errors per point")
    parser.add_argument("--only", help="one scheme, as order:rate, such as 16:340")
    arguments = parser.parse_args()
    schemes = {(m.order, m.code_rate_1024): m for table in NR_MCS_TABLES.values() for m in table}
    for (order, rate), mcs in sorted(schemes.items(), key=lambda item: item[1].efficiency):
        if arguments.only not in (None, f"{order}:{rate:g}"):
            continue
        began = time.process_time()
        curve = Curve(mcs, arguments.errors)
        found = ", ".join(f"{curve.threshold_db(level):.2f}" for level in LEVELS)
        print(f"    ({order}, {rate:g}): ({found}),  # {time.process_time() - began:.0f} s", flush=True)


if __name__ == "__main__":
    main()
