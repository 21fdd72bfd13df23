"""The keyframe codec: a picture to side information and channel symbols, and back. It knows no graph and no link.

Everything the receiver needs is in the payload and the symbols: sizes, number of symbols, design SNR, power scale and
the hyperprior z. Which latents were sent and with how much power both ends derive from z, so no rate map is sent. h_s
runs in float64 at both ends, so that rounding never decides differently about a latent; check bytes would tell, and
tell weights of another file from the right ones.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from lgvsc_flow.blocks.ntscc.allocation import STEPS_PER_NEPER
from lgvsc_flow.blocks.ntscc.corrections import corrected, correction_planes, with_planes
from lgvsc_flow.blocks.ntscc.entropy import LARGEST, decode_integers, encode_integers
from lgvsc_flow.blocks.ntscc.exact import ExactHyperSynthesis
from lgvsc_flow.blocks.ntscc.header import (
    POWER_FLOOR,
    POWER_STEPS,
    SideInformation,
)
from lgvsc_flow.blocks.ntscc.inputs import ERASED, LARGEST_PICTURE, check_pixels, usable_symbols
from lgvsc_flow.blocks.ntscc.nets import level_for
from lgvsc_flow.blocks.ntscc.plan import TRAINED_SNR_DB, Plan, plan
from lgvsc_flow.blocks.ntscc.precision import synthesis_dtype, usable_device, with_synthesis_in
from lgvsc_flow.blocks.ntscc.rate import bits_per_symbol
from lgvsc_flow.blocks.ntscc.target import LEAST_SHARE, Rate
from lgvsc_flow.blocks.ntscc.together import together
from lgvsc_flow.blocks.ntscc.transform import BLOCK
from lgvsc_flow.blocks.ntscc.weights_file import EMBEDDED, NOMINAL_CBR, Weights, load_weights


class BurstError(ValueError):
    """The side information is whole, but the burst cannot belong to it."""


class OtherWeightsError(ValueError):
    """The side information was made with other weights than the decoder's."""


class Latents(NamedTuple):
    """The latents of one picture at the receiver: mean and variance [1, M, rows, columns], and the picture's size.

    `erased` counts the symbols that could not be used, of `symbols` in all.
    """

    y_hat: Tensor
    variance: Tensor
    height: int
    width: int
    erased: int = 0
    symbols: int = 0


