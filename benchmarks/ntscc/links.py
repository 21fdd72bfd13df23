"""Pictures as bytes on the digital link: what a scheme carries, and how often it loses a picture.

A stream travels as one 5G NR transport block: CRC, code blocks with their CRCs, LDPC with rate matching, Gray QAM. All
bits count, fillers too. The schemes are the rows of the MCS tables 1 and 3 of TS 38.214 and the rates half-way between
neighbours, from 0.2 to 4.3 bits per symbol. Their block error rates are measured with this project's encoder, demapper
and decoder on code blocks of 8 kbit (3.8 kbit at rates up to 1/4) over AWGN; shorter ones need a little more, which is
not charged.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

import numpy as np
from ntscc.store import Store

from lgvsc_flow.blocks.phy.ldpc.nr_blocks import NrLdpcDecoder, NrLdpcEncoder
from lgvsc_flow.blocks.phy.ldpc.nr_segmentation import choose_base_graph, segmentation
from lgvsc_flow.blocks.phy.nr_mcs import NR_MCS_TABLES
from lgvsc_flow.blocks.phy.qam import demodulate, modulate
from lgvsc_flow.items import Received

STEP_DB = 0.1
BLOCKS = 16  # per burst
WANTED, MOST = 40, 1600  # block errors, blocks, per point
FLOOR = 1e-12


@dataclass(frozen=True, order=True)
class Scheme:
    """A constellation and the rate of its code, in 1024ths; CRCs count as information."""

    order: int
    rate_1024: float

    @property
    def efficiency(self) -> float:
        """Information bits per symbol."""
        return (self.order.bit_length() - 1) * self.rate_1024 / 1024

    @property
    def name(self) -> str:
        return f"{'QPSK' if self.order == 4 else f'{self.order}-QAM'} {self.rate_1024:g}/1024"

    def blocks(self, size: int) -> tuple[int, int]:
        """(code blocks, channel symbols) of a stream of `size` bytes."""
        code_blocks, information = _cut(size, self.rate_1024 / 1024)
        return code_blocks, math.ceil(information / self.efficiency)

    def largest(self, symbols: int) -> int:
        """Bytes of the longest stream that so many symbols carry; 0 where there is none."""
        size = int(symbols * self.efficiency / 8)
        while size > 0 and (over := self.blocks(size)[1] - symbols) > 0:
            size -= max(1, int(over * self.efficiency / 8))
        return max(size, 0)


@cache
def _cut(size: int, code_rate: float) -> tuple[int, int]:
    a = 8 * size
    while True:
        try:
            cut = segmentation(a, choose_base_graph(a, code_rate))
        except ValueError:  # its code blocks would differ in length
            a += 8
        else:
            return cut.code_blocks, cut.code_blocks * cut.k_prime


def _schemes() -> tuple[Scheme, ...]:
    rows = {(m.order, float(m.code_rate_1024)) for table in (1, 3) for m in NR_MCS_TABLES[table]}
    found = set(rows)
    for order in (4, 16, 64):
        rates = sorted(rate for o, rate in rows if o == order)
        found |= {(order, (low + high) / 2) for low, high in pairwise(rates)}
    usable = (scheme for scheme in (Scheme(*row) for row in found) if 0.2 < scheme.efficiency < 4.3)
    return tuple(sorted(usable, key=lambda s: (s.efficiency, s.order)))


SCHEMES = _schemes()


class LossCurves:
    """Block error rates of schemes over Es/N0, measured once and kept in a store."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def measure(self, scheme: Scheme) -> None:
        """Walk up in steps of 0.1 dB from where all blocks fail to where hardly one of `MOST` does."""
        key = f"bler|{scheme.order}|{scheme.rate_1024:g}"
        if key in self.store:
            return
        a = 3752 if scheme.rate_1024 <= 256 else 8192
        settings = {
            "a": a,
            "e": math.ceil(a / scheme.efficiency) * (scheme.order.bit_length() - 1),
            "code_rate": scheme.rate_1024 / 1024,
            "order": scheme.order,
        }
        encoder, decoder = NrLdpcEncoder(**settings), NrLdpcDecoder(**settings)
        encoder.start()
        decoder.start()
        step = round((10 * math.log10(2**scheme.efficiency - 1) + 0.2) / STEP_DB)
        points: list[tuple[float, float]] = []
        while len(points) < 60:
            rng = np.random.default_rng([scheme.order, round(2 * scheme.rate_1024), step + 1000])
            variance = 10 ** (-step * STEP_DB / 10)
            errors = blocks = 0
            while errors < WANTED and blocks < MOST:
                bits = rng.integers(0, 2, BLOCKS * a, dtype=np.uint8)
                symbols = modulate(encoder.work(bits), scheme.order)
                noise = rng.standard_normal(2 * symbols.size, dtype=np.float32).view(np.complex64)
                noisy = symbols + np.float32(math.sqrt(variance / 2)) * noise
                found, _ = decoder.work(
                    demodulate(Received(noisy, np.complex64(1), np.float32(variance)), scheme.order)
                )
                errors += int((found != bits).reshape(BLOCKS, -1).any(axis=1).sum())
                blocks += BLOCKS
            points.append((round(step * STEP_DB, 6), errors / blocks))
            if errors < WANTED / 4:
                break
            step += 1
        self.store.add(key, esn0_db=[p[0] for p in points], bler=[p[1] for p in points])

    def loss(self, scheme: Scheme, esn0_db: float | np.ndarray, code_blocks: int = 1) -> np.ndarray:
        """Probability that a picture of so many code blocks is lost.

        Between the points log10 of the error rate is straight; beyond the last one it goes on as between the last two.
        """
        point = self.store[f"bler|{scheme.order}|{scheme.rate_1024:g}"]
        x, rates = np.array(point["esn0_db"]), np.array(point["bler"])
        if len(rates) > 1 and rates[-1] == 0:
            x, rates = x[:-1], rates[:-1]
        y = np.log10(np.maximum(rates, FLOOR))
        below = np.flatnonzero(y[:-1] - y[1:] > 0.05)
        slope = (y[-1] - y[below[-1]]) / (x[-1] - x[below[-1]]) if below.size else -10.0
        at = np.asarray(esn0_db, float)
        exponent = np.where(at > x[-1], y[-1] + slope * (at - x[-1]), np.interp(at, x, y, left=0.0))
        good = 1 - np.clip(10**exponent, 0, 1)
        return 1 - good**code_blocks

    def threshold_db(self, scheme: Scheme, bler: float = 1e-2) -> float:
        """Es/N0 at which one code block in a hundred is lost."""
        grid = np.arange(-14, 24, 0.01)
        return float(grid[np.argmax(self.loss(scheme, grid) <= bler)])


def capacity_bytes(symbols: int, snr_db: float) -> int:
    """Bytes behind a code that reaches the capacity of the complex AWGN channel."""
    return int(symbols * math.log2(1 + 10 ** (snr_db / 10)) / 8)
