"""What a run shows a person: one self-contained HTML page, and a strip of frames as a picture."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Shot", "html_page", "plots", "strip"]

SENT, RECEIVED, MARK = "#4477aa", "#ee6677", "#228833"

_STYLE = """
body{font:15px/1.45 system-ui,sans-serif;max-width:1120px;margin:2rem auto;padding:0 1rem;color:#222}
h1{font-size:1.5rem;margin-bottom:.2rem} h2{font-size:1.1rem;margin:2rem 0 .6rem}
.tiles{display:flex;flex-wrap:wrap;gap:.7rem;margin:1rem 0}
.tile{border:1px solid #ddd;border-radius:8px;padding:.5rem .9rem} .tile b{display:block;font-size:1.2rem}
table{border-collapse:collapse;font-size:.9rem} th,td{padding:.2rem .8rem;text-align:right;border-bottom:1px solid #eee}
th:first-child,td:first-child,th.text,td.text{text-align:left} tr.sum{font-weight:600}
.strip{display:flex;flex-wrap:wrap;gap:.5rem} .shot{width:265px;font-size:.8rem;border:3px solid transparent}
.shot.key{border-color:#228833} .shot img{width:100%;display:block} .note{color:#555}
svg{max-width:100%;height:auto}
"""


@dataclass(frozen=True)
class Shot:
    """One frame as it was sent and as it was rebuilt; pixels uint8 [height, width, 3]."""

    index: int
    keyframe: bool
    sent: np.ndarray
    received: np.ndarray


def html_page(data: dict[str, Any], shots: Sequence[Shot], figures: dict[str, str], captions: list[str | None]) -> str:
    """The page.

    Args:
        data: the contents of `run.json`.
        shots: frames to show side by side.
        figures: SVG texts by name: `time`, `constellation`, `graph`.
        captions: the received caption of each segment, None where it was lost.
    """
    video, cbr, quality, packets = data["video"], data["cbr"], data["quality"], data["packets"]
    title = f"{data['scheme']} over {data['channel']['name']} at {data['channel']['esn0_db']:g} dB"
    tiles = [
        ("channel bandwidth ratio", f"{cbr['total']:.3g}"),
        ("keyframes", f"{len(data['keyframes'])} of {video['frames']} frames"),
        ("PSNR in dB", _number(quality["psnr_db"], ".2f")),
        ("SSIM", _number(quality["ssim"], ".3f")),
        ("packets lost", f"{packets['lost']} of {packets['sent']}"),
        ("concealed", f"{sum(data['concealed'].values())}" if data["world"] else "none"),
        ("world model", data["world"]["model"] if data["world"] else "none"),
    ]
    parts = [
        "<!doctype html><html lang='en'><head><meta charset='utf-8'>",
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body>",
        f"<h1>{escape(title)}</h1>",
        f"<p class='note'>{video['frames']} frames of {video['width']}x{video['height']} "
        f"at {video['fps']:g} per second, seed {data['seed']}.</p>",
        "<div class='tiles'>",
        *(f"<div class='tile'>{escape(name)}<b>{escape(value)}</b></div>" for name, value in tiles),
        "</div>",
        *(f"<p>{escape(note)}</p>" for note in data["notes"]),
    ]
    if shots:
        parts += ["<h2>Sent (above) and received (below); keyframes are framed green</h2><div class='strip'>"]
        parts += [_shot(shot) for shot in shots]
        parts += ["</div>"]
    if "time" in figures:
        parts += ["<h2>Over time</h2>", figures["time"]]
    parts += ["<h2>What the channel carried</h2>", _ledger(cbr)]
    parts += ["<h2>Segments</h2>", _segments(data["segments"], captions)]
    parts += ["<h2>How the video was cut</h2>", _semantic(data["semantic"], data["coding"])]
    if data["world"]:
        parts += ["<h2>How the video was rebuilt</h2>", _world(data["world"], data["concealed"])]
    if "constellation" in figures:
        parts += ["<h2>Received symbols, after the equalizer</h2>", figures["constellation"]]
    parts += ["<h2>Blocks</h2>", _blocks(data["blocks"]), "<h2>The graph</h2>", figures["graph"], "</body></html>"]
    return "\n".join(parts)


def _number(value: float | None, form: str) -> str:
    return "none" if value is None else format(value, form)


def _shot(shot: Shot) -> str:
    images = "".join(
        f"<img alt='frame {shot.index}, {name}' src='data:image/jpeg;base64,{_jpeg(pixels)}'>"
        for name, pixels in (("sent", shot.sent), ("received", shot.received))
    )
    label = f"frame {shot.index}{', keyframe' if shot.keyframe else ''}"
    return f"<div class='shot{' key' if shot.keyframe else ''}'>{images}{label}</div>"


def _jpeg(pixels: np.ndarray) -> str:
    from PIL import Image

    buffer = io.BytesIO()
    image = Image.fromarray(pixels)
    image.thumbnail((530, 530))
    image.save(buffer, "JPEG", quality=88)
    return base64.b64encode(buffer.getvalue()).decode()


def _table(head: Sequence[str], rows: Sequence[Sequence[str]], last: str = "", text: Sequence[int] = ()) -> str:
    titles = (f"<th{' class=text' if i in text else ''}>{escape(h)}</th>" for i, h in enumerate(head))
    lines = ["<table><tr>", *titles, "</tr>"]
    for number, row in enumerate(rows):
        sort = f" class='{last}'" if last and number == len(rows) - 1 else ""
        cells = (f"<td{' class=text' if i in text else ''}>{escape(c)}</td>" for i, c in enumerate(row))
        lines += [f"<tr{sort}>", *cells, "</tr>"]
    return "".join([*lines, "</table>"])


def _ledger(cbr: dict[str, Any]) -> str:
    total = cbr["symbols"] or 1
    rows = [
        [
            name,
            f"{part['bytes']:,}" if part["bytes"] else "",
            f"{part['symbols']:,}",
            f"{part['cbr']:.3g}",
            f"{part['symbols'] / total:.1%}",
        ]
        for name, part in cbr["parts"].items()
    ]
    rows.append(["all, as the channel counted", "", f"{cbr['symbols']:,}", f"{cbr['total']:.3g}", "100.0%"])
    return _table(["stream", "payload bytes", "channel symbols", "CBR", "share"], rows, last="sum")


def _segments(segments: Sequence[dict[str, Any]], captions: Sequence[str | None]) -> str:
    rows = []
    for number, segment in enumerate(segments):
        caption = captions[number] if number < len(captions) else None
        rows.append(
            [
                str(number),
                f"{segment['start']} to {segment['stop'] - 1}",
                "" if segment["s_rel"] is None else f"{segment['s_rel']:+.2f}",
                segment["caption"],
                "lost" if caption is None else "as sent" if caption == segment["caption"] else caption,
            ]
        )
    return _table(["segment", "frames", "S_rel of its keyframe", "caption sent", "received"], rows, text=(3, 4))


def _semantic(semantic: dict[str, Any], coding: dict[str, Any]) -> str:
    """The settings of the semantic layer, how its captions and its side information are coded, and what it did."""
    shown = {k: v for k, v in semantic.items() if k not in ("counts", "calibration") and v is not None}
    rows = [[k.replace("_", " "), f"{v:g}" if isinstance(v, float) else str(v)] for k, v in shown.items()]
    rows += [["captions coded with", str(coding["captions"])], ["side information", str(coding["side"])]]
    source = semantic.get("calibration")
    if source:
        rows.append(["threshold from", f"{source['file']}, calibrated for a CBR of {source['target_cbr']:.3g}"])
    for name, value in semantic.get("counts", {}).items():
        if isinstance(value, dict):
            rows += [[f"{name}: {k.replace('_', ' ')}", _count(v)] for k, v in value.items()]
        else:
            rows.append([name, _count(value)])
    return _table(["setting or count", "value"], rows)


def _world(world: dict[str, Any], concealed: dict[str, int]) -> str:
    """The world model with its settings, what it counted, and each kind of loss with how often it was concealed."""
    rows = [["world model", world["model"]]]
    rows += [[k.replace("_", " "), f"{v:g}" if isinstance(v, float) else str(v)] for k, v in world["settings"].items()]
    rows += [[name, _count(count)] for name, count in world["counts"].items()]
    rows += [[f"concealed: {name}", _count(count)] for name, count in concealed.items()]
    return _table(["setting or count", "value"], rows)


def _count(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) else "none" if value is None else f"{value:.4g}"


def _blocks(blocks: Sequence[dict[str, Any]]) -> str:
    rows = [
        [b["name"], f"{b['items']:,}", f"{b['elements']:,}", f"{b['busy_s']:.2f}", f"{b['wait_s']:.2f}"] for b in blocks
    ]
    return _table(["block", "items", "elements", "working s", "waiting s"], rows)


def plots(
    psnr_db: Sequence[float],
    scores: Sequence[float],
    keyframes: Sequence[int],
    threshold: float | None,
    constellations: dict[str, np.ndarray],
) -> dict[str, str]:
    """PSNR and PSSS over time, and a constellation for each kind of symbols, as SVG texts."""
    from matplotlib.figure import Figure

    made = {}
    if len(psnr_db) or any(map(math.isfinite, scores)):
        made["time"] = _svg(_over_time(psnr_db, scores, keyframes, threshold))
    shown = {name: symbols[np.isfinite(symbols)] for name, symbols in constellations.items() if symbols.size}
    if shown:
        figure = Figure(figsize=(4.2 * len(shown), 4.4), layout="constrained")
        for axes, (name, symbols) in zip(figure.subplots(1, len(shown), squeeze=False)[0], shown.items(), strict=True):
            axes.plot(symbols.real, symbols.imag, ".", ms=1.5, alpha=0.35, color=SENT, rasterized=True)
            axes.set_aspect("equal")
            axes.set_xlim(-2.4, 2.4)
            axes.set_ylim(-2.4, 2.4)
            axes.set_title(name, fontsize=10)
            axes.set_xlabel("in phase")
            axes.set_ylabel("quadrature")
        made["constellation"] = _svg(figure)
    return made


def _over_time(
    psnr_db: Sequence[float], scores: Sequence[float], keyframes: Sequence[int], threshold: float | None
) -> Figure:
    """PSNR where a video was rebuilt, S_rel where frames were judged."""
    from matplotlib.figure import Figure

    # Judged frames alone: between two samples nothing is known.
    judged = [(number, score) for number, score in enumerate(scores) if math.isfinite(score)]
    rows = (["psnr"] if len(psnr_db) else []) + (["scores"] if judged else [])
    figure = Figure(figsize=(10, 2.2 * len(rows)), layout="constrained")
    axes = dict(zip(rows, figure.subplots(len(rows), 1, sharex=True, squeeze=False)[:, 0], strict=True))
    if "psnr" in axes:
        axes["psnr"].plot(psnr_db, color=RECEIVED, lw=1.2)
        axes["psnr"].set_ylabel("PSNR (dB)")
    if "scores" in axes:
        below = axes["scores"]
        over = [(n, s) for n, s in judged if threshold is not None and s > threshold]
        below.plot(*zip(*judged, strict=True), ".", ms=3.5, color=SENT)
        if over:
            below.plot(*zip(*over, strict=True), ".", ms=6, color=MARK)
        below.set_ylabel("S_rel against\nthe keyframe", fontsize=9)
        if threshold is not None:
            below.axhline(threshold, color="#555555", lw=0.8, ls="--")
            below.text(0, threshold, " threshold", va="bottom", fontsize=8, color="#555555")
    for place in axes.values():
        for keyframe in keyframes:
            place.axvline(keyframe, color=MARK, lw=0.8, alpha=0.7)
        place.spines[["top", "right"]].set_visible(False)
    top, bottom = axes[rows[0]], axes[rows[-1]]
    top.set_title("green lines: keyframes", fontsize=8, color=MARK, loc="right")
    bottom.set_xlabel("frame")
    return figure


def _svg(figure: Figure) -> str:
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", dpi=120, metadata={"Date": None})
    text = buffer.getvalue()
    return text[text.index("<svg") :]


def strip(shots: Sequence[Shot], psnr_db: Sequence[float], title: str) -> Figure:
    """The frames as a picture: a column per frame, sent above, received below."""
    from matplotlib.figure import Figure

    count = len(shots)
    height, width = shots[0].sent.shape[:2]
    figure = Figure(figsize=(2.9 * count, 2 * 2.9 * height / width + 0.75), layout="constrained")
    grid = figure.subplots(2, count, squeeze=False)
    for column, shot in enumerate(shots):
        for row, pixels in enumerate((shot.sent, shot.received)):
            axes = grid[row, column]
            axes.imshow(pixels)
            axes.set_xticks([])
            axes.set_yticks([])
            for spine in axes.spines.values():
                spine.set_color(MARK if shot.keyframe else "#cccccc")
                spine.set_linewidth(2.5 if shot.keyframe else 0.8)
        value = psnr_db[shot.index]
        shown = f", {value:.1f} dB" if math.isfinite(value) else ""
        grid[0, column].set_title(f"frame {shot.index}{' (keyframe)' if shot.keyframe else ''}", fontsize=10)
        grid[1, column].set_xlabel(f"received{shown}", fontsize=10)
    grid[0, 0].set_ylabel("sent", fontsize=10)
    grid[1, 0].set_ylabel("received", fontsize=10)
    figure.suptitle(title, fontsize=11)
    return figure
