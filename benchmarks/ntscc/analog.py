"""One picture by a code of analog symbols: this project's NTSCC, and the linear code in two forms.

Everything is counted: the symbols, and the side information on the digital link. `link_db` is the Es/N0 that the link
of the side information is planned for: it holds to MARGIN_DB below. Where that is not the design SNR, the symbols make
room for a link that costs more. Points are taken with the side information received; `side_loss` says how often it is
not, and the summary puts the grey picture in its place.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
from ntscc.links import SCHEMES, LossCurves
from ntscc.scores import Original
from ntscc.store import Store

from lgvsc_flow.blocks.ntscc.codec import NtsccCodec
from lgvsc_flow.blocks.ntscc.linear import LinearPicture
from lgvsc_flow.blocks.ntscc.rate import MARGIN_DB, bits_per_symbol, digital_symbols

LINEAR_FORMS = {"linear": "fitted", "linear8": "energy"}


def noise_rng(digest: str, snr_db: float) -> np.random.Generator:
    """The noise of a picture at an SNR: the same for every rate."""
    return np.random.default_rng([int(digest[:8], 16), round(1000 * (snr_db + 100))])


def fades(digest: str, count: int) -> np.ndarray:
    """Power gains |h|^2 of a picture's transmissions over Rayleigh fading, the same for every scheme."""
    return np.random.default_rng([int(digest[:8], 16), 7]).exponential(size=count)


def fading_link_db(mean_snr_db: float) -> float:
    """Over fading the side information is planned for 7.5 dB less, but for 2.5 dB or more if the SNR allows it."""
    return min(mean_snr_db, max(2.5, mean_snr_db - 7.5))


def side_loss(curves: LossCurves, link_db: float, true_db: float | np.ndarray) -> np.ndarray:
    """How often side information planned for `link_db` is lost: the measured curve of the scheme nearest in efficiency,
    moved so that one block in a hundred is lost MARGIN_DB below."""
    efficiency = bits_per_symbol(link_db)
    scheme = min(SCHEMES, key=lambda s: abs(s.efficiency - efficiency))
    return curves.loss(scheme, np.asarray(true_db) - (link_db - MARGIN_DB) + curves.threshold_db(scheme))


def link_fingerprint() -> str:
    """What the digital link costs, in one word: points of the linear code hold for one link only."""
    costs = [digital_symbols(size, snr) for size in (100, 700) for snr in (0.0, 2.5, 4.0, 6.0, 8.0, 10.0, 13.0)]
    return f"{sum((i + 1) * cost for i, cost in enumerate(costs)):x}"


class NtsccPicture:
    """One picture with one codec; bursts are kept while they are asked for again."""

    def __init__(self, codec: NtsccCodec, digest: str, pixels: np.ndarray) -> None:
        self.codec, self.digest, self.pixels = codec, digest, pixels
        self._bursts: dict[tuple[float, float, float], tuple[bytes, np.ndarray]] = {}

    def encode(self, cbr: float, design_db: float, link_db: float) -> tuple[bytes, np.ndarray]:
        """(payload, symbols) at a rate that counts the side information on a link planned for `link_db`.

        Raises:
            ValueError: the side information leaves no symbols.
        """
        key = cbr, design_db, link_db
        if key not in self._bursts:
            self._bursts.clear()
            target = cbr
            for _ in range(1 if link_db == design_db else 3):
                payload, symbols = self.codec.encode(self.pixels, design_db, target_cbr=target)
                dearer = digital_symbols(len(payload), link_db) - digital_symbols(len(payload), design_db)
                target = cbr - dearer / self.pixels.size
                if target < 0.001:
                    raise ValueError(f"CBR {cbr} does not hold the side information at {link_db:g} dB")
            self._bursts[key] = payload, symbols
        return self._bursts[key]

    def point(self, original: Original, cbr: float, design_db: float, link_db: float, true_db: float, perceptual: bool):
        """Scores and what was counted, as a dict for a store."""
        payload, symbols = self.encode(cbr, design_db, link_db)
        n0 = 10 ** (-true_db / 10)
        noise = noise_rng(self.digest, true_db).normal(0, math.sqrt(n0 / 2), (2, symbols.size))
        decoded = self.codec.decode(payload, symbols + noise[0] + 1j * noise[1], n0)
        side = digital_symbols(len(payload), link_db)
        return {
            **original.scores(decoded, perceptual=perceptual).json(),
            "symbols": symbols.size,
            "side_symbols": side,
            "side_bytes": len(payload),
            "cbr": (symbols.size + side) / self.pixels.size,
        }


Case = tuple[float, float, float, float, bool]  # CBR, design SNR, link SNR, true SNR, with ST-LPIPS


def case_key(digest: str, case: Case) -> str:
    cbr, design_db, link_db, true_db, _ = case
    return f"{digest}|{cbr:g}|{design_db:g}|{link_db:g}|{true_db:.4f}"


def is_done(store: Store, key: str, case: Case) -> bool:
    """A point that lacks a measure which is wanted now is taken again."""
    point = store.get(key)
    return point is not None and ("st_lpips" in point or not case[4] or "problem" in point)


def take_linear(store: Store, digest: str, original: Original, form: str, cases: Iterable[Case]) -> int:
    """Take the missing points of one picture by a form of the linear code; their number."""
    taken, picture, word = 0, None, link_fingerprint()
    for case in cases:
        key = f"{form}|{word}|{case_key(digest, case)}"
        if is_done(store, key, case):
            continue
        picture = picture or LinearPicture(original.pixels)
        cbr, design_db, link_db, true_db, perceptual = case
        taken += 1
        try:
            sent = picture.send(
                cbr,
                design_db,
                noise_rng(digest, true_db),
                true_snr_db=true_db,
                link_db=link_db,
                classes=LINEAR_FORMS[form],
            )
        except ValueError as problem:
            store.add(key, problem=str(problem))
            continue
        scores = original.scores(sent.pixels, perceptual=perceptual)
        store.add(key, **scores.json(), symbols=sent.analog_symbols, side_symbols=sent.side_symbols, cbr=sent.cbr)
    return taken
