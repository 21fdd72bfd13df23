from lgvsc_flow.blocks.semantic import SegmentSplitter
from lgvsc_flow.items import Segment
from lgvsc_flow.testing import run_block


def test_a_segment_becomes_caption_side_and_keyframe(numbered):
    frames = tuple(numbered(3))
    segment = Segment(4, frames, "a cat, still")
    sent = run_block(SegmentSplitter(), [segment])
    (caption,), (side,), (keyframe,) = sent["captions"], sent["side"], sent["keyframes"]
    assert (caption.index, caption.text, caption.lost) == (4, "a cat, still", False)
    assert side is segment
    assert (keyframe.index, keyframe.lost) == (4, False)
    assert keyframe.pixels is frames[0].pixels
