"""A vision-language model that describes frames, one by one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lgvsc_flow.blocks.semantic.chat import IMAGE, tidy
from lgvsc_flow.blocks.semantic.language_model import LanguageCounts
from lgvsc_flow.blocks.semantic.psss import Description
from lgvsc_flow.errors import SettingError
from lgvsc_flow.models import import_extra

if TYPE_CHECKING:
    from lgvsc_flow.blocks.semantic.chat import Chat
    from lgvsc_flow.blocks.semantic.language_model import LanguageModel
    from lgvsc_flow.blocks.semantic.vision_language import VisionLanguageModel

__all__ = ["DESCRIBE", "VlmDescriber"]

_EXTRA = "vlm"

DESCRIBE = (
    "Describe the image in one or two sentences: the key objects and where they are, what they are doing, and the "
    "background."
)


class VlmDescriber:
    """Describes frames by a vision-language model of the families InternVL, Qwen-VL, SmolVLM or Idefics3.

    Decoding is greedy. A description is one line; it is empty where the model says nothing, which SKEM reports or
    leaves out as it is told to. With `batch_size=1` a description is a function of its frame alone, bit for bit; in
    larger batches a token whose likelihood nearly ties with another's may differ (docs/language-models.md).

    Args:
        model: a name in the catalogue of models, a folder, `hub:owner/name@commit`, or a loaded (model, processor).
        prompt: what to ask of the frame.
        max_new_tokens: a description is cut there.
        batch_size: frames per forward pass; frames of one call share one size.
        tiles: most tiles a frame is cut into, for models that can; one tile of InternVL is 448 x 448.
        device: torch device; `auto` takes an accelerator where there is one.
        dtype: of the weights; `auto` as the device has them.
        quantisation: `int8` or `int4` by bitsandbytes, None for none.
        folder: folder of models, see `lgvsc_flow.models`.
    """

    def __init__(
        self,
        model: str | Path | tuple[Any, Any] = "internvl3-1b",
        *,
        prompt: str = DESCRIBE,
        max_new_tokens: int = 96,
        batch_size: int = 1,
        tiles: int = 1,
        device: str = "auto",
        dtype: str = "auto",
        quantisation: str | None = None,
        folder: str | Path | None = None,
    ) -> None:
        for setting, value in (("max_new_tokens", max_new_tokens), ("batch_size", batch_size), ("tiles", tiles)):
            if value < 1:
                raise SettingError(f"VlmDescriber.{setting} must be >= 1, got {value}")
        if not prompt.strip():
            raise SettingError("VlmDescriber.prompt is empty; say what to describe")
        self.model, self.prompt, self.folder = model, prompt, folder
        self.max_new_tokens, self.batch_size, self.tiles = max_new_tokens, batch_size, tiles
        self.device, self.dtype, self.quantisation = device, dtype, quantisation
        self._eyes: VisionLanguageModel | None = None

    @property
    def counts(self) -> LanguageCounts:
        """Work done so far."""
        return self._eyes.language.counts if self._eyes is not None else LanguageCounts()

    @property
    def memory_settings(self) -> dict[str, Any]:
        """The settings that decide how much memory the model takes, for messages."""
        names = ("batch_size", "max_new_tokens", "tiles", "dtype", "quantisation", "device")
        return {name: getattr(self, name) for name in names}

    def load(self) -> None:
        """Load the model and its processor.

        Raises:
            MissingExtraError: a package is not installed.
            ModelError: the model is missing, damaged, shows no pictures, or does not fit into memory.
        """
        self.eyes()

    def eyes(self) -> VisionLanguageModel:
        """The loaded model."""
        if self._eyes is None:
            import_extra("transformers", "VlmDescriber", _EXTRA, "transformers")
            self._eyes = self._open()
        return self._eyes

    def speaker(self) -> tuple[LanguageModel, Chat]:
        """The loaded model without pictures, with counters of its own, for an `LlmJudge` that asks it."""
        from lgvsc_flow.blocks.semantic.language_model import LanguageModel

        eyes = self.eyes()
        return LanguageModel(eyes.language.model, eyes.language.tokenizer, eyes.name), eyes.chat

    def describe(self, frames: Sequence[np.ndarray]) -> list[Description]:
        """One description per frame, uint8 [height, width, 3] RGB.

        Raises:
            ModelError: a frame has another type or shape; NaN; out of memory.
        """
        from lgvsc_flow.blocks.semantic.vision_language import merge_images
        from lgvsc_flow.pretrained import out_of_memory

        eyes = self.eyes()
        text = eyes.chat.render([("user", [IMAGE, self.prompt])])
        found: list[Description] = []
        for i in range(0, len(frames), self.batch_size):
            with out_of_memory("VlmDescriber", **self.memory_settings):
                some = [eyes.encode(text, [frame]) for frame in frames[i : i + self.batch_size]]
                logits, context = eyes.language.read(
                    None, [e.ids for e in some], merge_images([e.images for e in some])
                )
                answers, _ = eyes.language.decode(logits, context, self.max_new_tokens)
            found += [Description(words(eyes, answer)) for answer in answers]
        return found

    def _open(self) -> VisionLanguageModel:
        from lgvsc_flow.blocks.semantic.vision_language import VisionLanguageModel, load_image_processor
        from lgvsc_flow.pretrained import load_pretrained, open_model

        if isinstance(self.model, tuple):
            model, processor = self.model
            return VisionLanguageModel(model, processor, type(model).__name__, self.tiles)
        name = str(self.model)
        processor = load_image_processor(open_model(self.model, folder=self.folder), name)
        model = load_pretrained(
            "AutoModelForImageTextToText",
            self.model,
            device=self.device,
            dtype=self.dtype,
            quantisation=self.quantisation,
            folder=self.folder,
        )
        return VisionLanguageModel(model, processor, name, self.tiles)


def words(eyes: VisionLanguageModel, answer: Sequence[int]) -> str:
    """An answer's tokens as text on one line, without control tokens and hidden reasoning."""
    text = str(eyes.chat.tokenizer.decode(list(answer), skip_special_tokens=True))
    return tidy(text.rpartition("</think>")[2])
