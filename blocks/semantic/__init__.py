"""Meaning as it flows: descriptions, similarity (PSSS), segments (SKEM, SKIM), captions and side information."""

from typing import TYPE_CHECKING

from lgvsc_flow.lazy import exports

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

__getattr__, __dir__, __all__ = exports(
    __name__,
    {
        "captions": ["TextDecoder", "TextEncoder"],
        "embedded": ["EmbeddedDescriber", "EmbeddingJudge"],
        "minilm": ["MiniLmJudge"],
        "psss": ["Describer", "Description", "Judge", "PromptJudge", "YesNoModel", "s_abs", "s_rel"],
        "side": ["FlowDecoder", "FlowEncoder"],
        "skem": ["Skem"],
        "skim": ["Skim"],
        "splitter": ["SegmentSplitter"],
    },
)
