"""LDPC encoders and decoders through the blocks: bits in, float32 LLRs in, bits out. Elements are information bits."""

from __future__ import annotations

from typing import Any

import numpy as np
from phy_parts import Part, bits, started

from lgvsc_flow.blocks.phy import LdpcDecoder, LdpcEncoder, NrLdpcDecoder, NrLdpcEncoder
from lgvsc_flow.blocks.phy.ldpc.decode import decode
from lgvsc_flow.blocks.phy.ldpc.fixed import decode_int8
from lgvsc_flow.blocks.phy.ldpc.nr_code import nr_code

HOPELESS_DB = -3.0  # no word is ever right: all iterations


def qpsk_llrs(words: np.ndarray, esn0_db: float) -> np.ndarray:
    """Exact LLRs of coded bits, sent as QPSK over AWGN."""
    variance = 10 ** (-esn0_db / 10)
    y = 1 - 2.0 * words + np.random.default_rng(1).normal(size=words.size) * np.sqrt(variance)
    return (2 * y / variance).astype(np.float32)


def encoder(n: int, code_rate: str, words: int) -> Part:
    block = started(LdpcEncoder(n=n, code_rate=code_rate))
    burst = bits(words * block.k)
    return lambda: block.work(burst), burst.size


def encoder_numpy(n: int, code_rate: str, words: int) -> Part:
    """One matrix product; the generator is there already."""
    block = LdpcEncoder(n=n, code_rate=code_rate)
    generator = block.work(np.eye(block.k, dtype=np.uint8).ravel()).reshape(block.k, n).astype(np.float32)
    burst = bits(words * block.k).reshape(words, -1)
    return lambda: (burst.astype(np.float32) @ generator).astype(np.int32).astype(np.uint8) & 1, burst.size


def decoder(
    n: int,
    code_rate: str,
    words: int,
    precision: str = "int8",
    max_iterations: int = 10,
    stop: int = 0,
    esn0_db: float = HOPELESS_DB,
) -> Part:
    """802.11n. `stop` 1: early stop; float32 has no choice, and goes on to the end where no word is ever right."""
    encoder = LdpcEncoder(n=n, code_rate=code_rate)
    llrs = qpsk_llrs(encoder.work(bits(words * encoder.k)), esn0_db)
    how: dict[str, Any] = {"early_stop": bool(stop) or precision == "float32"}
    block = started(LdpcDecoder(n=n, code_rate=code_rate, max_iterations=max_iterations, precision=precision, **how))
    return lambda: block.work(llrs), words * encoder.k


def nr_encoder(a: int, e: int, words: int) -> Part:
    """Transport blocks of `a` bits to `e` sent bits: CRC, code blocks, LDPC, rate matching, interleaving."""
    block, burst = started(NrLdpcEncoder(a=a, e=e)), bits(words * a)
    return lambda: block.work(burst), burst.size


def nr_decoder(
    a: int, e: int, words: int, precision: str = "int8", max_iterations: int = 10, esn0_db: float = HOPELESS_DB
) -> Part:
    """`e` LLRs to transport blocks of `a` bits, with rate recovery and the CRC."""
    encoder = started(NrLdpcEncoder(a=a, e=e))
    llrs = qpsk_llrs(encoder.work(bits(words * a)), esn0_db)
    block = started(NrLdpcDecoder(a=a, e=e, max_iterations=max_iterations, precision=precision))
    return lambda: block.work(llrs), words * a


def nr_kernel(base_graph: int, rows: int, words: int, precision: str = "int8", z: int = 384) -> Part:
    """The decoder alone, as srsRAN's benchmark has it: LLRs of all columns, the first two unknown; 10 iterations."""
    code = nr_code(base_graph, z, rows)
    llrs = np.random.default_rng(0).normal(0.2, 2, words * code.n).astype(np.float32)
    llrs.reshape(words, -1)[:, : 2 * z] = 0
    if precision == "float32":
        return lambda: decode(llrs, code, max_iterations=10), words * code.k
    return lambda: decode_int8(llrs, code, max_iterations=10, early_stop=False, wanted=code.k), words * code.k
