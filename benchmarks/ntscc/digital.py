"""Pictures as streams of a still picture codec behind a channel code: what arrives, on average over noise and fades."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from ntscc.links import SCHEMES, LossCurves, Scheme, capacity_symbols
from ntscc.scores import NAMES, Original
from ntscc.still_codecs import CODECS, curve
from ntscc.store import Store
from scipy.interpolate import PchipInterpolator

FORMS = {"hevc": ("hevc444", "hevc420"), "avif": ("avif",), "jpeg": ("jpeg",)}


def take_stills(store: Store, digest: str, original: Original, codec: str) -> None:
    """Code one picture at every quantiser that is still missing."""
    if f"{digest}|lost" not in store:
        store.add(f"{digest}|lost", **original.lost().json())
    if f"{digest}|{codec}|end" in store:
        return
    for quantiser, size, decoded in curve(codec, original.pixels):
        key = f"{digest}|{codec}|{quantiser}"
        if key not in store:
            store.add(key, bytes=size, **original.scores(decoded).json())
    store.add(f"{digest}|{codec}|end")


@dataclass
class Stream:
    """One picture by one codec: sizes in bytes and scores [quantiser, measure] of each form, coarse to fine."""

    forms: list[tuple[np.ndarray, np.ndarray]]
    lost: np.ndarray

    def at(self, symbols: float, cost) -> np.ndarray:
        """Scores of the finest stream that fits: between quantisers by a monotone cubic (PCHIP) in its logarithm.

        The better form counts, measure by measure. NaN where even the coarsest stream costs more.

        Args:
            symbols: what may be spent.
            cost: symbols of a stream of so many bytes.
        """
        found = []
        for sizes, scores in self.forms:
            costs = np.log([cost(int(size)) for size in sizes])
            if np.log(symbols) >= costs[0]:
                within = min(np.log(symbols), costs[-1])
                found.append([float(PchipInterpolator(costs, column)(within)) for column in scores.T])
        if not found:
            return np.full(len(NAMES), np.nan)
        stacked = np.array(found)
        return np.array([stacked[:, 0].max(), stacked[:, 1].max(), stacked[:, 2].min()])

    def code_blocks(self, symbols: float, scheme: Scheme) -> int:
        """Code blocks of a stream that fills so many symbols."""
        return scheme.blocks(max(1, int(symbols * scheme.efficiency / 8)))[0]


class Digital:
    """All pictures by one codec."""

    def __init__(self, store: Store, curves: LossCurves, digests: dict[str, int], codec: str) -> None:
        """`digests`: colour samples of each picture by digest."""
        self.curves, self.samples = curves, digests
        self.streams = {digest: _stream(store, digest, codec) for digest in digests}

    def clean(self, cbr: float, scheme: Scheme) -> np.ndarray:
        """Scores [picture, measure] where nothing is lost; NaN where a picture does not fit."""
        return np.array(
            [s.at(cbr * self.samples[d], lambda size: scheme.blocks(size)[1]) for d, s in self.streams.items()]
        )

    def expected(self, cbr: float, scheme: Scheme, snrs_db: dict[str, np.ndarray]) -> np.ndarray:
        """Scores [picture, fade, measure] at the true SNRs of each picture, mean over the noise.

        A lost picture, and one that does not fit, is shown grey.
        """
        rows = []
        for (digest, stream), clean in zip(self.streams.items(), self.clean(cbr, scheme), strict=True):
            blocks = stream.code_blocks(cbr * self.samples[digest], scheme)
            loss = self.curves.loss(scheme, snrs_db[digest], blocks)[:, None]
            rows.append(np.where(np.isnan(clean), stream.lost, (1 - loss) * clean + loss * stream.lost))
        return np.array(rows)

    def fitting(self, cbr: float, scheme: Scheme) -> int:
        """How many pictures fit."""
        return int((~np.isnan(self.clean(cbr, scheme)[:, 0])).sum())

    def best(self, cbr: float, snrs_db: dict[str, np.ndarray]) -> Scheme:
        """The scheme of the highest mean PSNR over all pictures and fades: one for all."""
        mean_db = float(np.median([np.max(s) for s in snrs_db.values()]))
        bound = np.log2(1 + 10 ** (mean_db / 10))
        near = [s for s in SCHEMES if s.efficiency < bound and self._measured(s)]
        return max(near, key=lambda s: float(self.expected(cbr, s, snrs_db)[..., 0].mean()))

    def capacity(self, cbr: float, snr_db: float) -> np.ndarray:
        """Scores [picture, measure] behind an ideal code; what does not fit is shown grey."""
        rows = [
            (s.at(cbr * self.samples[d], lambda size: capacity_symbols(size, snr_db)), s.lost)
            for d, s in self.streams.items()
        ]
        return np.array([np.where(np.isnan(found), lost, found) for found, lost in rows])

    def _measured(self, scheme: Scheme) -> bool:
        return f"bler|{scheme.order}|{scheme.rate_1024:g}" in self.curves.store


def _stream(store: Store, digest: str, codec: str) -> Stream:
    forms = []
    for form in FORMS[codec]:
        points = [store.get(f"{digest}|{form}|{quantiser}") for quantiser in CODECS[form][1]]
        kept = sorted((p for p in points if p is not None), key=lambda p: p["bytes"])
        if kept:
            forms.append((np.array([p["bytes"] for p in kept]), np.array([[p[n] for n in NAMES] for p in kept])))
    lost = store[f"{digest}|lost"]
    return Stream(forms, np.array([lost[n] for n in NAMES]))
