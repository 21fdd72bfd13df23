"""g_s in bfloat16 where the device is fast at it: half the time, pixels within one grey level.

g_a stays in float32: rounding there would now and then decide otherwise about an integer of z.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from lgvsc_flow.blocks.ntscc.nets import NtsccNet
from lgvsc_flow.errors import ModelError

DTYPES = ("auto", "float32", "bfloat16")


def usable_device(name: str) -> torch.device:
    """The torch device of that name.

    Raises:
        ModelError: it cannot be used here.
    """
    try:
        torch.zeros(1, device=name)
        return torch.device(name)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0].rstrip(".")
        raise ModelError(f"NTSCC cannot use the device {name!r}: {reason}. Use device='cpu'") from error


def synthesis_dtype(name: str, device: torch.device) -> torch.dtype:
    """What `auto`, `float32` or `bfloat16` means on a device; `auto` is bfloat16 on a CPU with instructions for it.

    Raises:
        ValueError: it is none of the three.
    """
    if name not in DTYPES:
        raise ValueError(f"dtype={name!r} is none of {', '.join(DTYPES)}")
    if name != "auto":
        return torch.bfloat16 if name == "bfloat16" else torch.float32
    # the dot product instruction itself: without it bfloat16 is emulated and slower than float32
    ask: Callable[[], dict[str, Any]] = getattr(torch.cpu, "get_capabilities", dict)  # not in older releases of torch
    return torch.bfloat16 if device.type == "cpu" and ask().get("avx512_bf16") else torch.float32


class HalfBranch(nn.Module):
    """A network run in bfloat16 with channels last; its inputs and output are float32."""

    def __init__(self, branch: nn.Module):
        super().__init__()
        self.branch = copy.deepcopy(branch).to(torch.bfloat16)
        for parameter in self.branch.parameters():
            if parameter.dim() == 4:
                parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)

    def forward(self, *inputs: Tensor) -> Tensor:
        out: Tensor = self.branch(*(_half(x) for x in inputs))
        return out.float().contiguous()


def _half(x: Tensor) -> Tensor:
    return x.to(torch.bfloat16, memory_format=torch.channels_last if x.dim() == 4 else torch.preserve_format)


def with_synthesis_in(net: NtsccNet, dtype: torch.dtype) -> NtsccNet:
    """The network with the learned branch of g_s in `dtype`; all else is shared with `net`."""
    if dtype == torch.float32:
        return net
    view = copy.copy(net)
    view._modules = {**net._modules, "g_s": HalfBranch(net.g_s)}
    return view
