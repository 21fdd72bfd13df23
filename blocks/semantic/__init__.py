"""Meaning as it flows: descriptions, similarity (PSSS), segments (SKEM, SKIM), captions and side information."""

from typing import TYPE_CHECKING

from lgvsc_flow.lazy import exports

if TYPE_CHECKING:
    from lgvsc_flow.blocks.semantic.captions import TextDecoder as TextDecoder, TextEncoder as TextEncoder
    from lgvsc_flow.blocks.semantic.embedded import (
        EmbeddedDescriber as EmbeddedDescriber,
        EmbeddingJudge as EmbeddingJudge,
    )
    from lgvsc_flow.blocks.semantic.joint import JointScorer as JointScorer
    from lgvsc_flow.blocks.semantic.llm import LlmJudge as LlmJudge
    from lgvsc_flow.blocks.semantic.minilm import MiniLmJudge as MiniLmJudge
    from lgvsc_flow.blocks.semantic.optical_flow import (
        DisFlow as DisFlow,
        OpticalFlow as OpticalFlow,
        RaftFlow as RaftFlow,
    )
    from lgvsc_flow.blocks.semantic.psss import (
        Describer as Describer,
        Description as Description,
        FunctionJudge as FunctionJudge,
        Judge as Judge,
        PromptJudge as PromptJudge,
        YesNoModel as YesNoModel,
        s_abs as s_abs,
        s_rel as s_rel,
    )
    from lgvsc_flow.blocks.semantic.scoring import Scorer as Scorer
    from lgvsc_flow.blocks.semantic.side import FlowDecoder as FlowDecoder, FlowEncoder as FlowEncoder
    from lgvsc_flow.blocks.semantic.skem import Skem as Skem, SkemCounts as SkemCounts
    from lgvsc_flow.blocks.semantic.skim import Skim as Skim
    from lgvsc_flow.blocks.semantic.splitter import SegmentSplitter as SegmentSplitter
    from lgvsc_flow.blocks.semantic.vlm import VlmDescriber as VlmDescriber

__getattr__, __dir__, __all__ = exports(
    __name__,
    {
        "captions": ["TextDecoder", "TextEncoder"],
        "embedded": ["EmbeddedDescriber", "EmbeddingJudge"],
        "joint": ["JointScorer"],
        "llm": ["LlmJudge"],
        "minilm": ["MiniLmJudge"],
        "optical_flow": ["DisFlow", "OpticalFlow", "RaftFlow"],
        "psss": ["Describer", "Description", "FunctionJudge", "Judge", "PromptJudge", "YesNoModel", "s_abs", "s_rel"],
        "scoring": ["Scorer"],
        "side": ["FlowDecoder", "FlowEncoder"],
        "skem": ["Skem", "SkemCounts"],
        "skim": ["Skim"],
        "splitter": ["SegmentSplitter"],
        "vlm": ["VlmDescriber"],
    },
)