class NtsccCodec:
    """Nonlinear transform source-channel coding of single pictures.

    Args:
        weights: a safetensors file, or "embedded" for the one that ships with the package.
        device: a torch device for the networks; the same input gives the same symbols on one device.
        dtype: number type of the learned branch of g_s: `float32`, `bfloat16`, or `auto`, which is bfloat16 on a CPU
            with instructions for it and float32 elsewhere. Pixels differ by one level at most.

    Raises:
        ModelError: the weights are missing or damaged, or the device cannot be used.
        ValueError: there is no such dtype.
    """

    def __init__(self, weights: str | Path | Weights = EMBEDDED, device: str = "cpu", dtype: str = "auto"):
        self.device = usable_device(device)
        self.dtype = synthesis_dtype(dtype, self.device)
        loaded = weights if isinstance(weights, Weights) else load_weights(weights)
        self._exact = ExactHyperSynthesis(loaded.net)
        self.net = with_synthesis_in(loaded.net.to(self.device), self.dtype)
        self._channels = loaded.net.settings.channels
        self.tables, self._log_thresholds, self._check = loaded.tables, loaded.log_thresholds, loaded.check

    def encode(
        self,
        pixels: np.ndarray,
        snr_db: float,
        *,
        target_cbr: float | None = 0.03,
        quality: float | None = None,
        fading: bool = False,
        link_snr_db: float | None = None,
    ) -> tuple[bytes, np.ndarray]:
        """Code one picture; see `encode_batch`."""
        return self.encode_batch(
            [pixels], snr_db, target_cbr=target_cbr, quality=quality, fading=fading, link_snr_db=link_snr_db
        )[0]

    @torch.inference_mode()
    def encode_batch(
        self,
        pictures: Sequence[np.ndarray],
        snr_db: float,
        *,
        target_cbr: float | None = 0.03,
        quality: float | None = None,
        fading: bool = False,
        link_snr_db: float | None = None,
    ) -> list[tuple[bytes, np.ndarray]]:
        """Code pictures for a channel of Es/N0 = snr_db; on a GPU those of equal size pass g_a together.

        Args:
            pictures: uint8 [height, width, 3], RGB.
            snr_db: design SNR; the receiver may meet another.
            target_cbr: channel symbols per colour sample, the side information's share of the digital link included.
                Symbols get what that leaves. Where it is less than a quarter of the target, coarser hyperpriors are
                tried; if nothing is left even then, the shortest and one symbol are sent, which is above the target.
            quality: instead of a target, a threshold on the entropy of a latent: the rate follows the content. A
                picture of average content takes a CBR of 0.01 * quality.
            fading: the digital link is designed for block Rayleigh fading; the side information costs more then.
            link_snr_db: Es/N0 that the digital link is designed for, None for `snr_db`. A lower one keeps the side
                information down to worse channels, and costs more.

        Returns:
            For each picture the payload for the digital link, and complex64 symbols of unit average power.

        Raises:
            ValueError: pixels of another shape or type, or a rate or an SNR out of range.
        """
        for pixels in pictures:
            check_pixels(pixels)
        rate = Rate.of(target_cbr, quality, snr_db, fading, link_snr_db)
        design = min(max(rate.design_db, TRAINED_SNR_DB[0]), TRAINED_SNR_DB[1])
        cbr = min(max(rate.cbr, NOMINAL_CBR[0]), NOMINAL_CBR[-1])
        analyse = lambda x: self.net.analyse(x, cbr, design).contiguous()  # noqa: E731
        latents = together(analyse, [(self._padded(pixels),) for pixels in pictures])
        return [self._encode(p.shape[0], p.shape[1], y, rate) for p, y in zip(pictures, latents, strict=True)]

    def _padded(self, pixels: np.ndarray) -> Tensor:
        height, width = pixels.shape[:2]
        x = torch.from_numpy(pixels.copy()).to(self.device).permute(2, 0, 1)[None].float() / 255
        return functional.pad(x, (0, -width % BLOCK, 0, -height % BLOCK), mode="replicate")

    def _encode(self, height: int, width: int, y: Tensor, rate: Rate) -> tuple[bytes, np.ndarray]:
        symbols, level, (mean, log_sigma), hyperprior = self._fitting_hyperprior(height, width, y, rate)
        if rate.by_content:
            threshold = np.interp(math.log(rate.cbr), np.log(NOMINAL_CBR), self._log_thresholds)
            steps = torch.round(self.net.worth(log_sigma) * STEPS_PER_NEPER)
            symbols = math.ceil(int((steps >= round(threshold * STEPS_PER_NEPER)).sum()) / 2)
        symbols = min(max(symbols, 1), log_sigma.numel() // 2)

        made = self._plan(mean, log_sigma, symbols, rate.design_db)
        whitened = (y - made.mean) / made.log_sigma.exp()
        sent = self.net.channel_encode(whitened, made.amplitude, made.log_sigma, made.log_theta, made.mask, made.snr)
        dimensions = sent.reshape(-1)[made.chosen].cpu().double().numpy()
        rms = float(np.sqrt(np.mean(np.square(dimensions))))
        power_code = POWER_STEPS * (math.log2(max(rms, 1e-9)) - POWER_FLOOR)
        if rms > 1e-9:
            dimensions /= rms
        else:  # nothing to say: any unit-power burst does
            dimensions = np.resize([1.0, -1.0], dimensions.size)
        side = SideInformation(
            *(height, width, symbols, level, rate.snr_code),
            power_code=min(65535, max(0, round(power_code))),
            weights_check=self._check >> 8,
            selection_check=made.check,
            hyperprior=hyperprior,
        )
        pairs = dimensions.reshape(-1, 2) / math.sqrt(2)
        return side.pack(), (pairs[:, 0] + 1j * pairs[:, 1]).astype(np.complex64)

    def _fitting_hyperprior(
        self, height: int, width: int, y: Tensor, rate: Rate
    ) -> tuple[int, int, tuple[Tensor, Tensor], bytes]:
        """What a target leaves for symbols, the level of z, mean and log deviation that result, and z as bytes.

        The level is the one that suits the rate. Where that leaves the symbols less than `LEAST_SHARE` of a target, it
        is the finest that leaves them as much, or else the finest of those that leave most.
        """
        best = None
        for level in range(level_for(rate.cbr, bits_per_symbol(rate.link_db, fading=rate.fading)), -1, -1):
            t = self.net.hyper_analyse(y, torch.tensor([level], device=self.device))
            q = t.round().clamp(-LARGEST, LARGEST)[0].cpu().numpy().astype(np.int32)
            mean, log_sigma = self._exact(q, level, *y.shape[2:])
            shapes, tables = correction_planes(level, *y.shape[2:])
            about = 2 * round(rate.total(height, width))
            steps = corrected(self.net, y.cpu() - mean, log_sigma, level, about).planes
            planes = [s.numpy().astype(np.int32).reshape(shape) for s, shape in zip(steps, shapes, strict=True)]
            hyperprior = encode_integers([*planes, *q], [*tables, *self.tables[level]])
            symbols = rate.symbols(height, width, len(hyperprior))
            if best is None or symbols > best[0]:
                best = symbols, level, (mean, with_planes(self._channels, log_sigma, planes)), hyperprior
            if rate.by_content or symbols >= LEAST_SHARE * rate.total(height, width):
                break
        assert best is not None  # there is at least level 0
        return best

    def _plan(self, mean: Tensor, log_sigma: Tensor, symbols: int, design_db: float) -> Plan:
        return plan(self.net, mean, log_sigma, 2 * symbols, design_db, self._check)

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
                is erased. Symbols that are not finite, and NaN or negative variances, count as erased too. Less than
                0.02 (17 dB) is taken for 0.02, which is where training ends.
            size: height and width that the picture must have, None for any up to 2^25 pixels.

        Returns:
            uint8 [height, width, 3].

        Raises:
            BurstError: the burst has another length than announced.
            OtherWeightsError: the encoder used other weights.
            ValueError: (of which both are) the payload is damaged, or announces another size.
        """
        return self.synthesise([self.latents(payload, symbols, noise_variance, size)])[0]

    @torch.inference_mode()
    def latents(
        self,
        payload: bytes,
        symbols: np.ndarray | None,
        noise_variance: np.ndarray | float = math.inf,
        size: tuple[int, int] | None = None,
    ) -> Latents:
        """The first half of `decode`: what the receiver knows of the latents, and how well.

        Without symbols (None) that is what the hyperprior alone says.
        """
        side = SideInformation.unpack(payload)
        if side.weights_check != self._check >> 8:
            raise OtherWeightsError(
                "keyframe side information was made with other weights; both ends must use the same"
            )
        if side.height * side.width > LARGEST_PICTURE or size not in (None, (side.height, side.width)):
            expected = f"{size[1]}x{size[0]}" if size else f"at most {LARGEST_PICTURE}"
            raise ValueError(f"keyframe of {side.width}x{side.height} pixels announced, expected {expected}")
        rows, columns = -(-side.height // BLOCK), -(-side.width // BLOCK)
        if side.level >= len(self.tables) or not 1 <= side.symbols <= rows * columns * self.net.settings.m // 2:
            raise ValueError(
                f"keyframe side information announces level {side.level} and {side.symbols} symbols for "
                f"{side.width}x{side.height} pixels; these weights cannot have made it"
            )
        burst, noise, erased = np.zeros(0), np.zeros(0), side.symbols
        if symbols is not None:
            try:
                burst, noise, erased = usable_symbols(symbols, noise_variance, side.symbols)
            except ValueError as error:
                raise BurstError(str(error)) from None
        shapes, tables = correction_planes(side.level, rows, columns)
        z_shapes = [(-(-rows // 2), -(-columns // 2))] * self.net.settings.z_channels
        planes = decode_integers(side.hyperprior, [*shapes, *z_shapes], [*tables, *self.tables[side.level]])
        mean, log_sigma = self._exact(np.stack(planes[len(shapes) :]), side.level, rows, columns)
        log_sigma = with_planes(self._channels, log_sigma, planes[: len(shapes)])
        made = self._plan(mean, log_sigma, side.symbols, side.snr_db)
        if made.check != side.selection_check:
            raise OtherWeightsError("encoder and decoder chose different latents; both ends must use the same weights")

        observed, spread = torch.zeros(made.mask.numel()), torch.full((made.mask.numel(),), ERASED)
        if symbols is not None:
            chosen = made.chosen.cpu()
            dimensions = np.stack([burst.real, burst.imag], 1).ravel() * (math.sqrt(2) * side.rms)
            observed[chosen] = torch.from_numpy(dimensions.astype(np.float32))
            noise = np.where(noise < ERASED, noise * side.rms**2, ERASED)
            spread[chosen] = torch.from_numpy(noise.repeat(2).astype(np.float32))
        u_hat, variance = self.net.channel_decode(
            observed.view(made.mask.shape).to(self.device),
            spread.view(made.mask.shape).to(self.device),
            *(made.amplitude, made.log_sigma, made.log_theta, made.mask, made.snr),
        )
        return Latents(made.mean + u_hat, variance, side.height, side.width, erased, side.symbols)

    @torch.inference_mode()
    def prior(self, height: int, width: int) -> Latents:
        """What is known of a picture of which nothing came: mean and variance of every latent over all pictures."""
        shape = (1, self.net.settings.m, -(-height // BLOCK), -(-width // BLOCK))
        mean, std = (t.view(1, -1, 1, 1).expand(shape) for t in (self.net.y_mean, self.net.y_std))
        return Latents(mean, std.square(), height, width)

    @torch.inference_mode()
    def synthesise(self, latents: Sequence[Latents]) -> list[np.ndarray]:
        """The second half of `decode`, g_s, for several pictures; on a GPU those of equal size pass together."""
        pictures = together(self.net.synthesise, [(known.y_hat, known.variance) for known in latents])
        cropped = [x[0, :, : known.height, : known.width] for x, known in zip(pictures, latents, strict=True)]
        grey = [(x.nan_to_num(0.5).clamp(0, 1) * 255).round().to(torch.uint8) for x in cropped]
        return [x.permute(1, 2, 0).cpu().numpy().copy() for x in grey]


def payload_symbols(payload: bytes) -> int:
    """Length of the burst that a payload announces, in complex symbols.

    Raises:
        ValueError: the payload is damaged.
    """
    return SideInformation.unpack(payload).symbols
