"""Meters of the digital link: bit errors and lost packets."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np

from lgvsc_flow.block import Block, setting
from lgvsc_flow.items import Bits, Checked
from lgvsc_flow.kernels import kernel
from lgvsc_flow.ports import In

__all__ = ["BerMeter", "PacketMeter", "count_errors", "wilson_interval"]


def wilson_interval(errors: int, trials: int, confidence: float = 0.99) -> tuple[float, float]:
    """Bounds of a proportion from `errors` in `trials` independent trials (E. B. Wilson, 1927).

    Errors that come in clusters, as behind a decoder, make the true interval wider.
    """
    if trials == 0:
        return 0.0, 1.0
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    p, scale = errors / trials, 1 + z * z / trials
    centre = (p + z * z / (2 * trials)) / scale
    half = z / scale * (p * (1 - p) / trials + z * z / (4 * trials * trials)) ** 0.5
    low = 0.0 if errors == 0 else max(0.0, centre - half)
    high = 1.0 if errors == trials else min(1.0, centre + half)
    return low, high


@kernel
def count_errors(sent: np.ndarray, received: np.ndarray) -> int:
    """How many elements of two arrays of one size differ."""
    wrong = 0
    for i in range(sent.size):
        wrong += sent[i] != received[i]
    return wrong


class BerMeter(Block):
    """Count the bits that differ between what was sent and what was received, burst by burst.

    `bits` and `errors` are totals, `ber` their ratio (NaN before the first bit); `bursts` and `burst_errors` count
    whole bursts, the latter those with at least one wrong bit.
    """

    sent = In(Bits, "n")
    received = In(Bits, "n")

    bits = 0
    errors = 0
    bursts = 0
    burst_errors = 0

    def start(self) -> None:
        self.bits = self.errors = self.bursts = self.burst_errors = 0

    def work(self, sent: np.ndarray, received: np.ndarray) -> None:
        if sent.size != received.size:
            raise ValueError(f"{sent.size} bits were sent and {received.size} received; a BER compares equal bursts")
        wrong = int(count_errors(sent, received))
        self.bits += sent.size
        self.errors += wrong
        self.bursts += 1
        self.burst_errors += wrong > 0

    @property
    def ber(self) -> float:
        return self.errors / self.bits if self.bits else float("nan")

    def interval(self, confidence: float = 0.99) -> tuple[float, float]:
        """The Wilson interval of the bit error rate, for independent errors."""
        return wilson_interval(self.errors, self.bits, confidence)


class PacketMeter(Block):
    """Count packets sent and lost: `sent` bursts of whole packets before the CRC, against the checked ones.

    A packet is lost when its CRC fails, or when it is missing from the checked burst (a burst that was lost whole
    arrives empty). `undetected` counts the packets that passed the check with wrong bits. With `block_bits` None each
    burst is one packet, as between `TransportEncoder` and `TransportDecoder`, which may put zeros behind it.
    """

    sent = In(Bits)
    received = In(Checked)

    block_bits: int | None = setting(
        ge=1, unit="bits", doc="length of a packet without its CRC; None if each burst is one packet"
    )

    packets = 0
    lost = 0
    undetected = 0

    def start(self) -> None:
        self.packets = self.lost = self.undetected = 0

    def work(self, sent: np.ndarray, received: Checked) -> None:
        if self.block_bits is None:
            return self._whole(sent, received)
        if sent.size % self.block_bits:
            raise ValueError(f"the burst sent is not made of whole packets of block_bits={self.block_bits}")
        packets, checked = sent.size // self.block_bits, received.ok.size
        if checked > packets or received.bits.size != checked * self.block_bits:
            raise ValueError(
                f"{packets} packets of {self.block_bits} bits were sent, but {checked} packets "
                f"with {received.bits.size} bits arrived; wire the burst before CrcAppend to PacketMeter.sent"
            )
        ok = received.ok.astype(bool)
        same = (sent[: received.bits.size] == received.bits).reshape(checked, self.block_bits).all(axis=1)
        self.packets += packets
        self.lost += packets - int(np.count_nonzero(ok))
        self.undetected += int(np.count_nonzero(ok & ~same))
        return None

    def _whole(self, sent: np.ndarray, received: Checked) -> None:
        if received.ok.size > 1:
            raise ValueError(
                f"one burst arrived as {received.ok.size} packets; give PacketMeter their length as block_bits"
            )
        self.packets += 1
        if not received.ok.all() or not received.ok.size:
            self.lost += 1
        elif (
            received.bits.size < sent.size
            or (received.bits[: sent.size] != sent).any()
            or received.bits[sent.size :].any()
        ):
            self.undetected += 1

    @property
    def loss_rate(self) -> float:
        """Lost packets over sent packets, NaN before the first."""
        return self.lost / self.packets if self.packets else float("nan")
