"""CBR against the threshold, as a figure."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from lgvsc_flow.graphs.calibration import Calibration, CalibrationError

__all__ = ["plot_calibration"]

CURVE, TARGET, CHOSEN = "#4477aa", "#ee6677", "#228833"


def plot_calibration(found: Calibration, path: Path) -> None:
    """Draw the steps that were measured, the target and the choice; the ending of `path` decides the format.

    Raises:
        CalibrationError: the file cannot be written.
    """
    from matplotlib.figure import Figure

    data = found.data
    target, steps = data["target_cbr"], data["curve"]
    figure = Figure(figsize=(7.5, 4.2), layout="constrained")
    axes = figure.subplots()
    middles = [(s["holds_from"] + s["holds_below"]) / 2 for s in steps]
    axes.plot(middles, [s["cbr"] for s in steps], color=CURVE, lw=0.6, alpha=0.4)
    axes.hlines(
        [s["cbr"] for s in steps],
        [s["holds_from"] for s in steps],
        [s["holds_below"] for s in steps],
        color=CURVE,
        lw=2.2,
        label="measured steps",
    )
    axes.axhline(target, color=TARGET, lw=1, ls="--", label=f"target {target:.3g}")
    label = f"eta_th = {data['threshold']:g}: CBR {data['cbr']:.4g}"
    axes.plot(data["threshold"], data["cbr"], "o", color=CHOSEN, ms=7, label=label)
    axes.set_ylim(0, min(1.05 * max(s["cbr"] for s in steps), 4 * target))
    shown = [s["holds_from"] for s in steps if s["cbr"] <= 4 * target]
    axes.set_xlim(max(min(shown) - 0.05, -1.02), 1.02)
    axes.set_xlabel("threshold eta_th")
    axes.set_ylabel("channel bandwidth ratio")
    axes.spines[["top", "right"]].set_visible(False)
    names = ", ".join(clip["name"] for clip in data["clips"][:4]) + (" ..." if len(data["clips"]) > 4 else "")
    link = data["link"]
    axes.set_title(
        f"{data['semantic']['profile']} over {link['channel']} at {link['esn0_db']:g} dB, quality {link['quality']:g}: "
        f"{names}",
        fontsize=9,
    )
    axes.legend(frameon=False, fontsize=9)
    temporary = path.with_name(f".{path.name}.tmp{path.suffix}")
    try:
        figure.savefig(temporary, dpi=130, metadata={"Software": None} if path.suffix == ".png" else None)
        temporary.replace(path)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink()
        raise CalibrationError(f"the figure cannot be written to {path}: {error.strerror or error}") from error
