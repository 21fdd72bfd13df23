import numpy as np
import pytest

from lgvsc_flow.blocks.semantic.letter_kernels import CAPITAL, CHOICES, INPUTS, KINDS
from lgvsc_flow.blocks.semantic.letters import (
    LetterModel,
    caption_model,
    decode_letters,
    encode_letters,
    mark_capitals,
    primer_lines,
    unmark_capitals,
)

EVEN = np.full((INPUTS, KINDS), 2048), np.full((sum(CHOICES), INPUTS), 500)


@pytest.fixture(scope="module")
def model():
    return caption_model()


@pytest.mark.parametrize("seed", range(20))
def test_any_bytes_come_back(model, seed):
    rng = np.random.default_rng(seed)
    text = bytes(b for b in rng.integers(0, 256, rng.integers(0, 80), dtype=np.uint8).tolist() if b not in (10, 1))
    assert decode_letters(encode_letters(text, model), model, 100) == text


def test_what_the_model_keeps_for_itself_is_not_coded(model):
    assert encode_letters(b"two\nlines", model) is None
    assert encode_letters(b"a mark \x01 b", model) is None


def test_capitals_are_marked_and_come_back():
    assert mark_capitals(b"A red TV. The BBC") == bytes([CAPITAL]) + b" a red" + bytes([CAPITAL]) + (
        b" tV." + bytes([CAPITAL]) + b" the" + bytes([CAPITAL]) + b" bBC"
    )
    for text in (b"", b"A", b"a", b"A B C", b"aB Cd", b"\xc3\x84 X"):
        assert unmark_capitals(mark_capitals(text)) == text
    for wrong in (b"", b"no space", bytes([CAPITAL]) + b"x", b" A", b" a" + bytes([CAPITAL])):
        assert unmark_capitals(wrong) is None or mark_capitals(unmark_capitals(wrong)) == wrong


def test_long_and_repeated_texts_come_back_and_cost_little(model):
    text = b"grey, " * 150
    code = encode_letters(text, model)
    assert len(code) < 60
    assert decode_letters(code, model, len(text)) == text
    assert decode_letters(code, model, len(text) - 1) is None


def test_carries_run_through_the_code(model):
    """Many short texts reach every way in which a code can end."""
    rng = np.random.default_rng(3)
    for _ in range(400):
        text = bytes(rng.choice(list(b"aeo ,.xyz"), rng.integers(0, 12)).tolist())
        code = encode_letters(text, model)
        assert decode_letters(code, model, 20) == text


@pytest.mark.parametrize(("first", "last"), [(0, 255), (240, 255), (7, 8)])
def test_codes_stay_in_their_range_of_first_bytes(model, first, last):
    for text in (b"", b"a", b"A man walks.", b"\xff\xfe" * 5):
        code = encode_letters(text, model, first, last)
        assert first <= (code[0] if code else 0) < last
        assert decode_letters(code, model, 40, first, last) == text
        assert decode_letters(bytes([last % 256]) + code[1:], model, 40, first, last) is None


def test_a_code_is_the_shortest_of_its_text(model):
    code = encode_letters(b"A man walks a dog.", model)
    for longer in (code + b"\0", code + b"\1"):
        found = decode_letters(longer, model, 100)
        assert found is None or encode_letters(found, model) != longer


@pytest.mark.parametrize("seed", range(10))
def test_any_code_decodes_to_something_bounded(model, seed):
    code = np.random.default_rng(seed).integers(0, 256, 3 * seed, dtype=np.uint8).tobytes()
    text = decode_letters(code, model, 64)
    assert text is None or len(text) <= 64


def test_the_primer_makes_texts_cheap():
    texts = (["a red bus"] * 3, ["a blue car"] * 3)
    model = LetterModel(texts, *EVEN)
    far = LetterModel((["zzz"], ["qqq"]), *EVEN)
    for text in (b"a red bus", b"a blue car", b"a red car"):
        assert len(encode_letters(text, model)) < len(encode_letters(text, far))
    assert len(encode_letters(b"a red bus", model)) <= 2


def test_models_have_names():
    one = LetterModel((["tram"], ["bus"]), *EVEN)
    assert one.check == LetterModel((["tram"], ["bus"]), *EVEN).check
    other_weights = EVEN[0], EVEN[1] + 1
    others = [LetterModel((["bus"], ["tram"]), *EVEN), LetterModel((["tram"], ["bus"]), *other_weights)]
    assert len({one.check, *(o.check for o in others)}) == 3


def test_weights_of_another_size_are_refused():
    with pytest.raises(ValueError, match="are not those of this model"):
        LetterModel((["a"], ["b"]), np.zeros((2, 2)), EVEN[1])


def test_the_primer_is_plain_lines_of_ascii():
    for lines in primer_lines():
        assert len(lines) > 500
        assert all(line.isascii() and line.isprintable() and line == " ".join(line.split()) for line in lines)
