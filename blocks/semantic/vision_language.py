"""Vision-language models: processors without torchvision, one picture to one tile, pictures and words to model inputs.

The processors of current transformers load a video processor, which needs torchvision; pictures do not. Here the same
processor classes are put together from their tokenizer and their PIL image processor, which have the checkpoint's own
settings. The bits of the pictures are then the same whether torchvision is installed or not.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lgvsc_flow.blocks.semantic.chat import Chat
from lgvsc_flow.blocks.semantic.language_model import LanguageModel
from lgvsc_flow.errors import ModelError
from lgvsc_flow.models import import_extra

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Encoded", "VisionLanguageModel", "load_image_processor", "merge_images", "split_images"]

_EXTRA = "vlm"
_SUPPORTED = "use a model of the families InternVL, Qwen-VL (2.5 and 3), SmolVLM or Idefics3"
_IMAGE_INPUTS = ("pixel_values", "image_grid_thw", "pixel_attention_mask")
_TEXT_INPUTS = ("input_ids", "attention_mask", "mm_token_type_ids")
_TILE = 448 * 448  # pixels of a tile where a model takes any size (Qwen-VL): about as many tokens as InternVL's


@dataclass(frozen=True)
class Encoded:
    """One conversation as token ids, and what the model takes of its pictures, in their order."""

    ids: list[int]
    images: dict[str, Tensor]


class VisionLanguageModel:
    """A loaded vision-language model with its processor.

    Args:
        model: of transformers, `AutoModelForImageTextToText`.
        processor: its processor, from `load_image_processor` or `AutoProcessor`.
        name: for messages.
        tiles: most tiles a picture may be cut into; 1 keeps it whole.
    """

    def __init__(self, model: Any, processor: Any, name: str, tiles: int = 1) -> None:
        self.processor, self.name = processor, name
        self.language = LanguageModel(model, processor.tokenizer, name)
        template = processor.chat_template or processor.tokenizer.chat_template
        if isinstance(template, dict):
            template = template.get("default")
        if template is None:
            raise ModelError(
                f"{name} has no chat template, so there is no way to show it a picture; use an instruction-tuned "
                "checkpoint with chat_template.jinja"
            )
        self.chat = Chat(processor.tokenizer, template, parts=True, name=name)
        self._options = _tiling(processor.image_processor, tiles)
        self._image_token = getattr(model.config, "image_token_id", None)
        if self._image_token is None:
            raise ModelError(f"{name} marks pictures by no token of their own; {_SUPPORTED}")
        self._inputs = set(inspect.signature(model.forward).parameters)

    def encode(self, text: str, pictures: Sequence[np.ndarray]) -> Encoded:
        """Token ids of a rendered conversation whose places for pictures are filled in, and the pictures' inputs.

        Args:
            text: from `chat.render`.
            pictures: uint8 [height, width, 3] RGB each.

        Raises:
            ModelError: a picture has another type or shape, or the processor refuses it.
        """
        image = import_extra("PIL.Image", self.name, "video", "pillow")
        for picture in pictures:
            if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3 or 0 in picture.shape:
                raise ModelError(
                    f"{self.name} takes pictures uint8 [height, width, 3], got {picture.dtype}{picture.shape}"
                )
        try:
            made = self.processor(
                text=[text],
                images=[[image.fromarray(p) for p in pictures]],
                images_kwargs=self._options,
                text_kwargs={"add_special_tokens": False, "padding": False},
                return_tensors="pt",
            )
        except ValueError as error:
            raise ModelError(f"the processor of {self.name} refuses {len(pictures)} pictures: {error}") from error
        unknown = sorted(self._inputs & (set(made) - {*_IMAGE_INPUTS, *_TEXT_INPUTS}))
        if unknown:
            raise ModelError(f"{self.name} takes {', '.join(unknown)}, which are not passed on here; {_SUPPORTED}")
        device = self.language.device
        images = {k: v.to(device) for k, v in made.items() if k in _IMAGE_INPUTS}
        return Encoded(made["input_ids"][0].tolist(), images)

    def end_of_first_picture(self, encoded: Encoded) -> int:
        """Of a conversation of two pictures of one size: how many tokens go up to the end of the first."""
        places = [i for i, token in enumerate(encoded.ids) if token == self._image_token]
        return places[len(places) // 2 - 1] + 1


def load_image_processor(folder: Path, name: str) -> Any:
    """The processor of a checkpoint folder, with its tokenizer and its PIL image processor, without video.

    Raises:
        MissingExtraError: a package that the processor needs is not installed.
        ModelError: transformers has no processor, or no PIL image processor, for the model.
    """
    import_extra("PIL", name, "video", "pillow")
    transformers = import_extra("transformers", name, _EXTRA, "transformers")
    from transformers.models.auto.processing_auto import PROCESSOR_MAPPING

    local: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
    config = transformers.AutoConfig.from_pretrained(folder, **local)
    if type(config) not in PROCESSOR_MAPPING:
        raise ModelError(f"{name} is a {config.model_type}, for which transformers has no processor of pictures")
    base: Any = PROCESSOR_MAPPING[type(config)]
    if base.__name__ == "SmolVLMProcessor":
        import_extra("num2words", name, _EXTRA, "num2words")
    made: dict[str, Any] = {"tokenizer": transformers.AutoTokenizer.from_pretrained(folder, **local)}
    try:
        made["image_processor"] = transformers.AutoImageProcessor.from_pretrained(folder, backend="pil", **local)
    except (ValueError, ImportError) as error:
        raise ModelError(
            f"the image processor of {name} ({config.model_type}) has no PIL form in transformers "
            f"{transformers.__version__}, and torchvision is not used here; choose another model ({error})"
        ) from error
    settings, _ = base.get_processor_dict(folder, local_files_only=True)
    taken = inspect.signature(base.__init__).parameters
    settings = {k: v for k, v in settings.items() if k in taken and not k.endswith(("tokenizer", "_processor"))}
    return _without_video(base)(**settings, **{k: made.get(k) for k in base.get_attributes()})


def _without_video(base: Any) -> Any:
    """A processor class that takes None for the video processor."""

    class WithoutVideo(base):  # type: ignore[misc]
        def check_argument_for_proper_class(self, argument_name: str, argument: Any) -> Any:
            if argument_name == "video_processor" and argument is None:
                return None
            return super().check_argument_for_proper_class(argument_name, argument)

        @classmethod
        def get_attributes(cls) -> list[str]:
            return list(base.get_attributes())

    WithoutVideo.__name__ = base.__name__
    return WithoutVideo


def _tiling(image_processor: Any, tiles: int) -> dict[str, Any]:
    """The settings that make this image processor cut a picture into at most `tiles` tiles."""
    name = type(image_processor).__name__
    if hasattr(image_processor, "crop_to_patches"):
        return {"crop_to_patches": tiles > 1, "max_patches": tiles}
    if hasattr(image_processor, "do_image_splitting"):
        side = image_processor.max_image_size["longest_edge"]
        options: dict[str, Any] = {"do_image_splitting": tiles > 1}
        return {**options, "size": {"longest_edge": int(tiles**0.5) * side}} if tiles > 1 else options
    if name.startswith("Qwen2VL"):
        size = dict(image_processor.size)
        return {"size": {**size, "longest_edge": max(min(size["longest_edge"], tiles * _TILE), size["shortest_edge"])}}
    return {}


def merge_images(rows: Sequence[dict[str, Tensor]]) -> dict[str, Tensor]:
    """The image inputs of several conversations as those of a batch; their pictures have one size."""
    import torch

    return {key: torch.cat([row[key] for row in rows]) for key in rows[0]}


def split_images(images: dict[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """The image inputs of two pictures of one size, as those of the first and those of the second."""
    first, second = {}, {}
    for key, value in images.items():
        # [pictures, tiles, ...] within one conversation for SmolVLM; tiles, patches or grids one after the other else.
        axis = 1 if key.startswith("pixel_") and value.ndim in (4, 5) and value.shape[0] == 1 else 0
        first[key], second[key] = value.tensor_split(2, dim=axis)
    return first, second
