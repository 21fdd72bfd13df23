"""Pipelines of diffusers, loaded as data: checked, each component once, on its device; what goes wrong in one line."""

from __future__ import annotations

import importlib
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lgvsc_flow.errors import FlowError, ModelError
from lgvsc_flow.model_catalogue import CATALOGUE
from lgvsc_flow.models import import_extra
from lgvsc_flow.pipeline_folder import component_sizes, find_pipeline, open_pipeline, pipeline_index
from lgvsc_flow.pretrained import choose_device, choose_dtype, quiet_transformers

__all__ = ["Loading", "check_checkpoint", "load_pipeline", "quiet", "told_memory"]

_EXTRA = "world"


@dataclass(frozen=True)
class Loading:
    """What to load, and how; see the settings of `DiffusionModel`."""

    name: str
    checkpoint: str
    models_folder: str | None
    pipeline: str
    accepts: tuple[str, ...]
    needs: tuple[str, ...]
    float32_parts: tuple[str, ...]
    device: str
    dtype: str
    offload: str
    vae_tiling: bool


def check_checkpoint(loading: Loading) -> None:
    """See that packages, device and checkpoint are here; a checkpoint that the hub may still bring is let pass.

    Raises:
        ModelError, MissingExtraError: what is missing, and how to get it.
    """
    _prepare(loading)
    at_hub = loading.checkpoint.startswith("hub:") or loading.checkpoint in CATALOGUE
    try:
        folder = find_pipeline(loading.checkpoint, folder=loading.models_folder)
    except ModelError as error:
        if at_hub and " is missing: " in str(error):
            return
        raise
    _check_class(loading, folder)


def load_pipeline(loading: Loading) -> Any:
    """A pipeline, ready to run.

    Raises:
        ModelError: the checkpoint is missing, damaged, of another class, or does not fit into memory.
        MissingExtraError: a package is not installed.
    """
    device, diffusers = _prepare(loading)
    number = choose_dtype(loading.dtype, device)
    what = f"{loading.name}: checkpoint {loading.checkpoint}"
    folder = open_pipeline(loading.checkpoint, folder=loading.models_folder)
    _check_class(loading, folder)
    _check_room(loading, folder, device, number.itemsize)
    with told_memory(f"{loading.name}: loading {loading.checkpoint}", loading), _told(what), quiet():
        models = {
            name: _component(folder, name, library, cls, _dtype_of(loading, name, number), what)
            for name, (library, cls) in pipeline_index(folder, what).items()
            if name and (folder / name / "config.json").is_file()
        }
        pipe = getattr(diffusers, loading.pipeline).from_pretrained(
            folder, local_files_only=True, use_safetensors=True, trust_remote_code=False, **models
        )
        pipe.set_progress_bar_config(disable=True)
        if loading.offload == "model":
            pipe.enable_model_cpu_offload(device=device)
        elif loading.offload == "sequential":
            pipe.enable_sequential_cpu_offload(device=device)
        else:
            pipe.to(device)
    return pipe


@contextmanager
def quiet() -> Iterator[None]:
    """No progress bars and no notes below errors from diffusers and transformers."""
    notes: Any = importlib.import_module("diffusers.utils.logging")
    level, bars = notes.get_verbosity(), notes.is_progress_bar_enabled()
    notes.set_verbosity(logging.ERROR)
    notes.disable_progress_bar()
    try:
        with quiet_transformers():
            yield
    finally:
        notes.set_verbosity(level)
        if bars:
            notes.enable_progress_bar()


@contextmanager
def told_memory(what: str, loading: Loading, **settings: Any) -> Iterator[None]:
    """Turn an out-of-memory error within into a `ModelError` of one line that names the settings to change."""
    try:
        yield
    except FlowError:
        raise
    except Exception as error:
        if not _is_out_of_memory(error):
            raise
        force = {"device": loading.device, "dtype": loading.dtype, "offload": loading.offload, **settings}
        in_force = ", ".join(f"{k}={v}" for k, v in force.items())
        raise ModelError(f"{what}: out of memory with {in_force}; {_advice(loading, bool(settings))}") from error


def _advice(loading: Loading, generating: bool) -> str:
    """What to change, the cheapest first."""
    ideas = []
    if loading.dtype == "float32" or (loading.dtype == "auto" and not choose_device(loading.device).startswith("cuda")):
        ideas.append("dtype='bfloat16'")
    if choose_device(loading.device) != "cpu" and loading.offload != "sequential":
        ideas.append("offload='model'" if loading.offload == "none" else "offload='sequential'")
    if generating:
        ideas += [] if loading.vae_tiling else ["vae_tiling=True"]
        ideas += ["fewer pixels in resolution", "a smaller max_frames"]
    return f"set {', '.join(ideas)}, or take a smaller checkpoint" if ideas else "take a smaller checkpoint"


