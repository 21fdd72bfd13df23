"""Pictures as streams of a still picture codec behind a channel code: what arrives, on average over noise and fades."""

from __future__ import annotations

import numpy as np
from ntscc.links import SCHEMES, LossCurves, Scheme, capacity_bytes
from ntscc.scores import BETTER, NAMES, Original
from ntscc.still_codecs import CODECS, curve
from ntscc.store import Store
from scipy.interpolate import PchipInterpolator

_SIGNS = np.array([BETTER[name] for name in NAMES])
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


class Stream:
    """One picture by one codec, in one or more forms of it.

    Args:
        forms: sizes in bytes, rising, and scores [quantiser, measure] of each form.
        lost: scores of the grey picture.
    """

    def __init__(self, forms: list[tuple[np.ndarray, np.ndarray]], lost: np.ndarray) -> None:
        self.lost = lost
        self._curves = [(sizes, PchipInterpolator(np.log(sizes), scores)) for sizes, scores in forms]

    def at(self, size: int) -> np.ndarray:
        """Scores of the finest stream that fits: between quantisers by a monotone cubic (PCHIP) in log(bytes).

        The better form counts, measure by measure. NaN where even the coarsest stream is longer.
        """
        found = [curve(np.log(min(size, sizes[-1]))) for sizes, curve in self._curves if size >= sizes[0]]
        if not found:
            return np.full(len(NAMES), np.nan)
        return _SIGNS * (_SIGNS * np.array(found)).max(axis=0)


class Digital:
    """All pictures by one codec."""

    def __init__(self, store: Store, curves: LossCurves, digests: dict[str, int], codec: str) -> None:
        """`digests`: colour samples of each picture by digest."""
        self.curves, self.samples = curves, digests
        self.streams = {digest: _stream(store, digest, codec) for digest in digests}

    def clean(self, cbr: float, scheme: Scheme) -> np.ndarray:
        """Scores [picture, measure] where nothing is lost; NaN where a picture does not fit."""
        return np.array([s.at(scheme.largest(self._symbols(d, cbr))) for d, s in self.streams.items()])

    def expected(self, cbr: float, scheme: Scheme, snrs_db: dict[str, np.ndarray]) -> np.ndarray:
        """Scores [picture, fade, measure] at the true SNRs of each picture, mean over the noise.

        A lost picture, and one that does not fit, is shown grey.
        """
        rows = []
        for (digest, stream), clean in zip(self.streams.items(), self.clean(cbr, scheme), strict=True):
            blocks = scheme.blocks(max(1, scheme.largest(self._symbols(digest, cbr))))[0]
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
        rows = [(s.at(capacity_bytes(self._symbols(d, cbr), snr_db)), s.lost) for d, s in self.streams.items()]
        return np.array([np.where(np.isnan(found), lost, found) for found, lost in rows])

    def _symbols(self, digest: str, cbr: float) -> int:
        return round(cbr * self.samples[digest])

    def _measured(self, scheme: Scheme) -> bool:
        return f"bler|{scheme.order}|{scheme.rate_1024:g}" in self.curves.store


def _stream(store: Store, digest: str, codec: str) -> Stream:
    forms = []
    for form in FORMS[codec]:
        points = [store.get(f"{digest}|{form}|{quantiser}") for quantiser in CODECS[form][1]]
        by_size = {p["bytes"]: p for p in points if p is not None}
        kept = [by_size[size] for size in sorted(by_size)]
        if len(kept) > 1:
            forms.append((np.array([p["bytes"] for p in kept]), np.array([[p[n] for n in NAMES] for p in kept])))
    lost = store[f"{digest}|lost"]
    return Stream(forms, np.array([lost[n] for n in NAMES]))
