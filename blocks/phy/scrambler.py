"""Pseudo-random bit sequences, and scramblers: bits with long runs or a pattern leave without."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from lgvsc_flow import Block, In, Out, setting
from lgvsc_flow.blocks.given import bits_of, burst_of
from lgvsc_flow.errors import SettingError
from lgvsc_flow.items import Bits, Llrs
from lgvsc_flow.kernels import kernel

__all__ = [
    "SEQUENCES",
    "Descrambler",
    "Gold",
    "LlrDescrambler",
    "Prbs",
    "Register",
    "Scrambler",
    "SelfSyncDescrambler",
    "SelfSyncScrambler",
    "bit_sequence",
]


@dataclass(frozen=True)
class Polynomial:
    """x^order + x^tap + 1: each bit is the sum of those `order` and `tap` before it; some are sent `inverted`."""

    order: int
    tap: int
    inverted: bool = False


SEQUENCES: dict[str, Polynomial] = {
    "802.11": Polynomial(7, 4),
    "PRBS7": Polynomial(7, 6),
    "PRBS9": Polynomial(9, 5),
    "PRBS11": Polynomial(11, 9),
    "PRBS15": Polynomial(15, 14, inverted=True),
    "PRBS23": Polynomial(23, 18, inverted=True),
    "PRBS31": Polynomial(31, 28, inverted=True),
}
"""IEEE Std 802.11-2016, clause 17.3.5.5; ITU-T O.150, clause 5 (PRBS7, which it lacks, is of the same make)."""
SELF_SYNC: dict[str, tuple[int, int]] = {"64B/66B": (58, 39), "ATM": (43, 0)}
"""x^58 + x^39 + 1: IEEE Std 802.3, clause 49.2.6. x^43 + 1: ITU-T I.432.1, clause 7.3.4.1."""
NR_SKIPPED = 1600


class BitSequence(Protocol):
    """An endless sequence of bits, read piece by piece."""

    def take(self, n: int) -> np.ndarray:
        """The next bits, uint8 [n]."""


class Register:
    """A linear recurrence: each bit is the sum modulo 2 of those `lags` before it; `past` comes before the first.

    Squaring its polynomial doubles every lag and leaves no others, so that longer and longer pieces are one sum of
    arrays.
    """

    def __init__(self, lags: Sequence[int], past: np.ndarray, *, inverted: bool = False) -> None:
        self._lags, self._past, self._inverted = sorted(lags), past.astype(np.uint8), np.uint8(inverted)

    def take(self, n: int) -> np.ndarray:
        """The next bits, uint8 [n]."""
        nearest, farthest = self._lags[0], self._lags[-1]
        known = self._past.size
        bits = np.concatenate([self._past, np.empty(n, np.uint8)])
        t = known
        while t < bits.size:
            power = 1 << ((t // farthest).bit_length() - 1)
            stop = min(t + nearest * power, bits.size)
            piece = bits[t:stop]
            piece[:] = bits[t - farthest * power : stop - farthest * power]
            for lag in self._lags[:-1]:
                piece ^= bits[t - lag * power : stop - lag * power]
            t = stop
        self._past = bits[-64 * farthest :].copy()
        return bits[known:] ^ self._inverted


class Gold:
    """The pseudo-random sequence c(n) of NR, from `c_init` of 31 bits.

    Raises:
        ValueError: `c_init` has another size.

    Ref: 3GPP TS 38.211, clause 5.2.1.
    """

    def __init__(self, c_init: int) -> None:
        if not 0 <= c_init < 2**31:
            raise ValueError(f"c_init is 0 to {2**31 - 1}, got {c_init}")
        first = (np.arange(31) == 0).astype(np.uint8)
        second = (c_init >> np.arange(31) & 1).astype(np.uint8)
        self._registers = Register((31, 28), first), Register((31, 30, 29, 28), second)
        for register in self._registers:
            register.take(NR_SKIPPED - 31)

    def take(self, n: int) -> np.ndarray:
        """The next bits, uint8 [n]."""
        first, second = self._registers
        return first.take(n) ^ second.take(n)


def bit_sequence(name: str, initial: int | None = None) -> BitSequence:
    """The sequence "nr" or one of `SEQUENCES`, from its beginning.

    Args:
        name: which.
        initial: the register, bit i - 1 of the number being stage i, the bit of i steps ago; all ones if None. For
            "nr" it is c_init, which must be given.

    Raises:
        ValueError: no such sequence, or an initial register that it cannot have.
    """
    if name == "nr":
        if initial is None or not 0 <= initial < 2**31:
            raise ValueError(f"the NR sequence needs initial=c_init from 0 to {2**31 - 1}, got {initial}")
        return Gold(initial)
    if name not in SEQUENCES:
        raise ValueError(f"there are the sequences nr, {', '.join(SEQUENCES)}; got {name!r}")
    polynomial = SEQUENCES[name]
    ones = (1 << polynomial.order) - 1
    value = ones if initial is None else initial
    if not 1 <= value <= ones:
        raise ValueError(f"the register of {name} holds initial=1 to {ones}, got {value}")
    past = (value >> np.arange(polynomial.order)[::-1] & 1).astype(np.uint8)
    return Register((polynomial.order, polynomial.tap), past, inverted=polynomial.inverted)


class Prbs(Block):
    """Send `count` bursts of `n` bits of a pseudo-random sequence, each burst going on where the last one ended.

    Ref: ITU-T O.150, clause 5.
    """

    bits = Out(Bits, "n")

    sequence: str = setting("PRBS15", choices=("nr", *SEQUENCES))
    initial: int | None = setting(None, ge=0, doc="the register at first, c_init for nr; None: all ones")
    n: int = setting(4096, ge=1, doc="bits per burst")
    count: int = setting(1, ge=0, doc="bursts to send")

    def validate(self) -> None:
        _check(self)

    def work(self) -> Iterator[np.ndarray]:
        source = bit_sequence(self.sequence, self.initial)
        for _ in range(self.count):
            yield source.take(self.n)


def _check(block: Prbs | _Additive) -> None:
    try:
        bit_sequence(block.sequence, block.initial)
    except ValueError as error:
        raise SettingError(f"{block.label}: {error}") from None


class _Additive(Block):
    """What the additive scramblers share: their settings and the place in the sequence."""

    sequence: str = setting("802.11", choices=("nr", *SEQUENCES))
    initial: int | None = setting(None, ge=0, doc="the register at first, c_init for nr; None: all ones")
    restart: str = setting("burst", choices=("burst", "never"), doc="when the sequence begins anew")

    def validate(self) -> None:
        _check(self)

    def start(self) -> None:
        self._sequence = bit_sequence(self.sequence, self.initial)
        self._piece = np.zeros(0, np.uint8)

    def _next(self, n: int) -> np.ndarray:
        if self.restart == "never":
            return self._sequence.take(n)
        if n > self._piece.size:
            self._piece = np.concatenate([self._piece, self._sequence.take(n - self._piece.size)])
        return self._piece[:n]


class Scrambler(_Additive):
    """Add a pseudo-random sequence to the bits, modulo 2.

    Ref: IEEE Std 802.11-2016, clause 17.3.5.5; 3GPP TS 38.211, clause 6.3.1.1 (with initial=c_init).
    """

    bits = In(Bits, "n")
    scrambled = Out(Bits, "n", scrambling="{sequence} from {initial}, restart {restart}")

    def work(self, bits: np.ndarray) -> np.ndarray:
        return bits_of(bits) ^ self._next(bits.size)


class Descrambler(_Additive):
    """Add the same sequence to hard bits again, which takes it away."""

    bits = In(Bits, "n", scrambling="{sequence} from {initial}, restart {restart}")
    descrambled = Out(Bits, "n")

    def work(self, bits: np.ndarray) -> np.ndarray:
        return bits_of(bits) ^ self._next(bits.size)


class LlrDescrambler(_Additive):
    """Turn the sign of the LLRs whose bits were turned: where the scrambler stands behind the encoder, as in NR."""

    llrs = In(Llrs, "n", scrambling="{sequence} from {initial}, restart {restart}")
    descrambled = Out(Llrs, "n")

    def work(self, llrs: np.ndarray) -> np.ndarray:
        llrs = burst_of(llrs, Llrs)
        signs = np.left_shift(self._next(llrs.size), 31, dtype=np.uint32)
        return (llrs.view(np.uint32) ^ signs).view(np.float32)


@kernel
def _feed(bits: np.ndarray, lag: int, tap: int, past: np.ndarray, back: bool) -> np.ndarray:
    """Scramble by the bits sent before, or `back`; past uint8 [lag] are those, in and out."""
    out = np.empty(bits.size, np.uint8)
    sent = bits if back else out
    for t in range(bits.size):
        bit = bits[t] ^ (sent[t - lag] if t >= lag else past[t])
        if tap:
            bit ^= sent[t - tap] if t >= tap else past[t + lag - tap]
        out[t] = bit
    n = bits.size
    for i in range(lag):
        past[i] = sent[n - lag + i] if n + i >= lag else past[i + n]
    return out


class _SelfSync(Block):
    """What the self-synchronising scramblers share."""

    polynomial: str = setting("64B/66B", choices=tuple(SELF_SYNC), doc="x^58 + x^39 + 1, or for ATM x^43 + 1")
    restart: str = setting("never", choices=("burst", "never"), doc="when the register is zero again")

    def start(self) -> None:
        self._past = np.zeros(SELF_SYNC[self.polynomial][0], np.uint8)

    def _fed(self, bits: np.ndarray, back: bool) -> np.ndarray:
        if self.restart == "burst":
            self._past[:] = 0
        return _feed(bits_of(bits), *SELF_SYNC[self.polynomial], self._past, back)


class SelfSyncScrambler(_SelfSync):
    """Add to each bit those sent some time before: the descrambler needs no state of ours to follow.

    Ref: IEEE Std 802.3, clause 49.2.6; ITU-T I.432.1, clause 7.3.4.1.
    """

    bits = In(Bits, "n")
    scrambled = Out(Bits, "n", scrambling="self-synchronising {polynomial}, restart {restart}")

    def work(self, bits: np.ndarray) -> np.ndarray:
        return self._fed(bits, False)


class SelfSyncDescrambler(_SelfSync):
    """Add to each bit those received some time before. A wrong bit makes one or two more wrong, and no others."""

    bits = In(Bits, "n", scrambling="self-synchronising {polynomial}, restart {restart}")
    descrambled = Out(Bits, "n")

    def work(self, bits: np.ndarray) -> np.ndarray:
        return self._fed(bits, True)
