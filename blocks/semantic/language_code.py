"""Arithmetic coding of captions under a causal language model that both ends hold.

The model reads a prompt once, then the caption token by token. A token is coded in two steps: the level of its logit
below the largest one, and its number among the tokens of that level. Levels are wide against the rounding errors of
matrix products, and their probabilities depend on how many tokens they hold, rounded to a half power of two: a machine
that rounds otherwise mostly finds the same numbers. Where it does not, the check of the caption tells.

Ref: Rissanen and Langdon 1979 (arithmetic coding); Deletang et al. 2024 (language models as compressors).
"""

from __future__ import annotations

import copy
import math
from itertools import pairwise
from typing import Any
from zlib import crc32

import numpy as np

from lgvsc_flow.errors import ModelError
from lgvsc_flow.models import import_extra

__all__ = ["PROMPT", "LanguageCoder", "load_language_coder"]

PROMPT = """Captions of short videos, one per line:
A man rides a bicycle down a busy city street while cars pass on both sides.
A chef slices an onion into thin rings and slides them into a pan of sizzling butter.
The camera follows a brown dog that runs along the beach with a stick in its mouth.
A woman in a red coat walks across the road and waits at the traffic light.
An animated rabbit wakes up, stretches in front of its burrow and sniffs at a flower.
"""

# Edges of the levels, in nats below the largest logit; what is deeper than the last is one more level.
_EDGES = np.array([*np.arange(0.5, 6, 0.5), *np.arange(6, 12), *np.arange(12, 20.1, 2)], dtype=np.float32)
_SCALE = 1 << 18
_TOP = 1 << 48
_SMALLEST = 1 << 40
_SAMPLE = 4096  # values of each weight that its name is made of


