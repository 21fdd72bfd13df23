"""The two blocks of the keyframe path: NTSCC encoder and decoder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lgvsc_flow.block import Block, setting
from lgvsc_flow.errors import ModelError, SettingError
from lgvsc_flow.items import Keyframe, Payload, Received, Symbols
from lgvsc_flow.models import import_extra
from lgvsc_flow.ports import In, Out

if TYPE_CHECKING:
    from lgvsc_flow.blocks.ntscc.codec import Latents, NtsccCodec

__all__ = ["NtsccDecoder", "NtsccEncoder"]

STREAM = "hyperprior"


class NtsccEncoder(Block):
    """Code keyframes into channel symbols, and the side information that the receiver needs to read them.

    The payload (header and hyperprior) goes over the digital link; the symbols go as they are. The rate is either a
    target per keyframe or, with `quality`, a threshold on the entropy of the latents, so that it follows the content.

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
    weights: str = setting("embedded", doc="a safetensors file, or embedded")
    device: str = setting("cpu", doc="torch device of the networks")
    batch_size: int = setting(
        1, ge=1, unit="keyframes", doc="waiting ones of equal size pass g_a together; the last bits may then differ"
    )

    def start(self) -> None:
        self._codec = _codec(self.weights, self.device)

    def work_batch(self, keyframes: list[Keyframe]) -> list[tuple[Payload, np.ndarray]]:
        pictures = []
        for keyframe in keyframes:
            if keyframe.pixels is None:
                raise ValueError(f"keyframe {keyframe.index} has no pixels to send")
            pictures.append(keyframe.pixels)
        coded = self._codec.encode_batch(pictures, self.snr_db, target_cbr=self.target_cbr, quality=self.quality)
        return [(Payload(k.index, STREAM, data), symbols) for k, (data, symbols) in zip(keyframes, coded, strict=True)]


class NtsccDecoder(Block):
    """Rebuild keyframes from equalised symbols and their side information.

    A keyframe whose side information is lost or damaged, announces another size than the session's (`height` and
    `width`, where given), or whose burst has another length than announced, is lost:
    `pixels` is None, and the receiver's world model conceals. `lost` counts them, `erased` counts the symbols that were
    not finite or had infinite noise variance; both hold after the run.
    """

    received = In(Received)
    side = In(Payload)
    keyframes = Out(Keyframe)

    height: int | None = setting(None, ge=1, unit="pixels", doc="of the session's pictures; None takes any")
    width: int | None = setting(None, ge=1, unit="pixels")
    weights: str = setting("embedded", doc="a safetensors file, or embedded; the same as at the encoder")
    device: str = setting("cpu", doc="torch device of the networks")
    batch_size: int = setting(
        1, ge=1, unit="keyframes", doc="waiting ones of equal size pass g_s together; the last bits may then differ"
    )

    def validate(self) -> None:
        self.lost, self.erased = 0, 0
        if (self.height is None) != (self.width is None):
            raise SettingError(f"NtsccDecoder takes height and width, or neither; got {self.height} and {self.width}")

    def start(self) -> None:
        self.lost, self.erased = 0, 0
        self._codec = _codec(self.weights, self.device)

    def work_batch(self, received: list[Received], side: list[Payload]) -> list[Keyframe]:
        known = [
            self._latents(s.data, r) if s.data and not s.lost else None for r, s in zip(received, side, strict=True)
        ]
        pictures = iter(self._codec.synthesise([k for k in known if k is not None]))
        keyframes = []
        for payload, latents in zip(side, known, strict=True):
            pixels = None if latents is None else next(pictures)
            keyframes.append(Keyframe(payload.index, pixels, lost=pixels is None))
        self.lost += sum(k.lost for k in keyframes)
        return keyframes

    def _latents(self, data: bytes, received: Received) -> Latents | None:
        symbols, noise = equalised(received)
        try:
            size = None if self.height is None or self.width is None else (self.height, self.width)
            latents = self._codec.latents(data, symbols, noise, size)
        except ValueError:
            return None
        self.erased += int(np.sum(~np.isfinite(symbols) | ~np.isfinite(noise)))
        return latents


def equalised(received: Received) -> tuple[np.ndarray, np.ndarray]:
    """Symbols with unit gain and their noise variances; a gain of zero gives infinite noise variance."""
    shape = received.symbols.shape
    gain = np.broadcast_to(np.asarray(received.gain, np.complex128), shape)
    noise = np.broadcast_to(np.asarray(received.noise_variance, float), shape)
    power = np.square(np.abs(gain))
    with np.errstate(divide="ignore", invalid="ignore"):
        symbols = np.where(power > 0, received.symbols / gain, 0)
        return symbols, np.where(power > 0, noise / power, np.inf)


def _codec(weights: str, device: str) -> NtsccCodec:
    torch = import_extra("torch", "NTSCC", "models", "torch")
    from lgvsc_flow.blocks.ntscc.codec import NtsccCodec

    try:
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise ModelError(f"NTSCC cannot use the device {device!r}: {str(error).splitlines()[0]}") from error
    return NtsccCodec(weights if weights == "embedded" else Path(weights), device)
