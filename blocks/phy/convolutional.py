"""The convolutional code K=7 (133, 171) of 802.11 and many others: punctured rates, three ways to end a word."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np

from lgvsc_flow import Block, In, Out, setting
from lgvsc_flow.blocks.given import bits_of, burst_of
from lgvsc_flow.blocks.phy.viterbi import TAIL_BITING, TRUNCATED, ZERO_TERMINATED, decode_words
from lgvsc_flow.errors import SettingError
from lgvsc_flow.items import Bits, Llrs
from lgvsc_flow.kernels import kernel

__all__ = [
    "ConvolutionalCode",
    "ConvolutionalEncoder",
    "ViterbiDecoder",
    "convolutional_code",
    "decode",
    "encode",
]

MEMORY = 6
PUNCTURING: dict[str, tuple[str, str]] = {
    "1/2": ("1", "1"),
    "2/3": ("11", "10"),
    "3/4": ("110", "101"),
    "5/6": ("11010", "10101"),
}
"""Which code bits of the generators 133 and 171 are sent: IEEE Std 802.11-2016, clauses 17.3.5.6 and 19.3.11.6."""
ENDS = {"zero": ZERO_TERMINATED, "truncated": TRUNCATED, "tail-biting": TAIL_BITING}


@dataclass(frozen=True)
class ConvolutionalCode:
    """How one word of `k` bits is coded.

    `termination`: "zero" sends six more bits of 0, so that the last bits are as safe as the first; "truncated" sends
    none and leaves them weak; "tail-biting" starts in the state where the word ends, safe without more bits.

    Raises:
        ValueError: there is no such code.
    """

    k: int
    code_rate: str = "1/2"
    termination: str = "zero"

    def __post_init__(self) -> None:
        if self.code_rate not in PUNCTURING or self.termination not in ENDS:
            raise ValueError(
                f"code_rate is one of {', '.join(PUNCTURING)} and termination one of {', '.join(ENDS)}; "
                f"got code_rate={self.code_rate!r}, termination={self.termination!r}"
            )
        least = MEMORY if self.termination == "tail-biting" else 1
        if self.k < least:
            raise ValueError(f"a {self.termination} word holds at least k={least} bits, got k={self.k}")

    @property
    def steps(self) -> int:
        """Bits that enter the encoder per word."""
        return self.k + MEMORY if self.termination == "zero" else self.k

    @cached_property
    def sent(self) -> np.ndarray:
        """Where each code bit stands among the 2 * steps before puncturing: int32 [n]."""
        first, second = PUNCTURING[self.code_rate]
        period = np.array([[a == "1", b == "1"] for a, b in zip(first, second, strict=True)])
        return np.flatnonzero(np.resize(period, (self.steps, 2))).astype(np.int32)

    @property
    def n(self) -> int:
        """Code bits per word."""
        return int(self.sent.size)


@lru_cache(maxsize=64)
def convolutional_code(k: int, code_rate: str = "1/2", termination: str = "zero") -> ConvolutionalCode:
    """The code for words of `k` bits, made once; see `ConvolutionalCode`."""
    return ConvolutionalCode(k, code_rate, termination)


@kernel
def _word(bits: np.ndarray, circular: bool, padded: np.ndarray, coded: np.ndarray) -> None:
    """Code bits [2 * steps] of a word of bits [k], through padded [steps + 6], in which zeros follow the bits."""
    for i in range(bits.size):
        padded[6 + i] = bits[i]
    for i in range(6):
        padded[i] = bits[bits.size - 6 + i] if circular else 0
    for t in range(padded.size - 6):
        common = padded[t + 6] ^ padded[t + 4] ^ padded[t + 3] ^ padded[t]
        coded[2 * t] = common ^ padded[t + 1]
        coded[2 * t + 1] = common ^ padded[t + 5]


@kernel
def _encode(bits: np.ndarray, k: int, steps: int, circular: bool, sent: np.ndarray) -> np.ndarray:
    words, n = bits.size // k, sent.size
    out = np.empty(words * n, np.uint8)
    padded, full = np.zeros(steps + 6, np.uint8), np.empty(2 * steps, np.uint8)
    for w in range(words):
        word, coded = bits[w * k : (w + 1) * k], out[w * n : (w + 1) * n]
        if n == full.size:
            _word(word, circular, padded, coded)
        else:
            _word(word, circular, padded, full)
            for i in range(n):
                coded[i] = full[sent[i]]
    return out


def encode(bits: np.ndarray, code: ConvolutionalCode) -> np.ndarray:
    """Encode bits, uint8 [words * k], to uint8 [words * n]; per input bit the generator 133 first, then 171.

    Raises:
        ValueError: the bits are no whole words, of another dtype, or not 0 and 1.
    """
    bits = bits_of(bits)
    if bits.size % code.k:
        raise ValueError(f"a burst must hold whole words of k={code.k}.")
    circular = code.termination == "tail-biting"
    return _encode(bits, code.k, code.steps, circular, code.sent)


def decode(llrs: np.ndarray, code: ConvolutionalCode, *, llr_clip: float = 64.0, max_wraps: int = 4) -> np.ndarray:
    """Decode LLRs, float32 [words * n], to the most likely bits, uint8 [words * k].

    Each word's LLRs are quantised to steps of a power of two, the largest of them to 257 to 512 steps: a multiple of
    that step is exact, and a factor of two on all LLRs changes nothing. NaN counts as an erasure (0), infinite LLRs
    as `llr_clip`. A word of which nothing arrived is read as ones, so that it does not pass a CRC as zeros do.

    "zero" and "truncated" words are decoded by maximum likelihood. "tail-biting" ones are where the first pass ends
    in a circular path, which is the rule at working SNR; else up to `max_wraps` passes look for the best one.

    Args:
        llrs: ln P(b=0)/P(b=1).
        code: the code.
        llr_clip: LLRs beyond are certain; raise it where LLRs are scaled up, without the true noise variance.
        max_wraps: passes over a tail-biting word at most.

    Raises:
        ValueError: the LLRs are no whole words, or of another dtype; llr_clip is not 1e-30 to 1e30, or max_wraps not
            positive.

    Ref: G. Forney, Proc. IEEE 61 (1973) 268; R. Shao, S. Lin and M. Fossorier, IEEE Trans. Commun. 51 (2003) 1658
    (tail-biting).
    """
    llrs = burst_of(llrs, Llrs)
    if llrs.size % code.n:
        raise ValueError(f"a burst must hold whole words of n={code.n}.")
    if not 1e-30 <= llr_clip <= 1e30 or max_wraps < 1:
        raise ValueError(
            f"llr_clip and max_wraps are positive, llr_clip 1e-30 to 1e30; got {llr_clip} and {max_wraps}."
        )
    return decode_words(llrs, code.sent, code.steps, code.k, ENDS[code.termination], llr_clip, max_wraps)


def _check(block: ConvolutionalEncoder | ViterbiDecoder) -> None:
    if block.termination == "tail-biting" and block.k < MEMORY:
        raise SettingError(f"{block.label}.k must be >= {MEMORY} bits for tail-biting words, got {block.k}")


class ConvolutionalEncoder(Block):
    """Encode bursts of whole words of `k` bits with the code K=7, generators 133 and 171 (octal), punctured.

    Ref: IEEE Std 802.11-2016, clauses 17.3.5.6 and 19.3.11.6.
    """

    bits = In(Bits, "words * k")
    coded = Out(Bits, "words * n", code="convolutional k={k} r={code_rate} {termination}")

    k: int = setting(1024, ge=1, le=1 << 20, unit="bits", doc="information bits per word")
    code_rate: str = setting("1/2", choices=tuple(PUNCTURING), doc="without the six bits that end a word")
    termination: str = setting("zero", choices=tuple(ENDS), doc="how a word ends")

    def validate(self) -> None:
        _check(self)

    @property
    def code(self) -> ConvolutionalCode:
        return convolutional_code(self.k, self.code_rate, self.termination)

    @property
    def n(self) -> int:
        """Code bits per word."""
        return self.code.n

    def work(self, bits: np.ndarray) -> np.ndarray:
        return encode(bits, self.code)


class ViterbiDecoder(Block):
    """Decode bursts of whole words by the soft-decision Viterbi algorithm; `decode` says how exactly.

    Ref: G. Forney, Proc. IEEE 61 (1973) 268.
    """

    llrs = In(Llrs, "words * n", code="convolutional k={k} r={code_rate} {termination}")
    bits = Out(Bits, "words * k")

    k: int = setting(1024, ge=1, le=1 << 20, unit="bits", doc="information bits per word")
    code_rate: str = setting("1/2", choices=tuple(PUNCTURING), doc="without the six bits that end a word")
    termination: str = setting("zero", choices=tuple(ENDS), doc="how a word ends")
    llr_clip: float = setting(64.0, gt=0, le=1e6, doc="larger LLRs are certain and count as this")
    max_wraps: int = setting(4, ge=1, le=64, doc="passes over a tail-biting word at most")

    def validate(self) -> None:
        _check(self)

    @property
    def code(self) -> ConvolutionalCode:
        return convolutional_code(self.k, self.code_rate, self.termination)

    @property
    def n(self) -> int:
        """Code bits per word."""
        return self.code.n

    def work(self, llrs: np.ndarray) -> np.ndarray:
        return decode(llrs, self.code, llr_clip=self.llr_clip, max_wraps=self.max_wraps)
