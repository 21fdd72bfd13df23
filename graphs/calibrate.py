"""The threshold that meets a budget: eta_th calibrated against a target CBR on a small set (paper, section II-C2).

The CBR over the set is all channel symbols over all C * H * W * F, both as the ledger of a real run counts them. As a
function of eta_th it is a staircase with finitely many steps, at values of S_rel: between two of them every comparison
of SKEM ends alike. It is not quite monotone, since another keyframe moves all those behind it. So the search bisects
down to neighbouring steps on the two sides of the target, and then looks at more steps around.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path
from statistics import median_low
from typing import Any

import numpy as np

from lgvsc_flow.errors import SettingError
from lgvsc_flow.graphs.calibration import FORMAT, Calibration, CalibrationError, link_of, semantics_of
from lgvsc_flow.graphs.lgvsc import Scheme
from lgvsc_flow.graphs.profiles import check_captions, check_models, model_digests
from lgvsc_flow.graphs.remembered import Film, Memory, Sent, send_once

__all__ = ["calibrate"]

VERIFIED = 12  # steps looked at on each side of the crossing
SWEEP = np.linspace(0.95, -0.95, 20)  # more thresholds, for the curve
SWEEP_UP_TO = 2.5  # times the target: further down keyframes only cost time
MAX_CLIPS = 1000
RULE = (
    "of the steps found, the one whose CBR is nearest to the target and not above it; of equal ones that of the "
    f"highest threshold. Found by bisection to neighbouring steps, then {VERIFIED} steps more on each side"
)

Show = Callable[[str], None]


@dataclass(frozen=True)
class Step:
    """What the whole set costs, from one threshold up to, not including, another."""

    low: float
    high: float
    parts: tuple[Sent, ...]
    cbr: float

    @property
    def symbols(self) -> int:
        return sum(p.symbols for p in self.parts)

    @property
    def keyframes(self) -> tuple[tuple[int, ...], ...]:
        return tuple(p.keyframes for p in self.parts)


class Staircase:
    """CBR(eta) over a set of clips; every step is measured once."""

    def __init__(self, scheme: Scheme, films: Sequence[Film], memory: Memory, show: Show) -> None:
        self.scheme, self.films, self.memory, self.show = scheme, films, memory, show
        self.samples = sum(film.pixels.size for film in films)
        self._known: list[list[Sent]] = [[] for _ in films]
        self.scores: set[float] = set()
        self.steps: dict[float, Step] = {}

    def at(self, threshold: float) -> Step:
        """The step that a threshold stands on."""
        parts = tuple(self._part(number, threshold) for number in range(len(self.films)))
        cbr = sum(p.symbols for p in parts) / self.samples
        step = Step(max(p.low for p in parts), min(p.high for p in parts), parts, cbr)
        if step.low not in self.steps:
            self.steps[step.low] = step
            self.show(f"eta_th = {threshold:.4f}: {sum(map(len, step.keyframes))} keyframes, CBR {cbr:.4g}")
        return step

    def above(self, step: Step) -> Step | None:
        """The next step at higher thresholds."""
        return None if step.high > 1 else self.at(step.high)

    def below(self, step: Step) -> Step | None:
        """The next step at lower thresholds."""
        return None if step.low <= -1 else self.at(math.nextafter(step.low, -2))

    def _part(self, number: int, threshold: float) -> Sent:
        for sent in self._known[number]:
            if sent.low <= threshold < sent.high:
                return sent
        sent = send_once(self.scheme, self.films[number], threshold, self.memory)
        self.scores |= self.memory.asked
        self._known[number].append(sent)
        return sent


def calibrate(
    scheme: Scheme, clips: Sequence[Path], target_cbr: float, *, show: Show | None = None, notice: Show | None = None
) -> Calibration:
    """Find the threshold whose CBR over the clips is nearest to the target and not above it.

    Args:
        scheme: how a real run would send, as for `send`; its threshold is not used.
        clips: the set.
        target_cbr: channel symbols per colour sample of the source, everything counted.
        show: takes a line for every step done.
        notice: takes what the models have done so far, often.

    Raises:
        CalibrationError: the target cannot be met.
        FlowError: a clip cannot be read, a model is missing, or a block failed.
    """
    show = show or (lambda _: None)
    _check(scheme, clips, target_cbr)
    scheme.semantics.skem(0.0)
    check_models(scheme.semantics)
    check_captions(scheme.captions)
    films = []
    for clip in clips:
        show(f"decoding {clip.name}")
        films.append(Film.of(clip))
    stairs = Staircase(scheme, films, Memory(notice), show)
    meets, exceeds = _crossing(stairs, target_cbr)
    _look_around(stairs, meets, exceeds)
    chosen = _nearest(stairs, target_cbr)
    _sweep(stairs, target_cbr)
    chosen = _nearest(stairs, target_cbr) if _nearest(stairs, target_cbr).cbr > chosen.cbr else chosen
    return Calibration(_evidence(scheme, films, stairs, chosen, target_cbr))


def _check(scheme: Scheme, clips: Sequence[Path], target_cbr: float) -> None:
    if scheme.name != "skem-dsa":
        raise CalibrationError(f"calibrate is for skem-dsa; {scheme.name} {_WITHOUT[scheme.name]}")
    if not (math.isfinite(target_cbr) and target_cbr > 0):
        raise SettingError(f"--target-cbr is a number above 0, as in 6e-4; got {target_cbr:g}")
    if not 1 <= len(clips) <= MAX_CLIPS:
        raise CalibrationError(f"calibrate takes 1 to {MAX_CLIPS} clips, got {len(clips)}")
    for earlier, clip in pairwise(sorted(clip.resolve() for clip in clips)):
        if earlier == clip:
            raise CalibrationError(f"the clip {clip.name} is there twice")


_WITHOUT = {
    "skim-sfa": "has no threshold: its cost is set by --segment-length",
    "text-only": "sends no keyframes, and its cost hardly depends on the threshold",
}


def _crossing(stairs: Staircase, target_cbr: float) -> tuple[Step, Step | None]:
    """Neighbouring steps: one that meets the target, and below it, if there is one, one that exceeds it."""
    meets, exceeds = stairs.at(1.0), None
    if meets.cbr > target_cbr:
        keyframes = sum(map(len, meets.keyframes))
        raise CalibrationError(
            f"a CBR of {target_cbr:.3g} cannot be met: the least is {meets.cbr:.4g}, with the {keyframes} keyframes of "
            f"eta_th = 1 (the first and the last frame of each clip); reachable is that or more. Raise --target-cbr, "
            f"or lower --quality (here {stairs.scheme.quality:g}), or take longer clips"
        )
    while exceeds is None or exceeds.high < meets.low:
        if exceeds is None and meets.low <= -1:
            if meets.cbr < target_cbr:
                top = stairs.at(1.0)
                if top.keyframes == meets.keyframes and stairs.scores:
                    raise CalibrationError(
                        f"a CBR of {target_cbr:.3g} cannot be reached: every threshold gives the same keyframes, and a "
                        f"CBR of {meets.cbr:.4g}, since the judge answers all pairs alike. Take another --judge or "
                        "--profile; for this CBR at the same keyframes, raise --quality (here "
                        f"{stairs.scheme.quality:g})"
                    )
                least = top.cbr
                raise CalibrationError(
                    f"a CBR of {target_cbr:.3g} cannot be reached: with eta_th = -1 it is {meets.cbr:.4g} (reachable "
                    f"is {least:.4g} to {meets.cbr:.4g}). Raise --quality (here {stairs.scheme.quality:g}), or look at "
                    "more frames with --sample-fps"
                )
            break
        low = -1.0 if exceeds is None else exceeds.high
        step = stairs.at(_between(low, meets.low, stairs.scores))
        if step.cbr <= target_cbr:
            meets = step
        else:
            exceeds = step
    return meets, exceeds


def _between(low: float, high: float, scores: set[float]) -> float:
    """A threshold from `low` to below `high` to try next: the middle one of the scores seen there."""
    inside = [s for s in scores if low <= s < high]
    return median_low(inside) if inside else low if low > -1 else max((low + high) / 2, -1.0)


def _look_around(stairs: Staircase, meets: Step, exceeds: Step | None) -> None:
    """Measure the steps on both sides of the crossing: the staircase is not quite monotone."""
    up: Step | None = meets
    down = exceeds
    for _ in range(VERIFIED):
        up = None if up is None else stairs.above(up)
        down = None if down is None else stairs.below(down)


def _nearest(stairs: Staircase, target_cbr: float) -> Step:
    fitting = [s for s in stairs.steps.values() if s.cbr <= target_cbr]
    return max(fitting, key=lambda s: (s.cbr, s.low))


def _sweep(stairs: Staircase, target_cbr: float) -> None:
    """Measure more of the curve, from the top down to where it leaves the picture."""
    for threshold in SWEEP:
        if stairs.at(float(threshold)).cbr > SWEEP_UP_TO * target_cbr:
            return


def _evidence(
    scheme: Scheme, films: Sequence[Film], stairs: Staircase, chosen: Step, target_cbr: float
) -> dict[str, Any]:
    below, chosen, above = _neighbours(stairs, chosen)
    return {
        "format": FORMAT,
        "toolkit": version("lgvsc-flow"),
        "threshold": simple_between(chosen.low, min(chosen.high, 1.0)),
        "holds_from": chosen.low,
        "holds_below": min(chosen.high, 1.0),
        "target_cbr": target_cbr,
        "cbr": chosen.cbr,
        "symbols": chosen.symbols,
        "rule": RULE,
        "semantic": semantics_of(scheme),
        "models": model_digests(scheme.semantics),
        "link": link_of(scheme),
        "neighbours": {"lower_threshold": _point(below), "higher_threshold": _point(above)},
        "clips": [_clip(film, part) for film, part in zip(films, chosen.parts, strict=True)],
        "curve": [_point(step) for step in _merged(stairs.steps.values())],
    }


def _clip(film: Film, part: Sent) -> dict[str, Any]:
    return {
        "name": film.path.name,
        "sha256": film.digest,
        "frames": film.info.num_frames,
        "height": film.info.height,
        "width": film.info.width,
        "keyframes": list(part.keyframes),
        "symbols": part.symbols,
        "cbr": part.symbols / film.pixels.size,
    }


def _point(step: Step | None) -> dict[str, Any] | None:
    if step is None:
        return None
    return {
        "holds_from": step.low,
        "holds_below": min(step.high, 1.0),
        "keyframes": sum(map(len, step.keyframes)),
        "symbols": step.symbols,
        "cbr": step.cbr,
    }


def _neighbours(stairs: Staircase, chosen: Step) -> tuple[Step | None, Step, Step | None]:
    """The chosen step with all that adjoins it and has the same keyframes, and the next ones on its two sides."""
    above, high = stairs.above(chosen), chosen.high
    while above is not None and above.keyframes == chosen.keyframes:
        high = above.high
        above = stairs.above(above)
    below, low = stairs.below(chosen), chosen.low
    while below is not None and below.keyframes == chosen.keyframes:
        low = below.low
        below = stairs.below(below)
    return below, Step(low, high, chosen.parts, chosen.cbr), above


def _merged(steps: Sequence[Step] | Any) -> list[Step]:
    """Steps in order; neighbours with the same keyframes as one."""
    merged: list[Step] = []
    for step in sorted(steps, key=lambda s: s.low):
        if merged and merged[-1].high == step.low and merged[-1].keyframes == step.keyframes:
            merged[-1] = Step(merged[-1].low, step.high, step.parts, step.cbr)
        else:
            merged.append(step)
    return merged


def simple_between(low: float, high: float) -> float:
    """The shortest decimal in the middle half from `low` to `high`; for neighbouring numbers `low` itself."""
    margin = (high - low) / 4
    for digits in range(1, 18):
        value = round((low + high) / 2, digits)
        if low + margin <= value <= high - margin and low <= value < high:
            return value + 0.0  # no negative zero
    return low
