"""From points to means with intervals, and from those to the promises kept or not."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from ntscc import plan
from ntscc.analog import Case, case_key, fades, link_fingerprint, side_loss
from ntscc.digital import Digital
from ntscc.links import Scheme
from ntscc.measure import Picture, Stores
from ntscc.scores import NAMES
from scipy.stats import t as student

Means = dict[str, list[float]]  # measure: mean over pictures and half the width of its 95 % interval


def means(values: np.ndarray) -> Means:
    """Mean and interval over the pictures, of [picture, measure] or [picture, fade, measure]; without NaN columns."""
    per_picture = values if values.ndim == 2 else values.mean(axis=1)
    count = len(per_picture)
    half = np.zeros(len(NAMES))
    if count > 1:
        half = student.ppf(0.975, count - 1) * per_picture.std(axis=0, ddof=1) / np.sqrt(count)
    found = zip(NAMES, per_picture.mean(axis=0), half, strict=True)
    return {name: [round(float(m), 5), round(float(h), 5)] for name, m, h in found if not np.isnan(m)}


@dataclass
class Summary:
    """The benchmark's figures over the pictures whose baselines are all there."""

    stores: Stores
    pictures: list[Picture]
    digital: dict[str, Digital] = field(init=False)

    def __post_init__(self) -> None:
        stills = self.stores.stills
        done = lambda p, *forms: all(f"{p.digest}|{form}|end" in stills for form in forms)  # noqa: E731
        self.pictures = [p for p in self.pictures if done(p, "hevc444", "hevc420")]
        if not self.pictures:
            raise ValueError("no picture has its baselines; run the benchmark with --baselines first")
        samples = {p.digest: p.pixels.size for p in self.pictures}
        codecs = ["hevc", *(c for c in ("avif", "jpeg") if all(done(p, c) for p in self.pictures))]
        self.digital = {codec: Digital(stills, self.stores.curves, samples, codec) for codec in codecs}
        self.fixed = {
            cbr: {c: d.best(cbr, self._alike([plan.DESIGN_DB])) for c, d in self.digital.items()} for cbr in plan.CBRS
        }

    def _alike(self, snrs_db: Iterable[float]) -> dict[str, np.ndarray]:
        return {p.digest: np.array(list(snrs_db), float) for p in self.pictures}

    def analog(self, kind: str, cases: Callable[[str], list[Case]]) -> np.ndarray | None:
        """Scores [picture, case, measure] of a code of analog symbols; None where a point was not taken.

        Side information is lost as often as measured; it, and a picture that does not fit, is shown grey.
        """
        store = self.stores.ntscc if kind == "ntscc" else self.stores.linear
        prefix = "" if kind == "ntscc" else f"{kind}|{link_fingerprint()}|"
        rows = []
        for picture in self.pictures:
            lost = self.stores.stills[f"{picture.digest}|lost"]
            grey = np.array([lost[name] for name in NAMES])
            row = []
            for case in cases(picture.digest):
                point = store.get(prefix + case_key(picture.digest, case))
                if point is None:
                    return None
                good = np.array([point.get(name, np.nan) for name in NAMES]) if "problem" not in point else grey
                loss = float(side_loss(self.stores.curves, case[2], case[3]))
                row.append((1 - loss) * good + loss * grey)
            rows.append(row)
        return np.array(rows)

    def _analog_means(self, cases: Callable[[str], list[Case]]) -> dict[str, Means]:
        found = {kind: self.analog(kind, cases) for kind in ("ntscc", "linear", "linear8")}
        return {kind: means(values) for kind, values in found.items() if values is not None}

    def awgn(self, snr_db: float, cbr: float) -> dict[str, Any]:
        """Every scheme at one SNR and rate, the design SNR being the true one."""
        row: dict[str, Any] = {"snr_db": snr_db, "cbr": cbr, "pictures": len(self.pictures)}
        row |= self._analog_means(lambda digest: [plan.matched(snr_db, cbr)])
        at = self._alike([snr_db])
        for codec, digital in self.digital.items():
            best = digital.best(cbr, at)
            row[codec] = means(digital.expected(cbr, best, at))
            row[f"{codec}_fixed"] = means(digital.expected(cbr, self.fixed[cbr][codec], at))
            row[f"{codec}_mcs"], row[f"{codec}_fits"] = best.name, digital.fitting(cbr, best)
        row["hevc_capacity"] = means(self.digital["hevc"].capacity(cbr, snr_db))
        points = [self.stores.ntscc.get(case_key(p.digest, plan.matched(snr_db, cbr))) for p in self.pictures]
        kept = [p for p in points if p is not None and "problem" not in p]
        if kept:
            shares = [p["side_symbols"] / (p["side_symbols"] + p["symbols"]) for p in kept]
            row["side_share"], row["ntscc_cbr"] = float(np.mean(shares)), float(np.mean([p["cbr"] for p in kept]))
        return row

    def graceful(self, true_db: float) -> dict[str, Any]:
        """Designed for 10 dB at CBR 0.03, received at another SNR."""
        row: dict[str, Any] = {"true_db": true_db}
        row |= self._analog_means(lambda digest: [plan.graceful(true_db)])
        for codec, digital in self.digital.items():
            row[f"{codec}_fixed"] = means(
                digital.expected(plan.CBR, self.fixed[plan.CBR][codec], self._alike([true_db]))
            )
        return row

    def fading(self, mean_db: float) -> dict[str, Any]:
        """One Rayleigh gain per transmission, CBR 0.03; the encoder knows the mean SNR alone."""
        row: dict[str, Any] = {"mean_db": mean_db, "fades": plan.FADES}
        row |= self._analog_means(lambda digest: plan.fading(digest, mean_db))
        at = {p.digest: mean_db + 10 * np.log10(fades(p.digest, plan.FADES)) for p in self.pictures}
        for codec, digital in self.digital.items():
            best: Scheme = digital.best(plan.CBR, at)
            row[codec], row[f"{codec}_mcs"] = means(digital.expected(plan.CBR, best, at)), best.name
            row[f"{codec}_fixed"] = means(digital.expected(plan.CBR, self.fixed[plan.CBR][codec], at))
        return row

    def rates(self) -> list[dict[str, Any]]:
        """How far the counted CBR is from its target, over all pictures: at 10 dB, and at every SNR."""
        store, rows = self.stores.ntscc, []
        for cbr in sorted((*plan.RATE_TARGETS, *plan.CBRS)):
            by_snr: dict[float, list[float]] = {}
            for picture in self.pictures:
                for snr_db in plan.SNRS_DB:
                    alone = store.get(f"rate|{picture.digest}|{cbr:g}") if snr_db == plan.DESIGN_DB else None
                    point = alone or store.get(case_key(picture.digest, plan.matched(snr_db, cbr)))
                    if point is not None and "cbr" in point:
                        by_snr.setdefault(snr_db, []).append(point["cbr"] / cbr - 1)
            worst = {snr: max(errors, key=abs) for snr, errors in by_snr.items()}
            if plan.DESIGN_DB in worst:
                rows.append({"cbr": cbr, "at_10_db": worst[plan.DESIGN_DB], "anywhere": max(worst.values(), key=abs)})
        return rows

    def all(self) -> dict[str, Any]:
        """Everything, ready for JSON; the checks included."""
        results: dict[str, Any] = {
            "weights_sha256": self.stores.weights_digest,
            "pictures": [{"name": p.name, "sha256": p.digest, "size": list(p.pixels.shape[:2])} for p in self.pictures],
            "awgn": [self.awgn(snr, cbr) for snr in plan.SNRS_DB for cbr in plan.CBRS],
            "graceful": [self.graceful(true_db) for true_db in plan.TRUE_DB],
            "fading": [self.fading(mean_db) for mean_db in plan.SNRS_DB],
            "rates": self.rates(),
            "fixed_mcs": {codec: scheme.name for codec, scheme in self.fixed[plan.CBR].items()},
        }
        results["per_picture"] = self._per_picture()
        return results

    def _per_picture(self) -> list[dict[str, Any]]:
        rows = [{"picture": p.name} for p in self.pictures]
        for kind in ("ntscc", "linear", "linear8"):
            found = self.analog(kind, lambda digest: [plan.matched(plan.DESIGN_DB, plan.CBR)])
            for row, value in zip(rows, found[:, 0, 0] if found is not None else [], strict=False):
                row[kind] = round(float(value), 2)
        at = self._alike([plan.DESIGN_DB])
        found = self.digital["hevc"].expected(plan.CBR, self.fixed[plan.CBR]["hevc"], at)
        for row, value in zip(rows, found[:, 0, 0], strict=True):
            row["hevc"] = round(float(value), 2)
        return rows
