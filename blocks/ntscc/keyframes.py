"""The two blocks of the keyframe path: NTSCC encoder and decoder."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

import numpy as np

from lgvsc_flow.block import Block, setting
from lgvsc_flow.blocks.ntscc.conceal import MODES, Concealer
from lgvsc_flow.errors import SettingError
from lgvsc_flow.items import Keyframe, Payload, Received, Symbols
from lgvsc_flow.models import import_extra
from lgvsc_flow.ports import In, Out

if TYPE_CHECKING:
    from lgvsc_flow.blocks.ntscc.codec import Latents, NtsccCodec

__all__ = ["NtsccDecoder", "NtsccEncoder"]

STREAM = "hyperprior"
DTYPES = ("auto", "float32", "bfloat16")
REASONS = ("side information", "weights", "burst")
TOLERANCE = 1.05  # over the target is a rate above this many times it
_LOADING = threading.Lock()
_loaded: WeakValueDictionary[tuple[str, int, int, str, str], NtsccCodec] = WeakValueDictionary()


class NtsccEncoder(Block):
    """Code keyframes into channel symbols, and the side information that the receiver needs to read them.

    The payload (header and hyperprior) goes over the digital link; the symbols go as they are. The rate is either a
    target per keyframe or, with `quality`, a threshold on the entropy of the latents, so that it follows the content.
    A target that the side information alone exceeds cannot be met: `over_target` counts, after the run, the keyframes
    that took more than 5 % above theirs.

    Ref: paper, section II-A; Dai et al., IEEE JSAC 2022.
    """

    keyframes = In(Keyframe)
    payloads = Out(Payload)
    symbols = Out(Symbols)

    snr_db: float = setting(10.0, ge=-20, le=40, unit="dB", doc="Es/N0 that the symbols are designed for")
    target_cbr: float = setting(
        0.03, ge=0.001, le=0.15, doc="channel symbols per colour sample, side information included"
    )
    quality: float | None = setting(
        None, ge=0.1, le=15, doc="instead of target_cbr: average pictures take 0.01 * quality"
    )
    fading: bool = setting(
        False, doc="target_cbr counts the side information on a digital link made for block Rayleigh fading"
    )
    link_snr_db: float | None = setting(
        None, ge=-20, le=40, unit="dB", doc="Es/N0 that this digital link is designed for; None for snr_db"
    )
    weights: str = setting("embedded", doc="a safetensors file, or embedded")
    device: str = setting("cpu", doc="torch device of the networks")
    batch_size: int = setting(
        1, ge=1, unit="keyframes", doc="on a GPU waiting ones of equal size pass g_a together; the last bits may differ"
    )

    def validate(self) -> None:
        self.over_target = 0

    def start(self) -> None:
        self.over_target = 0
        self._codec = _codec(self.weights, self.device)

    def work_batch(self, keyframes: list[Keyframe]) -> list[tuple[Payload, np.ndarray]]:
        pictures = []
        for keyframe in keyframes:
            if keyframe.pixels is None:
                raise ValueError(f"keyframe {keyframe.index} has no pixels to send")
            pictures.append(keyframe.pixels)
        coded = self._codec.encode_batch(
            pictures,
            self.snr_db,
            target_cbr=self.target_cbr,
            quality=self.quality,
            fading=self.fading,
            link_snr_db=self.link_snr_db,
        )
        if self.quality is None:
            self.over_target += sum(self._over(p, *c) for p, c in zip(pictures, coded, strict=True))
        return [(Payload(k.index, STREAM, data), symbols) for k, (data, symbols) in zip(keyframes, coded, strict=True)]

    def _over(self, pixels: np.ndarray, payload: bytes, symbols: np.ndarray) -> bool:
        from lgvsc_flow.blocks.ntscc.rate import digital_symbols

        link_db = self.snr_db if self.link_snr_db is None else self.link_snr_db
        spent = symbols.size + digital_symbols(len(payload), link_db, fading=self.fading)
        return spent > TOLERANCE * self.target_cbr * pixels.size


class NtsccDecoder(Block):
    """Rebuild keyframes from equalised symbols and their side information.

    A keyframe is lost where its side information is lost or damaged, announces another size than the session's
    (`height` and `width`, where given) or was made with other weights, where its burst has another length than
    announced, and where no symbol of the burst can be used. `conceal` says what is sent in its place, always marked as
    lost: nothing (`pixels` is None, and the receiver's world model conceals), the last keyframe that came, or the mean
    picture. After the run `lost` counts these keyframes, `reasons` says of what kind the losses were, `concealed` how
    many got a picture; `erased` counts the unusable symbols of the others.
    """

    received = In(Received)
    side = In(Payload)
    keyframes = Out(Keyframe)

    height: int | None = setting(None, ge=1, unit="pixels", doc="of the session's pictures; None takes any")
    width: int | None = setting(None, ge=1, unit="pixels")
    conceal: str = setting(
        "lost", choices=MODES, doc="lost: no picture; last: the last that came; mean: what is to be expected"
    )
    weights: str = setting("embedded", doc="a safetensors file, or embedded; the same as at the encoder")
    device: str = setting("cpu", doc="torch device of the networks")
    dtype: str = setting(
        "auto", choices=DTYPES, doc="of the learned part of g_s; auto is bfloat16 where the CPU is fast at it"
    )
    batch_size: int = setting(
        1, ge=1, unit="keyframes", doc="on a GPU waiting ones of equal size pass g_s together; the last bits may differ"
    )

    def validate(self) -> None:
        self._forget()
        if (self.height is None) != (self.width is None):
            raise SettingError(f"NtsccDecoder takes height and width, or neither; got {self.height} and {self.width}")

    def _forget(self) -> None:
        self.lost = self.erased = self.concealed = 0
        self.reasons = dict.fromkeys(REASONS, 0)
        self._concealer = Concealer(self.conceal)

    def start(self) -> None:
        self._forget()
        self._codec = _codec(self.weights, self.device, self.dtype)

    def work_batch(self, received: list[Received], side: list[Payload]) -> list[Keyframe]:
        found = [self._latents(s, r) for r, s in zip(received, side, strict=True)]
        pictures = iter(self._codec.synthesise([f for f in found if not isinstance(f, str)]))
        return [
            self._lost(payload, got) if isinstance(got, str) else self._arrived(payload.index, next(pictures))
            for payload, got in zip(side, found, strict=True)
        ]

    def _latents(self, side: Payload, received: Received) -> Latents | str:
        """What is known of the latents, or one of `REASONS` why the keyframe is lost."""
        from lgvsc_flow.blocks.ntscc.codec import BurstError, OtherWeightsError

        if not side.data or side.lost:
            return "side information"
        symbols, noise = equalised(received)
        try:
            latents = self._codec.latents(side.data, symbols, noise, self._size)
        except BurstError:
            return "burst"
        except OtherWeightsError as error:
            if not self.reasons["weights"]:
                warnings.warn(f"{self.label}, keyframe {side.index}: {error}.", stacklevel=1)
            return "weights"
        except ValueError:
            return "side information"
        if latents.erased == latents.symbols:
            return "burst"
        self.erased += latents.erased
        return latents

    @property
    def _size(self) -> tuple[int, int] | None:
        return None if self.height is None or self.width is None else (self.height, self.width)

    def _arrived(self, index: int, pixels: np.ndarray) -> Keyframe:
        self._concealer.arrived(pixels)
        return Keyframe(index, pixels)

    def _lost(self, side: Payload, reason: str) -> Keyframe:
        codec, data = self._codec, side.data

        def from_hyperprior() -> np.ndarray:
            return codec.synthesise([codec.latents(data or b"", None)])[0]

        def from_nothing(height: int, width: int) -> np.ndarray:
            return codec.synthesise([codec.prior(height, width)])[0]

        pixels = self._concealer.picture(self._size, from_hyperprior if reason == "burst" else None, from_nothing)
        self.lost += 1
        self.reasons[reason] += 1
        self.concealed += pixels is not None
        return Keyframe(side.index, pixels, lost=True)


def equalised(received: Received) -> tuple[np.ndarray, np.ndarray]:
    """Symbols with unit gain and their noise variances; a gain of zero gives infinite noise variance.

    Raises:
        ValueError: gain or noise variance are neither one number nor one for each symbol.
    """
    shape = received.symbols.shape
    for name in ("gain", "noise_variance"):
        if (got := np.shape(getattr(received, name))) not in ((), (1,), shape):
            raise ValueError(
                f"{name} is one number or one for each of {received.symbols.size} symbols, got {list(got)}"
            )
    gain = np.broadcast_to(np.asarray(received.gain, np.complex128), shape)
    noise = np.broadcast_to(np.asarray(received.noise_variance, float), shape)
    power = np.square(np.abs(gain))
    with np.errstate(divide="ignore", invalid="ignore"):
        symbols = np.where(power > 0, received.symbols / gain, 0)
        return symbols, np.where(power > 0, noise / power, np.inf)


def _codec(weights: str, device: str, dtype: str = "auto") -> NtsccCodec:
    """The codec of these settings; blocks of one process share it while any of them holds it."""
    import_extra("torch", "NTSCC", "models", "torch")
    from lgvsc_flow.blocks.ntscc.codec import NtsccCodec

    if weights == "embedded":
        return _shared(("embedded", 0, 0, device, dtype), partial(NtsccCodec, device=device, dtype=dtype))
    path = Path(weights)
    try:
        stat, name = path.stat(), str(path.resolve())
    except OSError:  # loading says what is wrong
        return NtsccCodec(path, device, dtype)
    return _shared((name, stat.st_mtime_ns, stat.st_size, device, dtype), partial(NtsccCodec, path, device, dtype))


def _shared(key: tuple[str, int, int, str, str], load: Callable[[], NtsccCodec]) -> NtsccCodec:
    with _LOADING:
        codec = _loaded.get(key)
        if codec is None:
            codec = _loaded[key] = load()
        return codec
