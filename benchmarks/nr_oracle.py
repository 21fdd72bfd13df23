"""Compare the flooding sum-product decoder on the NR code with figures of an independent implementation.

k = 512, n = 1024 (base graph 2, Z = 64, redundancy version 0, bit interleaver on), AWGN, exact LLRs, 20 iterations.

    python benchmarks/nr_oracle.py [--frames-factor 1]

The independent figures are Sionna 2.2's (LDPC5GEncoder, LDPC5GDecoder with cn_update="boxplus-phi"). Each point runs as
many frames as they did; two proportions agree when their difference is within the 99 % interval of the pooled one.
"""

from __future__ import annotations

import argparse
import math
import time
from typing import NamedTuple

import numpy as np

from lgvsc_flow.blocks.phy.ldpc.nr_encode import nr_encode
from lgvsc_flow.blocks.phy.ldpc.nr_harq import SoftBuffer
from lgvsc_flow.blocks.phy.ldpc.nr_rate_matching import RateMatching, match
from lgvsc_flow.blocks.phy.ldpc.nr_segmentation import segmentation
from lgvsc_flow.blocks.phy.ldpc.reference import sum_product
from lgvsc_flow.blocks.phy.qam import demodulate, modulate
from lgvsc_flow.items import Received

Z99 = 2.576
K, N, ITERATIONS = 512, 1024, 20


class Point(NamedTuple):
    """One row of the independent table: `frames` and the block errors among them; raw bit error rate, NaN unknown."""

    order: int
    ebn0_db: float
    block_errors: int
    frames: int
    raw_ber: float


ORACLE = (
    Point(4, 0.5, 450, 500, 0.1442),
    Point(4, 1.0, 229, 500, 0.1308),
    Point(4, 1.5, 129, 1500, 0.1172),
    Point(4, 2.0, 40, 12100, 0.1040),
    Point(16, 2.5, 458, 500, float("nan")),
    Point(16, 3.0, 301, 500, 0.1419),
    Point(16, 3.5, 166, 1000, 0.1301),
    Point(16, 4.0, 93, 5470, 0.1191),
)


def trial(order: int, ebn0_db: float, frames: int, rng: np.random.Generator) -> tuple[int, int]:
    """Block errors and raw bit errors (hard decisions before the decoder) among `frames` words of N bits."""
    bits_per_symbol = order.bit_length() - 1
    # With the CRC16 of a transport block of 496 bits the word has K = 512; here all of them are random.
    matching = RateMatching(segmentation(K - 16, 2), N, bits_per_symbol)
    code = matching.code(0)
    words = np.zeros((frames, code.k), np.uint8)
    words[:, :K] = rng.integers(0, 2, (frames, K), dtype=np.uint8)
    sent = match(nr_encode(words, code), matching, 0)
    symbols = modulate(sent, order)
    variance = 1 / (K / N * bits_per_symbol * 10 ** (ebn0_db / 10))
    noise = rng.normal(scale=math.sqrt(variance / 2), size=(2, symbols.size))
    noisy = (symbols + noise[0] + 1j * noise[1]).astype(np.complex64)
    received = Received(noisy, np.complex64(1), np.float32(variance))
    llrs = demodulate(received, order, "exact")
    buffer = SoftBuffer(matching, frames)
    buffer.add(llrs, 0)
    combined, _ = buffer.codewords()
    found = sum_product(combined, code.parity_check(), ITERATIONS)
    wrong = (found[:, :K] != words[:, :K]).any(axis=1)
    return int(wrong.sum()), int(np.count_nonzero((llrs < 0) != sent))


def deviation(errors: int, trials: int, other_errors: float, other_trials: int) -> float:
    """The difference of two proportions in standard deviations of the pooled one."""
    pooled = (errors + other_errors) / (trials + other_trials)
    spread = math.sqrt(pooled * (1 - pooled) * (1 / trials + 1 / other_trials))
    return (errors / trials - other_errors / other_trials) / spread if spread else 0.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames-factor", type=float, default=1.0, help="frames per point, as a multiple of theirs")
    factor = parser.parse_args().frames_factor
    print("order  Eb/N0      BLER    theirs  deviation   raw BER    theirs  deviation   seconds")
    for number, point in enumerate(ORACLE):
        rng = np.random.default_rng([2024, number])
        frames, errors, raw, began = max(100, round(point.frames * factor)), 0, 0, time.process_time()
        for start in range(0, frames, 500):
            wrong, flipped = trial(point.order, point.ebn0_db, min(500, frames - start), rng)
            errors, raw = errors + wrong, raw + flipped
        sigma = deviation(errors, frames, point.block_errors, point.frames)
        theirs = point.raw_ber * point.frames * N
        raw_sigma = deviation(raw, frames * N, theirs, point.frames * N)
        print(
            f"{point.order:5d} {point.ebn0_db:6.1f} {errors / frames:9.4f} {point.block_errors / point.frames:9.4f} "
            f"{sigma:7.2f} {'ok' if abs(sigma) < Z99 else '!!':>3s} {raw / frames / N:9.4f} {point.raw_ber:9.4f} "
            f"{raw_sigma:7.2f} {'ok' if not abs(raw_sigma) > Z99 else '!!':>3s} {time.process_time() - began:9.1f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
