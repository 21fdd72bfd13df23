"""The benchmark's figures as Markdown, and their places in the README of the block and in the model card."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ntscc import plan
from ntscc.checks import checks
from ntscc.scores import NAMES

BEGIN, END = "<!-- measured: written by benchmarks/ntscc_rd.py -->", "<!-- end of what was measured -->"


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _head(*cells: str) -> list[str]:
    return [_row(cells), _row("---" for _ in cells)]


def _cell(row: dict[str, Any], key: str, names: Iterable[str] = ("psnr_db",)) -> str:
    if key not in row:
        return ""
    digits = {"psnr_db": 2, "ms_ssim": 3, "st_lpips": 3}
    return " / ".join(f"{row[key][n][0]:.{digits[n]}f}" if n in row[key] else "-" for n in names)


def _with_interval(row: dict[str, Any], key: str) -> str:
    if key not in row:
        return ""
    mean, half = row[key]["psnr_db"]
    return f"{mean:.2f} ± {half:.2f}"


def _hevc(row: dict[str, Any], text: str) -> str:
    """A mean that holds grey pictures says for how many the rate was too low."""
    missing = row["pictures"] - row["hevc_fits"]
    return f"{text} ({missing} do not fit)" if missing else text


def main_table(results: dict[str, Any]) -> str:
    """PSNR / MS-SSIM / ST-LPIPS at CBR 0.03 and 0.05."""
    lines = _head(
        "SNR", "CBR", "NTSCC", "linear, fitted", "linear, 8 classes", "HEVC intra, best MCS", "HEVC intra, ideal code"
    )
    for row in results["awgn"]:
        if row["cbr"] in plan.MAIN_CBRS:
            keys = ("ntscc", "linear", "linear8", "hevc", "hevc_capacity")
            cells = [_cell(row, key, NAMES) for key in keys]
            cells[3] = _hevc(row, cells[3])
            lines.append(_row([f"{row['snr_db']:g} dB", f"{row['cbr']:g}", *cells]))
    return "\n".join(lines)


def rate_table(results: dict[str, Any]) -> str:
    """PSNR of every SNR and rate, with intervals for NTSCC."""
    lines = _head(
        "SNR",
        "CBR",
        "NTSCC, 95 %",
        "side",
        "linear, fitted",
        "linear, 8 classes",
        "HEVC",
        "its MCS",
        "HEVC, ideal",
        "AVIF",
        "JPEG",
    )
    for row in results["awgn"]:
        share = f"{100 * row['side_share']:.0f} %" if "side_share" in row else ""
        cells = [f"{row['snr_db']:g} dB", f"{row['cbr']:g}", _with_interval(row, "ntscc"), share]
        cells += [_cell(row, "linear"), _cell(row, "linear8"), _hevc(row, _cell(row, "hevc")), row["hevc_mcs"]]
        lines.append(_row([*cells, *(_cell(row, key) for key in ("hevc_capacity", "avif", "jpeg"))]))
    return "\n".join(lines)


def below_table(results: dict[str, Any]) -> str:
    """Designed for 10 dB, received at another SNR."""
    lines = _head("true SNR", "NTSCC", "linear, fitted", f"HEVC intra, {results['fixed_mcs']['hevc']}")
    for row in results["graceful"]:
        cells = [_cell(row, key, NAMES if key != "linear" else ("psnr_db",)) for key in ("ntscc", "linear")]
        lines.append(_row([f"{row['true_db']:g} dB", *cells, _cell(row, "hevc_fixed", NAMES)]))
    return "\n".join(lines)


def fading_table(results: dict[str, Any]) -> str:
    """Rayleigh fading, PSNR with intervals."""
    lines = _head("mean SNR", "NTSCC", "linear, fitted", "HEVC, best MCS", "which", "HEVC, MCS for 10 dB")
    for row in results["fading"]:
        cells = [_with_interval(row, key) for key in ("ntscc", "linear", "hevc")]
        lines.append(_row([f"{row['mean_db']:g} dB", *cells, row["hevc_mcs"], _with_interval(row, "hevc_fixed")]))
    return "\n".join(lines)


def checks_list(results: dict[str, Any]) -> str:
    """The promises, met or not."""
    words = {True: "met", False: "**not met**", None: "open"}
    return "\n".join(f"- {words[c.met]}: {c.what}: {c.figure}." for c in checks(results))


def card(results: dict[str, Any]) -> str:
    """The measured part of the model card."""
    per_picture = _head("picture", "NTSCC", "linear, fitted", "linear, 8 classes", "HEVC intra, best MCS")
    for row in results["per_picture"]:
        found = (f"{row[key]:.2f}" if key in row else "" for key in ("ntscc", "linear", "linear8", "hevc"))
        per_picture.append(_row([row["picture"], *found]))
    sources = _head("picture", "size", "SHA-256 of the source file")
    sources += [_row([p["name"], f"{p['size'][1]} x {p['size'][0]}", f"`{p['sha256']}`"]) for p in results["pictures"]]
    parts = (
        f"{results.get('parameters', 0):,} parameters, {results.get('weights_bytes', 0) / 1e6:.1f} MB, file SHA-256 "
        f"`{results['weights_sha256']}`. {len(results['pictures'])} held-out photographs, never trained on.",
        checks_list(results),
        "Mean PSNR in dB over AWGN; the design SNR is the true SNR:",
        rate_table(results),
        "PSNR / MS-SSIM / ST-LPIPS where all three were taken:",
        main_table(results),
        "Designed for 10 dB at CBR 0.03, received at another SNR (PSNR / MS-SSIM / ST-LPIPS). The side information is "
        "planned for 2.5 dB, holds to 0 dB, and costs what that takes:",
        below_table(results),
        f"Rayleigh fading, one gain for a whole picture, {results['fading'][0]['fades']} transmissions of each "
        "picture with the same gains for every scheme, CBR 0.03, mean PSNR with its 95 % interval:",
        fading_table(results),
        "PSNR per picture, 10 dB, CBR 0.03:",
        "\n".join(per_picture),
        "The pictures, shrunk to a longer side of 768 pixels (Lanczos):",
        "\n".join(sources),
    )
    return "\n\n".join(parts)


def readme(results: dict[str, Any]) -> str:
    """The measured part of the block's README."""
    return "\n\n".join((checks_list(results), main_table(results)))


def insert(path: Path, text: str) -> None:
    """Put text between the two marks of a page.

    Raises:
        ValueError: the page lacks a mark.
    """
    page = path.read_text()
    if page.count(BEGIN) != 1 or page.count(END) != 1:
        raise ValueError(f"{path} must hold each of the marks {BEGIN!r} and {END!r} once")
    before, rest = page.split(BEGIN)
    path.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{rest.split(END)[1]}")
