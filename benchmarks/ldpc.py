"""LDPC: information bits per second of one core, and block error rates of int8 against float32 and sum-product.

    python benchmarks/ldpc.py rate [--json out.jsonl] [--repeats 7]
    python benchmarks/ldpc.py bler [--json out.jsonl] [--codes 1944:1/2,648:5/6] [--errors 200] [--frames 200000]
    python benchmarks/ldpc.py start

`rate`: thread CPU time, the median of the repeats, through the blocks: float32 LLRs in, bits out. The figures of AFF3CT
3.0.2 and srsRAN (AVX-512) beside ours were measured on an AMD EPYC (Zen 4) without load, with layered decoders without
early stop unless it says so; they are of use for ratios only where ours are taken on a like machine.
`bler`: QPSK over AWGN, the same noise for all decoders, 20 iterations (sum-product: 50 flooding), until the better of
the two layered decoders has `--errors` block errors; and how many dB int8 loses at a BLER of 1e-2, by straight lines
through log BLER, with the 95 % interval of a bootstrap over frames.
`start`: seconds from the start of a process to its first decoded codeword, kernels in the cache.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from measure import machine

from lgvsc_flow.blocks.phy import LdpcDecoder, LdpcEncoder
from lgvsc_flow.blocks.phy.ldpc.code import CODE_RATES, LENGTHS, LdpcCode, wifi_code
from lgvsc_flow.blocks.phy.ldpc.decode import decode
from lgvsc_flow.blocks.phy.ldpc.encode import encode
from lgvsc_flow.blocks.phy.ldpc.fixed import decode_int8
from lgvsc_flow.blocks.phy.ldpc.nr_code import nr_code
from lgvsc_flow.blocks.phy.ldpc.reference import sum_product
from lgvsc_flow.blocks.phy.ldpc.simd import lanes

NR = ((1, 5, "0.917", "srsRAN", 142.0), (1, 46, "1/3", "srsRAN", 26.0), (2, 42, "0.2", "srsRAN", 17.0))
WATERFALL_DB = {
    "1/2": (1.2, 1.4, 1.6, 1.8),
    "2/3": (3.2, 3.4, 3.6, 3.8),
    "3/4": (4.3, 4.6, 4.9),
    "5/6": (5.5, 5.7, 5.9),
}
START = (
    "import numpy as np; from lgvsc_flow.blocks.phy import LdpcDecoder; "
    "LdpcDecoder(n=1944, precision='int8').work(np.ones(1944, np.float32))"
)


def qpsk_llrs(code: LdpcCode, frames: int, esn0_db: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Codewords [frames, n] and their exact LLRs [frames * n] over AWGN."""
    rng = np.random.default_rng(seed)
    words = encode(rng.integers(0, 2, frames * code.k, dtype=np.uint8), code)
    variance = 10 ** (-esn0_db / 10)
    y = 1 - 2.0 * words + rng.normal(size=words.size) * np.sqrt(variance)
    return words.reshape(frames, code.n), (2 * y / variance).astype(np.float32)


def mbits_per_s(call: Callable[[], object], bits: int, repeats: int) -> float:
    """Of information, per second of this thread's CPU time."""
    call()
    times = []
    for _ in range(repeats):
        start = time.thread_time()
        calls = 0
        while time.thread_time() - start < 0.1:
            call()
            calls += 1
        times.append((time.thread_time() - start) / calls)
    return bits / statistics.median(times) / 1e6


def rates(repeats: int) -> Iterator[dict[str, Any]]:
    """One row per code and setting."""
    for n in LENGTHS:
        for code_rate in CODE_RATES:
            code = wifi_code(n, code_rate)
            name, aff3ct = f"802.11n n={n} r={code_rate}", (n, code_rate) == (1944, "1/2")
            for frames in (1, 8, 128):
                _, hard = qpsk_llrs(code, frames, -3.0, 1)
                fixed = {"precision": "int8", "early_stop": False}
                decoder = LdpcDecoder(n=n, code_rate=code_rate, max_iterations=10, **fixed)
                found = mbits_per_s(lambda d=decoder, x=hard: d.work(x), frames * code.k, repeats)  # type: ignore[misc]
                peer = 148.0 if aff3ct and frames == 128 else None
                yield row(f"{name}, 10 iterations, {frames} words", found, "AFF3CT int16 NMS", peer)
            if aff3ct:
                _, easy = qpsk_llrs(code, 128, 2.0, 1)
                decoder = LdpcDecoder(n=n, code_rate=code_rate, max_iterations=20, precision="int8")
                found = mbits_per_s(lambda d=decoder, x=easy: d.work(x), 128 * code.k, repeats)  # type: ignore[misc]
                yield row(f"{name}, early stop, Es/N0 2 dB", found, "AFF3CT int16 NMS, early stop", 127.0)
            encoder, bits = LdpcEncoder(n=n, code_rate=code_rate), np.ones(128 * code.k, np.uint8)
            found = mbits_per_s(lambda e=encoder, x=bits: e.work(x), bits.size, repeats)  # type: ignore[misc]
            yield row(f"{name}, encoder", found, "Sionna", None)
    for graph, rows, rate, peer_name, peer_rate in NR:
        nr = nr_code(graph, 384, rows)
        for frames in (1, 64):
            llrs = np.random.default_rng(0).normal(0.2, 2, frames * nr.n).astype(np.float32)
            llrs.reshape(frames, -1)[:, : 2 * nr.z] = 0

            def run(code: LdpcCode = nr, x: np.ndarray = llrs) -> object:
                return decode_int8(x, code, max_iterations=10, early_stop=False, wanted=code.k)

            found = mbits_per_s(run, frames * nr.k, repeats)
            yield row(f"NR BG{graph} Z=384 R={rate}, 10 iterations, {frames} words", found, peer_name, peer_rate)


