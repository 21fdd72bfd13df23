"""Entropy coding of the hyperprior: integers q to bytes and back, with integer tables that both ends share.

The tables are part of the weights: whole-number frequencies, fixed once after training, so that no floating point
result of either machine decides what a byte means.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

from lgvsc_flow.models import import_extra

if TYPE_CHECKING:
    from lgvsc_flow.blocks.ntscc.hyper import Prior

LARGEST = 63  # q lies in -63 .. 63
TOTAL = 1 << 16


def integer_tables(prior: Prior) -> np.ndarray:
    """Frequencies of q = -63..63 per level and channel: int32 [levels, channels, 127], each row sums to 65536."""
    import torch

    with torch.inference_mode():
        means, scales = prior.means.double(), prior.log_scales.double().clamp(-4, 4).exp()
        shares = torch.softmax(prior.logits.double(), -1)
        q = torch.arange(-LARGEST, LARGEST + 1, dtype=torch.float64).view(1, 1, -1, 1)
        t, scales, shares = q - means[:, :, None], scales[:, :, None], shares[:, :, None]
        mass = ((torch.sigmoid((t + 0.5) / scales) - torch.sigmoid((t - 0.5) / scales)) * shares).sum(-1).numpy()
    free = TOTAL - mass.shape[-1]  # every value keeps a frequency of at least 1
    exact = mass / mass.sum(-1, keepdims=True) * free
    tables = np.floor(exact).astype(np.int32)
    largest = exact.argmax(-1)
    missing = free - tables.sum(-1)
    np.put_along_axis(
        tables, largest[..., None], np.take_along_axis(tables, largest[..., None], -1) + missing[..., None], -1
    )
    return tables + 1


def encode_integers(q: np.ndarray | Sequence[np.ndarray], tables: np.ndarray | Sequence[np.ndarray]) -> bytes:
    """Range-code planes of integers (int32, within -63..63, of any shapes), one after the other."""
    coder = import_extra("constriction", "the NTSCC hyperprior", "models", "constriction")
    encoder = coder.stream.queue.RangeEncoder()
    for plane, table in zip(q, tables, strict=True):
        symbols = np.ascontiguousarray(plane.ravel() + LARGEST, dtype=np.int32)
        encoder.encode(symbols, _model(coder, table))
    return encoder.get_compressed().astype("<u4").tobytes().rstrip(b"\0")


def decode_integers(
    data: bytes, shapes: Sequence[tuple[int, ...]], tables: np.ndarray | Sequence[np.ndarray]
) -> list[np.ndarray]:
    """The inverse of `encode_integers` for planes of these shapes.

    Raises:
        ValueError: the bytes are no such code.
    """
    coder = import_extra("constriction", "the NTSCC hyperprior", "models", "constriction")
    words = np.frombuffer(data + b"\0" * (-len(data) % 4), "<u4").astype(np.uint32)
    decoder = coder.stream.queue.RangeDecoder(words)
    planes = []
    try:
        for shape, table in zip(shapes, tables, strict=True):
            symbols = decoder.decode(_model(coder, table), math.prod(shape))
            planes.append(symbols.astype(np.int32).reshape(shape) - LARGEST)
    except (AssertionError, ValueError) as error:
        raise ValueError(f"the hyperprior's {len(data)} bytes are no valid range code") from error
    return planes


def _model(coder: ModuleType, table: np.ndarray) -> Any:
    return coder.stream.model.Categorical((table / np.float32(TOTAL)).astype(np.float32), perfect=False)
