"""What several commands share: the console, options by group, and files written whole."""

from __future__ import annotations

import json
import math
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from lgvsc_flow.errors import FlowError

__all__ = [
    "ChannelName",
    "EngineName",
    "EngineOption",
    "SearchName",
    "SideName",
    "StrategyName",
    "console",
    "make_room",
    "write_json",
]

console = Console(markup=False)  # names and paths may hold brackets

_LINK = "What is sent, over which channel"
_MEANING = "How the video is cut: who looks, who judges"


class ChannelName(StrEnum):
    """The channel blocks."""

    AWGN = "awgn"
    RAYLEIGH = "rayleigh"


class EngineName(StrEnum):
    """The engines."""

    THREADS = "threads"
    INLINE = "inline"


class SideName(StrEnum):
    """The kinds of side information."""

    SCORE = "score"
    FIELD = "field"


class QuantisationName(StrEnum):
    """Integers for weights, by bitsandbytes."""

    INT8 = "int8"
    INT4 = "int4"


class StrategyName(StrEnum):
    """How frames are described."""

    PER_FRAME = "per-frame"
    JOINT = "joint"


class SearchName(StrEnum):
    """How SKEM looks for the next keyframe."""

    EXACT = "exact"
    PIXEL_GATE = "pixel-gate"
    FEATURE_GATE = "feature-gate"
    GALLOP = "gallop"
    COARSE_TO_FINE = "coarse-to-fine"


EngineOption = Annotated[EngineName, typer.Option("--engine", help="threads, or inline for debugging")]
SeedOption = Annotated[int, typer.Option("--seed", min=0, help="root seed of all randomness")]

ChannelOption = Annotated[ChannelName, typer.Option("--channel", help="the channel block", rich_help_panel=_LINK)]
SnrOption = Annotated[
    float, typer.Option("--snr-db", min=-20, max=40, help="mean Es/N0 of the channel, in dB", rich_help_panel=_LINK)
]
QualityOption = Annotated[
    float,
    typer.Option(
        "--quality",
        min=0.1,
        max=15,
        help="of keyframes: an average one takes a CBR of 0.01 * quality",
        rich_help_panel=_LINK,
    ),
]
WeightsOption = Annotated[
    str, typer.Option("--weights", help="NTSCC model: a safetensors file, or embedded", rich_help_panel=_LINK)
]
CaptionsOption = Annotated[
    str,
    typer.Option(
        "--captions",
        metavar="<name>",
        help="code of the captions: letters, or a language model that both ends hold, by name or folder",
        rich_help_panel=_LINK,
    ),
]
SideOption = Annotated[
    SideName,
    typer.Option(
        "--side", help="side information: a motion score, or a coarse motion field too", rich_help_panel=_LINK
    ),
]

ProfileOption = Annotated[
    str,
    typer.Option(
        "--profile",
        metavar="<name>",
        help="embedded, minilm, smollm2, internvl3, qwen3-vl or smolvlm: a describer and a judge that go together; "
        "`lgvsc-flow models` shows what each needs",
        rich_help_panel=_MEANING,
    ),
]
DescriberOption = Annotated[
    str | None,
    typer.Option(
        "--describer",
        metavar="<name>",
        help="instead of the profile's: embedded, or a vision-language model's name or folder",
        rich_help_panel=_MEANING,
    ),
]
JudgeOption = Annotated[
    str | None,
    typer.Option(
        "--judge",
        metavar="<name>",
        help="instead of the profile's: embedded, minilm, same (the describer's model), or a language model",
        rich_help_panel=_MEANING,
    ),
]
FocusOption = Annotated[
    str,
    typer.Option(
        "--focus",
        metavar="<words>",
        help="what counts as a change: general, main_object, background, or your own words (these take a language "
        "model as judge)",
        rich_help_panel=_MEANING,
    ),
]
SampleOption = Annotated[
    float | None,
    typer.Option(
        "--sample-fps",
        min=0.01,
        help="frames looked at per second of video; default: the profile's own (every frame, or 4.6)",
        rich_help_panel=_MEANING,
    ),
]
StrategyOption = Annotated[
    StrategyName | None,
    typer.Option(
        "--strategy",
        metavar="<name>",
        help="instead of the profile's: per-frame (each frame described once), or joint (keyframe and candidate in one "
        "turn)",
        rich_help_panel=_MEANING,
    ),
]
SearchOption = Annotated[
    SearchName,
    typer.Option(
        "--search",
        metavar="<name>",
        help="exact; or faster and approximate: pixel-gate, feature-gate, gallop, coarse-to-fine",
        rich_help_panel=_MEANING,
    ),
]
DeviceOption = Annotated[
    str,
    typer.Option(
        "--device",
        metavar="<name>",
        help="torch device of the models: auto, cpu, cuda, cuda:1",
        rich_help_panel=_MEANING,
    ),
]
DtypeOption = Annotated[
    str,
    typer.Option(
        "--dtype",
        metavar="<name>",
        help="their number type: auto, float32, bfloat16, float16",
        rich_help_panel=_MEANING,
    ),
]

FloorOption = Annotated[
    float | None,
    typer.Option(
        "--floor",
        min=0,
        max=1,
        help="least P(yes) + P(no) of a language model's answer; its own, mostly 0.5, where not given",
        rich_help_panel=_MEANING,
    ),
]
QuantisationOption = Annotated[
    QuantisationName | None,
    typer.Option("--quantisation", help="of language models; needs the extra quantised", rich_help_panel=_MEANING),
]
BatchOption = Annotated[
    int,
    typer.Option(
        "--batch-size", min=1, help="frames or pairs that a language model takes at once", rich_help_panel=_MEANING
    ),
]


def make_room(path: Path, option: str) -> None:
    """Make the folder of a file to be written: before the run, so that a wrong path costs none."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FlowError(f"{option} {path}: its folder cannot be made: {error.strerror}") from None
    if path.is_dir():
        raise FlowError(f"{option} {path} is a folder; name a file in it")


def write_json(path: Path, data: Any) -> None:
    """Write strict JSON, all at once; what is no finite number is null."""

    def finite(value: Any) -> Any:
        if isinstance(value, dict):
            return {k: finite(v) for k, v in value.items()}
        if isinstance(value, list):
            return [finite(v) for v in value]
        return None if isinstance(value, float) and not math.isfinite(value) else value

    temporary = path.with_name(f"{path.name}.tmp")
    try:
        temporary.write_text(json.dumps(finite(data), indent=2, allow_nan=False) + "\n", encoding="utf-8")
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise FlowError(f"--json {path} cannot be written: {error.strerror}") from None
