"""Yes or no in a vocabulary: the tokens that spell them, and their mass in a model's next-token distribution."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lgvsc_flow.errors import ModelError

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["YesNoTokens", "check_floor", "likely_tokens", "spells", "yes_no_masses", "yes_no_tokens"]

_BEFORE = " \t\r\n\"'`‘’“”„«»*("
_AFTER = " \t\r\n\"'`‘’“”„«»*).,!"


@dataclass(frozen=True)
class YesNoTokens:
    """Ids of the single tokens that spell yes, and of those that spell no."""

    yes: tuple[int, ...]
    no: tuple[int, ...]


def spells(text: str) -> str:
    """`yes` or `no` where a token's text is that word, in any case, within quotes or white space; else ""."""
    word = text.lstrip(_BEFORE).rstrip(_AFTER).lower()
    return word if word in ("yes", "no") else ""


def yes_no_tokens(tokenizer: Any, name: str = "the model") -> YesNoTokens:
    """All single-token spellings of yes and no, found by what each token of the vocabulary decodes to.

    Args:
        tokenizer: a tokenizer of transformers, of any kind.
        name: whose it is, for the message.

    Raises:
        ModelError: yes or no is no single token of it.
    """
    found: dict[str, list[int]] = {"yes": [], "no": []}
    special = set(tokenizer.all_special_ids)
    # The letters y, e, s, n, o stand for themselves in byte-level and in sentencepiece vocabularies alike, so a look at
    # the raw token leaves few to decode.
    for token, token_id in sorted(tokenizer.get_vocab().items(), key=lambda item: item[1]):
        raw = (token.decode("utf-8", "replace") if isinstance(token, bytes) else token).lower()
        if token_id not in special and ("yes" in raw or "no" in raw):
            word = spells(tokenizer.decode([token_id]))
            if word:
                found[word].append(token_id)
    missing = [word for word, ids in found.items() if not ids]
    if missing:
        raise ModelError(
            f"the tokenizer of {name} has no single token that spells {' or '.join(missing)}; a yes-no score (PSSS) "
            "needs both as single tokens: use another model"
        )
    return YesNoTokens(tuple(found["yes"]), tuple(found["no"]))


def yes_no_masses(logits: Tensor, tokens: YesNoTokens, name: str = "the model") -> tuple[np.ndarray, np.ndarray]:
    """(p_yes, p_no), float64 [rows] each: the tokens' mass in the softmax over the whole vocabulary.

    Args:
        logits: [rows, vocabulary] of the next token; the softmax is taken in float32.
        tokens: the spellings.
        name: whose logits, for the message.

    Raises:
        ModelError: a logit is NaN, or none is finite.
    """
    wide = logits.float()
    if not bool((wide.isfinite().any(dim=-1) & ~wide.isnan().any(dim=-1)).all()):
        raise ModelError(
            f"{name} computed NaN or infinite logits: its numbers overflow in this precision. Set dtype='bfloat16' or "
            "dtype='float32'"
        )
    masses = wide.softmax(dim=-1)
    yes, no = (masses[:, list(ids)].double().sum(dim=-1).cpu().numpy() for ids in (tokens.yes, tokens.no))
    return np.asarray(yes), np.asarray(no)


def likely_tokens(logits: Tensor, tokenizer: Any, count: int = 5) -> str:
    """The most likely next tokens of one row [vocabulary], as `' The' 0.41, 'I' 0.07`."""
    masses = logits.float().softmax(dim=-1)
    top = masses.topk(min(count, len(masses)))
    pairs = zip(top.indices.tolist(), top.values.tolist(), strict=True)
    return ", ".join(f"{tokenizer.decode([i])!r} {p:.2f}" for i, p in pairs)


def check_floor(
    p_yes: np.ndarray, p_no: np.ndarray, logits: Tensor, floor: float, tokenizer: Any, name: str = "the model"
) -> None:
    """Make sure that yes and no together have at least the mass `floor` in every row.

    Raises:
        ModelError: they have less; the message says what the model would say instead.
    """
    mass = p_yes + p_no
    if not len(mass):
        return
    row = int(np.argmin(mass))
    if mass[row] >= floor or math.isclose(mass[row], floor):
        return
    raise ModelError(
        f"{name} answers neither yes nor no: P(yes) + P(no) is {mass[row]:.3f}, below the floor of {floor:g}. Its "
        f"likeliest next tokens: {likely_tokens(logits[row], tokenizer)}. Its chat template or the focus does not lead "
        "to an answer: use an instruction-tuned checkpoint with its chat template, ask for 'yes' or 'no' in the focus, "
        "or set a lower floor"
    )
