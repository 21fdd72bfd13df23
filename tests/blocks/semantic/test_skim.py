import pytest

pytest.importorskip("cv2")

from lgvsc_flow.blocks.semantic import Skim
from lgvsc_flow.errors import SettingError
from lgvsc_flow.testing import run_block


def layout(segments):
    return [(s.start, s.length, s.closing) for s in segments]


@pytest.mark.parametrize(
    ("count", "expected"),
    [
        (33, [(0, 16, False), (16, 16, False), (32, 1, True)]),
        (20, [(0, 16, False), (16, 3, False), (19, 1, True)]),
        (16, [(0, 15, False), (15, 1, True)]),
        (5, [(0, 4, False), (4, 1, True)]),
        (1, [(0, 1, True)]),
        (0, []),
    ],
)
def test_segments_have_one_length_and_the_last_frame_closes(count, expected, numbered):
    assert layout(run_block(Skim(captions=False), numbered(count))) == expected


def test_without_closing_the_rest_is_a_shorter_segment(numbered):
    segments = run_block(Skim(segment_length=8, captions=False, closing=False), numbered(20))
    assert layout(segments) == [(0, 8, False), (8, 8, False), (16, 4, False)]
    assert [f.index for s in segments for f in s.frames] == list(range(20))


def test_captions_come_from_few_frames(describer, numbered):
    segments = run_block(Skim(segment_length=9, describer=describer), numbered(19))
    assert [s.caption for s in segments] == ["frame 4, still", "frame 13, still", "frame 18"]
    assert describer.seen == [0, 4, 8, 9, 13, 17, 18]


def test_without_captions_no_describer_is_needed(numbered):
    class Never:
        def load(self):
            raise AssertionError("loaded")

        def describe(self, frames):
            raise AssertionError("asked")

    assert {s.caption for s in run_block(Skim(captions=False, describer=Never()), numbered(20))} == {""}


def test_cuts_inside_segments_are_marked(numbered):
    frames = numbered(40)
    for frame in frames[21:]:
        frame.pixels[1:] = (200, 40, 60)
    segments = run_block(Skim(segment_length=16, captions=False), frames)
    assert [s.cut_at for s in segments] == [None, 5, None, None]


def test_bikes_cuts_are_marked_wherever_segments_lie(clip_frames):
    segments = run_block(Skim(segment_length=16, captions=False), clip_frames("bikes"))
    assert [s.start + s.cut_at for s in segments if s.cut_at is not None] == [30, 76, 137, 187, 242]


def test_settings_out_of_range_are_refused():
    with pytest.raises(SettingError, match=r"Skim\.segment_length must be >= 1 frames, got 0"):
        Skim(segment_length=0)
    with pytest.raises(SettingError, match=r"Skim\.describer needs the methods load and describe; got 3"):
        Skim(describer=3)
