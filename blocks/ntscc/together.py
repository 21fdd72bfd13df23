"""Calls of a network for several inputs at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

__all__ = ["stacked", "together"]


def together(function: Callable[..., Tensor], arguments: Sequence[tuple[Tensor, ...]]) -> list[Tensor]:
    """`function` of each tuple of tensors [1, ...]; on a GPU tuples of equal shapes are stacked for one call.

    On a CPU stacking gains nothing, and the kernel that a library takes may depend on it: there each goes alone, so
    that what waits together changes no bit.
    """
    if all(t.device.type == "cpu" for tensors in arguments for t in tensors):
        return [function(*tensors) for tensors in arguments]
    return stacked(function, arguments)


def stacked(function: Callable[..., Tensor], arguments: Sequence[tuple[Tensor, ...]]) -> list[Tensor]:
    """The same on any device: tuples of equal shapes are one call."""
    groups: dict[tuple[torch.Size, ...], list[int]] = {}
    for number, tensors in enumerate(arguments):
        groups.setdefault(tuple(t.shape for t in tensors), []).append(number)
    results: dict[int, Tensor] = {}
    for numbers in groups.values():
        out = function(*(torch.cat(t) for t in zip(*(arguments[n] for n in numbers), strict=True)))
        results.update(zip(numbers, out.split(1), strict=True))
    return [results[number] for number in range(len(arguments))]
