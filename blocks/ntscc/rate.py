"""What a keyframe's bytes cost on the digital link, in channel symbols.

The link of this project: CRC-24, 802.11n LDPC codewords of n = 648 at rate 1/2 (k = 324) and Gray QAM; below 4 dB each
symbol is repeated. The table gives the information bits per symbol chosen at an SNR.
"""

from __future__ import annotations

import math

CODEWORD_BITS = 324
CRC_BITS = 24
#: (lowest Es/N0 in dB, information bits per symbol): 16-QAM, QPSK, QPSK repeated 2, 4 and 8 times, all at rate 1/2.
LINK_TABLE = ((9.0, 2.0), (4.0, 1.0), (1.0, 0.5), (-2.0, 0.25), (-math.inf, 0.125))


def bits_per_symbol(snr_db: float) -> float:
    """Information bits per channel symbol of the digital link at Es/N0 = snr_db."""
    return next(bits for lowest, bits in LINK_TABLE if snr_db >= lowest)


def digital_symbols(payload_bytes: int, snr_db: float) -> int:
    """Channel symbols that carry a payload: CRC and padding to whole codewords included."""
    codewords = math.ceil((8 * payload_bytes + CRC_BITS) / CODEWORD_BITS)
    return math.ceil(codewords * CODEWORD_BITS / bits_per_symbol(snr_db))
