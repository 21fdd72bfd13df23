"""RAFT as plain torch: recurrent all-pairs field transforms, optical flow from two pictures.

Both sizes of the paper. Parameter names and shapes are those of the checkpoints that torchvision publishes
(`raft_small_C_T_V2-01064c6d.pth`, `raft_large_C_T_SKHT_V2-ff5fadd5.pth` and their siblings, BSD-3-Clause), so that
they load as they are; torchvision itself is not needed.

Ref: Teed and Deng, "RAFT: Recurrent All-Pairs Field Transforms for Optical Flow", ECCV 2020.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["LARGE", "LEVELS", "SMALL", "SMALLEST", "Raft", "RaftShape", "convex_upsample", "correlation", "look_up"]

LEVELS = 4  # of the correlation pyramid
SMALLEST = 128  # pixels of a side: an eighth of it must be halved three times
_STRIDE = 8  # of the feature map


@dataclass(frozen=True)
class RaftShape:
    """What the two networks differ in; channels throughout.

    `features` and `context` are stem, three stages, output of the two encoders; `kernels` the recurrent units'.
    """

    features: tuple[int, int, int, int, int]
    context: tuple[int, int, int, int, int]
    bottleneck: bool
    context_norm: type[nn.Module] | None
    radius: int
    correlations: tuple[int, ...]
    flows: tuple[int, int]
    motion: int
    hidden: int
    kernels: tuple[tuple[int, int], ...]
    head: int
    mask: int  # channels of the upsampling's predictor; 0: bilinear


SMALL = RaftShape(
    features=(32, 32, 64, 96, 128),
    context=(32, 32, 64, 96, 160),
    bottleneck=True,
    context_norm=None,
    radius=3,
    correlations=(96,),
    flows=(64, 32),
    motion=82,
    hidden=96,
    kernels=((3, 3),),
    head=128,
    mask=0,
)
LARGE = RaftShape(
    features=(64, 64, 96, 128, 256),
    context=(64, 64, 96, 128, 256),
    bottleneck=False,
    context_norm=nn.BatchNorm2d,
    radius=4,
    correlations=(256, 192),
    flows=(128, 64),
    motion=128,
    hidden=128,
    kernels=((1, 5), (5, 1)),
    head=256,
    mask=256,
)


def _conv(
    inputs: int, outputs: int, kernel: int, stride: int = 1, norm: type[nn.Module] | None = None, relu: bool = True
) -> nn.Sequential:
    parts: list[nn.Module] = [nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2)]
    if norm is not None:
        parts.append(norm(outputs))
    if relu:
        parts.append(nn.ReLU())
    return nn.Sequential(*parts)


class _Residual(nn.Module):
    """Two 3x3 convolutions, or 1x1, 3x3, 1x1 with a quarter of the channels between, beside a shortcut."""

    def __init__(self, inputs: int, outputs: int, stride: int, norm: type[nn.Module] | None, bottleneck: bool) -> None:
        super().__init__()
        inner = outputs // 4
        if bottleneck:
            self.convnormrelu1 = _conv(inputs, inner, 1, 1, norm)
            self.convnormrelu2 = _conv(inner, inner, 3, stride, norm)
            self.convnormrelu3: nn.Module = _conv(inner, outputs, 1, 1, norm)
        else:
            self.convnormrelu1 = _conv(inputs, outputs, 3, stride, norm)
            self.convnormrelu2 = _conv(outputs, outputs, 3, 1, norm)
            self.convnormrelu3 = nn.Identity()
        self.downsample: nn.Module = nn.Identity()
        if stride > 1:
            self.downsample = _conv(inputs, outputs, 1, stride, norm, relu=False)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.convnormrelu3(self.convnormrelu2(self.convnormrelu1(x)))
        return functional.relu(self.downsample(x) + y)


class _Encoder(nn.Module):
    """A picture to features at an eighth of its size."""

    def __init__(self, channels: tuple[int, int, int, int, int], norm: type[nn.Module] | None, bottle: bool) -> None:
        super().__init__()
        stem, one, two, three, out = channels
        self.convnormrelu = _conv(3, stem, 7, 2, norm)
        self.layer1 = nn.Sequential(_Residual(stem, one, 1, norm, bottle), _Residual(one, one, 1, norm, bottle))
        self.layer2 = nn.Sequential(_Residual(one, two, 2, norm, bottle), _Residual(two, two, 1, norm, bottle))
        self.layer3 = nn.Sequential(_Residual(two, three, 2, norm, bottle), _Residual(three, three, 1, norm, bottle))
        self.conv = nn.Conv2d(three, out, 1)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.conv(self.layer3(self.layer2(self.layer1(self.convnormrelu(x)))))
        return y


class _MotionEncoder(nn.Module):
    """Correlations and the present flow to features; the flow itself rides along."""

    def __init__(self, shape: RaftShape) -> None:
        super().__init__()
        wide = LEVELS * (2 * shape.radius + 1) ** 2
        self.convcorr1 = _conv(wide, shape.correlations[0], 1)
        self.convcorr2: nn.Module = nn.Identity()
        if len(shape.correlations) > 1:
            self.convcorr2 = _conv(shape.correlations[0], shape.correlations[1], 3)
        self.convflow1 = _conv(2, shape.flows[0], 7)
        self.convflow2 = _conv(shape.flows[0], shape.flows[1], 3)
        self.conv = _conv(shape.correlations[-1] + shape.flows[1], shape.motion - 2, 3)

    def forward(self, correlations: Tensor, flow: Tensor) -> Tensor:
        seen = [self.convcorr2(self.convcorr1(correlations)), self.convflow2(self.convflow1(flow))]
        return torch.cat([self.conv(torch.cat(seen, 1)), flow], 1)


class _Gru(nn.Module):
    """A gated recurrent unit of convolutions (paper, equations 3 to 6)."""

    def __init__(self, inputs: int, hidden: int, kernel: tuple[int, int]) -> None:
        super().__init__()
        pad = kernel[0] // 2, kernel[1] // 2
        self.convz = nn.Conv2d(hidden + inputs, hidden, kernel, padding=pad)
        self.convr = nn.Conv2d(hidden + inputs, hidden, kernel, padding=pad)
        self.convq = nn.Conv2d(hidden + inputs, hidden, kernel, padding=pad)

    def forward(self, h: Tensor, x: Tensor) -> Tensor:
        both = torch.cat([h, x], 1)
        update, reset = torch.sigmoid(self.convz(both)), torch.sigmoid(self.convr(both))
        fresh = torch.tanh(self.convq(torch.cat([reset * h, x], 1)))
        return h + update * (fresh - h)


class _Recurrent(nn.Module):
    def __init__(self, inputs: int, shape: RaftShape) -> None:
        super().__init__()
        for i, kernel in enumerate(shape.kernels, 1):
            self.add_module(f"convgru{i}", _Gru(inputs, shape.hidden, kernel))

    def forward(self, h: Tensor, x: Tensor) -> Tensor:
        for unit in self.children():
            h = unit(h, x)
        return h


class _FlowHead(nn.Module):
    def __init__(self, shape: RaftShape) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(shape.hidden, shape.head, 3, padding=1)
        self.conv2 = nn.Conv2d(shape.head, 2, 3, padding=1)

    def forward(self, h: Tensor) -> Tensor:
        step: Tensor = self.conv2(functional.relu(self.conv1(h)))
        return step


class _Update(nn.Module):
    def __init__(self, shape: RaftShape) -> None:
        super().__init__()
        self.motion_encoder = _MotionEncoder(shape)
        self.recurrent_block = _Recurrent(shape.motion + shape.context[-1] - shape.hidden, shape)
        self.flow_head = _FlowHead(shape)

    def forward(self, h: Tensor, context: Tensor, correlations: Tensor, flow: Tensor) -> tuple[Tensor, Tensor]:
        h = self.recurrent_block(h, torch.cat([context, self.motion_encoder(correlations, flow)], 1))
        return h, self.flow_head(h)


class _MaskPredictor(nn.Module):
    def __init__(self, shape: RaftShape) -> None:
        super().__init__()
        self.convrelu = _conv(shape.hidden, shape.mask, 3)
        self.conv = nn.Conv2d(shape.mask, 9 * _STRIDE * _STRIDE, 1)

    def forward(self, h: Tensor) -> Tensor:
        # The authors scale the logits by a quarter, and the checkpoints were trained with that.
        logits: Tensor = 0.25 * self.conv(self.convrelu(h))
        return logits


class Raft(nn.Module):
    """Optical flow of a pair of pictures."""

    def __init__(self, shape: RaftShape = SMALL) -> None:
        super().__init__()
        self.shape = shape
        self.feature_encoder = _Encoder(shape.features, nn.InstanceNorm2d, shape.bottleneck)
        self.context_encoder = _Encoder(shape.context, shape.context_norm, shape.bottleneck)
        self.update_block = _Update(shape)
        self.mask_predictor = _MaskPredictor(shape) if shape.mask else None

    def forward(self, before: Tensor, after: Tensor, updates: int = 12) -> Tensor:
        """Flow from `before` to `after`, float32 [n, 2, h, w], in pixels (x, y).

        Args:
            before, after: float32 [n, 3, h, w], -1 to 1; h and w are multiples of 8, from 128.
            updates: how often the flow is refined.

        Raises:
            ValueError: the sizes differ, or do not fit.
        """
        n, _, h, w = before.shape
        if before.shape != after.shape or h % _STRIDE or w % _STRIDE or min(h, w) < SMALLEST:
            raise ValueError(
                f"RAFT takes two pictures of one size, each side a multiple of {_STRIDE} from {SMALLEST}; "
                f"got {w}x{h} and {after.shape[3]}x{after.shape[2]}"
            )
        one, two = self.feature_encoder(torch.cat([before, after])).split(n)
        pyramid = correlation(one, two)
        h_state, context = self.context_encoder(before).split(
            [self.shape.hidden, self.shape.context[-1] - self.shape.hidden], 1
        )
        h_state, context = torch.tanh(h_state), functional.relu(context)
        flow = before.new_zeros(n, 2, h // _STRIDE, w // _STRIDE)
        for _ in range(updates):
            h_state, step = self.update_block(h_state, context, look_up(pyramid, flow, self.shape.radius), flow)
            flow = flow + step
        if self.mask_predictor is not None:
            return convex_upsample(flow, self.mask_predictor(h_state))
        return _STRIDE * functional.interpolate(flow, (h, w), mode="bilinear", align_corners=True)


def correlation(one: Tensor, two: Tensor) -> list[Tensor]:
    """The correlation pyramid of two feature maps [n, c, h, w]: level i is [n * h * w, 1, h / 2^i, w / 2^i].

    Every place of `one` against every place of `two`, the latter averaged 2x2 from level to level (paper, eq. 1).
    """
    n, c, h, w = one.shape
    volume = torch.einsum("ncp,ncq->npq", one.flatten(2), two.flatten(2)) / c**0.5
    levels = [volume.reshape(n * h * w, 1, h, w)]
    while len(levels) < LEVELS:
        levels.append(functional.avg_pool2d(levels[-1], 2))
    return levels


def look_up(pyramid: list[Tensor], flow: Tensor, radius: int) -> Tensor:
    """Correlations around where `flow` [n, 2, h, w] leads, [n, levels * (2 radius + 1)^2, h, w]; 0 outside.

    Of a level's channels the offset in x is the slow index and that in y the fast one.
    """
    n, _, h, w = flow.shape
    y, x = torch.meshgrid(*(torch.arange(k, device=flow.device, dtype=flow.dtype) for k in (h, w)), indexing="ij")
    centres = (torch.stack([x, y]) + flow).permute(0, 2, 3, 1).reshape(-1, 1, 1, 2)
    reach = torch.arange(-radius, radius + 1, device=flow.device, dtype=flow.dtype)
    offsets = torch.stack(torch.meshgrid(reach, reach, indexing="ij"), -1)
    found = []
    for i, level in enumerate(pyramid):
        size = centres.new_tensor([level.shape[3], level.shape[2]])
        places = (2 * (centres / 2**i + offsets) + 1) / size - 1
        seen = functional.grid_sample(level, places, mode="bilinear", padding_mode="zeros", align_corners=False)
        found.append(seen.reshape(n, h, w, -1))
    return torch.cat(found, -1).permute(0, 3, 1, 2).contiguous()


def convex_upsample(flow: Tensor, logits: Tensor) -> Tensor:
    """Flow [n, 2, h, w] to [n, 2, 8h, 8w]: each fine value is a convex combination of the 3x3 coarse ones about it.

    Args:
        flow: in coarse pixels; the result is in fine ones. Outside the picture it counts as 0.
        logits: [n, 9 * 64, h, w], of the nine weights (row by row) of each of the 8x8 fine places.
    """
    n, _, h, w = flow.shape
    weights = logits.reshape(n, 9, _STRIDE, _STRIDE, h, w).softmax(1)
    around = functional.unfold(_STRIDE * flow, 3, padding=1).reshape(n, 2, 9, h, w)
    return torch.einsum("nkabhw,nckhw->nchawb", weights, around).reshape(n, 2, _STRIDE * h, _STRIDE * w)