def row(what: str, ours: float, peer: str, theirs: float | None) -> dict[str, Any]:
    return {
        "name": what,
        "ratio": ours / theirs if theirs else None,
        "ours": ours,
        "unit": "Mbit/s",
        "peer_name": peer if theirs else None,
        "peer": theirs,
        "lanes": lanes(),
        **machine(),
    }


def curves(n: int, code_rate: str, errors: int, limit: int) -> dict[str, Any]:
    """BLER of the three decoders over Es/N0, and the loss of int8 against float32 at 1e-2."""
    code = wifi_code(n, code_rate)
    h, points = code.parity_check(), []
    for esn0_db in WATERFALL_DB[code_rate]:
        lost: list[list[np.ndarray]] = [[], []]
        flooding, flooded, seed = 0, 0, 0
        while seed * 512 < limit and min(sum(int(x.sum()) for x in kind) for kind in lost) < errors:
            words, llrs = qpsk_llrs(code, 512, esn0_db, seed)
            seed += 1
            for kind, found in zip(
                lost, (decode_int8(llrs, code, max_iterations=20), decode(llrs, code, max_iterations=20)), strict=True
            ):
                kind.append((found.words != words).any(axis=1))
            if flooding < min(errors, 100):
                some = sum_product(llrs.reshape(512, n)[:64], h, 50)
                flooding, flooded = flooding + int((some != words[:64]).any(axis=1).sum()), flooded + 64
        ours, theirs = (np.concatenate(kind) for kind in lost)
        points.append((esn0_db, ours, theirs, flooding / flooded))
        print(
            f"{n} {code_rate} {esn0_db} dB: int8 {ours.mean():.2e} float {theirs.mean():.2e} "
            f"sum-product {flooding / flooded:.2e} ({ours.size} frames, {int(ours.sum())} errors)",
            flush=True,
        )
    rng = np.random.default_rng(0)
    losses = []
    for draw in range(200):
        at = []
        picks = [rng.integers(0, p[1].size, p[1].size) if draw else np.arange(p[1].size) for p in points]
        for which in (1, 2):
            bler = [max(p[which][i].mean(), 1e-9) for p, i in zip(points, picks, strict=True)]
            at.append(float(np.interp(2.0, -np.log10(bler), [p[0] for p in points])))
        losses.append(at[0] - at[1])
    low, high = np.percentile(losses[1:], [2.5, 97.5])
    return {
        "name": f"802.11n n={n} r={code_rate}",
        "esn0_db": [p[0] for p in points],
        "int8": [float(p[1].mean()) for p in points],
        "float32": [float(p[2].mean()) for p in points],
        "sum_product": [p[3] for p in points],
        "frames": [p[1].size for p in points],
        "errors": [int(p[1].sum()) for p in points],
        "loss_db_at_1e-2": losses[0],
        "loss_db_95": [float(low), float(high)],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("rate", "bler", "start"))
    parser.add_argument("--json", type=Path, help="write the rows here too, one line each")
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--codes", default="1944:1/2,1944:2/3,1944:3/4,1944:5/6", help="n:rate, by commas")
    parser.add_argument("--errors", type=int, default=200, help="block errors per point")
    parser.add_argument("--frames", type=int, default=200_000, help="per point at most")
    arguments = parser.parse_args()
    rows: list[dict[str, Any]] = []
    if arguments.what == "rate":
        for found in rates(arguments.repeats):
            rows.append(found)
            ratio = f"{found['ratio']:.2f} x {found['peer_name']}" if found["ratio"] else ""
            print(f"{found['ours']:9.1f} Mbit/s  {found['name']}  {ratio}", flush=True)
    elif arguments.what == "bler":
        for pair in arguments.codes.split(","):
            n, code_rate = pair.split(":")
            rows.append(curves(int(n), code_rate, arguments.errors, arguments.frames))
            low, high = rows[-1]["loss_db_95"]
            print(f"int8 loses {rows[-1]['loss_db_at_1e-2']:.3f} dB at 1e-2 ({low:.3f} to {high:.3f})", flush=True)
    else:
        for _ in range(arguments.repeats):
            begin = time.perf_counter()
            subprocess.run([sys.executable, "-c", START], check=True)
            rows.append(
                {"name": "process start to first codeword", "seconds": time.perf_counter() - begin, **machine()}
            )
        print(f"{statistics.median(r['seconds'] for r in rows[1:]):.2f} s from start to the first codeword")
    if arguments.json:
        arguments.json.write_text("".join(json.dumps(found) + "\n" for found in rows))


if __name__ == "__main__":
    main()
