"""Meaning as it flows: descriptions, similarity (PSSS), segments (SKEM, SKIM), captions and side information."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lgvsc_flow.blocks.semantic.captions import TextDecoder, TextEncoder
    from lgvsc_flow.blocks.semantic.embedded import EmbeddedDescriber, EmbeddingJudge
    from lgvsc_flow.blocks.semantic.minilm import MiniLmJudge
    from lgvsc_flow.blocks.semantic.psss import (
        Describer,
        Description,
        Judge,
        PromptJudge,
        YesNoModel,
        s_abs,
        s_rel,
    )
    from lgvsc_flow.blocks.semantic.side import FlowDecoder, FlowEncoder
    from lgvsc_flow.blocks.semantic.skem import Skem
    from lgvsc_flow.blocks.semantic.skim import Skim
    from lgvsc_flow.blocks.semantic.splitter import SegmentSplitter

__all__ = [
    "Describer",
    "Description",
    "EmbeddedDescriber",
    "EmbeddingJudge",
    "FlowDecoder",
    "FlowEncoder",
    "Judge",
    "MiniLmJudge",
    "PromptJudge",
    "SegmentSplitter",
    "Skem",
    "Skim",
    "TextDecoder",
    "TextEncoder",
    "YesNoModel",
    "s_abs",
    "s_rel",
]

_MODULES = {
    "captions": ("TextDecoder", "TextEncoder"),
    "embedded": ("EmbeddedDescriber", "EmbeddingJudge"),
    "minilm": ("MiniLmJudge",),
    "psss": ("Describer", "Description", "Judge", "PromptJudge", "YesNoModel", "s_abs", "s_rel"),
    "side": ("FlowDecoder", "FlowEncoder"),
    "skem": ("Skem",),
    "skim": ("Skim",),
    "splitter": ("SegmentSplitter",),
}
_HOMES = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
