"""Throughput of the PHY blocks on one core, beside their peers in the same run; the ratio comes first.

    python benchmarks/phy_throughput.py [--json out.json] [--repeats 5] [--only LDPC]

Each row runs `work` of a block (or a whole graph) on bursts of 16384 elements or so; time is thread CPU time (process
CPU time for graphs), the median of the repeats. Peers: NumPy in plain float64, scikit-commpy where it is installed.
Run it on an idle machine; the load is printed, and a table made under load compares nothing but ratios.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from measure import Bench

from lgvsc_flow.blocks.channel import AwgnChannel, RayleighChannel
from lgvsc_flow.blocks.phy import CrcAppend, HardDecision, LdpcDecoder, LdpcEncoder, QamDemodulator, QamModulator
from lgvsc_flow.blocks.phy.crc import CRCS
from lgvsc_flow.blocks.phy.ldpc.code import wifi_code
from lgvsc_flow.blocks.phy.ldpc.encode import encode
from lgvsc_flow.blocks.phy.ldpc.reference import sum_product
from lgvsc_flow.blocks.phy.qam import constellation
from lgvsc_flow.graphs.modem import coded, uncoded

BURST = 16384


def modem_rows(bench: Bench, order: int) -> None:
    """Mapper and demapper of one order."""
    m = order.bit_length() - 1
    bits = bench.bits(BURST * m)
    points = constellation(order).astype(complex)
    weights = 1 << np.arange(m)[::-1]
    labels = (np.arange(order)[:, None] & weights) > 0
    mapper, demapper, exact = QamModulator(order=order), QamDemodulator(order=order), QamDemodulator(order=order)
    exact.method = "exact"
    symbols = mapper.work(bits)
    received = AwgnChannel(esn0_db=15.0)
    received.rng = bench.rng
    burst = received.work(symbols)
    few = burst.symbols[:256].astype(complex)

    def numpy_map() -> np.ndarray:
        return points[bits.reshape(-1, m) @ weights]

    def numpy_demap() -> np.ndarray:
        distance = np.abs(few[:, None] - points) ** 2
        llrs = [distance[:, labels[:, j]].min(1) - distance[:, ~labels[:, j]].min(1) for j in range(m)]
        return np.stack(llrs, 1) / float(burst.noise_variance)

    bench.row(f"{order}-QAM mapper", "symbols", lambda: mapper.work(bits), BURST, "NumPy", numpy_map, BURST)
    demap = f"{order}-QAM demapper, max-log"
    bench.row(demap, "symbols", lambda: demapper.work(burst), BURST, "NumPy", numpy_demap, few.size)
    try:
        from commpy.modulation import Modem
    except ImportError:
        return
    modem = Modem(points, reorder_as_gray=False)
    some = bits[: 256 * m].astype(int)
    bench.row(
        f"{order}-QAM mapper", "symbols", lambda: mapper.work(bits), BURST, "commpy", lambda: modem.modulate(some), 256
    )
    bench.row(
        f"{order}-QAM demapper, exact",
        "symbols",
        lambda: exact.work(burst),
        BURST,
        "commpy",
        lambda: modem.demodulate(few[:32], "soft", 0.03),
        32,
    )


def channel_rows(bench: Bench) -> None:
    """Channels and the CRC."""
    symbols = np.ones(BURST, np.complex64)
    awgn, rayleigh = AwgnChannel(), RayleighChannel()
    awgn.rng = rayleigh.rng = bench.rng

    def numpy_awgn() -> np.ndarray:
        noise = bench.rng.normal(size=BURST) + 1j * bench.rng.normal(size=BURST)
        return symbols + noise * np.sqrt(0.05)

    def numpy_rayleigh() -> np.ndarray:
        gain = (bench.rng.normal(size=BURST // 64) + 1j * bench.rng.normal(size=BURST // 64)) * np.sqrt(0.5)
        return np.repeat(gain, 64) * numpy_awgn()

    bench.row("AWGN", "symbols", lambda: awgn.work(symbols), BURST, "NumPy", numpy_awgn, BURST)
    bench.row("block Rayleigh", "symbols", lambda: rayleigh.work(symbols), BURST, "NumPy", numpy_rayleigh, BURST)
    llrs = bench.rng.normal(size=BURST).astype(np.float32)
    decision = HardDecision()
    bench.row("hard decision", "bits", lambda: decision.work(llrs), BURST, "NumPy", lambda: llrs < 0, BURST)
    bits, append = bench.bits(300 * 54), CrcAppend(block_bits=300)
    code = CRCS["24A"]
    word, columns = code.polynomial, np.zeros((300, 24), np.uint8)
    for i in reversed(range(300)):
        columns[i] = [word >> (23 - j) & 1 for j in range(24)]
        word = (word << 1 ^ (code.polynomial if word >> 23 else 0)) & 0xFFFFFF

    def numpy_crc() -> np.ndarray:
        return (bits.reshape(-1, 300).astype(np.float32) @ columns) % 2

    bench.row("CRC24A", "bits", lambda: append.work(bits), bits.size, "NumPy matrix", numpy_crc, bits.size)


def ldpc_rows(bench: Bench, n: int, code_rate: str) -> None:
    """Encoder and decoder of one code, 10 iterations without early stop, and with it at a working point."""
    code = wifi_code(n, code_rate)
    frames = 64
    bits = bench.bits(frames * code.k)
    encoder = LdpcEncoder(n=n, code_rate=code_rate)
    decoder = LdpcDecoder(n=n, code_rate=code_rate, max_iterations=10)
    generator = encode(np.eye(code.k, dtype=np.uint8).ravel(), code).reshape(code.k, n).astype(np.float32)
    words = encoder.work(bits)
    hopeless = bench.rng.normal(size=words.size).astype(np.float32)
    deviation = 10 ** (-2.5 / 20)  # Es/N0 of 2.5 dB as QPSK
    noisy = 1 - 2.0 * words + bench.rng.normal(size=words.size) * deviation
    easy = (2 * noisy / deviation**2).astype(np.float32)
    h = code.parity_check()
    name, k = f"LDPC {n} r={code_rate}", code.k

    def numpy_encode() -> np.ndarray:
        return (bits.reshape(frames, k).astype(np.float32) @ generator) % 2

    bench.row(f"{name} encoder", "bits", lambda: encoder.work(bits), bits.size, "NumPy matrix", numpy_encode, bits.size)
    bench.row(
        f"{name} decoder, 10 iterations",
        "bits",
        lambda: decoder.work(hopeless),
        bits.size,
        "float64 sum-product",
        lambda: sum_product(hopeless[: 4 * n].reshape(4, n), h, 10),
        4 * k,
    )
    if code_rate == "1/2":
        bench.row(
            f"{name} decoder, early stop at 2.5 dB",
            "bits",
            lambda: decoder.work(easy),
            bits.size,
            "float64 sum-product",
            lambda: sum_product(easy[: 4 * n].reshape(4, n), h, 10),
            4 * k,
        )


def chain_rows(bench: Bench) -> None:
    """Whole graphs through the runtime, all threads' CPU time counted."""
    count = 64

    def ours() -> None:
        uncoded(order=16, n=BURST * 4, count=count).run()

    points = constellation(16).astype(complex)
    weights = 1 << np.arange(4)[::-1]
    ones = (np.arange(16)[:, None] & weights) > 0

    def llrs(bits: np.ndarray, variance: float) -> np.ndarray:
        symbols = points[bits.reshape(-1, 4) @ weights]
        noise = bench.rng.normal(size=symbols.size) + 1j * bench.rng.normal(size=symbols.size)
        distance = np.abs((symbols + noise * np.sqrt(variance / 2))[:, None] - points) ** 2
        parts = [distance[:, ones[:, j]].min(1) - distance[:, ~ones[:, j]].min(1) for j in range(4)]
        return np.stack(parts, 1).ravel() / variance

    def theirs() -> int:
        bits = bench.bits(BURST * 4)
        return int(np.count_nonzero((llrs(bits, 0.1) < 0) != bits))

    code = wifi_code(1944, "1/2")
    generator = encode(np.eye(code.k, dtype=np.uint8).ravel(), code).reshape(code.k, code.n).astype(np.float32)
    h = code.parity_check()

    def theirs_with_code() -> int:
        bits = bench.bits(8 * code.k).reshape(8, -1)
        words = ((bits.astype(np.float32) @ generator) % 2).astype(np.uint8)
        found = sum_product(llrs(words.ravel(), 10**-0.9).reshape(8, -1), h, 40)
        return int(np.count_nonzero(found[:, : code.k] != bits))

    bench.row(
        "bits -> 16-QAM -> AWGN -> LLR -> BER, graph.run()",
        "symbols",
        ours,
        BURST * count,
        "NumPy",
        theirs,
        BURST,
        threads=True,
    )

    def with_code() -> None:
        coded(order=16, n=1944, channel=AwgnChannel(esn0_db=9.0), words=64, count=8).run()

    information = 64 * 8 * 972
    name = "the same with LDPC 1944 r=1/2 at 9 dB, graph.run()"
    peer = "NumPy, float64 sum-product"
    bench.row(name, "bits", with_code, information, peer, theirs_with_code, 8 * code.k, threads=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="write the rows here too")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--only", default="", help="rows whose name contains this")
    arguments = parser.parse_args()
    bench = Bench(arguments.repeats, arguments.only)
    for order in (16, 256):
        modem_rows(bench, order)
    channel_rows(bench)
    for n, code_rate in ((648, "1/2"), (1944, "1/2"), (1944, "5/6")):
        ldpc_rows(bench, n, code_rate)
    chain_rows(bench)
    bench.show(arguments.json)


if __name__ == "__main__":
    main()
