"""A causal language model, with or without eyes, as a context that grows: prefill, continue, fork, decode greedily.

Everything goes through one operation, `extend`: append tokens (and the images they stand for) to a context and return
the logits of the next token. A prompt computed in two steps, prefix and rest, is continued from the same keys and
values whether the prefix was kept or is computed again; that is what makes reuse exact.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lgvsc_flow.blocks.semantic.yes_no import YesNoTokens, check_floor, yes_no_masses, yes_no_tokens
from lgvsc_flow.errors import ModelError

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Context", "LanguageCounts", "LanguageModel"]


@dataclass(frozen=True)
class LanguageCounts:
    """What a language model did.

    Attributes:
        calls: forward passes over a prompt or a part of it; the one-token passes of decoding are not counted.
        prompt_tokens: tokens of all prompts.
        reused_tokens: those of them whose keys and values were there already.
        generated_tokens: tokens decoded.
        min_mass: least P(yes) + P(no) of all answers, None before the first.
        mean_mass: their mean.
    """

    calls: int = 0
    prompt_tokens: int = 0
    reused_tokens: int = 0
    generated_tokens: int = 0
    min_mass: float | None = None
    mean_mass: float | None = None


@dataclass
class Context:
    """What a model has read, for `rows` sequences at once.

    Attributes:
        ids: tokens, padding included, [rows, length].
        mask: 1 where a token is read, 0 where it pads, [rows, length].
        following: the position of the next token, [rows].
        cache: keys and values of all of them.
        grids: patch grids of the images so far, [rows, images, 3], for models that place them in a plane; else None.
    """

    ids: Tensor
    mask: Tensor
    following: Tensor
    cache: Any
    grids: Tensor | None = None
    fresh: bool = True  # no fork was taken from it yet

    @property
    def rows(self) -> int:
        return int(self.ids.shape[0])

    @property
    def length(self) -> int:
        return int(self.ids.shape[1])


class LanguageModel:
    """A loaded model with its tokenizer, and counters of the work it does.

    Args:
        model: of transformers, with logits over a vocabulary and a key-value cache.
        tokenizer: its tokenizer.
        name: for messages.

    Raises:
        ModelError: the model keeps no key-value cache.
    """

    def __init__(self, model: Any, tokenizer: Any, name: str) -> None:
        self.model, self.tokenizer, self.name = model.eval(), tokenizer, name
        self.device = next(model.parameters()).device
        parameters = inspect.signature(model.forward).parameters
        if "past_key_values" not in parameters:
            raise ModelError(f"{name} is a {type(model).__name__}, which keeps no key-value cache; use another model")
        self._keep_one = {"logits_to_keep": 1} if "logits_to_keep" in parameters else {}
        self._takes_positions = "position_ids" in parameters
        self._longest = getattr(model.config.get_text_config(decoder=True), "max_position_embeddings", None)
        base = getattr(model, "model", None)
        self._planes = base if hasattr(base, "get_rope_index") else None  # Qwen-VL: positions in time and plane
        self._tokens: YesNoTokens | None = None
        self._calls = self._prompt = self._reused = self._generated = 0
        self._masses, self._mass_sum, self._mass_min = 0, 0.0, 1.0
        pad = tokenizer.pad_token_id
        self._pad = int(pad if pad is not None else (tokenizer.eos_token_id or 0))
        self.stops = _stops(model, tokenizer)
        self.forks = _forks(model)

    @property
    def counts(self) -> LanguageCounts:
        """What was done so far."""
        mean = self._mass_sum / self._masses if self._masses else None
        least = self._mass_min if self._masses else None
        return LanguageCounts(self._calls, self._prompt, self._reused, self._generated, least, mean)

    @property
    def yes_no(self) -> YesNoTokens:
        """The spellings of yes and no; found once."""
        if self._tokens is None:
            self._tokens = yes_no_tokens(self.tokenizer, self.name)
        return self._tokens

    def extend(
        self, context: Context | None, rows: Sequence[Sequence[int]], images: Mapping[str, Tensor] | None = None
    ) -> tuple[Tensor, Context]:
        """Append tokens to every row; returns the logits of the next token, [rows, vocabulary], and the context.

        Shorter rows are padded in front of their tokens. The given context is used up.

        Args:
            context: what was read before; None at the beginning.
            rows: the new tokens of each row.
            images: what the model takes of the images whose places are among the new tokens, row after row.

        Raises:
            ModelError: the context is longer than the model reads.
        """
        import torch

        width = max(len(row) for row in rows)
        pads = [[self._pad] * (width - len(row)) for row in rows]
        ids = torch.tensor([[*pad, *row] for pad, row in zip(pads, rows, strict=True)], device=self.device)
        mask = torch.tensor([[0] * len(p) + [1] * len(r) for p, r in zip(pads, rows, strict=True)], device=self.device)
        grids = None if context is None else context.grids
        if images and "image_grid_thw" in images:
            new = images["image_grid_thw"].view(len(rows), -1, 3)
            grids = new if grids is None else torch.cat([grids, new], 1)
        following = torch.zeros(len(rows), dtype=torch.long, device=self.device)
        whole_ids, whole_mask = ids, mask
        if context is not None:
            following = context.following
            whole_ids, whole_mask = torch.cat([context.ids, ids], 1), torch.cat([context.mask, mask], 1)
        if self._planes is not None and images:
            positions, following = self._plane_positions(ids.shape[1], whole_ids, whole_mask, grids)
        else:
            positions = (following[:, None] + mask.cumsum(-1) - 1).clamp(min=0) * mask
            following = following + mask.sum(-1)
            if self._planes is not None:
                positions = positions[None].expand(3, -1, -1)
        if self._longest is not None and int(following.max()) > self._longest:
            raise ModelError(
                f"{self.name} reads at most {self._longest} tokens and got {int(following.max())}; set a smaller "
                "max_new_tokens or shorter descriptions"
            )
        with torch.inference_mode():
            output = self.model(
                input_ids=ids,
                attention_mask=whole_mask,
                **({"position_ids": positions} if self._takes_positions else {}),
                past_key_values=None if context is None else context.cache,
                use_cache=True,
                return_dict=True,
                **self._keep_one,
                **(images or {}),
            )
        return output.logits[:, -1], Context(whole_ids, whole_mask, following, output.past_key_values, grids)

    def read(
        self, context: Context | None, rows: Sequence[Sequence[int]], images: Mapping[str, Tensor] | None = None
    ) -> tuple[Tensor, Context]:
        """`extend` by a part of the prompts, counted as such."""
        self._calls += 1
        self._prompt += sum(len(row) for row in rows)
        return self.extend(context, rows, images)

    def read_prefix(self, ids: Sequence[int], images: Mapping[str, Tensor] | None = None) -> Context:
        """The context of what several prompts begin with; each `fork` of it but the first counts as reuse."""
        self._calls += 1
        return self.extend(None, [ids], images)[1]

    def decode(
        self, logits: Tensor, context: Context, limit: int, goes_on: bool = False
    ) -> tuple[list[list[int]], Context]:
        """Greedy decoding: the likeliest token, until a stop token or `limit` tokens; stop tokens are left out.

        Where the conversation `goes_on`, the context that is returned has read every token of the answers.

        Raises:
            ModelError: the logits are NaN.
        """
        answers: list[list[int]] = [[] for _ in range(context.rows)]
        open_rows = set(range(context.rows))
        while open_rows:
            if bool(logits.isnan().any()):
                raise ModelError(
                    f"{self.name} computed NaN logits: its numbers overflow in this precision. Set dtype='bfloat16' or "
                    "dtype='float32'"
                )
            chosen = logits.argmax(dim=-1).tolist()
            for row in list(open_rows):
                if chosen[row] in self.stops:
                    open_rows.discard(row)
                else:
                    answers[row].append(chosen[row])
            self._generated += len(open_rows)
            new = [[chosen[row]] if row in open_rows else [] for row in range(context.rows)]
            more = {row for row in open_rows if len(answers[row]) < limit}
            if more or (open_rows and goes_on):
                logits, context = self.extend(context, new)
            open_rows = more
        return answers, context

    def ask(self, logits: Tensor, floor: float) -> tuple[np.ndarray, np.ndarray]:
        """(p_yes, p_no) of the next token, float64 [rows]; the mass is noted.

        Raises:
            ModelError: NaN logits, or less mass than `floor` in a row.
        """
        p_yes, p_no = yes_no_masses(logits, self.yes_no, self.name)
        for mass in (p_yes + p_no).tolist():
            self._masses += 1
            self._mass_sum += mass
            self._mass_min = min(self._mass_min, mass)
        check_floor(p_yes, p_no, logits, floor, self.tokenizer, self.name)
        return p_yes, p_no

    def fork(self, context: Context, rows: int, length: int | None = None) -> Context:
        """A copy of the first `length` tokens of a context of one row, as `rows` rows; where the model `forks`."""
        from transformers import DynamicCache

        length = context.length if length is None else length
        cache = DynamicCache()
        for i, layer in enumerate(context.cache.layers):
            keys, values = layer.keys[..., :length, :], layer.values[..., :length, :]
            cache.update(keys.expand(rows, -1, -1, -1), values.expand(rows, -1, -1, -1), i)
        ids, mask = context.ids[:, :length].expand(rows, -1), context.mask[:, :length].expand(rows, -1)
        following = context.following - (context.length - length)
        grids = None if context.grids is None else context.grids.expand(rows, -1, -1)
        self._reused += (rows - context.fresh) * length
        context.fresh = False
        self._prompt += rows * length
        return Context(ids, mask, following.expand(rows), cache, grids)

    def _plane_positions(self, width: int, ids: Tensor, mask: Tensor, grids: Tensor | None) -> tuple[Tensor, Tensor]:
        """Positions in time, height and width of the last `width` tokens, and the position that follows them."""
        kinds = (ids == self.model.config.image_token_id).int()
        assert self._planes is not None
        assert grids is not None
        found, _ = self._planes.get_rope_index(
            input_ids=ids, mm_token_type_ids=kinds, image_grid_thw=grids.flatten(0, 1), attention_mask=mask
        )
        return found[..., -width:], found.masked_fill(mask[None] == 0, -1).amax(dim=(0, 2)) + 1


def _forks(model: Any) -> bool:
    """Whether the model's cache is the keys and values of every token, and nothing else.

    Sliding windows and recurrent states cannot be cut and copied; prompts over them are computed whole.
    """
    from transformers import DynamicCache
    from transformers.cache_utils import DynamicLayer

    layers = DynamicCache(config=model.config.get_text_config(decoder=True)).layers
    return all(type(layer) is DynamicLayer for layer in layers)


def _stops(model: Any, tokenizer: Any) -> frozenset[int]:
    """Tokens that end an answer: those of the generation config and of the tokenizer."""
    found: set[int] = set()
    for source in (getattr(model, "generation_config", None), model.config, tokenizer):
        ids = getattr(source, "eos_token_id", None)
        found.update([ids] if isinstance(ids, int) else ids or ())
    return frozenset(found)
