"""The side information of one keyframe as bytes: a short header, then the range-coded hyperprior.

version and level   1 byte    (4 bits each)
design SNR          1 byte    quarter dB above -20 dB
power scale         2 bytes   1/2048 octave above 2^-16
weights check       1 byte    of the weights file, from its digest
selection check     1 byte    low byte of the CRC-16 of which latents are sent, begun from the weights' digest
height, width       1..3 bytes each (7 bits per byte, high bit: more follow), in pixels
symbols             1..4 bytes likewise: complex symbols of the burst
hyperprior          0.. bytes
check               2 bytes   CRC-16 of all the above (polynomial of ITU-T V.41, begun with ones, inverted)
"""

from __future__ import annotations

import binascii
from dataclasses import dataclass

from lgvsc_flow.varint import read_varint, write_varint

VERSION = 2
LARGEST_SIDE = 16384
LARGEST_BURST = 1 << 27
SNR_FLOOR_DB, SNR_STEPS = -20.0, 4
POWER_FLOOR, POWER_STEPS = -16.0, 2048
FIXED_BYTES = 6  # in front of the numbers of variable length
CHECK_BYTES = 2


@dataclass(frozen=True)
class SideInformation:
    """What the receiver of a keyframe must know before it can read the symbols."""

    height: int
    width: int
    symbols: int
    level: int
    snr_code: int
    power_code: int
    weights_check: int
    selection_check: int
    hyperprior: bytes

    @property
    def snr_db(self) -> float:
        """Es/N0 that the encoder designed for."""
        return SNR_FLOOR_DB + self.snr_code / SNR_STEPS

    @property
    def rms(self) -> float:
        """Root mean square of the dimensions before they were brought to unit power."""
        return float(2 ** (POWER_FLOOR + self.power_code / POWER_STEPS))

    def pack(self) -> bytes:
        """To bytes."""
        power = divmod(self.power_code, 256)
        fixed = bytes([VERSION << 4 | self.level, self.snr_code, *power, self.weights_check, self.selection_check])
        sizes = b"".join(map(write_varint, (self.height, self.width, self.symbols)))
        body = fixed + sizes + self.hyperprior
        return body + check_value(body)

    @classmethod
    def unpack(cls, payload: bytes) -> SideInformation:
        """From bytes. Raises ValueError where they are damaged or of another version."""
        if len(payload) < FIXED_BYTES + 3 + CHECK_BYTES:
            raise ValueError(f"keyframe side information of {len(payload)} bytes is shorter than its header")
        body = payload[:-2]
        if check_value(body) != payload[-2:]:
            raise ValueError(
                f"keyframe side information ({len(payload)} bytes) is damaged: its check value does not match"
            )
        if body[0] >> 4 != VERSION:
            raise ValueError(f"keyframe side information is of version {body[0] >> 4}, this decoder reads {VERSION}")
        numbers, at = [], FIXED_BYTES
        for _ in range(3):
            found = read_varint(body, at)
            if found is None:
                raise ValueError("keyframe side information ends inside its header")
            number, at = found
            numbers.append(number)
        height, width, symbols = numbers
        if not (1 <= height <= LARGEST_SIDE and 1 <= width <= LARGEST_SIDE and 1 <= symbols <= LARGEST_BURST):
            raise ValueError(f"keyframe side information announces {width}x{height} pixels in {symbols} symbols")
        power = body[2] << 8 | body[3]
        return cls(height, width, symbols, body[0] & 15, body[1], power, body[4], body[5], body[at:])


def check_value(body: bytes) -> bytes:
    """CRC-16/GENIBUS, two bytes; inverted, since else a zero appended to a payload would not be noticed."""
    return (binascii.crc_hqx(body, 0xFFFF) ^ 0xFFFF).to_bytes(CHECK_BYTES, "big")


def payload_bytes(height: int, width: int, symbols: int, hyperprior_bytes: int) -> int:
    """Length of `pack()` for such a keyframe."""
    numbers = sum(len(write_varint(number)) for number in (height, width, symbols))
    return FIXED_BYTES + numbers + hyperprior_bytes + CHECK_BYTES


def snr_code(snr_db: float) -> int:
    """The byte that stands for an SNR."""
    return min(255, max(0, round((snr_db - SNR_FLOOR_DB) * SNR_STEPS)))
