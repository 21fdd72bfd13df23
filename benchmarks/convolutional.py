"""The convolutional code K=7 beside GNU Radio, scikit-commpy and scikit-dsp-comm; ours and the peer's in turn, pinned.

    python benchmarks/convolutional.py [--only NAME] [--json out.jsonl] [--repeats N]

Information bits per second of one core's CPU time, all threads together; one line of JSON per row. Ours is the block's
`work`: float32 LLRs in, bits out, quantisation included; the peers are given what they take, made beforehand: GNU
Radio 8-bit values, the others floats. In the chain both draw fresh noise for every symbol.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from measure import machine, show, write_lines
from runtime import measure
from runtime_rows import Case, Job, Target, Values

from lgvsc_flow import Graph
from lgvsc_flow.blocks.channel import AwgnChannel, Equalizer
from lgvsc_flow.blocks.metrics import BerMeter
from lgvsc_flow.blocks.phy import ConvolutionalEncoder, QamDemodulator, QamModulator, RandomBits, ViterbiDecoder

BURST = 16384  # information bits
ESN0_DB = 2.0
CHAIN_ESN0_DB = 9.0
GNURADIO_MODES = {"zero": "terminated", "tail-biting": "tail-biting", "truncated": "streaming"}


def encoder(k: int, code_rate: str, termination: str) -> tuple[Callable[[], object], int]:
    bits = np.random.default_rng(0).integers(0, 2, max(BURST // k, 1) * k, dtype=np.uint8)
    block = ConvolutionalEncoder(k=k, code_rate=code_rate, termination=termination)
    return lambda: block.work(bits), bits.size


def _llrs(k: int, code_rate: str, termination: str, words: int) -> np.ndarray:
    rng = np.random.default_rng(1)
    block = ConvolutionalEncoder(k=k, code_rate=code_rate, termination=termination)
    coded = block.work(rng.integers(0, 2, words * k, dtype=np.uint8))
    variance = 10 ** (-ESN0_DB / 10)
    received = 1 - 2.0 * coded + np.sqrt(variance / 2) * rng.normal(size=coded.size)
    return (4 / variance * received).astype(np.float32)


def decoder(k: int, code_rate: str, termination: str) -> tuple[Callable[[], object], int]:
    words = max(BURST // k, 1)
    llrs = _llrs(k, code_rate, termination, words)
    block = ViterbiDecoder(k=k, code_rate=code_rate, termination=termination)
    return lambda: block.work(llrs), words * k


def chain(k: int, code_rate: str, termination: str) -> tuple[Callable[[], object], int]:
    """A run of a whole graph, its checks, start and stop included."""
    count, words = 256, max(BURST // k, 1)

    def run() -> None:
        source, meter = RandomBits(n=words * k, count=count), BerMeter()
        graph = Graph("convolutional")
        graph.connect(
            source,
            ConvolutionalEncoder(k=k, code_rate=code_rate, termination=termination),
            QamModulator(order=16),
            AwgnChannel(esn0_db=CHAIN_ESN0_DB),
            Equalizer(),
            QamDemodulator(order=16),
            ViterbiDecoder(k=k, code_rate=code_rate, termination=termination),
            meter.received,
        )
        graph.connect(source, meter.sent)
        graph.run()

    return run, count * words * k


def commpy_decoder(k: int, code_rate: str, termination: str) -> tuple[Callable[[], object], int]:
    from commpy.channelcoding.convcode import Trellis, viterbi_decode

    trellis = Trellis(np.array([6]), np.array([[0o155, 0o117]]))
    values = -_llrs(256, code_rate, termination, 1).astype(float)
    return lambda: viterbi_decode(values, trellis, decoding_type="unquantized"), 256


def commpy_encoder(k: int, code_rate: str, termination: str) -> tuple[Callable[[], object], int]:
    from commpy.channelcoding.convcode import Trellis, conv_encode

    trellis = Trellis(np.array([6]), np.array([[0o155, 0o117]]))
    bits = np.random.default_rng(0).integers(0, 2, 1024)
    return lambda: conv_encode(bits, trellis), 1024


def sk_dsp_decoder(k: int, code_rate: str, termination: str) -> tuple[Callable[[], object], int]:
    from sk_dsp_comm.fec_conv import FECConv

    values = np.clip(np.round(3.5 - _llrs(256, code_rate, termination, 1).astype(float) / 4), 0, 7)
    coder = FECConv(("1011011", "1111001"), 35)
    return lambda: coder.viterbi_decoder(values, "soft", 3), 256


def sk_dsp_encoder(k: int, code_rate: str, termination: str) -> tuple[Callable[[], object], int]:
    from sk_dsp_comm.fec_conv import FECConv

    bits, coder = np.random.default_rng(0).integers(0, 2, 1024), FECConv(("1011011", "1111001"), 35)
    return lambda: coder.conv_encoder(bits, "000000"), 1024


PARTS = {
    f.__name__: f for f in (encoder, decoder, chain, commpy_decoder, commpy_encoder, sk_dsp_decoder, sk_dsp_encoder)
}


def timed(call: Callable[[], object], elements: int, seconds: float) -> dict[str, float]:
    """Elements, wall and CPU seconds of as many calls as fill the time, behind one that compiles."""
    call()
    calls, wall, cpu = 0, time.perf_counter(), time.process_time()
    while time.process_time() - cpu < seconds:
        call()
        calls += 1
    return {
        "count": calls * elements,
        "wall_s": time.perf_counter() - wall,
        "cpu_s": time.process_time() - cpu,
    }


def _times(factor: float) -> Target:
    def holds(ours: Values, peer: Values) -> bool:
        return ours["cpu"] >= factor * peer["cpu"]

    return Target(f">= {factor:g}x", holds, needs_peer=True)


def _case(
    part: str, k: int, code_rate: str = "1/2", termination: str = "zero", *, python: bool = False, factor: float = 1
) -> Case:
    arguments = ("--k", str(k), "--code-rate", code_rate, "--termination", termination)
    ours = Job("ours", "convolutional.py", ("--part", part, *arguments))
    esn0_db = CHAIN_ESN0_DB if part == "chain" else ESN0_DB
    modes = ("--part", part, "--k", str(k), "--mode", GNURADIO_MODES[termination], "--esn0-db", str(esn0_db))
    peers = [Job("GNU Radio", "gnuradio/convolutional.py", modes, target=_times(factor))] if code_rate == "1/2" else []
    if python or code_rate != "1/2":
        for package in ("commpy", "sk_dsp"):
            peers.append(Job(package, "convolutional.py", ("--part", f"{package}_{part}", *arguments)))
    what = {"encoder": "encoder", "decoder": "Viterbi decoder", "chain": "code, 16-QAM, AWGN, LLRs, Viterbi, BER"}[part]
    name = f"{part}-{k}-{code_rate.replace('/', '')}-{termination}"
    return Case(name, f"{what}, r={code_rate}, {termination}, k={k}", "rate", ours, tuple(peers), of="bits")


CASES = (
    _case("decoder", 2048, python=True),
    _case("decoder", 16384),
    _case("decoder", 128),
    _case("decoder", 2048, termination="truncated"),
    _case("decoder", 128, termination="tail-biting"),
    _case("encoder", 2048, python=True),
    _case("chain", 2048, termination="truncated"),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help=f"rows whose name contains this: {', '.join(c.name for c in CASES)}")
    parser.add_argument("--json", type=Path, help="write the rows here, one JSON object per line")
    parser.add_argument("--repeats", type=int, default=5, help="samples of each side")
    parser.add_argument("--seconds", type=float, default=1.0, help="length of one sample")
    parser.add_argument("--part", choices=PARTS, help="measure this alone, in this process (used for the rows)")
    parser.add_argument("--k", type=int, default=2048)
    parser.add_argument("--code-rate", default="1/2")
    parser.add_argument("--termination", default="zero")
    options = parser.parse_args()
    if options.part:
        call, elements = PARTS[options.part](options.k, options.code_rate, options.termination)
        print(json.dumps(timed(call, elements, options.seconds)))
        return
    rows = []
    for case in CASES:
        if options.only in case.name:
            rows += measure(case, options.repeats, options.seconds)
            if options.json:
                write_lines(rows, options.json)
    host = machine()
    show(rows, f"{host['cpu']}, {host['cores']} cores, load {host['load']:.2f}")


if __name__ == "__main__":
    main()
