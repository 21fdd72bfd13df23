"""The figure of the benchmark: quality against rate, against SNR, below the design SNR, and over fading."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ntscc import plan
from ntscc.scores import TITLES

#: Key of the results, name, line, colour.
STYLES = (
    ("hevc_capacity", "HEVC intra + ideal code", ":", "0.55"),
    ("hevc", "HEVC intra + best MCS", "^-", "tab:red"),
    ("hevc_fixed", "HEVC intra + MCS for 10 dB", "v--", "tab:orange"),
    ("avif", "AVIF + best MCS", "x-", "tab:purple"),
    ("jpeg", "JPEG + best MCS", "+-", "tab:brown"),
    ("linear", "linear analog, fitted classes", "s-", "tab:green"),
    ("linear8", "linear analog, 8 energy classes", "d-", "yellowgreen"),
    ("ntscc", "NTSCC (this model)", "o-", "tab:blue"),
)


def draw(results: dict[str, Any], path: Path) -> None:
    """Six panels as PNG."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(2, 3, figsize=(15, 8.6), layout="constrained")
    at_10 = [row for row in results["awgn"] if row["snr_db"] == plan.DESIGN_DB]
    at_rate = [row for row in results["awgn"] if row["cbr"] == plan.CBR]
    rate, snr = "CBR (channel symbols per colour sample)", "Es/N0 (dB)"
    every = [key for key, *_ in STYLES]
    matched = [key for key in every if key != "hevc_fixed"]
    _panel(axes[0, 0], at_10, "cbr", "psnr_db", matched, "AWGN, 10 dB", rate)
    _panel(axes[0, 1], at_10, "cbr", "ms_ssim", matched, "AWGN, 10 dB", rate)
    _panel(axes[0, 2], at_rate, "snr_db", "st_lpips", matched, "AWGN, CBR 0.03 (lower is better)", snr)
    _panel(axes[1, 0], at_rate, "snr_db", "psnr_db", matched, "AWGN, CBR 0.03, designed for each SNR", snr)
    below = [key for key in every if key not in ("hevc", "hevc_capacity", "avif", "jpeg")]
    _panel(axes[1, 1], results["graceful"], "true_db", "psnr_db", below, "AWGN, CBR 0.03, designed for 10 dB", snr)
    axes[1, 1].axvline(plan.DESIGN_DB, color="0.8", zorder=0)
    fading = [key for key in every if key not in ("hevc_capacity", "avif", "jpeg")]
    title = "Rayleigh, one gain per picture, CBR 0.03"
    _panel(axes[1, 2], results["fading"], "mean_db", "psnr_db", fading, title, "mean Es/N0 (dB)")
    for axis in axes[0, :2]:
        axis.set_xscale("log")
        axis.set_xticks(plan.CBRS, [f"{cbr:g}" for cbr in plan.CBRS])
        axis.minorticks_off()
    handles = {label: line for axis in axes.flat for line, label in zip(*axis.get_legend_handles_labels(), strict=True)}
    names = [name for _, name, *_ in STYLES if name in handles]
    figure.legend([handles[n] for n in names], names, loc="outside lower center", ncols=4, frameon=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=90)
    plt.close(figure)


def _panel(axis, rows: list[dict[str, Any]], x: str, measure: str, keys: list[str], title: str, label: str) -> None:
    for key, name, line, colour in STYLES:
        points = [(row[x], row[key][measure][0]) for row in rows if key in keys and measure in row.get(key, {})]
        if points:
            width = 2.4 if key == "ntscc" else 1.3
            axis.plot(*zip(*points, strict=True), line, color=colour, label=name, linewidth=width, markersize=5)
    axis.set(title=title, xlabel=label, ylabel=TITLES[measure])
    axis.grid(alpha=0.3)
