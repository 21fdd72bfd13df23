"""Pictures in the place of lost keyframes."""

import numpy as np
import pytest

from lgvsc_flow.blocks.ntscc.conceal import MODES, Concealer

SEEN = np.full((2, 3, 3), 7, np.uint8)


def expected():
    return np.full((2, 3, 3), 50, np.uint8)


def blank(height, width):
    return np.full((height, width, 3), 128, np.uint8)


def level(picture):
    return None if picture is None else int(picture[0, 0, 0])


@pytest.mark.parametrize(
    ("mode", "first", "burst_first", "later", "burst_later"),
    [("lost", None, None, None, None), ("last", 128, 50, 7, 7), ("mean", 128, 50, 128, 50)],
)
def test_what_is_shown(mode, first, burst_first, later, burst_later):
    """Before and after a keyframe has come, where all is lost and where only the burst is."""
    concealer = Concealer(mode)
    assert level(concealer.picture((2, 3), None, blank)) == first
    assert level(concealer.picture((2, 3), expected, blank)) == burst_first
    concealer.arrived(SEEN)
    assert level(concealer.picture((2, 3), None, blank)) == later
    assert level(concealer.picture((2, 3), expected, blank)) == burst_later


def test_of_unknown_size_there_is_no_picture_until_one_has_come():
    concealer = Concealer("mean")
    assert concealer.picture(None, None, blank) is None
    concealer.arrived(SEEN)
    assert concealer.picture(None, None, blank).shape == (2, 3, 3)


def test_the_blank_picture_is_made_once_and_never_shared():
    made = []
    concealer = Concealer("mean")
    pictures = [concealer.picture((2, 3), None, lambda *size: made.append(size) or blank(*size)) for _ in range(3)]
    assert made == [(2, 3)]
    pictures[0][:] = 0
    assert level(pictures[1]) == 128
    assert set(MODES) == {"lost", "last", "mean"}
