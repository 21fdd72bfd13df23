"""Measure the Es/N0 at which the block error rate over AWGN is 1e-2, for the schemes of the control link and for SIG.

    python benchmarks/mcs_thresholds.py [--errors 200]

The figures are those of blocks/phy/mcs.py. Each point runs until it has so many block errors; the threshold is
interpolated between the two points around 1e-2, with log(BLER) linear in dB.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable

import numpy as np

from lgvsc_flow.blocks.channel.awgn import add_noise, noise_variance
from lgvsc_flow.blocks.phy.ldpc.code import CODE_RATES, wifi_code
from lgvsc_flow.blocks.phy.ldpc.decode import decode
from lgvsc_flow.blocks.phy.ldpc.encode import encode
from lgvsc_flow.blocks.phy.mux import decode_sig, encode_sig
from lgvsc_flow.blocks.phy.qam import ORDERS, demodulate, modulate
from lgvsc_flow.blocks.phy.repeat import combine
from lgvsc_flow.items import Received

TARGET = 1e-2


def coded_trial(order: int, code_rate: str, repeats: int, words: int = 512) -> Callable[..., tuple[int, int]]:
    """A trial of `words` codewords: (block errors, blocks)."""
    code = wifi_code(648, code_rate)

    def trial(esn0_db: float, rng: np.random.Generator) -> tuple[int, int]:
        sent = rng.integers(0, 2, words * code.k, dtype=np.uint8)
        symbols = modulate(np.tile(encode(sent, code), repeats), order)
        variance = noise_variance(esn0_db)
        noisy = add_noise(symbols, float(variance), rng)
        received = Received(noisy, np.array(1, np.complex64), np.array(variance))
        found = decode(combine(demodulate(received, order), repeats), code).words[:, : code.k]
        return int((found != sent.reshape(words, -1)).any(axis=1).sum()), words

    return trial


def sig_trial(repeats: int, fields: int = 256) -> Callable[..., tuple[int, int]]:
    """A trial of `fields` SIG fields: (unread or misread, fields)."""

    def trial(esn0_db: float, rng: np.random.Generator) -> tuple[int, int]:
        variance, errors = noise_variance(esn0_db), 0
        for _ in range(fields):
            digital, analog = (int(v) for v in rng.integers(0, 50_000, 2))
            noisy = add_noise(encode_sig(digital, analog, repeats), float(variance), rng)
            received = Received(noisy, np.array(1, np.complex64), np.array(variance))
            errors += decode_sig(received, repeats) != (digital, analog)
        return errors, fields

    return trial


def threshold(trial: Callable[..., tuple[int, int]], start_db: float, errors: int, seed: int = 0) -> float:
    """The Es/N0 in dB at which the trial fails with probability 1e-2, walking down from `start_db` in 0.25 dB steps."""
    above = None
    esn0_db = start_db
    while True:
        rng = np.random.default_rng([seed, round(1000 * (esn0_db + 100))])
        wrong = total = 0
        while wrong < errors and total < 4 * errors / TARGET:
            more, tried = trial(esn0_db, rng)
            wrong, total = wrong + more, total + tried
        rate = max(wrong / total, 1e-5)
        if rate >= TARGET:
            if above is None:
                start_db, esn0_db = start_db + 2, start_db + 2
                continue
            step = (math.log(TARGET) - math.log(above)) / (math.log(rate) - math.log(above))
            return esn0_db + 0.25 * (1 - step)
        above = rate
        esn0_db -= 0.25


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--errors", type=int, default=200, help="block errors per point")
    errors = parser.parse_args().errors
    guess = {4: 2.0, 16: 8.0, 64: 13.0, 256: 18.0}
    offset = {"1/2": 0.0, "2/3": 2.2, "3/4": 3.4, "5/6": 4.6}
    for repeats in (8, 4, 2):
        start = 2.0 - 10 * math.log10(repeats)
        print(f"QPSK r=1/2 x{repeats}: {threshold(coded_trial(4, '1/2', repeats), start, errors):.2f} dB", flush=True)
    for order in ORDERS:
        for rate in CODE_RATES:
            start = guess[order] + offset[rate] * (1 + 0.1 * math.log2(order / 4))
            print(f"{order}-QAM r={rate}: {threshold(coded_trial(order, rate, 1), start, errors):.2f} dB", flush=True)
    for repeats in (1, 2, 4, 8, 16):
        start = 2.5 - 10 * math.log10(repeats)
        print(f"SIG x{repeats}: {threshold(sig_trial(repeats), start, errors // 2):.2f} dB", flush=True)


if __name__ == "__main__":
    main()
