import numpy as np
import pytest

from lgvsc_flow.blocks.semantic.letters import LetterModel, caption_model, decode_letters, encode_letters


@pytest.fixture(scope="module")
def model():
    return caption_model()


def test_every_byte_stays_possible_in_every_context(model):
    for context in (b"", b"\n", b"taxica", b"\xff\xfe\x00", b"street"):
        frequencies = model.frequencies(context)
        assert frequencies.min() >= 1
        assert frequencies.sum() <= 1 << 16


def test_prediction_follows_the_counts():
    # At the start of a line "a" is followed by b twice and by c once; half a count each goes to shorter contexts.
    frequencies = LetterModel(b"ab\nab\nac\n").frequencies(b"\na")
    share = frequencies / frequencies.sum()
    assert (2 - 0.5) / 3 < share[ord("b")] < (2 - 0.5 + 0.5) / 3
    assert (1 - 0.5) / 3 < share[ord("c")] < (1 - 0.5 + 0.5) / 3
    assert 0 < share[ord("x")] < 0.01


@pytest.mark.parametrize("seed", range(20))
def test_any_bytes_come_back(model, seed):
    rng = np.random.default_rng(seed)
    text = bytes(b for b in rng.integers(0, 256, rng.integers(0, 80), dtype=np.uint8).tolist() if b != 10)
    assert decode_letters(encode_letters(text, model), model, 100) == text


def test_long_and_repeated_texts_come_back(model):
    text = b"grey, " * 150
    code = encode_letters(text, model)
    assert decode_letters(code, model, len(text)) == text
    assert decode_letters(code, model, len(text) - 1) is None


def test_length_is_near_the_models_own_information(model):
    text = b"minivan and taxicab, grey, slow motion"
    bits, context = 0.0, b"\n"
    for symbol in [*text, 10]:
        frequencies = model.frequencies(context)
        bits -= float(np.log2(frequencies[symbol] / frequencies.sum()))
        context = (context + bytes([symbol]))[-5:]
    assert len(encode_letters(text, model)) * 8 <= bits + 9


@pytest.mark.parametrize("seed", range(10))
def test_any_code_decodes_to_something_bounded(model, seed):
    code = np.random.default_rng(seed).integers(0, 256, 3 * seed, dtype=np.uint8).tobytes()
    text = decode_letters(code, model, 64)
    assert text is None or len(text) <= 64
