import pytest
from tiny_pipelines import tokenizer

from lgvsc_flow.blocks.world.prompts import fitted_prompt, motion_words
from lgvsc_flow.items import SideInfo

BYTES = tokenizer()


@pytest.mark.parametrize(
    ("motion", "words"),
    [
        (0.0, "Almost nothing moves."),
        (0.1, "Almost nothing moves."),
        (0.5, "Slow movement."),
        (2.0, "Steady movement."),
        (20.0, "Fast movement."),
        (float("nan"), ""),
        (float("inf"), ""),
        (-1.0, ""),
    ],
)
def test_motion_is_told_in_words_by_picture_heights_a_second(motion, words):
    assert motion_words(SideInfo(0, motion=motion), 272, 25) == words


def test_lost_side_information_says_nothing():
    assert motion_words(SideInfo(0, lost=True), 272, 25) == ""


@pytest.mark.parametrize(
    ("caption", "motion", "prompt"),
    [
        ("a bus", "Slow movement.", "a bus. Slow movement."),
        ("A bus.", "Slow movement.", "A bus. Slow movement."),
        ("a  bus\n turns", "", "a bus turns"),
        (None, "Slow movement.", "Slow movement."),
        ("", "", ""),
        (None, "", ""),
    ],
)
def test_what_fits_is_told_whole(caption, motion, prompt):
    assert fitted_prompt(caption, motion, BYTES, 64) == (prompt, False)


@pytest.mark.parametrize("most", range(22, 73))
def test_what_does_not_fit_loses_its_last_words(most):
    caption = "seven buses turn around the same corner all day long"
    prompt, shortened = fitted_prompt(caption, "Slow movement.", BYTES, most)
    assert shortened == (len(caption) + 17 > most)
    assert len(BYTES(prompt).input_ids) <= most
    kept = prompt.removesuffix("Slow movement.").rstrip(". ")
    assert caption.startswith(kept)
    assert kept == caption or caption[len(kept)] == " " or not kept


def test_one_endless_word_is_cut_within():
    prompt, shortened = fitted_prompt("a" * 1000, "", BYTES, 30)
    assert shortened
    assert prompt == "a" * 29  # and the closing token


def test_a_caption_without_bounds_is_bounded():
    prompt, shortened = fitted_prompt("bus " * 200_000, "", BYTES, 100)
    assert shortened
    assert len(prompt) < 100
