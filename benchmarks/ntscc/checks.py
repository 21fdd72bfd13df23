"""What the benchmark is to show, line by line: the figure, and whether it is met."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ntscc import plan
from ntscc.scores import BETTER, NAMES, TITLES


@dataclass(frozen=True)
class Check:
    """One promise; `met` is None where its points were not all taken."""

    what: str
    figure: str
    met: bool | None

    @property
    def line(self) -> str:
        return f"{ {True: 'pass', False: 'FAIL', None: 'open'}[self.met] }  {self.what}: {self.figure}"


def _psnr(row: dict[str, Any], scheme: str) -> float:
    return row[scheme]["psnr_db"][0]


def checks(results: dict[str, Any]) -> Iterator[Check]:
    """All promises of the keyframe codec that this benchmark can see."""
    awgn = {(row["snr_db"], row["cbr"]): row for row in results["awgn"]}
    for cbr in plan.MAIN_CBRS:
        row = awgn[plan.DESIGN_DB, cbr]
        at = f"at 10 dB, CBR {cbr:g}"
        for kind, name in (("linear8", "with eight energy classes"), ("linear", "with fitted classes")):
            yield _against(row, kind, 3.0, f"PSNR 3 dB or more over the linear analog code {name}, {at}")
        yield _against(row, "hevc", -1.5, f"PSNR within 1.5 dB of HEVC intra and its best MCS, {at}")
    yield _aim(awgn[plan.DESIGN_DB, plan.CBR])
    yield from _below_design(results)
    yield _graceful(results)
    fading = next(row for row in results["fading"] if row["mean_db"] == plan.DESIGN_DB)
    what = "mean PSNR over Rayleigh fading, mean SNR 10 dB, above HEVC intra at its fixed MCS"
    yield _against(fading, "hevc_fixed", 0.0, what)
    yield from _rates(results)


def _against(row: dict[str, Any], other: str, least: float, what: str) -> Check:
    if "ntscc" not in row or other not in row:
        return Check(what, "not measured", None)
    ours, theirs = _psnr(row, "ntscc"), _psnr(row, other)
    return Check(what, f"{ours:.2f} against {theirs:.2f} dB ({ours - theirs:+.2f})", ours - theirs >= least)


def _aim(row: dict[str, Any]) -> Check:
    what = "aim: above HEVC intra at its fixed MCS on MS-SSIM or ST-LPIPS at 10 dB, CBR 0.03"
    wanted = ("ms_ssim", "st_lpips")
    if any(name not in row.get(kind, {}) for kind in ("ntscc", "hevc_fixed") for name in wanted):
        return Check(what, "not measured", None)
    pairs = {name: (row["ntscc"][name][0], row["hevc_fixed"][name][0]) for name in wanted}
    figure = ", ".join(f"{TITLES[name]} {ours:.4f} against {theirs:.4f}" for name, (ours, theirs) in pairs.items())
    return Check(what, figure, any(BETTER[name] * (a - b) > 0 for name, (a, b) in pairs.items()))


def _below_design(results: dict[str, Any]) -> Iterator[Check]:
    row = next(r for r in results["graceful"] if r["true_db"] == plan.DESIGN_DB - 3)
    for name in NAMES:
        what = f"aim: above HEVC intra at its fixed MCS 3 dB below the design SNR of 10 dB, {TITLES[name]}"
        if any(name not in row.get(kind, {}) for kind in ("ntscc", "hevc_fixed")):
            yield Check(what, "not measured", None)
            continue
        ours, theirs = row["ntscc"][name][0], row["hevc_fixed"][name][0]
        yield Check(what, f"{ours:.3f} against {theirs:.3f}", BETTER[name] * (ours - theirs) > 0)


def _graceful(results: dict[str, Any]) -> Check:
    what = "from 13 to 0 dB the PSNR of one design falls by at most 2 dB per 2 dB"
    found = {row["true_db"]: _psnr(row, "ntscc") for row in results["graceful"] if "ntscc" in row}
    if len(found) < len(plan.TRUE_DB):
        return Check(what, "not measured", None)
    steps = {db: found[db] - found[db - 2] for db in found if db - 2 in found}
    at = max(steps, key=lambda db: abs(steps[db]))
    figure = f"{found[13.0]:.2f} dB at 13 dB, {found[0.0]:.2f} dB at 0 dB; largest step {steps[at]:.2f} dB"
    return Check(what, f"{figure}, from {at:g} to {at - 2:g} dB", max(map(abs, steps.values())) <= 2)


def _rates(results: dict[str, Any]) -> Iterator[Check]:
    for name, where in (("at_10_db", "at 10 dB"), ("anywhere", "at every SNR measured")):
        what = f"target CBR met within 5 % on every picture, CBR 0.01 to 0.1, {where}"
        if len(results["rates"]) < len(plan.CBRS) + len(plan.RATE_TARGETS):
            yield Check(what, "not measured", None)
            continue
        worst = max(results["rates"], key=lambda row: abs(row[name]))
        figure = f"worst {100 * worst[name]:+.2f} % at CBR {worst['cbr']:g}"
        yield Check(what, figure, abs(worst[name]) <= 0.05)
