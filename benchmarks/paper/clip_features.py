"""What the studies hold PSSS against: CLIP's image features, or a measure of global appearance named as what it is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from lgvsc_flow.blocks.semantic.shrink import shrink
from lgvsc_flow.errors import ModelError
from lgvsc_flow.models import import_extra
from lgvsc_flow.pretrained import load_pretrained, load_processor

__all__ = ["CLIP_HINT", "CLIP_NAME", "ClipFeatures", "ImageFeatures", "cosine_matrix", "thumbnail_likeness"]

CLIP_NAME = "openai/clip-vit-base-patch32"
CLIP_HINT = (
    "--clip FOLDER, a folder in Hugging Face layout with config.json, preprocessor_config.json and model.safetensors; "
    "a download that has pytorch_model.bin only must be saved as safetensors first (save_pretrained)"
)


class ImageFeatures(Protocol):
    """Features of pictures, compared by their cosine."""

    name: str

    def embed(self, frames: Sequence[np.ndarray]) -> np.ndarray:
        """Float32 [len(frames), d], rows of length 1, of uint8 [height, width, 3] RGB frames."""
        ...


class ClipFeatures:
    """CLIP's image embeddings (Radford et al., 2021) through transformers.

    Args:
        source: a folder in Hugging Face layout, or hub:owner/name@commit; safetensors only.
        device: torch device; auto takes a GPU where there is one.
        batch_size: frames per forward pass.
    """

    def __init__(self, source: str | Path, device: str = "auto", batch_size: int = 16) -> None:
        self.source, self.device, self.batch_size = source, device, batch_size
        self.name = f"CLIP ({Path(source).name})"
        self._model: Any = None
        self._processor: Any = None

    def load(self) -> None:
        """Load model and picture processor.

        Raises:
            MissingExtraError: transformers is not installed.
            ModelError: no such folder, no CLIP, files that are missing or damaged, no safetensors.
        """
        if self._model is not None:
            return
        transformers = import_extra("transformers", "ClipFeatures", "llm", "transformers")
        # Current versions have a processor over torchvision, and one that does the same without.
        processor = getattr(transformers, "CLIPImageProcessorPil", transformers.CLIPImageProcessor)
        try:
            self._model = load_pretrained(transformers.CLIPModel, self.source, device=self.device)
            self._processor = load_processor(processor, self.source)
        except ModelError as error:
            raise ModelError(f"{error}. CLIP comes by {CLIP_HINT}") from error

    def embed(self, frames: Sequence[np.ndarray]) -> np.ndarray:
        """Float32 [len(frames), d], rows of length 1."""
        import torch

        self.load()
        rows = []
        with torch.inference_mode():
            for i in range(0, len(frames), self.batch_size):
                batch = self._processor(images=list(frames[i : i + self.batch_size]), return_tensors="pt")
                pixels = batch["pixel_values"].to(self._model.device)
                pooled = self._model.vision_model(pixel_values=pixels).pooler_output
                projected = self._model.visual_projection(pooled).float()
                rows.append(torch.nn.functional.normalize(projected, dim=1).cpu().numpy())
        return np.concatenate(rows)


def thumbnail_likeness(pictures: Sequence[np.ndarray], width: int = 32, height: int = 18) -> np.ndarray:
    """How alike pictures look from afar: 1 - RMS difference of their thumbnails over the range, float64 [n, n].

    Args:
        pictures: uint8 [h, w, 3] each.
        width: of a thumbnail, in pixels.
        height: of a thumbnail.
    """
    rows = np.stack([shrink(p, width, height).astype(np.float64).ravel() / 255 for p in pictures])
    squares = (rows * rows).sum(axis=1)
    mean_square = (squares[:, None] + squares[None] - 2 * rows @ rows.T) / rows.shape[1]
    return np.asarray(1 - np.sqrt(np.maximum(mean_square, 0)))


def cosine_matrix(rows: np.ndarray) -> np.ndarray:
    """Cosine of every pair of rows, float64 [n, n]."""
    unit = rows.astype(np.float64)
    unit /= np.maximum(np.linalg.norm(unit, axis=1, keepdims=True), 1e-12)
    return np.asarray(unit @ unit.T)
