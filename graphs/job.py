"""The main job: send a video through a scheme, and write the videos, the report and `run.json`."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import numpy as np

from lgvsc_flow import Graph
from lgvsc_flow.blocks.metrics import (
    CbrLedger,
    ConstellationMeter,
    LoggedSegment,
    PacketMeter,
    PsnrMeter,
    SegmentLog,
    SsimMeter,
    TextCbrLedger,
)
from lgvsc_flow.blocks.semantic import Skem, TextDecoder
from lgvsc_flow.blocks.video import VideoFile, VideoInfo, count_frames, probe
from lgvsc_flow.blocks.world.dsa import WorldModelBlock
from lgvsc_flow.errors import MediaError
from lgvsc_flow.graphs.calibration import Calibration
from lgvsc_flow.graphs.lgvsc import CHANNELS, ChannelBlock, Scheme, lgvsc
from lgvsc_flow.graphs.profiles import check_captions, check_models
from lgvsc_flow.graphs.report import Shot, html_page, plots, strip
from lgvsc_flow.graphs.text_only import text_only
from lgvsc_flow.probe import Probe
from lgvsc_flow.run import Run

__all__ = ["send"]

OUTPUTS = ("received.mp4", "side_by_side.mp4", "strip.png", "report.html", "run.json")
TEXT_NOTE = (
    "Text-Only sends captions alone. Rebuilding video from them takes a world model that generates from text, as ltx "
    "and wan-vace do, and none is named, so no video is written; the captions and their CBR are below."
)


def send(
    scheme: Scheme,
    video: Path,
    out: Path,
    *,
    engine: Literal["threads", "inline"] = "threads",
    progress: bool = False,
    calibration: Calibration | None = None,
) -> dict[str, Any]:
    """Send `video` and write to the folder `out`; returns what `run.json` holds.

    A `calibration` says where `scheme.threshold` comes from.

    Written: `received.mp4`, `side_by_side.mp4`, `strip.png` (where a video is rebuilt), `report.html`, `run.json`. All
    of them are made in a hidden folder inside `out` and moved to their names when the whole run has succeeded; those
    of an earlier run that this one does not make are removed.

    Raises:
        FlowError: bad input, missing weights, a block that failed, or an `out` that cannot be written.
    """
    info = probe(video)
    # What can be known without reading the film through, first.
    announced = replace(info, num_frames=max(info.num_frames, 1))
    graph = _graph(scheme, video, announced)
    graph.check()
    notes = calibration.check(scheme) if calibration else []
    check_models(scheme.semantics, judged=scheme.name != "skim-sfa")
    check_captions(scheme.captions)
    for world in _world_models(graph):
        world.check_model()
    info = replace(info, num_frames=count_frames(video))
    new = [place for place in (out, *out.parents) if not place.exists()]
    try:
        out.mkdir(parents=True, exist_ok=True)
        blocking = [name for name in OUTPUTS if (out / name).is_dir()]
        if blocking:
            raise MediaError(f"{out / blocking[0]} is a folder, but a file of that name is to be written; remove it")
        with TemporaryDirectory(dir=out, prefix=".run-") as folder:
            job = _Job(scheme, video, info, Path(folder), calibration, notes)
            data = _send(job, engine, progress)
            for name in OUTPUTS:
                if (Path(folder) / name).exists():
                    os.replace(Path(folder) / name, out / name)
                else:
                    (out / name).unlink(missing_ok=True)
    except OSError as error:
        raise MediaError(
            f"cannot write the results to {out}: {error.strerror or error}; choose another folder"
        ) from error
    finally:
        # A run that failed leaves no folders that were not there: none of them holds anything then.
        for place in new:
            with suppress(OSError):
                place.rmdir()
    return data


@dataclass(frozen=True)
class _Job:
    """What to send, how, and where to."""

    scheme: Scheme
    video: Path
    info: VideoInfo
    out: Path
    calibration: Calibration | None
    notes: list[str]


def _graph(scheme: Scheme, video: Path, info: VideoInfo, out: Path | None = None) -> Graph:
    return (text_only if scheme.name == "text-only" else lgvsc)(scheme, video, info, out)


def _world_models(graph: Graph) -> list[WorldModelBlock]:
    """The block that rebuilds the video; none where nothing does."""
    return [b for b in graph.blocks if isinstance(b, WorldModelBlock)]


def _send(job: _Job, engine: Literal["threads", "inline"], progress: bool) -> dict[str, Any]:
    scheme, info = job.scheme, job.info
    graph = _graph(scheme, job.video, info, job.out)
    # Wires here carry whole segments: two at a time keep the memory low.
    run = graph.run(engine=engine, capacity=2, progress=progress)
    segments = graph.find(SegmentLog).entries
    data: dict[str, Any] = {
        "video": {"frames": info.num_frames, "height": info.height, "width": info.width, "fps": float(info.fps)},
        "scheme": scheme.name,
        "channel": {"name": scheme.channel, "esn0_db": scheme.esn0_db},
        "seed": scheme.seed,
        "coding": {"captions": scheme.captions, "side": scheme.side, "keyframes": scheme.weights},
        "semantic": _semantic(graph, scheme, job.calibration),
        "keyframes": [s.start for s in segments],
        "segments": [_segment(s) for s in segments],
        "cbr": _cbr(graph, graph.find(CHANNELS[scheme.channel]), scheme),
        "quality": _quality(graph),
        "packets": {"sent": graph.find(PacketMeter).packets, "lost": graph.find(PacketMeter).lost},
        "captions_lost": dict(graph.find(TextDecoder).losses),
        "world": _world(graph),
        "concealed": {k: n for world in _world_models(graph) for k, n in world.concealed.items()},
        "notes": [*job.notes, *([] if scheme.rebuilds else [TEXT_NOTE])],
        "blocks": _blocks(run),
        "timing": {"engine": run.engine, "elapsed_s": run.elapsed_s},
    }
    captions = [c.text for c in graph.find(Probe).items]
    _report(graph, scheme, data, job.video, job.out, captions)
    (job.out / "run.json").write_text(json.dumps(data, indent=2, allow_nan=False))
    return data


def _semantic(graph: Graph, scheme: Scheme, calibration: Calibration | None) -> dict[str, Any]:
    """Who cut the video, by what rule, and what that took."""
    chosen = scheme.semantics.as_dict()
    if scheme.name == "skim-sfa":
        return {"profile": chosen["profile"], "describer": chosen["describer"], "segment_length": scheme.segment_length}
    skem = graph.find(Skem)
    source = None if calibration is None else calibration.source
    return {
        **chosen,
        "threshold": scheme.threshold,
        "calibration": source,
        "sampling": _sampling(skem),
        "counts": _finite(skem.counts.as_dict()),
    }


def _world(graph: Graph) -> dict[str, Any] | None:
    """Who rebuilt the video, with which settings, and what it counted."""
    for block in _world_models(graph):
        settings = {
            k: v if isinstance(v, bool | int | float | str) else str(v)
            for k, v in block.generator_settings.items()
            if v is not None
        }
        return {"model": block.generator, "settings": _finite(settings), "counts": block.generator_counts}
    return None


def _finite(value: Any) -> Any:
    """Plain data without numbers that JSON does not have."""
    if isinstance(value, Mapping):
        return {k: _finite(v) for k, v in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _sampling(skem: Skem) -> str:
    if skem.sample_fps is not None:
        return f"{skem.sample_fps:g} frames per second"
    return "every frame" if skem.sample_every == 1 else f"every {skem.sample_every}th frame"


def _segment(segment: LoggedSegment) -> dict[str, Any]:
    score = segment.s_rel[0] if segment.s_rel else math.nan
    return {
        "start": segment.start,
        "stop": segment.stop,
        "caption": segment.caption,
        "s_rel": score if math.isfinite(score) else None,
    }


def _cbr(graph: Graph, channel: ChannelBlock, scheme: Scheme) -> dict[str, Any]:
    ledger = graph.find(TextCbrLedger) if scheme.name == "text-only" else graph.find(CbrLedger)
    counted = channel.symbol_count
    if ledger.total_symbols != counted:
        raise RuntimeError(f"the ledger has {ledger.total_symbols} symbols, the channel counted {counted}")
    parts = {r.name: {"symbols": r.symbols, "cbr": r.cbr, "bytes": r.payload_bytes} for r in ledger.rows}
    return {"total": ledger.cbr, "symbols": counted, "parts": parts}


def _quality(graph: Graph) -> dict[str, float | None]:
    psnr = [b.mean for b in graph.blocks if isinstance(b, PsnrMeter)]
    ssim = [b.mean for b in graph.blocks if isinstance(b, SsimMeter)]
    return {"psnr_db": psnr[0] if psnr else None, "ssim": ssim[0] if ssim else None}


def _blocks(run: Run) -> list[dict[str, Any]]:
    return [
        {"name": b.name, "items": b.items, "elements": b.elements, "busy_s": b.busy_s, "wait_s": b.wait_s}
        for b in run.blocks
    ]


def _report(
    graph: Graph, scheme: Scheme, data: dict[str, Any], video: Path, out: Path, captions: list[str | None]
) -> None:
    shots: list[Shot] = []
    psnr: list[float] = []
    if scheme.rebuilds:
        psnr = graph.find(PsnrMeter).per_frame
        keyframes, frames = data["keyframes"], data["video"]["frames"]
        many, few = _chosen(keyframes, frames, 6), _chosen(keyframes, frames, 3)
        found = {s.index: s for s in _shots(video, out / "received.mp4", {*many, *few}, set(keyframes))}
        shots = [found[i] for i in many]
        figure = strip([found[i] for i in few], psnr, graph.name)
        figure.savefig(out / "strip.png", dpi=110)
    scores = [s for entry in graph.find(SegmentLog).entries for s in entry.s_rel]
    threshold = scheme.threshold if scheme.name != "skim-sfa" else None
    constellations = {b.name: b.symbols for b in graph.blocks if isinstance(b, ConstellationMeter)}
    figures = plots(psnr, scores, data["keyframes"], threshold, constellations)
    graph.draw(out / "graph.svg")
    drawing = (out / "graph.svg").read_text(encoding="utf-8")
    figures["graph"] = drawing[drawing.index("<svg") :]
    page = html_page(data, shots, figures, captions)
    (out / "report.html").write_text(page, encoding="utf-8")


def _chosen(keyframes: list[int], frames: int, pairs: int) -> list[int]:
    """Frames worth showing: keyframes and the middles of their segments, spread over the video."""
    found = [(a, (a + b) // 2) for a, b in pairwise([*keyframes, frames]) if b - a > 1] or [(k, k) for k in keyframes]
    wanted = np.unique(np.linspace(0, len(found) - 1, min(len(found), pairs)).round().astype(int))
    return sorted({index for i in wanted for index in found[i]})


def _shots(video: Path, received: Path, wanted: set[int], keyframes: set[int]) -> list[Shot]:
    sent, got = _frames(video, wanted), _frames(received, wanted)
    return [Shot(i, i in keyframes, sent[i], got[i]) for i in wanted]


def _frames(path: Path, wanted: set[int]) -> dict[int, np.ndarray]:
    source, found = VideoFile(path=str(path)), {}
    source.start()
    try:
        for frame in source.work():
            if frame.index in wanted:
                found[frame.index] = frame.pixels
            if len(found) == len(wanted):
                break
    finally:
        source.stop()
    return found
