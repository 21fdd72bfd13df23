"""What is done to bits: CRC, scrambler, interleavers, the convolutional code; NumPy, commpy and scikit-dsp-comm.

Elements are bits as they come in; of the decoders, information bits. Ours takes float32 LLRs and quantises them; the
others are given what they take, made beforehand.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from phy_parts import BURST, Part, bits, started

from lgvsc_flow.blocks.phy import (
    ConvolutionalEncoder,
    CrcAppend,
    CrcCheck,
    Deinterleaver,
    Interleaver,
    LlrDescrambler,
    NrInterleaver,
    RandomDeinterleaver,
    RandomInterleaver,
    Scrambler,
    ViterbiDecoder,
)
from lgvsc_flow.blocks.phy.crc import CRCS

CRC_BLOCK, CRC_BLOCKS = 300, 54
COLUMNS, ROWS = 1944, 8
ESN0_DB = 2.0  # of QPSK, where the convolutional code works
COMMPY = np.array([6]), np.array([[0o155, 0o117]])  # generators 133 and 171, mirrored
FEW = 256


def crc_append() -> Part:
    block, burst = CrcAppend(block_bits=CRC_BLOCK), bits(CRC_BLOCK * CRC_BLOCKS)
    return lambda: block.work(burst), burst.size


def crc_check() -> Part:
    burst = CrcAppend(block_bits=CRC_BLOCK).work(bits(CRC_BLOCK * CRC_BLOCKS))
    block = CrcCheck(block_bits=CRC_BLOCK)
    return lambda: block.work(burst), CRC_BLOCK * CRC_BLOCKS


def crc_numpy() -> Part:
    """Remainders by one matrix product."""
    polynomial, burst = CRCS["24A"].polynomial, bits(CRC_BLOCK * CRC_BLOCKS)
    word, columns = polynomial, np.zeros((CRC_BLOCK, 24), np.float32)
    for i in reversed(range(CRC_BLOCK)):
        columns[i] = [word >> (23 - j) & 1 for j in range(24)]
        word = (word << 1 ^ (polynomial if word >> 23 else 0)) & 0xFFFFFF

    def work() -> np.ndarray:
        blocks = burst.reshape(-1, CRC_BLOCK)
        return np.hstack([blocks, (blocks.astype(np.float32) @ columns).astype(np.int32).astype(np.uint8) & 1])

    return work, burst.size


def scrambler() -> Part:
    block, burst = started(Scrambler(sequence="nr", initial=1)), bits(BURST)
    return lambda: block.work(burst), BURST


def scrambler_numpy() -> Part:
    """The sequence is there already."""
    burst, sequence = bits(BURST), bits(2 * BURST)[BURST:].copy()
    return lambda: burst ^ sequence, BURST


def descrambler() -> Part:
    block = started(LlrDescrambler(sequence="nr", initial=1))
    llrs = np.random.default_rng(0).standard_normal(BURST, np.float32)
    return lambda: block.work(llrs), BURST


def _block(kind: str, direction: str) -> Any:
    return {
        "rows-interleave": lambda: Interleaver(columns=COLUMNS),
        "rows-deinterleave": lambda: Deinterleaver(columns=COLUMNS),
        "random-interleave": RandomInterleaver,
        "random-deinterleave": RandomDeinterleaver,
        "nr-interleave": lambda: NrInterleaver(n=COLUMNS, bits_per_symbol=4),
    }[f"{kind}-{direction}"]()


def _burst(direction: str) -> np.ndarray:
    size = ROWS * COLUMNS
    return bits(size) if direction == "interleave" else np.random.default_rng(0).standard_normal(size, np.float32)


def interleaver(kind: str, direction: str) -> Part:
    block, burst = started(_block(kind, direction)), _burst(direction)
    return lambda: block.work(burst), burst.size


def interleaver_numpy(kind: str, direction: str) -> Part:
    burst = _burst(direction)
    if kind == "random":
        places = np.random.default_rng(0).permutation(burst.size)
        return lambda: burst[places], burst.size
    shape = {"rows-interleave": (ROWS, COLUMNS), "rows-deinterleave": (COLUMNS, ROWS)}
    if kind == "rows":
        return lambda: burst.reshape(shape[f"rows-{direction}"]).T.ravel(), burst.size
    return lambda: burst.reshape(ROWS, 4, -1).transpose(0, 2, 1).ravel(), burst.size


def _code(k: int, code_rate: str, termination: str) -> dict[str, Any]:
    return {"k": k, "code_rate": code_rate, "termination": termination}


def encoder(k: int, code_rate: str, termination: str) -> Part:
    block, burst = started(ConvolutionalEncoder(**_code(k, code_rate, termination))), bits(max(BURST // k, 1) * k)
    return lambda: block.work(burst), burst.size


def _llrs(k: int, code_rate: str, termination: str, words: int) -> np.ndarray:
    coded = started(ConvolutionalEncoder(**_code(k, code_rate, termination))).work(bits(words * k))
    variance = 10 ** (-ESN0_DB / 10)
    received = 1 - 2.0 * coded + np.sqrt(variance / 2) * np.random.default_rng(1).normal(size=coded.size)
    return (4 / variance * received).astype(np.float32)


def viterbi(k: int, code_rate: str, termination: str) -> Part:
    words = max(BURST // k, 1)
    llrs, block = _llrs(k, code_rate, termination, words), started(ViterbiDecoder(**_code(k, code_rate, termination)))
    return lambda: block.work(llrs), words * k


def encoder_commpy() -> Part:
    from commpy.channelcoding.convcode import Trellis, conv_encode

    trellis, burst = Trellis(*COMMPY), bits(4 * FEW)
    return lambda: conv_encode(burst, trellis), burst.size


def viterbi_commpy() -> Part:
    from commpy.channelcoding.convcode import Trellis, viterbi_decode

    trellis, values = Trellis(*COMMPY), -_llrs(FEW, "1/2", "zero", 1).astype(float)
    return lambda: viterbi_decode(values, trellis, decoding_type="unquantized"), FEW


def encoder_sk_dsp() -> Part:
    from sk_dsp_comm.fec_conv import FECConv

    burst, coder = bits(4 * FEW), FECConv(("1011011", "1111001"), 35)
    return lambda: coder.conv_encoder(burst, "000000"), burst.size


def viterbi_sk_dsp() -> Part:
    from sk_dsp_comm.fec_conv import FECConv

    values = np.clip(np.round(3.5 - _llrs(FEW, "1/2", "zero", 1).astype(float) / 4), 0, 7)
    coder = FECConv(("1011011", "1111001"), 35)
    return lambda: coder.viterbi_decoder(values, "soft", 3), FEW
