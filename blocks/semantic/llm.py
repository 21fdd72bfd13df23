"""A causal language model as judge: it reads two descriptions and a focus, and answers yes or no."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lgvsc_flow.blocks.semantic.language_model import Context, LanguageCounts
from lgvsc_flow.blocks.semantic.psss import Description, question
from lgvsc_flow.errors import ModelError, SettingError
from lgvsc_flow.models import import_extra

if TYPE_CHECKING:
    from lgvsc_flow.blocks.semantic.chat import Chat
    from lgvsc_flow.blocks.semantic.language_model import LanguageModel
    from lgvsc_flow.blocks.semantic.vlm import VlmDescriber

__all__ = ["LlmJudge"]

_EXTRA = "llm"
_PREFIXES = 2  # the keyframe's, and the one before

# Behind the two descriptions, as the paper's section II-B ends its prompt ("use yes or no to answer"): without it small
# models go on describing (docs/language-models.md has the masses).
_ANSWER = "\nAnswer (yes or no):"


class LlmJudge:
    """PSSS by a causal language model: the mass of yes and of no at the first answered position.

    The prompt is `psss.question` and a request to answer, in the model's chat template where it has one, with thinking
    switched off where the template can. What a keyframe's prompts have in common, focus and first
    description, is a step of its own: it is computed once, and its keys and values are continued for every candidate.

    With `batch_size=1` an answer is a function of its pair alone, bit for bit, whatever was asked before. In larger
    batches, padding and other matrix shapes change its last bits (docs/language-models.md).

    Args:
        model: a name in the catalogue of models, a folder, `hub:owner/name@commit`, a loaded (model, tokenizer), or a
            VlmDescriber, whose language part then judges.
        device: torch device; `auto` takes an accelerator where there is one.
        dtype: of the weights; `auto` as the checkpoint has them.
        quantisation: `int8` or `int4` by bitsandbytes, None for none.
        batch_size: pairs per forward pass.
        floor: least P(yes) + P(no) of an answer; less is an error.
        reuse_prefix: off, the common step is computed again for every batch: the same bits, more work.
        folder: folder of models, see `lgvsc_flow.models`.
    """

    reads_text = True

    def __init__(
        self,
        model: str | Path | tuple[Any, Any] | VlmDescriber = "smollm2-135m",
        *,
        device: str = "auto",
        dtype: str = "auto",
        quantisation: str | None = None,
        batch_size: int = 1,
        floor: float = 0.5,
        reuse_prefix: bool = True,
        folder: str | Path | None = None,
    ) -> None:
        if batch_size < 1:
            raise SettingError(f"LlmJudge.batch_size must be >= 1, got {batch_size}")
        if not 0 <= floor <= 1:
            raise SettingError(f"LlmJudge.floor is a probability, 0 to 1; got {floor}")
        self.model, self.folder = model, folder
        self.device, self.dtype, self.quantisation = device, dtype, quantisation
        self.batch_size, self.floor, self.reuse_prefix = batch_size, floor, reuse_prefix
        self._language: LanguageModel | None = None
        self._chat: Chat | None = None
        self._prefixes: OrderedDict[tuple[int, ...], Context] = OrderedDict()

    @property
    def counts(self) -> LanguageCounts:
        """Work done so far."""
        return self._language.counts if self._language is not None else LanguageCounts()

    def load(self) -> None:
        """Load the model.

        Raises:
            MissingExtraError: transformers is not installed.
            ModelError: the model is missing, does not fit into memory, or has no single tokens for yes and no.
        """
        if self._language is not None:
            return
        import_extra("transformers", "LlmJudge", _EXTRA, "transformers")
        language, chat = self._open()
        _ = language.yes_no  # looked up now: a model that cannot answer fails here
        self._language, self._chat = language, chat

    def ask(self, prompts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """(p_yes, p_no) of each prompt, float64 [len(prompts)].

        Raises:
            ModelError: the model answers neither yes nor no, or computes NaN.
        """
        return self._answer([(None, self._ids(p)) for p in prompts])

    def judge(
        self, keyframe: Description, candidates: Sequence[Description], focus: str
    ) -> tuple[np.ndarray, np.ndarray]:
        """(p_yes, p_no) of every candidate's text against the keyframe's.

        Raises:
            ModelError: as `ask`.
        """
        _, chat = self._loaded()
        first = chat.words_only(keyframe.text)
        prompts = [self._ids(question(first, chat.words_only(c.text), focus) + _ANSWER) for c in candidates]
        # What two prompts that differ in the candidate's first letter share is shared by all of this keyframe.
        ends = [self._ids(question(first, end, focus) + _ANSWER) for end in ("", "A")]
        prefix = tuple(ends[0][: _common(*ends)])
        return self._answer([(prefix, ids) for ids in prompts])

    def _answer(self, prompts: Sequence[tuple[tuple[int, ...] | None, list[int]]]) -> tuple[np.ndarray, np.ndarray]:
        from lgvsc_flow.pretrained import out_of_memory

        language, _ = self._loaded()
        p_yes, p_no = np.zeros(len(prompts)), np.zeros(len(prompts))
        for i in range(0, len(prompts), self.batch_size):
            some = prompts[i : i + self.batch_size]
            with out_of_memory("LlmJudge", **_memory_settings(self)):
                logits = self._logits(some[0][0], [ids for _, ids in some])
                here = slice(i, i + len(some))
                p_yes[here], p_no[here] = language.ask(logits, self.floor)
        return p_yes, p_no

    def _logits(self, prefix: tuple[int, ...] | None, rows: Sequence[list[int]]) -> Any:
        language, _ = self._loaded()
        # A candidate's first letters may join the prefix's last token; one token at least is left to compute.
        length = min(min(_common(prefix or (), ids), len(ids) - 1) for ids in rows)
        if not (prefix and length and language.forks):
            return language.read(None, rows)[0]
        context = language.fork(self._prefix(prefix), len(rows), length)
        return language.read(context, [ids[length:] for ids in rows])[0]

    def _prefix(self, prefix: tuple[int, ...]) -> Context:
        language, _ = self._loaded()
        if not self.reuse_prefix:
            return language.read_prefix(prefix)
        context = self._prefixes.pop(prefix, None)
        if context is None:
            while len(self._prefixes) >= _PREFIXES:
                self._prefixes.pop(next(iter(self._prefixes), ()), None)
            context = language.read_prefix(prefix)
        self._prefixes[prefix] = context
        return context

    def _ids(self, prompt: str) -> list[int]:
        _, chat = self._loaded()
        return chat.encode(chat.render([("user", [prompt])]))

    def _loaded(self) -> tuple[LanguageModel, Chat]:
        self.load()
        assert self._language is not None
        assert self._chat is not None
        return self._language, self._chat

    def _open(self) -> tuple[LanguageModel, Chat]:
        from lgvsc_flow.blocks.semantic.chat import Chat
        from lgvsc_flow.blocks.semantic.language_model import LanguageModel

        if isinstance(self.model, tuple):
            model, tokenizer = self.model
            name = type(model).__name__
        elif not isinstance(self.model, str | Path):
            return self.model.speaker()
        else:
            from transformers import AutoModelForCausalLM, AutoTokenizer

            from lgvsc_flow.pretrained import load_pretrained, load_processor

            name = str(self.model)
            tokenizer = load_processor(AutoTokenizer, self.model, folder=self.folder)
            model = load_pretrained(
                AutoModelForCausalLM,
                self.model,
                device=self.device,
                dtype=self.dtype,
                quantisation=self.quantisation,
                folder=self.folder,
            )
        template = tokenizer.chat_template
        if isinstance(template, dict):
            template = template.get("default")
        if not getattr(tokenizer, "is_fast", True) and not hasattr(tokenizer, "get_vocab"):
            raise ModelError(
                f"the tokenizer of {name} does not list its vocabulary; use a checkpoint with tokenizer.json"
            )
        return LanguageModel(model, tokenizer, name), Chat(tokenizer, template, parts=False, name=name)


def _common(a: Sequence[int], b: Sequence[int]) -> int:
    """How many tokens two prompts begin with alike."""
    for n, (x, y) in enumerate(zip(a, b, strict=False)):
        if x != y:
            return n
    return min(len(a), len(b))


def _memory_settings(owner: Any) -> dict[str, Any]:
    """The settings that decide how much memory a model takes."""
    return {"batch_size": owner.batch_size, "dtype": owner.dtype, "quantisation": owner.quantisation}
