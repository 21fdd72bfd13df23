"""LDPC: block errors of int8 against float32 for every family of codes, and what int8 loses in dB.

    python benchmarks/ldpc_bler.py [--json out.jsonl] [--markdown FILE] [--only 1944,BG2] [--errors 200]

QPSK and 16-QAM over AWGN, max-log LLRs, 20 iterations at most, the same noise for both decoders with their defaults,
at three Es/N0 around a BLER of 1e-2; 5G NR with its rate matching, fillers and punctured bits. The loss is the mean
distance of the two curves, log10 BLER over Es/N0 fitted as parallel straight lines: above 0 int8 needs more; with the
95 % interval of a bootstrap over frames. Speed is measured by `phy.py`.
"""

from __future__ import annotations

import argparse
import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from measure import machine

from lgvsc_flow.blocks.phy.ldpc.code import LdpcCode, wifi_code
from lgvsc_flow.blocks.phy.ldpc.decode import decode
from lgvsc_flow.blocks.phy.ldpc.encode import encode
from lgvsc_flow.blocks.phy.ldpc.fixed import decode_int8
from lgvsc_flow.blocks.phy.ldpc.nr_code import nr_code
from lgvsc_flow.blocks.phy.ldpc.nr_encode import nr_encode
from lgvsc_flow.blocks.phy.ldpc.nr_harq import SoftBuffer
from lgvsc_flow.blocks.phy.ldpc.nr_rate_matching import RateMatching, match
from lgvsc_flow.blocks.phy.ldpc.nr_segmentation import segment, segmentation
from lgvsc_flow.blocks.phy.qam import demodulate, modulate
from lgvsc_flow.items import Received

STEP_DB = 0.06
BATCH = 1024
# Family, code, and the Es/N0 of a BLER near 1e-2 with QPSK and 16-QAM. Code: n and rate of 802.11n; or base graph,
# transport block, bits sent.
FAMILIES: tuple[tuple[str, tuple[Any, ...], tuple[float, float]], ...] = (
    ("802.11n 1944 1/2", (1944, "1/2"), (1.55, 6.95)),
    ("802.11n 1944 2/3", (1944, "2/3"), (3.50, 9.42)),
    ("802.11n 1944 3/4", (1944, "3/4"), (4.53, 10.67)),
    ("802.11n 1944 5/6", (1944, "5/6"), (5.71, 12.09)),
    ("802.11n 648 1/2", (648, "1/2"), (2.00, 7.43)),
    ("802.11n 648 2/3", (648, "2/3"), (3.97, 9.91)),
    ("802.11n 648 3/4", (648, "3/4"), (4.96, 11.18)),
    ("802.11n 648 5/6", (648, "5/6"), (6.14, 12.53)),
    ("NR BG1 1/3", (1, 2040, 6168), (-0.90, 3.69)),
    ("NR BG1 2/3", (1, 2040, 3084), (3.40, 9.18)),
    ("NR BG1 0.88", (1, 2040, 2336), (6.33, 12.73)),
    ("NR BG2 1/5", (2, 904, 4600), (-3.30, 1.03)),
    ("NR BG2 1/2", (2, 904, 1840), (1.57, 6.72)),
    ("NR BG2 2/3", (2, 904, 1380), (3.53, 9.39)),
    ("NR BG1 1/3 Z=384", (1, 8400, 25272), (-1.13, 3.44)),
    ("NR BG1 2/3 Z=384", (1, 8400, 12636), (3.12, 8.90)),
    ("NR BG1 0.88 Z=384", (1, 8400, 9576), (5.95, 12.35)),
)


