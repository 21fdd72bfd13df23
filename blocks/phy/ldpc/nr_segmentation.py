"""Transport blocks of 5G NR cut into code blocks, each with its CRC, and put together again."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from lgvsc_flow.blocks.given import bits_of, burst_of
from lgvsc_flow.blocks.phy.crc import CRCS, append_blocks, check_blocks
from lgvsc_flow.blocks.phy.ldpc.nr_code import BASE_GRAPHS, LIFTING_SIZES
from lgvsc_flow.items import Bits

__all__ = ["Joined", "Segmentation", "choose_base_graph", "join", "segment", "segmentation"]

CODE_BLOCK_CRC = "24B"
LARGEST_CODE_BLOCK = {1: 8448, 2: 3840}


@dataclass(frozen=True)
class Segmentation:
    """How transport blocks of `a` bits become code blocks, in the letters of the standard.

    Each transport block and its CRC (`crc`) make `code_blocks` (C) code blocks of `k_prime` bits, the CRC24B of each
    included where there are several; `fillers` zeros make them up to k = 22 z or 10 z bits.
    """

    a: int
    base_graph: int
    crc: str
    code_blocks: int
    k_prime: int
    z: int

    @property
    def k(self) -> int:
        """Bits that enter the encoder per code block, fillers and all."""
        rows, columns = BASE_GRAPHS[self.base_graph]
        return (columns - rows) * self.z

    @property
    def fillers(self) -> int:
        return self.k - self.k_prime


def choose_base_graph(a: int, code_rate: float) -> int:
    """Base graph 2 for short transport blocks and low rates, else 1.

    Ref: 3GPP TS 38.212, clauses 6.2.2 and 7.2.2.
    """
    return 2 if a <= 292 or (a <= 3824 and code_rate <= 0.67) or code_rate <= 0.25 else 1


@lru_cache(maxsize=1024)
def segmentation(a: int, base_graph: int) -> Segmentation:
    """The segmentation of transport blocks of `a` bits.

    Raises:
        ValueError: `a` and its CRC do not make equal code blocks; the message names the next sizes that do.

    Ref: 3GPP TS 38.212, clauses 6.2.1 and 7.2.1 (CRC), 5.2.2 (segmentation).
    """
    if a < 1 or base_graph not in BASE_GRAPHS:
        raise ValueError(f"a transport block has at least one bit, base graph 1 or 2; got a={a}, {base_graph=}.")
    b, code_blocks = _count(a, base_graph)
    if b % code_blocks:
        lower = next(size for size in range(a - 1, 0, -1) if _fits(size, base_graph))
        upper = next(size for size in range(a + 1, 2 * a) if _fits(size, base_graph))
        raise ValueError(
            f"a transport block of a={a} bits and its CRC do not divide into {code_blocks} equal code blocks; "
            f"take a={lower} or a={upper}."
        )
    k_prime = b // code_blocks + (CRCS[CODE_BLOCK_CRC].bits if code_blocks > 1 else 0)
    if base_graph == 1:
        k_b = 22
    else:
        k_b = 10 if b > 640 else 9 if b > 560 else 8 if b > 192 else 6
    z = next(size for size in LIFTING_SIZES if k_b * size >= k_prime)
    return Segmentation(a, base_graph, _transport_crc(a), code_blocks, k_prime, z)


def _transport_crc(a: int) -> str:
    return "24A" if a > 3824 else "16"


def _count(a: int, base_graph: int) -> tuple[int, int]:
    """B, the bits with the transport block's CRC, and C, the number of code blocks."""
    b, largest = a + CRCS[_transport_crc(a)].bits, LARGEST_CODE_BLOCK[base_graph]
    return b, 1 if b <= largest else -(-b // (largest - CRCS[CODE_BLOCK_CRC].bits))


def _fits(a: int, base_graph: int) -> bool:
    b, code_blocks = _count(a, base_graph)
    return b % code_blocks == 0


def segment(bits: np.ndarray, cut: Segmentation) -> np.ndarray:
    """Whole transport blocks, uint8 [blocks * a], to the encoder's words, uint8 [blocks * C, k]; fillers are 0.

    Raises:
        ValueError: the bits are not whole transport blocks, of another dtype, or not 0 and 1.
    """
    bits = burst_of(bits, Bits)
    if bits.size % cut.a:
        bits_of(bits)
        raise ValueError(f"a burst must hold whole transport blocks of a={cut.a} bits.")
    if cut.code_blocks == 1:
        return append_blocks(bits, cut.a, cut.crc, cut.k).reshape(-1, cut.k)
    filled = append_blocks(bits, cut.a, cut.crc)
    return append_blocks(filled, cut.k_prime - CRCS[CODE_BLOCK_CRC].bits, CODE_BLOCK_CRC, cut.k).reshape(-1, cut.k)


class Joined(NamedTuple):
    """`bits` uint8 [blocks * a]; whether the CRC of each transport block holds, `ok` bool [blocks], and of each code
    block, `code_blocks_ok` bool [blocks, C]. A transport block of one code block has one CRC for both."""

    bits: np.ndarray
    ok: np.ndarray
    code_blocks_ok: np.ndarray


def join(words: np.ndarray, cut: Segmentation) -> Joined:
    """The inverse of `segment`: decoded words, [blocks * C, k_prime or more], to transport blocks and verdicts.

    Raises:
        ValueError: the words have another shape or dtype, or are not 0 and 1.
    """
    if words.ndim != 2 or words.shape[1] < cut.k_prime or words.shape[0] % cut.code_blocks:
        raise ValueError(f"words are [blocks * {cut.code_blocks}, {cut.k_prime} or more], got {list(words.shape)}.")
    if words.dtype != np.uint8 or not words.flags.carray:
        words = burst_of(words[:, : cut.k_prime].reshape(-1), Bits).reshape(-1, cut.k_prime)
    return join_words(words, cut)


def join_words(words: np.ndarray, cut: Segmentation) -> Joined:
    """`join` of words uint8 in one piece, of the right shape."""
    if cut.code_blocks == 1:
        bits, ok = check_blocks(words, cut.a, cut.crc)
        return Joined(bits, ok, ok[:, None])
    bits, inner = check_blocks(words, cut.k_prime - CRCS[CODE_BLOCK_CRC].bits, CODE_BLOCK_CRC)
    bits, ok = check_blocks(bits.reshape(-1, cut.a + CRCS[cut.crc].bits), cut.a, cut.crc)
    return Joined(bits, ok, inner.reshape(-1, cut.code_blocks))
