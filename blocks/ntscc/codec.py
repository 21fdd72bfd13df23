"""The keyframe codec: a picture to side information and channel symbols, and back. It knows no graph and no link.

Everything the receiver needs is in the payload and the symbols: sizes, number of symbols, design SNR, power scale and
the hyperprior z. Which latents were sent and with how much power both ends derive from z, so no rate map is sent. h_s
runs in float64 at both ends, so that rounding never decides differently about a latent; a check byte would tell.
"""

from __future__ import annotations

import binascii
import copy
import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from lgvsc_flow.blocks.ntscc.allocation import STEPS_PER_NEPER, select
from lgvsc_flow.blocks.ntscc.entropy import LARGEST, decode_integers, encode_integers
from lgvsc_flow.blocks.ntscc.header import (
    LARGEST_SIDE,
    POWER_FLOOR,
    POWER_STEPS,
    SNR_FLOOR_DB,
    SNR_STEPS,
    SideInformation,
    snr_code,
)
from lgvsc_flow.blocks.ntscc.nets import level_for
from lgvsc_flow.blocks.ntscc.rate import bits_per_symbol, digital_symbols
from lgvsc_flow.blocks.ntscc.simulate import power_map
from lgvsc_flow.blocks.ntscc.together import together
from lgvsc_flow.blocks.ntscc.transform import BLOCK
from lgvsc_flow.blocks.ntscc.weights_file import EMBEDDED, NOMINAL_CBR, Weights, load_weights

LARGEST_PICTURE = 1 << 26  # pixels that a payload may announce
ERASED = 1e6  # noise variance that stands for "nothing came"
TRAINED_SNR_DB = (-2.0, 14.0)


class _Plan(NamedTuple):
    """What both ends derive from the hyperprior and the header."""

    mean: Tensor
    log_sigma: Tensor
    chosen: Tensor
    mask: Tensor
    log_theta: Tensor
    amplitude: Tensor
    snr: Tensor
    check: int


class Latents(NamedTuple):
    """The latents of one picture at the receiver: mean and variance [1, M, rows, columns], and the picture's size."""

    y_hat: Tensor
    variance: Tensor
    height: int
    width: int