@dataclass(frozen=True)
class Family:
    """One code with one constellation."""

    name: str
    format: tuple[Any, ...]
    order: int

    @cached_property
    def matching(self) -> RateMatching | None:
        if len(self.format) == 2:
            return None
        graph, a, e = self.format
        return RateMatching(segmentation(a, graph), e, self.order.bit_length() - 1)

    @cached_property
    def code(self) -> LdpcCode:
        return self.matching.code(0) if self.matching else wifi_code(*self.format)

    def draw(self, frames: int, esn0_db: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """Information bits [frames, k] and LLRs [frames * n] of the code words behind the channel."""
        rng = np.random.default_rng([zlib.crc32(self.name.encode()), self.order, seed])
        if self.matching is None:
            bits = rng.integers(0, 2, frames * self.code.k, dtype=np.uint8)
            words = encode(bits, self.code)
            return bits.reshape(frames, -1), self._channel(words, esn0_db, rng)
        cut = self.matching.cut
        bits = segment(rng.integers(0, 2, frames * cut.a, dtype=np.uint8), cut)
        words = nr_encode(bits, nr_code(cut.base_graph, cut.z))
        buffer = SoftBuffer(self.matching, frames, (0,))
        buffer.add(self._channel(match(words, self.matching, 0), esn0_db, rng), 0)
        return bits[:, : cut.k_prime], np.ascontiguousarray(buffer.codewords()[0]).ravel()

    def _channel(self, bits: np.ndarray, esn0_db: float, rng: np.random.Generator) -> np.ndarray:
        sent = modulate(bits, self.order)
        variance = 10 ** (-esn0_db / 10)
        noise = rng.standard_normal(2 * sent.size, dtype=np.float32).view(np.complex64)
        received = sent + np.float32(np.sqrt(variance / 2)) * noise
        return demodulate(Received(received, np.complex64(1), np.float32(variance)), self.order, "max-log")


def lost(family: Family, esn0_db: float, seeds: Iterator[int], errors: int, limit: int) -> np.ndarray:
    """Which frames the two decoders get wrong, bool [2, frames]: int8, float32."""
    found: list[np.ndarray] = []
    for seed in seeds:
        bits, llrs = family.draw(BATCH, esn0_db, seed)
        k = bits.shape[1]
        words = (
            decode_int8(llrs, family.code, max_iterations=20, wanted=k).words,
            decode(llrs, family.code, max_iterations=20).words[:, :k],
        )
        found.append(np.array([(word != bits).any(axis=1) for word in words]))
        if min(np.sum(found, axis=(0, 2))) >= errors or len(found) * BATCH >= limit:
            break
    return np.concatenate(found, axis=1)


def loss_db(points: list[tuple[float, np.ndarray]]) -> float:
    """By how many dB int8 is behind: two parallel lines through log10 of the error rates, weighted by errors."""
    x = np.array([[db, db] for db, _ in points])
    counts = np.array([wrong.sum(axis=1) for _, wrong in points], float)
    y = np.log10(np.maximum(counts, 0.5) / np.array([[wrong.shape[1]] * 2 for _, wrong in points]))
    which = np.array([[1.0, 0.0]] * len(points))
    design = np.stack([x.ravel(), which.ravel(), np.ones(x.size)], axis=1)
    weight = np.sqrt(counts.ravel())[:, None]
    slope, offset, _ = np.linalg.lstsq(design * weight, y.ravel() * weight[:, 0], rcond=None)[0]
    return float(-offset / slope)


def row(family: Family, near_db: float, errors: int, limit: int) -> dict[str, Any]:
    """The curves of one family and the loss of int8."""
    points = [
        (db, lost(family, db, iter(range(100 * i, 100 * i + 100)), errors, limit))
        for i, db in enumerate((near_db - STEP_DB, near_db, near_db + STEP_DB))
    ]
    rng = np.random.default_rng(0)
    draws = [
        loss_db([(db, wrong[:, rng.integers(0, wrong.shape[1], wrong.shape[1])]) for db, wrong in points])
        for _ in range(200)
    ]
    low, high = np.percentile(draws, [2.5, 97.5])
    return {
        "name": family.name,
        "order": family.order,
        "esn0_db": [db for db, _ in points],
        "frames": [wrong.shape[1] for _, wrong in points],
        "int8_errors": [int(wrong[0].sum()) for _, wrong in points],
        "float32_errors": [int(wrong[1].sum()) for _, wrong in points],
        "loss_db": loss_db(points),
        "loss_db_95": [float(low), float(high)],
        **machine(),
    }


HEAD = (
    "| code | constellation | int8 loses, dB | 95 % | block errors int8/float32 | frames |",
    "|---|---|--:|---|---|--:|",
)


def text(found: dict[str, Any]) -> str:
    low, high = found["loss_db_95"]
    errors = ", ".join(f"{a}/{b}" for a, b in zip(found["int8_errors"], found["float32_errors"], strict=True))
    return (
        f"| {found['name']} | {'QPSK' if found['order'] == 4 else '16-QAM'} | {found['loss_db']:+.3f} | "
        f"{low:+.3f} to {high:+.3f} | {errors} | {sum(found['frames']):,} |"
    )


def page(rows: list[dict[str, Any]]) -> str:
    """A page of documentation."""
    lines = [
        "# What the LDPC decoder loses in int8",
        "",
        "Written by `python benchmarks/ldpc_bler.py --markdown`: block errors of the layered decoder in int8 and in",
        "float32, both with their defaults and at most 20 iterations, on the same noise, at three Es/N0 around a block",
        "error rate of 1e-2 over AWGN; max-log LLRs. The loss is the distance of the curves; below 0 int8 is better.",
        "",
        *HEAD,
        *(text(found) for found in rows),
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="write the rows here too, one line each")
    parser.add_argument("--markdown", type=Path, help="write the page here")
    parser.add_argument("--only", default="", help="parts of the names of families, by commas")
    parser.add_argument("--errors", type=int, default=200, help="block errors of the better decoder, per point")
    parser.add_argument("--frames", type=int, default=40_000, help="per point at most")
    arguments = parser.parse_args()
    rows: list[dict[str, Any]] = []
    print("\n".join(HEAD))
    for name, code_format, near in FAMILIES:
        if not any(part in name for part in arguments.only.split(",")):
            continue
        for order, near_db in zip((4, 16), near, strict=True):
            rows.append(row(Family(name, code_format, order), near_db, arguments.errors, arguments.frames))
            print(text(rows[-1]), flush=True)
    if arguments.json:
        arguments.json.write_text("".join(json.dumps(found) + "\n" for found in rows))
    if arguments.markdown:
        arguments.markdown.write_text(page(rows))


if __name__ == "__main__":
    main()
