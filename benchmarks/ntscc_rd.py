"""Keyframes: PSNR, MS-SSIM and ST-LPIPS against rate and SNR, beside what they compete with.

    python benchmarks/ntscc_rd.py --packages DIR --out DIR [--weights FILE] [--baselines] [--quick] [--pages]

On the 27 held-out photographs of `photographs.py`; DIR holds the unpacked Debian packages gcompris-qt-data and
palapeli-data, each in a folder of its name. Beside this project's NTSCC:

- HEVC intra, AVIF and JPEG behind CRC, LDPC and QAM of this project: with the scheme that is best at that SNR, and with
  the one that is best at 10 dB whatever the SNR; losses from measured block error rates (`ntscc/links.py`);
- HEVC intra behind an ideal code at the capacity of the channel, as the bound;
- the training-free linear analog code in two forms (`blocks/ntscc/linear.py`): eight energy classes, or classes
  fitted to the picture.

Everything is counted: headers, hyperprior, CRC, padding. A lost picture is shown as uniform grey, whatever the scheme.
Over Rayleigh fading one gain holds for a whole picture, and the encoder knows the mean SNR alone. Intervals are 95 %,
by Student's t over the pictures.

`--baselines` takes what does not depend on the weights; points are kept in `DIR/points` as they come, NTSCC's by
weights and encoder, so that a killed run goes on where it was. `--minutes` bounds the rest; what is missing then is
shown as open. `--pages` writes the figures into the README of the block and the model card.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from ntscc import figure, pages, strip
from ntscc.checks import checks
from ntscc.links import SCHEMES
from ntscc.measure import Stores, photographs, take_baselines, take_ntscc, weights_path
from ntscc.summary import Summary

from lgvsc_flow.blocks.ntscc.codec import NtsccCodec

ROOT = Path(__file__).parents[1]


def main(
    packages: Annotated[Path, typer.Option(help="folder of the unpacked Debian packages")],
    out: Annotated[Path, typer.Option(help="folder for points, ntscc_rd.json and the figures")],
    weights: Annotated[str, typer.Option(help="a safetensors file, or embedded")] = "embedded",
    baselines: Annotated[bool, typer.Option(help="take missing points of the baselines first")] = False,
    quick: Annotated[bool, typer.Option(help="three photographs")] = False,
    minutes: Annotated[float, typer.Option(help="time for NTSCC's points")] = 60.0,
    threads: Annotated[int, typer.Option(help="of torch; decoded pixels may differ by 1")] = 1,
    write_pages: Annotated[bool, typer.Option("--pages", help="update README and model card of the block")] = False,
) -> None:
    """Measure what is missing, then write and print the summary."""
    import torch

    torch.set_num_threads(threads)
    stores = Stores.open(out / "points", weights)
    pictures = photographs(packages, quick)
    if baselines:
        take_baselines(stores, pictures)
    done = take_ntscc(stores, weights, pictures, 1.5 if quick else minutes)
    summary = Summary(stores, pictures)
    results = summary.all()
    results["complete"], codec = done, NtsccCodec(weights)
    results["parameters"] = sum(p.numel() for p in codec.net.parameters())
    results["weights_bytes"] = weights_path(weights).stat().st_size
    (out / "ntscc_rd.json").write_text(json.dumps(results, indent=1))
    print(pages.rate_table(results), pages.main_table(results), pages.below_table(results), sep="\n\n")
    print(pages.fading_table(results), end="\n\n")
    for check in checks(results):
        print(check.line)
    figures = ROOT / "docs" / "images" if write_pages else out
    figure.draw(results, figures / "ntscc_rd.png")
    fixed = next(s for s in SCHEMES if s.name == results["fixed_mcs"]["hevc"])
    strip.draw(codec, stores.curves, fixed, figures / "ntscc_strip.jpg")
    if write_pages:
        pages.insert(ROOT / "blocks" / "ntscc" / "README.md", pages.readme(results))
        pages.insert(ROOT / "blocks" / "ntscc" / "weights" / "MODEL_CARD.md", pages.card(results))


if __name__ == "__main__":
    typer.run(main)
