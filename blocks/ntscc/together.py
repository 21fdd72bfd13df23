"""Calls of a network for several inputs at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

__all__ = ["together"]


def together(function: Callable[..., Tensor], arguments: Sequence[tuple[Tensor, ...]]) -> list[Tensor]:
    """`function` of each tuple of tensors [1, ...]; tuples of equal shapes are stacked for one call."""
    groups: dict[tuple[torch.Size, ...], list[int]] = {}
    for number, tensors in enumerate(arguments):
        groups.setdefault(tuple(t.shape for t in tensors), []).append(number)
    results: dict[int, Tensor] = {}
    for numbers in groups.values():
        stacked = function(*(torch.cat(t) for t in zip(*(arguments[n] for n in numbers), strict=True)))
        results.update(zip(numbers, stacked.split(1), strict=True))
    return [results[number] for number in range(len(arguments))]
