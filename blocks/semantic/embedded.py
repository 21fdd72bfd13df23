"""The embedded profile of PSSS: an image network that describes, and a judge that compares what it saw.

It is small (19 MB, one forward of 26 ms per frame on one core), runs anywhere, and is no language model: the judge
answers the general focus only.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from lgvsc_flow.blocks.semantic.motion import shrink
from lgvsc_flow.blocks.semantic.psss import Description
from lgvsc_flow.blocks.semantic.words import colour_words, light_word, phrase
from lgvsc_flow.errors import ModelError, SettingError
from lgvsc_flow.models import import_extra, load_state

__all__ = ["EmbeddedDescriber", "EmbeddingJudge", "cosines", "imagenet_labels"]

_MODEL = "efficientnet-lite0"
_AREA = 224 * 224  # pixels the network was trained on; kept for any aspect ratio
_STRIDE = 32
_FIRST_LABEL = 0.1  # probability a label must have to be named
_SECOND_LABEL = 0.15


class EmbeddedDescriber:
    """EfficientNet-Lite0: pooled features as embedding; labels, light and colours as text.

    A text reads like `taxicab and minivan, dim, grey and black`, or `dim, grey` where no label is likely enough.
    Its labels are those of ImageNet and weak on scenes; the embedding is what judges well.

    Args:
        device: torch device.
        batch_size: frames per forward pass; on a CPU a few, so that the activations stay in its cache.
        folder: folder of models, see `lgvsc_flow.models`.
    """

    def __init__(self, device: str = "cpu", batch_size: int = 4, folder: str | Path | None = None) -> None:
        if batch_size < 1:
            raise SettingError(f"EmbeddedDescriber.batch_size must be >= 1, got {batch_size}")
        self.device, self.batch_size, self.folder = device, batch_size, folder
        self._network: Any = None

    def load(self) -> None:
        """Load the network.

        Raises:
            MissingExtraError: torch or OpenCV is not installed.
            ModelError: the weights are missing or damaged.
        """
        if self._network is not None:
            return
        import_extra("torch", "EmbeddedDescriber", "models", "torch")
        import_extra("cv2", "EmbeddedDescriber", "video", "opencv-python-headless")
        from lgvsc_flow.blocks.semantic.efficientnet import load_efficientnet_lite0

        self._network = load_efficientnet_lite0(load_state(_MODEL, self.folder)).to(self.device)

    def describe(self, frames: Sequence[np.ndarray]) -> list[Description]:
        """One description per frame, uint8 [height, width, 3] RGB; frames of one call share one size."""
        self.load()
        texts: list[Description] = []
        for i in range(0, len(frames), self.batch_size):
            texts.extend(self._describe_batch(frames[i : i + self.batch_size]))
        return texts

    def _describe_batch(self, frames: Sequence[np.ndarray]) -> list[Description]:
        import torch

        width, height = network_size(frames[0].shape[1], frames[0].shape[0])
        small = np.stack([shrink(f, width, height) for f in frames])
        with torch.inference_mode():
            # The checkpoint's own normalisation: (x - 127) / 128.
            x = (torch.from_numpy(small).to(self.device).permute(0, 3, 1, 2).float() - 127) / 128  # channels last
            features = self._network.features(x)
            probabilities = self._network.classify(features).softmax(1).cpu().numpy()
        embeddings = features.cpu().numpy()
        return [
            Description(_text(p, thumbnail), embedding)
            for p, thumbnail, embedding in zip(probabilities, small, embeddings, strict=True)
        ]


class EmbeddingJudge:
    """Compares embeddings: p_no = logistic((centre - cosine) / width), p_yes = 1 - p_no.

    The two constants are measured, not fitted per clip: see docs/semantic.md. With them S_rel > 0.35 means a
    cosine below 0.70.

    Args:
        centre: cosine at which yes and no are equally likely.
        width: scale of the logistic, in cosine.
    """

    foci = ("general",)
    reads_text = False

    def __init__(self, centre: float = 0.741, width: float = 0.056) -> None:
        if not (-1 <= centre <= 1 and width > 0):
            raise SettingError(f"EmbeddingJudge takes -1 <= centre <= 1 and width > 0, got {centre} and {width}")
        self.centre, self.width = centre, width

    def load(self) -> None:
        """Nothing to load."""

    def judge(
        self, keyframe: Description, candidates: Sequence[Description], focus: str
    ) -> tuple[np.ndarray, np.ndarray]:
        """(p_yes, p_no) of every candidate against the keyframe.

        Raises:
            SettingError: the focus is not `general`, which is the only one that a cosine can answer.
            ModelError: a description has no embedding.
        """
        if focus != "general":
            raise SettingError(
                f"EmbeddingJudge compares whole pictures and knows only focus='general', got {focus!r}; "
                "a focus needs a judge that reads texts: PromptJudge with a language model"
            )
        embeddings = [c.embedding for c in candidates if c.embedding is not None]
        if keyframe.embedding is None or len(embeddings) != len(candidates):
            raise ModelError("EmbeddingJudge needs descriptions with embeddings; this describer gives texts only")
        return logistic_answer(cosines(keyframe.embedding, embeddings), self.centre, self.width)


def logistic_answer(cosine: np.ndarray, centre: float, width: float) -> tuple[np.ndarray, np.ndarray]:
    """(p_yes, p_no) of cosines; they add up to 1."""
    p_yes = 1 / (1 + np.exp((centre - np.asarray(cosine, dtype=np.float64)) / width))
    return p_yes, 1 - p_yes


def cosines(reference: np.ndarray, others: Sequence[np.ndarray]) -> np.ndarray:
    """Cosine of each of `others`, [d] each, with `reference` [d]; float64 [len(others)], 1 where both are zero."""
    if not len(others):
        return np.zeros(0)
    a, b = reference.astype(np.float64), np.stack(others).astype(np.float64)
    norms = np.linalg.norm(a) * np.linalg.norm(b, axis=1)
    both_zero = (np.linalg.norm(a) == 0) & (np.linalg.norm(b, axis=1) == 0)
    return np.where(both_zero, 1.0, (b * a).sum(axis=1) / np.where(norms > 0, norms, 1.0))


def network_size(width: int, height: int) -> tuple[int, int]:
    """Width and height that keep the aspect ratio and the network's area, in whole strides.

    A squeezed or cropped picture makes the cosine jump within a shot (measured, see docs/semantic.md).
    """
    scale = (_AREA / (width * height)) ** 0.5
    sides = [min(max(round(side * scale / _STRIDE), 1), 14) * _STRIDE for side in (width, height)]
    return sides[0], sides[1]


@cache
def imagenet_labels() -> tuple[str, ...]:
    """The 1000 ImageNet classes in plain words."""
    data = resources.files(__package__).joinpath("data", "imagenet_labels.txt")
    return tuple(data.read_text(encoding="utf-8").splitlines())


def _text(probabilities: np.ndarray, thumbnail: np.ndarray) -> str:
    first, second = np.argsort(-probabilities, kind="stable")[:2]
    labels = []
    if probabilities[first] >= _FIRST_LABEL:
        labels.append(imagenet_labels()[first])
        if probabilities[second] >= _SECOND_LABEL:
            labels.append(imagenet_labels()[second])
    return phrase([labels, [light_word(thumbnail)], colour_words(thumbnail)])
