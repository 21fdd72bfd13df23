"""Digital and analog symbols of one segment in one burst: [SIG][digital][analog].

SIG tells the receiver where the parts end: 22 bits of digital and 22 bits of analog symbol count, and CRC16; sent with
the 802.11 code n=648 r=5/6, shortened to these 60 bits (the other information bits are zeros that both ends know and
nobody sends), as QPSK: 84 symbols, `sig_repeats` times over. Shortened so far, the four code rates need the same energy
within 0.5 dB; the shortest leaves the finest choice of repeats.
"""

from __future__ import annotations

import numpy as np

from lgvsc_flow import Block, In, Out, setting
from lgvsc_flow.blocks.given import burst_of, received_of
from lgvsc_flow.blocks.phy.crc import append_crc, check_crc
from lgvsc_flow.blocks.phy.ldpc.code import wifi_code
from lgvsc_flow.blocks.phy.ldpc.decode import decode
from lgvsc_flow.blocks.phy.ldpc.encode import encode
from lgvsc_flow.blocks.phy.qam import demodulate, modulate
from lgvsc_flow.blocks.phy.repeat import combine
from lgvsc_flow.items import Received, Symbols

__all__ = ["MAX_COUNT", "TimeDemultiplexer", "TimeMultiplexer", "decode_sig", "encode_sig", "sig_symbols"]

COUNT_BITS = 22
MAX_COUNT = (1 << COUNT_BITS) - 1
MAX_REPEATS = 64
_CRC = "16"
_INFO = 2 * COUNT_BITS + 16
_CODE = wifi_code(648, "5/6")
_SENT = np.r_[0:_INFO, _CODE.k : _CODE.n]  # what of a codeword is sent
_KNOWN = 1e4  # LLR of a bit that is known to be 0


def sig_symbols(repeats: int = 1) -> int:
    """Symbols that the SIG field takes."""
    return repeats * _SENT.size // 2


def encode_sig(digital: int, analog: int, repeats: int = 1) -> np.ndarray:
    """The SIG field of a burst with so many digital and analog symbols: complex64 [sig_symbols(repeats)].

    Raises:
        ValueError: more symbols than a burst can hold, or fewer than none; repeats is not 1 to 64.
    """
    if not 1 <= repeats <= MAX_REPEATS:
        raise ValueError(f"a SIG field is sent 1 to {MAX_REPEATS} times, got repeats={repeats}.")
    if not 0 <= min(digital, analog) <= max(digital, analog) <= MAX_COUNT:
        raise ValueError(
            f"{digital} digital and {analog} analog symbols; a burst holds at most {MAX_COUNT} of each. "
            "Send shorter segments or smaller pictures."
        )
    numbers = digital << COUNT_BITS | analog
    bits = np.array([numbers >> i & 1 for i in reversed(range(2 * COUNT_BITS))], np.uint8)
    word = np.zeros(_CODE.k, np.uint8)
    word[:_INFO] = append_crc(bits, bits.size, _CRC)
    return np.tile(modulate(encode(word, _CODE)[_SENT], 4), repeats)


def decode_sig(field: Received, repeats: int = 1) -> tuple[int, int] | None:
    """(digital, analog) symbol counts from a received SIG field, None when its CRC fails.

    Raises:
        ValueError: the field does not have sig_symbols(repeats) symbols, or a state that does not fit them.
    """
    field = received_of(field)
    if repeats < 1 or field.symbols.size != sig_symbols(repeats):
        raise ValueError(
            f"a SIG field has {sig_symbols(repeats)} symbols with repeats={repeats} (1 or more), "
            f"got {field.symbols.size}."
        )
    llrs = np.full(_CODE.n, _KNOWN, np.float32)
    llrs[_SENT] = combine(demodulate(field, 4), repeats)
    bits, ok = check_crc(decode(llrs, _CODE, factor=0.9).words[0, :_INFO], 2 * COUNT_BITS, _CRC)
    if not ok[0]:
        return None
    numbers = int("".join(map(str, bits)), 2)
    return numbers >> COUNT_BITS, numbers & MAX_COUNT


def cut(received: Received, start: int, stop: int) -> Received:
    """Symbols start to stop of a burst, with their channel state; scalar states stay scalars.

    Raises:
        ValueError: the arrays are not those of a `Received`.
    """
    received = received_of(received)

    def part(state: np.ndarray) -> np.ndarray:
        return state[start:stop] if state.ndim else state

    return Received(received.symbols[start:stop], part(received.gain), part(received.noise_variance))


class TimeMultiplexer(Block):
    """Send the digital and the analog symbols of a segment as one burst, with a SIG field in front.

    The SIG field must outlive the digital link: see `Mcs.sig_repeats`.
    """

    digital = In(Symbols, "digital_symbols")
    analog = In(Symbols, "analog_symbols")
    symbols = Out(Symbols, "sig_symbols + digital_symbols + analog_symbols", sig_repeats="{sig_repeats}")

    sig_repeats: int = setting(2, ge=1, le=MAX_REPEATS, doc="copies of the SIG field")

    @property
    def sig_symbols(self) -> int:
        """Symbols of the SIG field, per burst."""
        return sig_symbols(self.sig_repeats)

    def work(self, digital: np.ndarray, analog: np.ndarray) -> np.ndarray:
        digital, analog = burst_of(digital, Symbols), burst_of(analog, Symbols)
        return np.concatenate([encode_sig(digital.size, analog.size, self.sig_repeats), digital, analog])


class TimeDemultiplexer(Block):
    """Take a burst apart by its SIG field. Where that cannot be read, both parts are empty: the burst is lost."""

    received = In(Received, sig_repeats="{sig_repeats}")
    digital = Out(Received)
    analog = Out(Received)

    sig_repeats: int = setting(2, ge=1, le=MAX_REPEATS, doc="copies of the SIG field")

    def work(self, received: Received) -> tuple[Received, Received]:
        received = received_of(received)
        head, total = sig_symbols(self.sig_repeats), received.symbols.size
        if total < head:
            return cut(received, 0, 0), cut(received, 0, 0)
        counts = decode_sig(cut(received, 0, head), self.sig_repeats)
        if counts is None or head + sum(counts) != total:
            return cut(received, 0, 0), cut(received, 0, 0)
        return cut(received, head, head + counts[0]), cut(received, head + counts[0], total)
