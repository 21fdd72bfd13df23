"""Take the points: of the channel codes, of the still picture codecs, of the linear code, of NTSCC."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from ntscc import plan
from ntscc.analog import LINEAR_FORMS, NtsccPicture, case_key, is_done, link_fingerprint, take_linear
from ntscc.digital import FORMS, take_stills
from ntscc.links import SCHEMES, LossCurves
from ntscc.scores import Original
from ntscc.store import Store
from photographs import held_out_photographs
from rich.progress import track

from lgvsc_flow.blocks.ntscc.codec import NtsccCodec
from lgvsc_flow.blocks.ntscc.rate import digital_symbols
from lgvsc_flow.blocks.ntscc.weights_file import EMBEDDED
from lgvsc_flow.models import sha256_of


def codec_fingerprint(weights: str) -> str:
    """One word for weights, the encoder's code and the link: what a made-up picture becomes.

    A change that touches the decoder alone is not seen: begin with an empty folder then.
    """
    y, x = np.mgrid[0:96, 0:128]
    waves = [128 + 90 * np.sin(x / (5 + c) + y / 9) * np.cos(y / (7 - c)) for c in range(3)]
    payload, symbols = NtsccCodec(weights).encode(np.stack(waves, -1).astype(np.uint8), 10.0, target_cbr=0.05)
    word = hashlib.sha256(payload + str(symbols.size).encode()).hexdigest()[:8]
    return f"{sha256_of(weights_path(weights))[:16]}-{word}-{link_fingerprint()}"


@dataclass(frozen=True)
class Picture:
    """A held-out photograph: its name, the SHA-256 of its file, its pixels."""

    name: str
    digest: str
    pixels: np.ndarray


@dataclass
class Stores:
    """Where the points are kept: what does not depend on the weights, and what does."""

    links: Store
    stills: Store
    linear: Store
    ntscc: Store
    weights_digest: str

    @classmethod
    def open(cls, folder: Path, weights: str) -> Stores:
        digest = sha256_of(weights_path(weights))
        named = {name: Store(folder / f"{name}.jsonl") for name in ("links", "stills", "linear")}
        return cls(**named, ntscc=Store(folder / f"ntscc-{codec_fingerprint(weights)}.jsonl"), weights_digest=digest)

    @property
    def curves(self) -> LossCurves:
        return LossCurves(self.links)


def weights_path(weights: str) -> Path:
    """The file that a name of weights stands for."""
    if weights == EMBEDDED:
        from lgvsc_flow.blocks import ntscc

        return Path(str(ntscc.__file__)).parent / "weights" / "ntscc.safetensors"
    return Path(weights)


def photographs(packages: Path, quick: bool) -> list[Picture]:
    """The 27 held-out photographs, or the first three of them.

    Raises:
        FileNotFoundError: a package is not there, unpacked.
    """
    found = [Picture(*p) for p in held_out_photographs(packages / "gcompris-qt-data", packages / "palapeli-data")]
    return found[:3] if quick else found


def take_baselines(stores: Stores, pictures: Iterable[Picture]) -> None:
    """Everything that does not depend on the weights; what is there already is not taken again."""
    for scheme in track(SCHEMES, "channel codes"):
        stores.curves.measure(scheme)
    pictures = list(pictures)
    _take_codec(stores, pictures, "hevc")
    for number, stage in enumerate(plan.stage_names()):
        for picture in track(pictures, f"linear: {stage}"):
            original = Original(picture.pixels)
            cases = list(plan.stages(picture.digest))[number][1]
            for form in LINEAR_FORMS:
                few = [
                    c if number in plan.MAIN_STAGES and c[1] in (plan.DESIGN_DB, 4.0) else (*c[:4], False)
                    for c in cases
                ]
                if form == "linear" or number in plan.MAIN_STAGES:  # the plainer form at the main rates only
                    take_linear(stores.linear, picture.digest, original, form, few)
    for codec in ("avif", "jpeg"):
        _take_codec(stores, pictures, codec)


def _take_codec(stores: Stores, pictures: list[Picture], codec: str) -> None:
    for picture in track(pictures, codec):
        original = Original(picture.pixels)
        for form in FORMS[codec]:
            take_stills(stores.stills, picture.digest, original, form)


def take_ntscc(stores: Stores, weights: str, pictures: list[Picture], minutes: float) -> bool:
    """The points of the codec, those that matter most first, until they are done or the time is up; whether done."""
    until = time.monotonic() + 60 * minutes
    codec, store = NtsccCodec(weights), stores.ntscc
    originals = {p.digest: Original(p.pixels) for p in pictures}
    for number, stage in enumerate(plan.stage_names()):
        for picture in track(pictures, f"NTSCC: {stage}"):
            coded = NtsccPicture(codec, picture.digest, picture.pixels)
            for case in list(plan.stages(picture.digest))[number][1]:
                key = case_key(picture.digest, case)
                if is_done(store, key, case):
                    continue
                if time.monotonic() > until:
                    return False
                try:
                    store.add(key, **coded.point(originals[picture.digest], *case))
                except ValueError as problem:
                    store.add(key, problem=str(problem))
        if number == 0:
            _take_rates(store, codec, pictures)
    return True


def _take_rates(store: Store, codec: NtsccCodec, pictures: list[Picture]) -> None:
    """The rates that are met where only the target counts: no decoding."""
    for picture in track(pictures, "NTSCC: target rates"):
        for cbr in plan.RATE_TARGETS:
            key = f"rate|{picture.digest}|{cbr:g}"
            if key not in store:
                payload, symbols = codec.encode(picture.pixels, plan.DESIGN_DB, target_cbr=cbr)
                total = symbols.size + digital_symbols(len(payload), plan.DESIGN_DB)
                store.add(key, cbr=total / picture.pixels.size)