class LanguageCoder:
    """A language model as a code: text to bytes and back.

    Args:
        model: a causal language model of transformers, in float32.
        tokenizer: its tokenizer.
        prompt: what it reads first; it ends with the end of a line.
        max_tokens: longest caption; a longer one is not coded.

    Raises:
        ModelError: the tokenizer has no token that ends a line.
    """

    def __init__(self, model: Any, tokenizer: Any, prompt: str = PROMPT, max_tokens: int = 160) -> None:
        self.model, self.tokenizer, self.prompt, self.max_tokens = model.eval(), tokenizer, prompt, max_tokens
        ends = tokenizer.encode("\n", add_special_tokens=False)
        if len(ends) != 1:
            raise ModelError("the model's tokenizer has no token for the end of a line, which ends a caption")
        self._end = int(ends[0])
        self._shares = _level_shares()
        self.check = _name(model, tokenizer, prompt)
        self._prefix = self._read_prompt()

    def encode(self, text: str, last: int = 256) -> bytes | None:
        """The code of a text, its first byte below `last`; None where its tokens do not give the text back."""
        tokens = self.tokenizer.encode(text, add_special_tokens=False)
        if len(tokens) > self.max_tokens or self._end in tokens or self._spelled(tokens) != text:
            return None
        packer = _Packer(last)
        logits, cache = self._begin()
        for token in [*tokens, self._end]:
            levels, shares = self._levels(logits)
            level = int(levels[token])
            packer.put(int(shares[:level].sum()), int(shares[level]), int(shares.sum()))
            peers = np.flatnonzero(levels == level)
            packer.put(int(np.searchsorted(peers, token)), 1, len(peers))
            if token != self._end:
                logits = self._read(token, cache)
        return packer.finish()

    def decode(self, code: bytes, max_bytes: int, last: int = 256) -> str | None:
        """The text of a code; None where it does not end within `max_bytes`, `max_tokens` or the code's own length.

        A damaged code, or another model, gives some other text.
        """
        unpacker = _Unpacker(code, last)
        if unpacker.rest >= unpacker.span:
            return None
        tokens: list[int] = []
        logits, cache = self._begin()
        while len(tokens) <= self.max_tokens:
            levels, shares = self._levels(logits)
            ends = np.cumsum(shares)
            value = unpacker.value(int(ends[-1]))
            level = int(np.searchsorted(ends, value, side="right"))
            unpacker.take(int(ends[level] - shares[level]), int(shares[level]), int(ends[-1]))
            peers = np.flatnonzero(levels == level)
            at = unpacker.value(len(peers))
            unpacker.take(at, 1, len(peers))
            token = int(peers[at])
            if unpacker.beyond:
                return None
            if token == self._end:
                text = self._spelled(tokens) if unpacker.is_shortest() else None
                return text if text is not None and len(text.encode()) <= max_bytes else None
            tokens.append(token)
            if len(tokens) <= self.max_tokens:
                logits = self._read(token, cache)
        return None

    def _spelled(self, tokens: list[int]) -> str | None:
        try:
            text = str(self.tokenizer.decode(tokens, skip_special_tokens=False, clean_up_tokenization_spaces=False))
            text.encode()
        except (UnicodeError, ValueError, TypeError):
            return None
        return text

    def _levels(self, logits: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The level of each token, and the levels' shares of the code space."""
        levels = np.searchsorted(_EDGES, logits.max() - logits, side="right")
        counts = np.bincount(levels, minlength=len(_EDGES) + 1)
        # Twice the logarithm to base 2, rounded down, in integers: n^2 >= 2^k.
        halves = [int(n * n).bit_length() - 1 if n else -1 for n in counts.tolist()]
        return levels, np.array([self._shares[i][h] if h >= 0 else 0 for i, h in enumerate(halves)], dtype=np.int64)

    def _read_prompt(self) -> tuple[np.ndarray, Any]:
        import torch

        tokens = self.tokenizer.encode(self.prompt, add_special_tokens=True) or [self._end]
        with torch.inference_mode():
            out = self.model(input_ids=self._ids(tokens), use_cache=True)
            return self._logits(out), out.past_key_values

    def _begin(self) -> tuple[np.ndarray, Any]:
        logits, cache = self._prefix
        return logits, copy.deepcopy(cache)

    def _read(self, token: int, cache: Any) -> np.ndarray:
        import torch

        with torch.inference_mode():
            return self._logits(self.model(input_ids=self._ids([token]), past_key_values=cache, use_cache=True))

    def _ids(self, tokens: list[int]) -> Any:
        import torch

        return torch.tensor([tokens], device=next(self.model.parameters()).device)

    def _logits(self, out: Any) -> np.ndarray:
        """float32 [vocabulary], of the tokens that the tokenizer has."""
        return out.logits[0, -1, : len(self.tokenizer)].float().cpu().numpy()


def load_language_coder(
    source: str, prompt: str = PROMPT, *, device: str = "cpu", folder: str | None = None
) -> LanguageCoder:
    """The coder of a model by its name, folder or hub address; see `lgvsc_flow.pretrained`.

    Raises:
        ModelError: the model is missing, damaged, or not of this kind.
        MissingExtraError: torch or transformers is not installed.
    """
    import_extra("torch", f"captions coded by {source}", "models", "torch")
    from lgvsc_flow.pretrained import load_pretrained, load_processor

    model = load_pretrained("AutoModelForCausalLM", source, device=device, dtype="float32", folder=folder)
    return LanguageCoder(model, load_processor("AutoTokenizer", source, folder=folder), prompt)


def _level_shares() -> list[list[int]]:
    """Per level and per twice the logarithm of its number of tokens: its weight, an integer of at least 1."""
    edges = [0.0, *_EDGES.tolist(), 24.0]
    means = [(math.exp(-a) - math.exp(-b)) / (b - a) for a, b in pairwise(edges)]
    return [[max(round(_SCALE * mean * 2 ** ((h + 0.5) / 2)), 1) for h in range(48)] for mean in means]


def _name(model: Any, tokenizer: Any, prompt: str) -> int:
    """A number for the prompt, the vocabulary and a sample of every weight."""
    vocabulary = sorted(tokenizer.get_vocab().items(), key=lambda item: item[1])
    found = crc32(repr(vocabulary).encode(), crc32(prompt.encode()))
    for name, weight in model.named_parameters():
        step = max(weight.numel() // _SAMPLE, 1)
        sample = weight.detach().reshape(-1)[::step].float().cpu().numpy().astype("<f4")
        found = crc32(sample.tobytes(), crc32(f"{name} {tuple(weight.shape)}".encode(), found))
    return found


class _Packer:
    """Range coder: intervals within intervals, and the shortest bytes of what is left."""

    def __init__(self, last: int) -> None:
        self._low, self._span, self._bits = 0, last << 40, 48

    def put(self, low: int, size: int, total: int) -> None:
        unit = self._span // total
        self._low += unit * low
        self._span = unit * size
        while self._span < _SMALLEST:
            self._low, self._span, self._bits = self._low << 8, self._span << 8, self._bits + 8

    def finish(self) -> bytes:
        size = self._bits // 8 - 6  # what the decoder has surely read
        while True:
            rest = self._bits - 8 * size
            number = -(-self._low >> rest)
            if number << rest < self._low + self._span:
                return number.to_bytes(size, "big")
            size += 1


class _Unpacker:
    """The inverse of `_Packer`; it reads zeros behind the code."""

    def __init__(self, code: bytes, last: int) -> None:
        self._code, self._at, self._again = code, 6, _Packer(last)
        self.rest, self.span = int.from_bytes(code[:6].ljust(6, b"\0"), "big"), last << 40

    @property
    def beyond(self) -> bool:
        """Whether more was read than an encoder leaves out."""
        return self._at - 6 > len(self._code)

    def is_shortest(self) -> bool:
        """Whether an encoder would have written these bytes."""
        return self._again.finish() == self._code

    def value(self, total: int) -> int:
        return min(self.rest // (self.span // total), total - 1)

    def take(self, low: int, size: int, total: int) -> None:
        self._again.put(low, size, total)
        unit = self.span // total
        self.rest -= unit * low
        self.span = unit * size
        while self.span < _SMALLEST:
            byte = self._code[self._at] if self._at < len(self._code) else 0
            self.rest, self.span, self._at = self.rest << 8 | byte, self.span << 8, self._at + 1
