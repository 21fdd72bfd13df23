"""Which kinds of latents are worth more than their deviation says: found by trying, since choosing has no gradient.

The K latents of largest worth are sent, and worth is ln(sigma) plus a preference per latent that is part of the
weights. What a picture gains from a sent latent depends on what g_s can guess without it, so no formula gives the
preference: it is moved band by band while the same crops meet the same noise, and kept where ln(MSE) falls.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from lgvsc_flow.blocks.ntscc.nets import NtsccNet, level_for
from lgvsc_flow.blocks.ntscc.rate import bits_per_symbol
from lgvsc_flow.blocks.ntscc.simulate import LinkDraw, dimensions_for, simulate
from lgvsc_flow.blocks.ntscc.spectrum import BANDS, band_of

CONDITIONS = ((0.02, 10.0), (0.04, 10.0), (0.07, 10.0), (0.03, 3.0))  # (CBR, SNR in dB) that count
FIRST_STEP, LEAST_STEP = 0.15, 0.05  # nepers
BATCHES = 3  # looked at for one decision


class Tuned(NamedTuple):
    """A preference [M] in nepers, and ln(MSE) on crops that decided nothing, before and after."""

    preference: Tensor
    before: float
    after: float


@torch.inference_mode()
def tune_preference(
    net: NtsccNet,
    batches: Sequence[np.ndarray],
    *,
    groups: int = 2,
    conditions: Sequence[tuple[float, float]] = CONDITIONS,
    passes: int = 2,
    seed: int = 0,
    note: Callable[[str], None] = lambda line: None,
) -> Tuned:
    """Descend on the preference of every frequency band, one after the other; the network keeps what it had.

    Args:
        net: on the CPU.
        batches: uint8 [B, 3, H, W], each `groups` pictures; the last quarter is kept for the final comparison.
        conditions: pairs of CBR and SNR in dB that count alike.
        passes: how often every band is tried.
        note: told one line per pass.

    Raises:
        ValueError: fewer than four batches.
    """
    if len(batches) < 4:
        raise ValueError(f"tuning a preference takes at least 4 batches of crops, got {len(batches)}")
    pixels = [torch.from_numpy(b).float() / 255 for b in batches]
    learning = pixels[: -(len(pixels) // 4)]
    kept, band = net.preference.clone(), band_of(net.settings.channels)
    rng, delta, step = np.random.default_rng(seed), torch.zeros(BANDS), torch.full((BANDS,), FIRST_STEP)

    def cost(change: Tensor, chosen: Sequence[Tensor], noise: int) -> float:
        net.preference.copy_(kept + change[band])
        return float(np.mean([_log_mse(net, x, groups, conditions, noise + n) for n, x in enumerate(chosen)]))

    rest = pixels[len(learning) :]
    try:
        before = cost(delta, rest, 0)
        for number in range(passes):
            for b in rng.permutation(BANDS):
                chosen = [learning[i] for i in rng.integers(len(learning), size=BATCHES)]
                noise = int(rng.integers(1 << 30))
                move = torch.zeros(BANDS)
                move[b] = step[b]
                here, up, down = (cost(delta + sign * move, chosen, noise) for sign in (0, 1, -1))
                # The lowest point of the parabola through the three, at most one step away.
                bend = max(up + down - 2 * here, 0.5 * abs(up - down), 1e-6)
                delta[b] += step[b] * float(np.clip(0.5 * (down - up) / bend, -1, 1))
                step[b] = max(LEAST_STEP, 0.7 * float(step[b]))
            after = cost(delta, rest, 0)
            note(f"pass {number + 1}: {10 / np.log(10) * (before - after):+.3f} dB on crops that decided nothing")
        after = cost(delta, rest, 0)
    finally:
        net.preference.copy_(kept)
    return Tuned(kept + delta[band] if after < before else kept, before, min(after, before))


def _log_mse(net: NtsccNet, x: Tensor, groups: int, conditions: Sequence[tuple[float, float]], seed: int) -> float:
    crops, height, width = len(x) // groups, x.shape[2], x.shape[3]
    total = 0.0
    for number, (cbr, snr_db) in enumerate(conditions):
        dimensions = dimensions_for(cbr, height, width, net.settings.m, crops)
        noise = torch.tensor(10 ** (-snr_db / 10))
        draw = LinkDraw(dimensions, level_for(cbr, bits_per_symbol(snr_db)), snr_db, cbr, noise)
        out = simulate(net, x, [draw] * groups, torch.Generator().manual_seed(seed * 64 + number))
        total += out.mse.log().mean().item()
    return total / len(conditions)
