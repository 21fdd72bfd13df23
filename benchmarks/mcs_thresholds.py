"""Measure the Es/N0 at which the block error rate is 1e-2, for the schemes of the control link and for SIG.

First over AWGN, then over block Rayleigh fading of 64 symbols' coherence with bursts of three interleaved codewords.

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
from lgvsc_flow.blocks.channel.rayleigh import fading
from lgvsc_flow.blocks.phy.interleaver import permutation
from lgvsc_flow.blocks.phy.ldpc.code import wifi_code
from lgvsc_flow.blocks.phy.ldpc.decode import decode
from lgvsc_flow.blocks.phy.ldpc.encode import encode
from lgvsc_flow.blocks.phy.mcs import MCS_TABLE
from lgvsc_flow.blocks.phy.mux import decode_sig, encode_sig, sig_symbols
from lgvsc_flow.blocks.phy.qam import demodulate, modulate
from lgvsc_flow.blocks.phy.repeat import combine
from lgvsc_flow.items import Received

TARGET = 1e-2
COHERENCE = 64


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


def fading_trial(order: int, code_rate: str, repeats: int, bursts: int = 170) -> Callable[..., tuple[int, int]]:
    """A trial of `bursts` bursts of three interleaved codewords: (block errors, blocks)."""
    code = wifi_code(648, code_rate)
    places = permutation(3 * 648, 648)

    def trial(esn0_db: float, rng: np.random.Generator) -> tuple[int, int]:
        sent = rng.integers(0, 2, 3 * bursts * code.k, dtype=np.uint8)
        bits = encode(sent, code).reshape(bursts, -1)[:, places]
        symbols = modulate(np.tile(bits, repeats).ravel(), order)
        length = symbols.size // bursts
        whole = -(-length // COHERENCE) * COHERENCE  # every burst begins a fading block
        gain = fading(bursts * whole, COHERENCE, rng).reshape(bursts, whole)[:, :length].ravel()
        variance = noise_variance(esn0_db)
        received = Received(add_noise(gain * symbols, float(variance), rng), gain, np.array(variance))
        copies = demodulate(received, order).reshape(bursts, repeats, -1).sum(axis=1)
        llrs = np.empty_like(copies)
        llrs[:, places] = copies
        found = decode(llrs.ravel(), code).words[:, : code.k]
        return int((found != sent.reshape(3 * bursts, -1)).any(axis=1).sum()), 3 * bursts

    return trial


def sig_trial(repeats: int, fields: int = 256, *, fades: bool = False) -> Callable[..., tuple[int, int]]:
    """A trial of `fields` SIG fields: (unread or misread, fields)."""

    def trial(esn0_db: float, rng: np.random.Generator) -> tuple[int, int]:
        variance, errors = noise_variance(esn0_db), 0
        for _ in range(fields):
            digital, analog = (int(v) for v in rng.integers(0, 50_000, 2))
            gain = np.ones(sig_symbols(repeats), np.complex64)
            if fades:
                gain = fading(gain.size, COHERENCE, rng)
            noisy = add_noise(gain * encode_sig(digital, analog, repeats), float(variance), rng)
            received = Received(noisy, gain, np.array(variance))
            errors += decode_sig(received, repeats) != (digital, analog)
        return errors, fields

    return trial


def threshold(trial: Callable[..., tuple[int, int]], start_db: float, errors: int, step_db: float = 0.25) -> float:
    """The Es/N0 in dB at which the trial fails with probability 1e-2, walking down from `start_db`."""
    above = None
    esn0_db = start_db
    while True:
        rng = np.random.default_rng(round(1000 * (esn0_db + 100)))
        wrong = total = 0
        while wrong < errors and total < 1.5 * errors / TARGET:
            more, tried = trial(esn0_db, rng)
            wrong, total = wrong + more, total + tried
        rate = max(wrong / total, 1e-5)
        if rate >= TARGET:
            if above is None:
                start_db, esn0_db = start_db + 2, start_db + 2
                continue
            part = (math.log(TARGET) - math.log(above)) / (math.log(rate) - math.log(above))
            return esn0_db + step_db * (1 - part)
        above = rate
        esn0_db -= step_db


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--errors", type=int, default=200, help="block errors per point")
    errors = parser.parse_args().errors
    print("scheme, Es/N0 in dB for a block error rate of 1e-2 over AWGN and over Rayleigh fading")
    offset = {"1/2": 0.0, "2/3": 2.5, "3/4": 4.0, "5/6": 6.0}
    for mcs in MCS_TABLE:
        order, rate, repeats = mcs.order, mcs.code_rate, mcs.repeats
        awgn = threshold(coded_trial(order, rate, repeats), mcs.threshold_db + 0.4, errors)
        start = mcs.threshold_db + 3 + min(4, mcs.bits_per_symbol) + offset[rate] - 1.5 * (repeats > 1)
        rayleigh = threshold(fading_trial(order, rate, repeats), start, errors, 0.5)
        print(f"{order}-QAM r={rate} x{repeats}: {awgn:.2f}  {rayleigh:.2f}", flush=True)
    for repeats in (1, 2, 4, 8, 16):
        start = 2.0 - 10 * math.log10(repeats)
        awgn = threshold(sig_trial(repeats), start, errors // 2)
        rayleigh = threshold(sig_trial(repeats, fades=True), start + 16 / repeats, errors // 2, 0.5)
        print(f"SIG x{repeats}: {awgn:.2f}  {rayleigh:.2f}", flush=True)


if __name__ == "__main__":
    main()
