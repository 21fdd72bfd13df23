import numpy as np

from lgvsc_flow.blocks.metrics import SegmentLog
from lgvsc_flow.items import Frame, Segment
from lgvsc_flow.testing import run_block


def test_keeps_what_is_said_and_no_pixels() -> None:
    frames = tuple(Frame(np.zeros((2, 2, 3), np.uint8), i) for i in range(4, 7))
    log = SegmentLog()
    run_block(log, [Segment(1, frames, "a street", (0.1, 0.2, 0.3), cut_at=2), Segment(2, frames[2:], closing=True)])
    first, second = log.entries
    assert (first.start, first.stop, first.caption, first.s_rel, first.cut_at) == (4, 7, "a street", (0.1, 0.2, 0.3), 2)
    assert (second.start, second.stop, second.closing) == (6, 7, True)
    assert log.keyframes == [4, 6]
