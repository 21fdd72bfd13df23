"""LDPC: block error rates of int8 against float32 and sum-product, and what int8 loses in dB.

    python benchmarks/ldpc_bler.py [--json out.jsonl] [--codes 1944:1/2,648:5/6] [--errors 200] [--frames 200000]

QPSK over AWGN, the same noise for all decoders, 20 iterations (sum-product: 50 flooding), until the better of the two
layered decoders has `--errors` block errors; and how many dB int8 loses at a BLER of 1e-2, by straight lines through
log BLER, with the 95 % interval of a bootstrap over frames. Speed is measured by `phy.py`.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
from measure import machine

from lgvsc_flow.blocks.phy.ldpc.code import LdpcCode, wifi_code
from lgvsc_flow.blocks.phy.ldpc.decode import decode
from lgvsc_flow.blocks.phy.ldpc.encode import encode
from lgvsc_flow.blocks.phy.ldpc.fixed import decode_int8
from lgvsc_flow.blocks.phy.ldpc.reference import sum_product

WATERFALL_DB = {
    "1/2": (1.2, 1.4, 1.6, 1.8),
    "2/3": (3.2, 3.4, 3.6, 3.8),
    "3/4": (4.3, 4.6, 4.9),
    "5/6": (5.5, 5.7, 5.9),
}


def qpsk_llrs(code: LdpcCode, frames: int, esn0_db: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Codewords [frames, n] and their exact LLRs [frames * n] over AWGN."""
    rng = np.random.default_rng(seed)
    words = encode(rng.integers(0, 2, frames * code.k, dtype=np.uint8), code)
    variance = 10 ** (-esn0_db / 10)
    y = 1 - 2.0 * words + rng.normal(size=words.size) * np.sqrt(variance)
    return words.reshape(frames, code.n), (2 * y / variance).astype(np.float32)


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
    parser.add_argument("--json", type=Path, help="write the rows here too, one line each")
    parser.add_argument("--codes", default="1944:1/2,1944:2/3,1944:3/4,1944:5/6", help="n:rate, by commas")
    parser.add_argument("--errors", type=int, default=200, help="block errors per point")
    parser.add_argument("--frames", type=int, default=200_000, help="per point at most")
    arguments = parser.parse_args()
    rows: list[dict[str, Any]] = []
    for pair in arguments.codes.split(","):
        n, code_rate = pair.split(":")
        rows.append({**curves(int(n), code_rate, arguments.errors, arguments.frames), **machine()})
        low, high = rows[-1]["loss_db_95"]
        print(f"int8 loses {rows[-1]['loss_db_at_1e-2']:.3f} dB at 1e-2 ({low:.3f} to {high:.3f})", flush=True)
    if arguments.json:
        arguments.json.write_text("".join(json.dumps(found) + "\n" for found in rows))


if __name__ == "__main__":
    main()
