"""PSNR of the keyframe codec against rate and SNR, beside HEVC intra with LDPC and the linear analog code.

    python benchmarks/ntscc_rd.py --lomiri DIR --out DIR

Pictures: seven photographs of scikit-image, and with --lomiri the four of the Debian package lomiri-wallpapers-20.04,
all at most 768 pixels long; none is used in training. Everything is counted: for NTSCC and the linear code the
analog symbols and the side information on the digital link (CRC-24, LDPC codewords of 324 bits at rate 1/2,
the modulation of `rate.LINK_TABLE`); for HEVC the whole stream (parameter sets included) without CRC or padding, at the
bits per symbol of `HEVC_LINK`, residual block errors assumed to be zero. Design SNR and true SNR are the same.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Annotated

import av
import numpy as np
import typer
from PIL import Image
from rich.progress import track

from lgvsc_flow.blocks.ntscc.codec import NtsccCodec
from lgvsc_flow.blocks.ntscc.linear import linear_code
from lgvsc_flow.blocks.ntscc.rate import digital_symbols

SNRS_DB = (0.0, 5.0, 10.0)
CBRS = (0.015, 0.02, 0.03, 0.05, 0.08)
HEVC_LINK = {0.0: 0.5, 5.0: 1.5, 10.0: 8 / 3}  # QPSK 1/2 twice, QPSK 3/4, 16-QAM 2/3: information bits per symbol
QPS = range(14, 52, 3)
SCIKIT_IMAGE = (
    "astronaut.png",
    "chelsea.png",
    "coffee.png",
    "rocket.jpg",
    "retina.jpg",
    "hubble_deep_field.jpg",
    "motorcycle_left.png",
)
LONGER_SIDE = 768


def held_out(lomiri: Path | None) -> Iterator[tuple[str, str, np.ndarray]]:
    """(name, sha256 of the file, pixels uint8 [H, W, 3]) of every picture."""
    import skimage

    paths = [Path(skimage.__file__).parent / "data" / name for name in SCIKIT_IMAGE]
    if lomiri is not None:
        paths += sorted(p for p in lomiri.rglob("*.jpg") if p.is_file() and not p.is_symlink())
    for path in paths:
        picture = Image.open(path).convert("RGB")
        ratio = LONGER_SIDE / max(picture.size)
        if ratio < 1:
            size = round(picture.width * ratio), round(picture.height * ratio)
            picture = picture.resize(size, Image.Resampling.LANCZOS)
        yield path.name, hashlib.sha256(path.read_bytes()).hexdigest(), np.asarray(picture)


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    """Peak signal to noise ratio over all colour samples, in dB."""
    return 10 * math.log10(255**2 / max(float(np.square(a.astype(float) - b).mean()), 1e-9))


def ntscc_point(codec: NtsccCodec, pixels: np.ndarray, cbr: float, snr_db: float) -> dict[str, float]:
    """One picture over AWGN: PSNR, counted CBR and the side information's share of it."""
    payload, symbols = codec.encode(pixels, snr_db, target_cbr=cbr)
    rng = np.random.default_rng(0)
    n0 = 10 ** (-snr_db / 10)
    noise = math.sqrt(n0 / 2) * (rng.normal(size=symbols.size) + 1j * rng.normal(size=symbols.size))
    side = digital_symbols(len(payload), snr_db)
    total = symbols.size + side
    return {
        "psnr_db": psnr(codec.decode(payload, symbols + noise, n0), pixels),
        "cbr": total / pixels.size,
        "side_share": side / total,
    }


def hevc_curve(pixels: np.ndarray) -> list[tuple[int, float]]:
    """(bits, PSNR) of HEVC intra, libx265 veryslow, 4:4:4, tuned for PSNR, over a range of quantisers."""
    return [_hevc(pixels, qp) for qp in QPS]


def hevc_point(curve: list[tuple[int, float]], budget_bits: float) -> float | None:
    """PSNR at a budget, between the two nearest points of the curve; None where even the coarsest does not fit."""
    bits, quality = np.array(sorted(curve)).T
    if budget_bits < bits[0]:
        return None
    return float(np.interp(math.log(budget_bits), np.log(bits), quality))


