"""The result of a calibration: a threshold with its evidence, to a file and back."""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lgvsc_flow.errors import FlowError, GraphFileError, SettingError
from lgvsc_flow.graphs.lgvsc import Scheme
from lgvsc_flow.graphs.profiles import model_digests, profile_named, semantics

__all__ = ["Calibration", "CalibrationError", "link_of", "semantics_of"]

FORMAT = "lgvsc-flow calibration 1"
MAX_BYTES = 4 << 20
_YAML = (".yaml", ".yml")
_OPTIONS = {"profile": "--profile", "describer": "--describer", "judge": "--judge", "strategy": "--strategy"}
_OPTIONS |= {"focus": "--focus", "sample_fps": "--sample-fps", "search": "--search"}
_LINK = {"scheme": "--scheme", "channel": "--channel", "esn0_db": "--snr-db", "quality": "--quality"}
_LINK |= {"weights": "--weights", "captions": "--captions", "side": "--side"}
_NUMBER = (int, float)
_SHAPE: Mapping[str, Any] = {
    "format": str,
    "toolkit": str,
    "threshold": _NUMBER,
    "holds_from": _NUMBER,
    "holds_below": _NUMBER,
    "target_cbr": _NUMBER,
    "cbr": _NUMBER,
    "symbols": int,
    "rule": str,
    "semantic": dict,
    "models": dict,
    "link": dict,
    "neighbours": dict,
    "clips": list,
    "curve": list,
}
_CLIP = {"name": str, "sha256": str, "frames": int, "keyframes": list, "symbols": int, "cbr": _NUMBER}
_POINT = {"holds_from": _NUMBER, "holds_below": _NUMBER, "keyframes": int, "symbols": int, "cbr": _NUMBER}


class CalibrationError(FlowError):
    """A calibration cannot be made, read, or used for this run."""


def semantics_of(scheme: Scheme) -> dict[str, Any]:
    """The settings that a threshold belongs to: with others it means something else."""
    chosen = scheme.semantics.as_dict()
    for name in ("describer", "judge"):  # a model's folder by its own name: it may lie elsewhere on another machine
        chosen[name] = Path(chosen[name]).name
    return {name: chosen[name] for name in _OPTIONS}


def link_of(scheme: Scheme) -> dict[str, Any]:
    """The settings that the cost belongs to: with others the threshold means the same, and costs another CBR."""
    return {
        "scheme": scheme.name,
        "channel": scheme.channel,
        "esn0_db": scheme.esn0_db,
        "quality": scheme.quality,
        "weights": scheme.weights if scheme.weights == "embedded" else Path(scheme.weights).name,
        "captions": Path(scheme.captions).name,
        "side": scheme.side,
    }


