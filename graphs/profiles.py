"""Profiles: who describes frames, who judges them and who makes them again, by one name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from difflib import get_close_matches
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from lgvsc_flow.blocks.semantic import Skem, Skim
from lgvsc_flow.blocks.semantic.captions import LETTERS
from lgvsc_flow.blocks.semantic.psss import FOCI
from lgvsc_flow.errors import MissingExtraError, ModelError, SettingError
from lgvsc_flow.model_catalogue import CATALOGUE

__all__ = [
    "PROFILES",
    "Profile",
    "Semantics",
    "check_captions",
    "check_models",
    "model_digests",
    "profile_named",
    "semantics",
]

_MODELS = {"embedded": "efficientnet-lite0", "minilm": "all-minilm-l6-v2"}
_WEIGHTS = (".safetensors", ".gguf")
PAPER_FPS = 4.6  # frames per second of video that the paper's own figures imply


@dataclass(frozen=True, kw_only=True)
class Profile:
    """A describer, a judge and a world model that go together.

    Attributes:
        name: what `--profile` takes.
        about: what it is, in a line.
        describer: as `Skem.describer`.
        judge: as `Skem.judge`.
        strategy: as `Skem.strategy`.
        sample_fps: frames per second of video that are looked at; None for every frame.
        world: as `DsaWorldModel.model`.
    """

    name: str
    about: str
    describer: str = "embedded"
    judge: str = "embedded"
    strategy: str = "per-frame"
    sample_fps: float | None = None
    world: str = "interpolator"


def _joint(name: str, about: str, model: str) -> Profile:
    return Profile(name=name, about=about, describer=model, judge="same", strategy="joint", sample_fps=PAPER_FPS)


PROFILES: Mapping[str, Profile] = {
    p.name: p
    for p in (
        Profile(name="embedded", about="an image network describes and judges; small, runs anywhere"),
        Profile(name="minilm", about="the texts are judged by sentence embeddings", judge="minilm"),
        Profile(
            name="smollm2",
            about="a small language model from a package judges the texts; the whole path, at the level of chance",
            judge="smollm2-135m",
            sample_fps=PAPER_FPS,
        ),
        _joint("internvl3", "the paper's: InternVL3 looks at both frames in one turn, and judges", "internvl3-1b"),
        _joint("qwen3-vl", "Qwen3-VL instead", "qwen3-vl-2b"),
        _joint("smolvlm", "SmolVLM2 instead, the smallest of the three", "smolvlm2-500m"),
    )
}


@dataclass(frozen=True, kw_only=True)
class Semantics:
    """The settings of a profile with what the user changed of them; fields as in `Skem`."""

    profile: str
    describer: Any
    judge: Any
    strategy: str
    focus: str = "general"
    sample_fps: float | None = None
    search: str = "exact"
    device: str = "auto"
    dtype: str = "auto"
    floor: float | None = None
    quantisation: str | None = None
    batch_size: int = 1

    @property
    def settings(self) -> dict[str, Any]:
        """What `Skem` takes."""
        return {f.name: getattr(self, f.name) for f in fields(self) if f.name != "profile"}

    def skem(self, threshold: float) -> Skem:
        """The block that cuts by meaning.

        Raises:
            SettingError: the choices do not go together.
        """
        return Skem(threshold=threshold, **self.settings)

    def skim(self, segment_length: int) -> Skim:
        """The block that cuts at a fixed interval: of all the settings it has only the describer."""
        describer = self.describer
        own = (self.device, self.dtype, self.quantisation, self.batch_size)
        if isinstance(describer, str) and own != ("auto", "auto", None, 1):
            from lgvsc_flow.blocks.semantic.choices import make_describer

            describer = make_describer(
                describer, self.device, self.dtype, quantisation=self.quantisation, batch_size=self.batch_size
            )
        return Skim(segment_length=segment_length, describer=describer)

    def as_dict(self) -> dict[str, Any]:
        """The settings as plain data; an object by the name of its class."""
        return {"profile": self.profile, **{name: _plain(value) for name, value in self.settings.items()}}


def profile_named(name: str) -> Profile:
    """The profile of that name.

    Raises:
        SettingError: there is none.
    """
    if not isinstance(name, str) or name not in PROFILES:
        close = get_close_matches(str(name), PROFILES, 1)
        hint = f"did you mean {close[0]}? " if close else ""
        raise SettingError(f"no profile is called {name!r}; {hint}there are {', '.join(PROFILES)}")
    return PROFILES[name]


def semantics(profile: str = "embedded", **changes: Any) -> Semantics:
    """A profile's settings; those of `changes` that are not None replace its own.

    Raises:
        SettingError: there is no such profile; or the focus looks like the name of one, misspelt.
    """
    chosen = profile_named(profile)
    if "focus" in changes:
        changes["focus"] = _focus(changes["focus"])
    own = {name: getattr(chosen, name) for name in ("describer", "judge", "strategy", "sample_fps")}
    return Semantics(profile=profile, **{**own, **{k: v for k, v in changes.items() if v is not None}})


def _focus(focus: str) -> str:
    """A focus; one word that is nearly one of the paper's is a slip, and not a user's own words."""
    name = focus.strip().lower().replace("-", "_").replace(" ", "_")
    if name in FOCI:
        return name
    close = get_close_matches(name, FOCI, 1, 0.75)
    if close and len(focus.split()) == 1:
        raise SettingError(f"no focus is called {focus!r}; did you mean {close[0]}? Your own takes a few words")
    return focus


def check_models(chosen: Semantics, *, judged: bool = True) -> None:
    """See that the models chosen by name and their device are here, before any of them is loaded.

    Args:
        chosen: the settings.
        judged: whether the judge is needed too.

    Raises:
        ModelError: a model, a package or the device is missing; the message says how to get it.
        SettingError: there is no such device or dtype.
    """
    names = [chosen.describer, chosen.judge] if judged else [chosen.describer]
    try:
        for name in names:
            if isinstance(name, str) and name != "same":
                _check_model(name, judge=name is chosen.judge)
        if (chosen.device, chosen.dtype) != ("auto", "auto"):
            from lgvsc_flow.pretrained import choose_device, choose_dtype

            choose_dtype(chosen.dtype, choose_device(chosen.device))
    except (ModelError, MissingExtraError) as error:
        raise ModelError(
            f"profile {chosen.profile}: {error}. `lgvsc-flow models` lists what each profile needs and what is here"
        ) from error


def check_captions(code: str) -> None:
    """See that the language model that codes captions is here, where it is one.

    Raises:
        ModelError: the model or a package is missing; the message says how to get it.
    """
    if code == LETTERS:
        return
    known = CATALOGUE.get(code)
    if known is not None and known.kind != "text":
        texts = ", ".join(sorted(m.name for m in CATALOGUE.values() if m.kind == "text"))
        raise ModelError(
            f"captions are coded by {LETTERS} or a language model: {texts}, a folder, or hub:owner/name@commit; "
            f"{code} is no such model"
        )
    try:
        _check_model(code, judge=True)
    except (ModelError, MissingExtraError) as error:
        raise ModelError(f"captions coded by {code}: {error}. `lgvsc-flow models` lists what is here") from error


def model_digests(chosen: Semantics) -> dict[str, str]:
    """What tells the models chosen by name from others: SHA-256 of their files, or their commit at the hub."""
    from lgvsc_flow.models import MODELS, sha256_of

    found: dict[str, str] = {}
    for name in dict.fromkeys((chosen.describer, chosen.judge)):
        if not isinstance(name, str) or name == "same":
            continue
        model = MODELS.get(_MODELS.get(name, name))
        if model is not None and model.files:
            found |= {f"{model.name}/{file.name}": file.sha256 for file in model.files}
        elif name.startswith("hub:"):
            found[name] = name
        else:
            folder = _folder_of(name)
            if folder is None and model is not None:
                found[model.name] = f"{model.repository}@{model.revision}"
                continue
            place = folder or Path(name).expanduser()
            files = [place] if place.is_file() else sorted(p for p in place.glob("*") if p.suffix in _WEIGHTS)
            found |= {f"{Path(name).name}/{file.name}": sha256_of(file) for file in files}
    return found


def _folder_of(name: str) -> Path | None:
    """The user's own folder of a model of that name, which goes before the hub's."""
    from lgvsc_flow.models import models_folder

    base = models_folder()
    return base / name if base is not None and (base / name).exists() else None


def _check_model(name: str, judge: bool) -> None:
    from lgvsc_flow.models import resolve
    from lgvsc_flow.pretrained import open_model

    if name == "embedded":
        if judge:
            return  # it compares what the describer saw
        _check_modules("EmbeddedDescriber", torch=("models", "torch"), cv2=("video", "opencv-python-headless"))
        resolve("efficientnet-lite0")
    elif name == "minilm":
        _check_modules("MiniLmJudge", torch=("models", "torch"), transformers=("text-judge", "transformers"))
        resolve("all-minilm-l6-v2")
    else:
        extra = "llm" if judge else "vlm"
        _check_modules(f"model {name}", torch=("models", "torch"), transformers=(extra, "transformers"))
        open_model(name)


def _check_modules(what: str, **modules: tuple[str, str]) -> None:
    for module, (extra, package) in modules.items():
        if find_spec(module) is None:
            raise MissingExtraError(what, extra, package)


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, str | int | float):
        return value
    return getattr(value, "__name__", type(value).__name__)
