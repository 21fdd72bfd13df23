import numpy as np
import pytest

from lgvsc_flow.blocks.semantic.words import colour_words, light_word, motion_words, phrase


def plain(rgb):
    return np.full((8, 8, 3), rgb, dtype=np.uint8)


@pytest.mark.parametrize(
    ("rgb", "name"),
    [
        ((10, 10, 10), "black"),
        ((128, 128, 130), "grey"),
        ((250, 250, 248), "white"),
        ((220, 20, 20), "red"),
        ((110, 60, 20), "brown"),
        ((250, 150, 20), "orange"),
        ((240, 230, 30), "yellow"),
        ((30, 160, 40), "green"),
        ((20, 190, 190), "turquoise"),
        ((30, 60, 220), "blue"),
        ((150, 40, 220), "purple"),
        ((250, 60, 180), "pink"),
    ],
)
def test_plain_colours_have_their_names(rgb, name):
    assert colour_words(plain(rgb)) == [name]


def test_a_second_colour_is_named_when_it_fills_a_fifth():
    picture = plain((30, 160, 40))
    picture[:2] = (30, 60, 220)
    assert colour_words(picture) == ["green", "blue"]
    picture[:7] = (30, 160, 40)
    assert colour_words(picture) == ["green"]


@pytest.mark.parametrize(("level", "word"), [(0, "dark"), (70, "dim"), (120, ""), (230, "bright")])
def test_light_is_named_by_mean_luma(level, word):
    assert light_word(plain((level, level, level))) == word


@pytest.mark.parametrize(
    ("motion", "words"), [(0.0, "still"), (1.0, "slow motion"), (4.0, "motion"), (30.0, "fast motion")]
)
def test_motion_is_named_relative_to_the_width(motion, words):
    assert motion_words(motion, 640) == words
    assert motion_words(motion / 4, 160) == words


def test_phrase_leaves_out_what_is_empty():
    assert phrase([["taxicab", "van"], [""], ["grey"]]) == "taxicab and van, grey"
    assert phrase([[], [""]]) == ""