def _is_out_of_memory(error: Exception) -> bool:
    import torch

    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    signs = ("can't allocate memory", "not enough memory", "out of memory")
    return isinstance(error, RuntimeError) and any(sign in str(error) for sign in signs)


def _prepare(loading: Loading) -> tuple[str, Any]:
    """The device, and diffusers; nothing is loaded."""
    who = f"the world model {loading.name}"
    import_extra("torch", who, "models", "torch")
    import_extra("PIL", who, _EXTRA, "pillow")
    modules = {m: import_extra(m, who, _EXTRA, m.removeprefix("google.")) for m in loading.needs}
    if not loading.checkpoint:
        raise ModelError(
            f"{who} has no checkpoint; set checkpoint to a pipeline's folder or to hub:owner/name@commit, see "
            "docs/guide/gpu.md"
        )
    device = choose_device(loading.device)
    if device == "cpu" and loading.offload != "none":
        raise ModelError(
            f"{who}: offload={loading.offload!r} moves weights between a GPU and the computer's memory, and the device "
            "is the CPU; set offload='none'"
        )
    return device, modules["diffusers"]


def _check_class(loading: Loading, folder: Path) -> None:
    what = f"{loading.name}: checkpoint {loading.checkpoint}"
    found = pipeline_index(folder, what)[""][1]
    if found not in loading.accepts:
        raise ModelError(
            f"{what} is a {found}, this world model takes {' or '.join(loading.accepts)}; choose the world model or "
            "the checkpoint anew, see docs/guide/gpu.md"
        )


def _dtype_of(loading: Loading, name: str, number: Any) -> Any:
    import torch

    return torch.float32 if name in loading.float32_parts else number


def _component(folder: Path, name: str, library: str, cls: str, number: Any, what: str) -> Any:
    """One model of a pipeline, all of its weights from the file."""
    kind = getattr(importlib.import_module(library), cls, None)
    if kind is None:
        raise ModelError(f"{what}: {name} is a {cls}, which the installed {library} does not have; update {library}")
    key = "dtype" if library == "transformers" else "torch_dtype"
    model, report = kind.from_pretrained(
        folder / name,
        use_safetensors=True,
        local_files_only=True,
        output_loading_info=True,
        **{key: number},
    )
    wrong = sorted(map(str, report["missing_keys"])) + sorted(str(k[0]) for k in report["mismatched_keys"])
    if wrong:
        raise ModelError(
            f"{what}: {len(wrong)} weights of {name} ({cls}) are not in {folder / name} ({wrong[0]}); they would be "
            "random. Its files are not whole, or of another model"
        )
    return model


@contextmanager
def _told(what: str) -> Iterator[None]:
    """Errors of diffusers and transformers while loading, told in one line."""
    try:
        yield
    except (FlowError, MemoryError):
        raise
    except Exception as error:
        if _is_out_of_memory(error):
            raise
        raise ModelError(
            f"{what} cannot be loaded: {' '.join(str(error).split())[:400]} ({type(error).__name__})"
        ) from (error)


def _check_room(loading: Loading, folder: Path, device: str, itemsize: int) -> None:
    """Refuse a checkpoint that cannot fit, before the system kills the process for it."""
    sizes = component_sizes(folder, loading.name)
    bytes_each = {n: count * (4 if n in loading.float32_parts else itemsize) for n, count in sizes.items()}
    at_once = {"none": sum(bytes_each.values()), "model": max(bytes_each.values(), default=0), "sequential": 0}
    places = [(device, at_once[loading.offload])]
    if loading.offload != "none":
        places.append(("cpu", sum(bytes_each.values())))
    for place, needed in places:
        free = _free_bytes(place)
        if free is not None and needed > free:
            raise ModelError(
                f"{loading.name}: the weights of {loading.checkpoint} take {needed / 2**30:.1f} GiB on {place} with "
                f"dtype={loading.dtype}, offload={loading.offload}, and {free / 2**30:.1f} GiB are free; "
                f"{_advice(loading, False)}"
            )


def _free_bytes(device: str) -> int | None:
    """Memory that can be had now, where the system says."""
    if device.startswith("cuda"):
        import torch

        return int(torch.cuda.mem_get_info(device)[0])
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if device == "cpu" and "MemAvailable:" in line)
    except (OSError, StopIteration, ValueError):
        return None