def _hevc(pixels: np.ndarray, qp: int) -> tuple[int, float]:
    height, width = (side // 2 * 2 for side in pixels.shape[:2])
    rgb = pixels[:height, :width].astype(float)
    matrix = np.array([[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]])
    yuv = rgb @ matrix.T + [0, 128, 128]
    planes = np.clip(np.rint(yuv), 0, 255).astype(np.uint8).transpose(2, 0, 1)
    context = av.CodecContext.create("libx265", "w")
    context.width, context.height, context.pix_fmt, context.time_base = width, height, "yuv444p", Fraction(1, 25)
    parameters = f"qp={qp}:keyint=1:info=0:log-level=none:pools=1:frame-threads=1"
    context.options = {"preset": "veryslow", "tune": "psnr", "x265-params": parameters}
    packets = context.encode(av.VideoFrame.from_ndarray(planes, format="yuv444p")) + context.encode(None)
    decoder = av.CodecContext.create("hevc", "r")
    frames = [f for p in packets for f in decoder.decode(p)] + decoder.decode(None)
    decoded = frames[0].to_ndarray(format="yuv444p").transpose(1, 2, 0)
    back = (decoded.astype(float) - [0, 128, 128]) @ np.linalg.inv(matrix).T
    bits = 8 * sum(p.size for p in packets)
    bits = round(bits * pixels.size / rgb.size)  # an odd row or column that was cut is paid for
    return bits, psnr(np.clip(np.rint(back), 0, 255), rgb)


def table(rows: list[dict]) -> str:
    """The table as markdown."""
    lines = [
        "| SNR | CBR | NTSCC | linear analog | HEVC intra + LDPC | NTSCC over linear | side information |",
        "|---|---|---|---|---|---|---|",
    ]
    for r in rows:
        all_fit = r["hevc_pictures"] == r["pictures"]  # a mean over other pictures would say nothing
        hevc = f"{r['hevc_db']:.2f}" if all_fit else f"fits {r['hevc_pictures']} of {r['pictures']}"
        linear = "does not fit" if r["linear_db"] is None else f"{r['linear_db']:.2f}"
        gain = "" if r["linear_db"] is None else f"{r['ntscc_db'] - r['linear_db']:+.2f}"
        lines.append(
            f"| {r['snr_db']:g} dB | {r['cbr']:g} | {r['ntscc_db']:.2f} | {linear} | {hevc} | {gain} "
            f"| {100 * r['side_share']:.1f} % |"
        )
    return "\n".join(lines)


def figure(rows: list[dict], path: Path) -> None:
    """PSNR against CBR, one panel per SNR."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    fig, axes = plt.subplots(1, len(SNRS_DB), figsize=(12, 4), sharey=True, layout="constrained")
    for axis, snr in zip(axes, SNRS_DB, strict=True):
        part = [r for r in rows if r["snr_db"] == snr]
        for key, name, style in (
            ("ntscc_db", "NTSCC", "o-"),
            ("linear_db", "linear analog code", "s--"),
            ("hevc_db", "HEVC intra + LDPC", "^:"),
        ):
            fits = [
                r
                for r in part
                if r[key] is not None and r.get("hevc_pictures" if key == "hevc_db" else "pictures") == r["pictures"]
            ]
            axis.plot([r["cbr"] for r in fits], [r[key] for r in fits], style, label=name)
        axis.set(title=f"AWGN, Es/N0 = {snr:g} dB", xlabel="CBR (symbols per colour sample)", xscale="log")
        axis.set_xticks(CBRS, [f"{c:g}" for c in CBRS])
        axis.minorticks_off()
        axis.grid(alpha=0.3)
    axes[0].set_ylabel("mean PSNR (dB)")
    axes[0].legend()
    path.parent.mkdir(parents=True, exist_ok=True)
    fig.savefig(path, dpi=110)


def main(
    out: Annotated[Path, typer.Option(help="folder for ntscc_rd.json, ntscc_rd.md and ntscc_rd.png")],
    lomiri: Annotated[Path | None, typer.Option(help="unpacked Debian package lomiri-wallpapers-20.04")] = None,
    weights: Annotated[str, typer.Option(help="a safetensors file, or embedded")] = "embedded",
) -> None:
    """Measure and write the table and the figure."""
    out.mkdir(parents=True, exist_ok=True)
    codec = NtsccCodec(weights)
    pictures = list(held_out(lomiri))
    cache = out / "hevc_curves.json"  # by sha256: the slow part, and it does not change with the weights
    curves = json.loads(cache.read_text()) if cache.is_file() else {}
    for _, digest, pixels in track(pictures, "HEVC intra"):
        if digest not in curves:
            curves[digest] = hevc_curve(pixels)
            cache.write_text(json.dumps(curves))
    rows, points = [], []
    for snr in SNRS_DB:
        for cbr in track(CBRS, f"NTSCC and linear code, {snr:g} dB"):
            ntscc, linear, hevc = [], [], []
            for name, digest, pixels in pictures:
                ntscc.append(ntscc_point(codec, pixels, cbr, snr))
                points.append({"picture": name, "snr_db": snr, "target_cbr": cbr, **ntscc[-1]})
                try:
                    linear.append(psnr(linear_code(pixels, cbr, snr, np.random.default_rng(0)).pixels, pixels))
                except ValueError:  # its side information does not fit
                    linear.append(math.nan)
                hevc.append(hevc_point(curves[digest], cbr * pixels.size * HEVC_LINK[snr]))
            fits = [h for h in hevc if h is not None]
            rows.append(
                {
                    "snr_db": snr,
                    "cbr": cbr,
                    "pictures": len(pictures),
                    "ntscc_db": float(np.mean([p["psnr_db"] for p in ntscc])),
                    "ntscc_cbr": float(np.mean([p["cbr"] for p in ntscc])),
                    "side_share": float(np.mean([p["side_share"] for p in ntscc])),
                    "linear_db": None if np.isnan(linear).any() else float(np.mean(linear)),
                    "hevc_db": float(np.mean(fits)) if fits else None,
                    "hevc_pictures": len(fits),
                }
            )
    sources = [{"name": name, "sha256": digest, "size": list(p.shape[:2])} for name, digest, p in pictures]
    (out / "ntscc_rd.json").write_text(json.dumps({"rows": rows, "pictures": sources, "points": points}, indent=1))
    (out / "ntscc_rd.md").write_text(table(rows) + "\n")
    figure(rows, out / "ntscc_rd.png")
    print(table(rows))


if __name__ == "__main__":
    typer.run(main)
