"""Measure how the digital link's schemes fail: block error rates over AWGN and over block Rayleigh fading.

    python benchmarks/link_mcs.py thresholds [--errors 100] [--only 16:575]
    python benchmarks/link_mcs.py margins [--errors 100] [--sizes 128]

`thresholds` prints the Es/N0 at which the block error rate is 1e-2: the figures of blocks/phy/link_mcs.py. Bursts carry
`REFERENCE_BYTES` and their table; fading is constant over 64 symbols and every burst begins a new block of it. Points
0.25 dB apart (0.5 under fading) run until they have so many block errors; the threshold is interpolated between the two
around 1e-2, with log(BLER) linear in dB.

`margins` prints, for a design SNR, the block error rate there and 1, 2, 3 and 4 dB below, for bursts of several sizes.
"""

from __future__ import annotations

import argparse
import math
from functools import cache

import numpy as np

from lgvsc_flow.blocks.channel.awgn import add_noise, noise_variance
from lgvsc_flow.blocks.channel.rayleigh import fading
from lgvsc_flow.blocks.phy.link_mcs import LINK_MCS_TABLE, REFERENCE_BYTES, LinkMcs, choose_link_mcs
from lgvsc_flow.blocks.phy.qam import demodulate, modulate
from lgvsc_flow.blocks.phy.transport import TransportDecoder, TransportEncoder
from lgvsc_flow.items import Received

TARGET = 1e-2
COHERENCE = 64
TABLE_BYTES = 4  # lengths of the streams in front of the payload


class Curve:
    """The block error rate of a scheme for payloads of one size, measured where it is asked for."""

    def __init__(self, mcs: LinkMcs, size: int, errors: int, *, fades: bool) -> None:
        self.mcs, self.size, self.errors, self.fades = mcs, size, errors, fades
        settings = {"order": mcs.order, "code_rate": mcs.code_rate}
        self.encoder, self.decoder = TransportEncoder(**settings), TransportDecoder(**settings)
        self.decoder.start()
        self.bler = cache(self._bler)

    def _bler(self, esn0_db: float) -> float:
        """From as many bursts as give the errors wanted, or 200 times as many; half an error where there is none."""
        rng = np.random.default_rng([self.mcs.order, self.mcs.rate_1024, self.size, round(100 * (esn0_db + 100))])
        variance = noise_variance(esn0_db)
        lost = bursts = 0
        while lost < self.errors and bursts < 200 * self.errors:
            bits = rng.integers(0, 2, 8 * (self.size + TABLE_BYTES), dtype=np.uint8)
            symbols = modulate(self.encoder.work(bits), self.mcs.order)
            gain = np.array(1, np.complex64)
            if self.fades:
                whole = -(-symbols.size // COHERENCE) * COHERENCE
                gain = fading(whole, COHERENCE, rng)[: symbols.size]
            received = Received(add_noise(gain * symbols, float(variance), rng), gain, np.array(variance))
            found = self.decoder.work(demodulate(received, self.mcs.order))
            lost += not (found.ok[0] and np.array_equal(found.bits[: bits.size], bits))
            bursts += 1
        return max(lost, 0.5) / bursts

    def threshold_db(self) -> float:
        step = 0.5 if self.fades else 0.25
        at = round((10 * math.log10(2**self.mcs.efficiency - 1) + (4 if self.fades else 1.5)) / step)
        while self.bler(at * step) > TARGET:
            at += 1
        while self.bler((at - 1) * step) <= TARGET:
            at -= 1
        upper, lower = math.log(self.bler((at - 1) * step)), math.log(self.bler(at * step))
        return (at - 1 + (upper - math.log(TARGET)) / (upper - lower)) * step


def thresholds(errors: int, only: str | None) -> None:
    for mcs in LINK_MCS_TABLE:
        if only in (None, f"{mcs.order}:{mcs.rate_1024}"):
            found = [Curve(mcs, REFERENCE_BYTES, errors, fades=f).threshold_db() for f in (False, True)]
            print(f"    ({mcs.order}, {mcs.rate_1024}, {found[0]:.2f}, {found[1]:.2f}),", flush=True)


def margins(errors: int, sizes: list[int]) -> None:
    print("design dB, scheme, payload bytes: BLER at design - 0, 1, 2, 3, 4 dB")
    for design in range(-8, 21, 2):
        mcs = choose_link_mcs(design)
        for size in sizes:
            curve = Curve(mcs, size, errors, fades=False)
            floor = 0.5 / (200 * errors)  # not an error in so many bursts
            found = [curve.bler(design - below) for below in range(5)]
            rates = ", ".join(f"< {2 * floor:.1e}" if rate <= floor else f"{rate:.1e}" for rate in found)
            print(f"{design:3} dB, {mcs.order}-QAM {mcs.rate_1024}/1024, {size} bytes: {rates}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("thresholds", "margins"))
    parser.add_argument("--errors", type=int, default=100, help="block errors per point")
    parser.add_argument("--only", help="one scheme, as order:rate, such as 16:575")
    parser.add_argument("--sizes", type=int, nargs="+", default=[16, 128, 512], help="bytes of payload, for margins")
    arguments = parser.parse_args()
    if arguments.what == "thresholds":
        thresholds(arguments.errors, arguments.only)
    else:
        margins(arguments.errors, arguments.sizes)


if __name__ == "__main__":
    main()
