"""Which points the benchmark takes of an analog code, the ones that matter most first."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from ntscc.analog import Case, fades, fading_link_db

SNRS_DB = (0.0, 4.0, 6.0, 8.0, 10.0, 13.0)
CBRS = (0.015, 0.02, 0.03, 0.05, 0.08)
MAIN_CBRS = (0.03, 0.05)  # with ST-LPIPS
DESIGN_DB, CBR = 10.0, 0.03  # of the curve over the true SNR, and over fading
LINK_DB = 2.5  # its side information holds to 0 dB
TRUE_DB = tuple(float(db) for db in range(13, -1, -1))
PERCEPTUAL_TRUE_DB = (10.0, 7.0, 4.0, 0.0)
FADES = 2  # per picture and mean SNR
RATE_TARGETS = (0.01, 0.1)  # beside CBRS: for the check of the target only


def matched(snr_db: float, cbr: float, *, perceptual: bool | None = None) -> Case:
    """A point over AWGN whose design SNR is the true one."""
    return cbr, snr_db, snr_db, snr_db, cbr in MAIN_CBRS if perceptual is None else perceptual


def graceful(true_db: float) -> Case:
    """A point of the curve over the true SNR."""
    return CBR, DESIGN_DB, LINK_DB, true_db, true_db in PERCEPTUAL_TRUE_DB


def fading(digest: str, mean_db: float) -> list[Case]:
    """The points of one picture over Rayleigh fading: one gain per transmission, unknown to the encoder."""
    link_db = fading_link_db(mean_db)
    return [
        (CBR, mean_db, link_db, float(mean_db + 10 * np.log10(gain)), mean_db == DESIGN_DB)
        for gain in fades(digest, FADES)
    ]


def stages(digest: str) -> Iterator[tuple[str, list[Case]]]:
    """(name, points) of one picture, to be taken stage by stage over all pictures."""
    yield "10 dB, CBR 0.03 and 0.05", [matched(DESIGN_DB, cbr) for cbr in MAIN_CBRS]
    yield "one design SNR, true SNR 13 to 0 dB", [graceful(true_db) for true_db in TRUE_DB]
    yield "10 dB, other rates", [matched(DESIGN_DB, c) for c in CBRS if c not in MAIN_CBRS]
    yield "Rayleigh fading", [case for snr_db in SNRS_DB for case in fading(digest, snr_db)]
    yield "other SNRs, CBR 0.03 and 0.05", [matched(s, c) for s in SNRS_DB for c in MAIN_CBRS if s != DESIGN_DB]
    rest = [matched(s, c) for s in SNRS_DB for c in CBRS if s != DESIGN_DB and c not in MAIN_CBRS]
    yield "other SNRs and rates", rest


MAIN_STAGES = (0, 4)  # those at the main rates over AWGN


def stage_names() -> list[str]:
    return [name for name, _ in stages("0" * 64)]
