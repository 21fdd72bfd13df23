"""A judge that reads the texts: sentence embeddings of all-MiniLM-L6-v2 and their cosine."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lgvsc_flow.blocks.semantic.embedded import cosines, logistic_answer
from lgvsc_flow.blocks.semantic.psss import Description
from lgvsc_flow.errors import ModelError, SettingError
from lgvsc_flow.models import import_extra, load_state, resolve

__all__ = ["MiniLmJudge"]

_MODEL = "all-minilm-l6-v2"
_MAX_TOKENS = 256
_EXTRA = "text-judge"
_CACHED_TEXTS = 1024


class MiniLmJudge:
    """Compares texts: p_no = logistic((centre - cosine) / width) over mean-pooled sentence embeddings.

    It knows no focus but `general`. Over the embedded describer's texts, whose labels flicker from frame to frame,
    it judges worse than `EmbeddingJudge` (docs/semantic.md has both); it is for describers that write sentences.

    Args:
        centre: cosine at which yes and no are equally likely.
        width: scale of the logistic, in cosine.
        device: torch device.
        folder: folder of models, see `lgvsc_flow.models`.
    """

    foci = ("general",)
    batch_size = 1

    def __init__(
        self, centre: float = 0.6, width: float = 0.05, device: str = "cpu", folder: str | Path | None = None
    ) -> None:
        if not (-1 <= centre <= 1 and width > 0):
            raise SettingError(f"MiniLmJudge takes -1 <= centre <= 1 and width > 0, got {centre} and {width}")
        self.centre, self.width, self.device, self.folder = centre, width, device, folder
        self._network: Any = None
        self._tokenizer: Any = None
        self._embedded: dict[str, np.ndarray] = {}

    def load(self) -> None:
        """Load the network and its tokenizer.

        Raises:
            MissingExtraError: transformers is not installed.
            ModelError: the weights are missing or damaged.
        """
        if self._network is not None:
            return
        transformers = import_extra("transformers", "MiniLmJudge", _EXTRA, "transformers")
        tokenizers = import_extra("tokenizers", "MiniLmJudge", _EXTRA, "tokenizers")
        # MiniLM-L6: what the checkpoint's config.json says, where it differs from BERT's defaults.
        config = transformers.BertConfig(
            hidden_size=384, num_hidden_layers=6, num_attention_heads=12, intermediate_size=1536
        )
        network = transformers.BertModel(config, add_pooling_layer=False)
        state = {k: v for k, v in load_state(_MODEL, self.folder).items() if not k.startswith("pooler.")}
        state.pop("embeddings.position_ids", None)  # a buffer that current versions do not store
        try:
            network.load_state_dict(state)
        except RuntimeError as error:
            raise ModelError(f"model {_MODEL} does not fit the installed transformers: {error}") from error
        self._tokenizer = tokenizers.Tokenizer.from_file(str(resolve(_MODEL, self.folder)["tokenizer.json"]))
        self._tokenizer.enable_truncation(_MAX_TOKENS)
        self._tokenizer.enable_padding()
        self._network = network.eval().to(self.device)

    def judge(
        self, keyframe: Description, candidates: Sequence[Description], focus: str
    ) -> tuple[np.ndarray, np.ndarray]:
        """(p_yes, p_no) of every candidate's text against the keyframe's.

        Raises:
            SettingError: the focus is not `general`.
        """
        if focus != "general":
            raise SettingError(
                f"MiniLmJudge compares whole texts and knows only focus='general', got {focus!r}; "
                "a focus needs PromptJudge with a language model"
            )
        first, *others = self.embed([keyframe.text, *(c.text for c in candidates)])
        return logistic_answer(cosines(first, others), self.centre, self.width)

    def embed(self, texts: Sequence[str]) -> list[np.ndarray]:
        """Sentence embeddings, float32 [384] each, of length 1; the same text is embedded once."""
        self.load()
        # One text at a time: padding to the longest of a batch would change the last bits of a result.
        for text in texts:
            if text not in self._embedded:
                if len(self._embedded) >= _CACHED_TEXTS:
                    self._embedded.pop(next(iter(self._embedded)))
                self._embedded[text] = self._embed(text)
        return [self._embedded[t] if t in self._embedded else self._embed(t) for t in texts]

    def _embed(self, text: str) -> np.ndarray:
        import torch

        encoded = self._tokenizer.encode(text)
        with torch.inference_mode():
            ids = torch.tensor([encoded.ids], device=self.device)
            mask = torch.tensor([encoded.attention_mask], device=self.device)
            hidden = self._network(input_ids=ids, attention_mask=mask).last_hidden_state[0]
            mean = (hidden * mask[0, :, None]).sum(0) / mask.sum()
            return np.asarray((mean / mean.norm()).cpu().numpy())