@dataclass(frozen=True)
class Calibration:
    """A threshold and how it was found; `data` is what the file holds, checked.

    Attributes:
        data: plain data.
        source: the file's name, its digest and what it promises; empty before it is saved.
    """

    data: dict[str, Any]
    source: dict[str, Any] = field(default_factory=dict)

    @property
    def threshold(self) -> float:
        """eta_th."""
        return float(self.data["threshold"])

    def check(self, scheme: Scheme) -> list[str]:
        """Whether the threshold means in this run what it meant in its calibration; gives notes on what it costs.

        Raises:
            CalibrationError: the run has another profile, model, weights, focus, strategy, search or sampling.
        """
        name = self.source.get("file", "the calibration")
        if scheme.name == "skim-sfa":
            raise CalibrationError(f"{name} holds a threshold, and skim-sfa has none: it cuts at a fixed interval")
        here, there = semantics_of(scheme), self.data["semantic"]
        other = {k: there.get(k) for k in here if here[k] != there.get(k)}
        if other:
            differ = ", ".join(f"{k} {_said(there.get(k))} (here {_said(here[k])})" for k in other)
            raise CalibrationError(
                f"{name} was calibrated with {differ}, and its threshold means nothing here. Run with "
                f"{self._options(here)}, or calibrate again with the settings of this run"
            )
        now, then = model_digests(scheme.semantics), self.data["models"]
        odd = sorted(k for k in {*now, *then} if now.get(k) != then.get(k))
        if then and odd:
            raise CalibrationError(
                f"{name} was calibrated with other weights ({odd[0]}), and its threshold means nothing here. Take "
                "the same model, or calibrate again"
            )
        here, there = link_of(scheme), self.data["link"]
        other = {k: there.get(k) for k in here if here[k] != there.get(k)}
        if not other:
            return []
        differ = ", ".join(f"{k} {_said(there.get(k))} (here {_said(here[k])})" for k in other)
        return [f"{name} was calibrated with {differ}: the CBR will be another than {self.data['cbr']:.3g}."]

    def _options(self, here: dict[str, Any]) -> str:
        """The command line options that make a run's settings those of the file."""
        there, words = self.data["semantic"], []
        if there["profile"] != here["profile"]:
            words = [f"--profile {there['profile']}"]
            here = semantics(there["profile"]).as_dict()
        other = [k for k in _OPTIONS if there.get(k) != here[k]]
        words += [f"{_OPTIONS[k]} {_said(there[k])}" for k in other if there.get(k) is not None]
        return " ".join(words) or "the profile's own sampling"

    def save(self, path: Path) -> Calibration:
        """Write the file, all at once; YAML where its name ends in .yaml or .yml, else JSON.

        Raises:
            CalibrationError: it cannot be written.
        """
        if path.suffix in _YAML:
            import yaml

            text = yaml.safe_dump(self.data, sort_keys=False, allow_unicode=True, width=120)
        else:
            text = json.dumps(self.data, indent=2, allow_nan=False, ensure_ascii=False) + "\n"
        temporary = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            temporary.write_text(text, encoding="utf-8")
            temporary.replace(path)
        except OSError as error:
            with suppress(OSError):
                temporary.unlink()
            raise CalibrationError(f"the calibration cannot be written to {path}: {error.strerror or error}") from error
        return Calibration(self.data, _source(path, text.encode(), self.data))

    @classmethod
    def load(cls, path: Path) -> Calibration:
        """Read a file.

        Raises:
            CalibrationError: it is missing, too large, or not what `save` writes; the message says where.
        """
        try:
            with path.open("rb") as file:
                raw = file.read(MAX_BYTES + 1)
        except OSError as error:
            raise CalibrationError(f"calibration {path} cannot be read: {error.strerror or error}") from error
        if len(raw) > MAX_BYTES:
            raise CalibrationError(f"calibration {path} is larger than {MAX_BYTES >> 20} MiB; it is another file")
        data = _parsed(raw, path)
        problem = _problem(data)
        if problem:
            raise CalibrationError(f"calibration {path}: {problem}. Make it anew with `lgvsc-flow calibrate`")
        return cls(data, _source(path, raw, data))


def _parsed(raw: bytes, path: Path) -> Any:
    try:
        text = raw.decode()
        if path.suffix in _YAML:
            from lgvsc_flow.plain import plain_yaml

            return plain_yaml(text, str(path))
        return json.loads(text)
    except GraphFileError as error:
        raise CalibrationError(f"calibration {path}: {error.problems[0]}") from None
    except (ValueError, RecursionError) as error:
        why = " ".join(str(error).split()).rstrip(".")
        raise CalibrationError(
            f"calibration {path} cannot be read: {why}. Make it anew with `lgvsc-flow calibrate`"
        ) from None


def _problem(data: Any) -> str:
    """What is wrong with the content of a file, or ""."""
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        return f"it does not say format: {FORMAT}"
    wrong = _wrong(data, _SHAPE, "")
    for key, shape in (("clips", _CLIP), ("curve", _POINT)):
        for number, part in enumerate(data[key] if isinstance(data.get(key), list) else ()):
            wrong = wrong or _wrong(part, shape, f"{key}[{number}].")
    if wrong:
        return wrong
    if not -1 <= data["threshold"] <= 1:
        return f"threshold is from -1 to 1, got {data['threshold']}"
    try:
        profile_named(data["semantic"].get("profile", ""))
    except SettingError as error:
        return str(error)
    return ""


def _wrong(data: Any, shape: Mapping[str, Any], where: str) -> str:
    if not isinstance(data, dict):
        return f"{where.rstrip('.')} is no mapping"
    for key, kind in shape.items():
        value = data.get(key)
        if not isinstance(value, kind) or isinstance(value, bool):
            wanted = "a number" if kind is _NUMBER else {str: "text", int: "a whole number"}.get(kind, kind.__name__)
            return f"{where}{key} is {'missing' if key not in data else f'not {wanted}'}"
        if isinstance(value, float) and not math.isfinite(value):
            return f"{where}{key} is not finite"
        if isinstance(value, int) and abs(value) >= 1 << 63:
            return f"{where}{key} is too large"
    return ""


def _source(path: Path, raw: bytes, data: dict[str, Any]) -> dict[str, Any]:
    digest = hashlib.sha256(raw).hexdigest()
    return {"file": path.name, "sha256": digest, "target_cbr": data["target_cbr"], "cbr": data["cbr"]}


def _said(value: Any) -> str:
    return "none" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