class NtsccCodec:
    """Nonlinear transform source-channel coding of single pictures.

    Args:
        weights: a safetensors file, or "embedded" for the one that ships with the package.
        device: a torch device for the networks; the same input gives the same symbols on one device.

    Raises:
        ModelError: the weights are missing or damaged.
    """

    def __init__(self, weights: str | Path | Weights = EMBEDDED, device: str = "cpu"):
        loaded = weights if isinstance(weights, Weights) else load_weights(weights)
        self.device = torch.device(device)
        self.net = loaded.net.to(self.device)
        self.tables, self._log_thresholds = loaded.tables, loaded.log_thresholds
        # The hyper synthesis stays on the CPU in double precision: both ends must reach the same decisions.
        self._exact = copy.deepcopy(self.net).cpu().double()

    def encode(
        self, pixels: np.ndarray, snr_db: float, *, target_cbr: float | None = 0.03, quality: float | None = None
    ) -> tuple[bytes, np.ndarray]:
        """Code one picture; see `encode_batch`."""
        return self.encode_batch([pixels], snr_db, target_cbr=target_cbr, quality=quality)[0]

    @torch.inference_mode()
    def encode_batch(
        self,
        pictures: Sequence[np.ndarray],
        snr_db: float,
        *,
        target_cbr: float | None = 0.03,
        quality: float | None = None,
    ) -> list[tuple[bytes, np.ndarray]]:
        """Code pictures for a channel of Es/N0 = snr_db; those of equal size pass g_a together.

        Args:
            pictures: uint8 [height, width, 3], RGB.
            snr_db: design SNR; the receiver may meet another.
            target_cbr: channel symbols per colour sample, the side information's share of the digital link included.
            quality: instead of a target, a threshold on the entropy of a latent: the rate follows the content. A
                picture of average content takes a CBR of 0.01 * quality.

        Returns:
            For each picture the payload for the digital link, and complex64 symbols of unit average power.

        Raises:
            ValueError: pixels of another shape or type, or a rate or an SNR out of range.
        """
        for pixels in pictures:
            _check_pixels(pixels)
        if not math.isfinite(snr_db):
            raise ValueError(f"snr_db must be a number, got {snr_db}")
        nominal = _nominal_cbr(target_cbr, quality)
        code = snr_code(snr_db)
        design = min(max(SNR_FLOOR_DB + code / SNR_STEPS, TRAINED_SNR_DB[0]), TRAINED_SNR_DB[1])
        cbr = min(max(nominal, NOMINAL_CBR[0]), NOMINAL_CBR[-1])
        analyse = lambda x: self.net.analyse(x, cbr, design).contiguous()  # noqa: E731
        latents = together(analyse, [(self._padded(pixels),) for pixels in pictures])
        return [self._encode(p, y, code, nominal, quality) for p, y in zip(pictures, latents, strict=True)]

    def _padded(self, pixels: np.ndarray) -> Tensor:
        height, width = pixels.shape[:2]
        x = torch.from_numpy(pixels.copy()).to(self.device).permute(2, 0, 1)[None].float() / 255
        return functional.pad(x, (0, -width % BLOCK, 0, -height % BLOCK), mode="replicate")

    def _encode(
        self, pixels: np.ndarray, y: Tensor, code: int, nominal: float, quality: float | None
    ) -> tuple[bytes, np.ndarray]:
        height, width = pixels.shape[:2]
        design = SNR_FLOOR_DB + code / SNR_STEPS
        level = level_for(nominal, bits_per_symbol(design))
        level_tensor = torch.tensor([level], device=self.device)
        q = self.net.hyper_analyse(y, level_tensor).round().clamp(-LARGEST, LARGEST)[0].cpu().numpy().astype(np.int32)
        hyperprior = encode_integers(q, self.tables[level])

        rows, columns = y.shape[2:]
        mean, log_sigma = self._hyper(q, level, rows, columns)
        most = log_sigma.numel() // 2
        if quality is not None:
            threshold = np.interp(math.log(nominal), np.log(NOMINAL_CBR), self._log_thresholds)
            steps = torch.round(log_sigma * STEPS_PER_NEPER)
            symbols = math.ceil(int((steps >= round(threshold * STEPS_PER_NEPER)).sum()) / 2)
        else:
            header_bytes = 14
            symbols = round(nominal * pixels.size) - digital_symbols(header_bytes + len(hyperprior), design)
        symbols = min(max(symbols, 1), most)

        plan = self._plan(mean, log_sigma, 2 * symbols, design)
        whitened = (y - plan.mean) / plan.log_sigma.exp()
        sent = self.net.channel_encode(whitened, plan.amplitude, plan.log_sigma, plan.log_theta, plan.mask, plan.snr)
        dimensions = sent.reshape(-1)[plan.chosen].cpu().double().numpy()
        rms = float(np.sqrt(np.mean(np.square(dimensions))))
        power_code = POWER_STEPS * (math.log2(max(rms, 1e-9)) - POWER_FLOOR)
        if rms > 1e-9:
            dimensions /= rms
        else:  # nothing to say: any unit-power burst does
            dimensions = np.resize([1.0, -1.0], dimensions.size)
        side = SideInformation(
            height, width, symbols, level, code, min(65535, max(0, round(power_code))), plan.check, hyperprior
        )
        pairs = dimensions.reshape(-1, 2) / math.sqrt(2)
        return side.pack(), (pairs[:, 0] + 1j * pairs[:, 1]).astype(np.complex64)

    @torch.inference_mode()
    def decode(
        self,
        payload: bytes,
        symbols: np.ndarray,
        noise_variance: np.ndarray | float,
        size: tuple[int, int] | None = None,
    ) -> np.ndarray:
        """The picture from what came through the channel.

        Args:
            payload: side information, as `encode` gave it.
            symbols: complex [n], equalised: sent symbol plus noise.
            noise_variance: variance of the complex noise of every symbol, [n] or one for all; infinite where a symbol
                is erased. A symbol that is not finite counts as erased.
            size: height and width that the picture must have, None for any up to 2^26 pixels.

        Returns:
            uint8 [height, width, 3].

        Raises:
            ValueError: the payload is damaged, or announces another size or length than that of picture and burst.
        """
        return self.synthesise([self.latents(payload, symbols, noise_variance, size)])[0]

    @torch.inference_mode()
    def latents(
        self,
        payload: bytes,
        symbols: np.ndarray,
        noise_variance: np.ndarray | float,
        size: tuple[int, int] | None = None,
    ) -> Latents:
        """The first half of `decode`: what the receiver knows of the latents, and how well."""
        side = SideInformation.unpack(payload)
        if side.height * side.width > LARGEST_PICTURE or size not in (None, (side.height, side.width)):
            expected = f"{size[1]}x{size[0]}" if size else f"at most {LARGEST_PICTURE}"
            raise ValueError(f"keyframe of {side.width}x{side.height} pixels announced, expected {expected}")
        received, noise = _received(symbols, noise_variance, side.symbols)
        rows, columns = -(-side.height // BLOCK), -(-side.width // BLOCK)
        if side.level >= len(self.tables) or not 1 <= side.symbols <= rows * columns * self.net.settings.m // 2:
            raise ValueError(
                f"keyframe side information announces level {side.level} and {side.symbols} symbols for "
                f"{side.width}x{side.height} pixels; these weights cannot have made it"
            )
        shape = (self.net.settings.z_channels, -(-rows // 2), -(-columns // 2))
        q = decode_integers(side.hyperprior, shape, self.tables[side.level])
        plan = self._plan(*self._hyper(q, side.level, rows, columns), 2 * side.symbols, side.snr_db)
        if plan.check != side.selection_check:
            raise ValueError("encoder and decoder chose different latents; both ends must use the same weights")

        power = side.rms**2
        dimensions = np.stack([received.real, received.imag], 1).ravel() * (math.sqrt(2) * side.rms)
        observed, spread = torch.zeros(plan.mask.numel()), torch.full((plan.mask.numel(),), ERASED)
        chosen = plan.chosen.cpu()
        observed[chosen] = torch.from_numpy(dimensions.astype(np.float32))
        spread[chosen] = torch.from_numpy((noise.repeat(2) * power).astype(np.float32))
        u_hat, variance = self.net.channel_decode(
            observed.view(plan.mask.shape).to(self.device),
            spread.view(plan.mask.shape).to(self.device),
            *(plan.amplitude, plan.log_sigma, plan.log_theta, plan.mask, plan.snr),
        )
        return Latents(plan.mean + u_hat, variance, side.height, side.width)

    @torch.inference_mode()
    def synthesise(self, latents: Sequence[Latents]) -> list[np.ndarray]:
        """The second half of `decode`, g_s, for several pictures; those of equal size pass together."""
        pictures = together(self.net.synthesise, [(known.y_hat, known.variance) for known in latents])
        cropped = [x[0, :, : known.height, : known.width] for x, known in zip(pictures, latents, strict=True)]
        return [(x.clamp(0, 1) * 255).round().to(torch.uint8).permute(1, 2, 0).cpu().numpy().copy() for x in cropped]

    def _hyper(self, q: np.ndarray, level: int, rows: int, columns: int) -> tuple[Tensor, Tensor]:
        """h_s in double precision: mean and log deviation, [1, M, rows, columns]."""
        q_tensor = torch.from_numpy(q)[None].double()
        return self._exact.hyper_synthesise(q_tensor, torch.tensor([level]), rows, columns)

    def _plan(self, mean: Tensor, log_sigma: Tensor, dimensions: int, design_snr_db: float) -> _Plan:
        chosen = select(log_sigma, dimensions)
        snr_db = min(max(design_snr_db, TRAINED_SNR_DB[0]), TRAINED_SNR_DB[1])
        mask = torch.zeros(log_sigma.shape)
        mask.view(-1)[chosen] = 1
        check = binascii.crc_hqx(np.packbits(mask.numpy().astype(bool)).tobytes(), 0) & 255
        log_theta = log_sigma.reshape(-1)[chosen].min().float().view(1, 1, 1, 1).to(self.device)
        power = power_map(log_sigma, chosen, 10 ** (-snr_db / 10)).float().to(self.device)
        snr = torch.tensor([snr_db], dtype=torch.float32, device=self.device)
        mean, log_sigma, mask = (t.float().to(self.device) for t in (mean, log_sigma, mask))
        amplitude = self.net.amplitude(log_sigma, log_theta, mask, power, snr)
        return _Plan(mean, log_sigma, chosen.to(self.device), mask, log_theta, amplitude, snr, check)


def payload_symbols(payload: bytes) -> int:
    """Length of the burst that a payload announces, in complex symbols.

    Raises:
        ValueError: the payload is damaged.
    """
    return SideInformation.unpack(payload).symbols


def _nominal_cbr(target_cbr: float | None, quality: float | None) -> float:
    nominal = 0.01 * quality if quality is not None else target_cbr
    if nominal is None:
        raise ValueError("give a target_cbr or a quality")
    if not 0.001 <= nominal <= 0.15:
        given = f"quality {quality}" if quality is not None else f"target_cbr {target_cbr}"
        raise ValueError(f"{given} is outside the range: target_cbr 0.001 to 0.15, quality 0.1 to 15")
    return nominal


def _check_pixels(pixels: np.ndarray) -> None:
    if not isinstance(pixels, np.ndarray) or pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3:
        got = f"{pixels.dtype} {list(pixels.shape)}" if isinstance(pixels, np.ndarray) else type(pixels).__name__
        raise ValueError(f"a keyframe is uint8 [height, width, 3] RGB, got {got}")
    if not (1 <= pixels.shape[0] <= LARGEST_SIDE and 1 <= pixels.shape[1] <= LARGEST_SIDE):
        raise ValueError(f"a keyframe has sides of 1 to {LARGEST_SIDE} pixels, got {pixels.shape[1]}x{pixels.shape[0]}")


def _received(symbols: np.ndarray, noise_variance: np.ndarray | float, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Symbols and noise variances, [count] each, with everything unusable turned into erasures."""
    symbols = np.asarray(symbols, np.complex128)
    if symbols.shape != (count,):
        raise ValueError(f"the burst has {symbols.size} symbols, its side information announces {count}")
    noise = np.broadcast_to(np.asarray(noise_variance, float), symbols.shape)
    usable = np.isfinite(symbols) & (noise >= 0) & (noise < ERASED)
    return np.where(usable, symbols, 0), np.where(usable, np.maximum(noise, 1e-6), ERASED)
