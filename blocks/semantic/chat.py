"""Conversations as token ids: a model's chat template where it has one, plain text otherwise."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from lgvsc_flow.errors import ModelError

__all__ = ["IMAGE", "Chat", "Turn", "tidy"]

IMAGE = object()  # stands for an image among the parts of a turn

# Who speaks, and what: words and images in their order.
Turn = tuple[str, Sequence[Any]]

# Switches of chat templates that turn a thinking model's hidden reasoning on; its first token is then no answer.
_THINKING = ("enable_thinking", "thinking")


class Chat:
    """Renders turns as text and text as token ids.

    Args:
        tokenizer: of transformers.
        template: the chat template (Jinja), None for plain text.
        parts: the template takes a turn as a list of parts, as those of vision-language models do.
        name: whose it is, for messages.
    """

    def __init__(self, tokenizer: Any, template: str | None, parts: bool, name: str) -> None:
        self.tokenizer, self.template, self.parts, self.name = tokenizer, template, parts, name
        self._switches = {switch: False for switch in _THINKING if switch in _variables(template)}
        # Longest first: one may begin with another.
        self._control = sorted(
            {str(t) for t in tokenizer.all_special_tokens} | _added(tokenizer), key=len, reverse=True
        )

    def render(self, turns: Sequence[Turn]) -> str:
        """The text of a conversation, up to where the model begins to answer.

        Raises:
            ModelError: the template refuses the conversation.
        """
        if self.template is None:
            return "\n".join("".join(str(p) for p in parts) for _, parts in turns)
        import jinja2

        messages = [{"role": role, "content": self._content(parts)} for role, parts in turns]
        try:
            return str(
                self.tokenizer.apply_chat_template(
                    messages, chat_template=self.template, tokenize=False, add_generation_prompt=True, **self._switches
                )
            )
        except (jinja2.TemplateError, TypeError) as error:
            raise ModelError(
                f"the chat template of {self.name} refuses a conversation of the turns "
                f"{', '.join(role for role, _ in turns)}: {error}; use a checkpoint whose template takes them"
            ) from error

    def encode(self, text: str, begins: bool = True) -> list[int]:
        """Token ids; where the text `begins` a plain prompt, with the tokens that the tokenizer puts in front."""
        special = self.template is None and begins
        return list(self.tokenizer(text, add_special_tokens=special)["input_ids"])

    def between(self, before: Sequence[Turn], after: Sequence[Turn]) -> str:
        """The text from the end of the model's answer to `before` up to its next answer, which follows `after`."""
        if self.template is None:
            return "\n" + self.render(after)
        mark = "lgvsc0answer"
        text = self.render([*before, ("assistant", [mark]), *after])
        if text.count(mark) != 1:
            raise ModelError(
                f"the chat template of {self.name} does not keep an earlier answer, so a second round over it cannot "
                "be asked; use the per-frame strategy with this model"
            )
        return text.split(mark)[1]

    def words_only(self, text: str) -> str:
        """The text without anything that this tokenizer reads as a control token."""
        for token in self._control:
            text = text.replace(token, " ")
        return text

    def _content(self, parts: Sequence[Any]) -> Any:
        if not self.parts:
            return "".join(str(p) for p in parts)
        return [{"type": "image"} if p is IMAGE else {"type": "text", "text": str(p)} for p in parts]


def tidy(text: str) -> str:
    """Text on one line: white space collapsed, what cannot be printed left out."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def _added(tokenizer: Any) -> set[str]:
    added = getattr(tokenizer, "added_tokens_decoder", {})
    # Some control tokens, as <think> and <tool_call>, are not marked as special.
    return {str(t) for t in added.values() if getattr(t, "special", True) or re.fullmatch(r"<[^<> ]+>", str(t))}


def _variables(template: str | None) -> set[str]:
    """Variables that a template reads."""
    if template is None:
        return set()
    import jinja2
    from jinja2 import meta

    try:
        return set(
            meta.find_undeclared_variables(jinja2.Environment(extensions=["jinja2.ext.loopcontrols"]).parse(template))
        )
    except jinja2.TemplateError:  # the renderer knows more extensions than this look at the names
        return {switch for switch in _THINKING if switch in template}
