import numpy as np
import pytest

from lgvsc_flow.blocks.semantic import TextDecoder, TextEncoder
from lgvsc_flow.blocks.semantic.captions import pack_text, unpack_text
from lgvsc_flow.blocks.semantic.language_code import PROMPT, LanguageCoder, load_language_coder
from lgvsc_flow.blocks.semantic.letters import caption_model
from lgvsc_flow.errors import FlowError, ModelError
from lgvsc_flow.items import Caption, Payload
from lgvsc_flow.testing import run_block

pytest.importorskip("torch")
pytest.importorskip("transformers")

WORDS = "a red square on grey background the image shows one two tram bus street \n"
TEXTS = ("a red square", "the image shows a bus", "", "größer, naïve 猫 🚲", "<|im_end|> a", "x" * 60)


@pytest.fixture(scope="module")
def folder(tiny, tmp_path_factory):
    return tiny.tiny_llm(tmp_path_factory.mktemp("llm"), sharp=False, words=WORDS)


@pytest.fixture(scope="module")
def coder(folder):
    return load_language_coder(str(folder))


@pytest.fixture(scope="module")
def letters():
    return caption_model()


@pytest.mark.parametrize("last", [256, 240])
def test_texts_come_back(coder, last):
    for text in TEXTS:
        code = coder.encode(text, last)
        assert (code[0] if code else 0) < last
        assert coder.decode(code, 200, last) == text


def test_length_is_near_the_models_own_information(coder):
    """The code against the logarithms of the softmax: levels of half a nat and rounded counts cost some per cent."""
    text = "the image shows a red square on the grey street"
    tokens = coder.tokenizer.encode(text, add_special_tokens=False)
    bits, (logits, cache) = 0.0, coder._begin()
    for token in [*tokens, coder._end]:
        z = logits.astype(np.float64)
        bits -= (z[token] - z.max() - np.log(np.exp(z - z.max()).sum())) / np.log(2)
        logits = coder._read(token, cache)
    assert bits - 8 < 8 * len(coder.encode(text)) < 1.1 * bits + 16


def test_a_caption_leaves_no_trace_in_the_next(coder):
    alone = coder.encode("a red tram")
    coder.encode("one two bus street")
    assert coder.encode("a red tram") == alone


def test_only_the_shortest_code_is_taken(coder):
    code = coder.encode("a red square")
    for other in (code + b"\0", code + b"\1", code[:-1] + bytes([code[-1] ^ 1])):
        assert coder.decode(other, 200) != "a red square"


def test_what_is_too_long_is_not_coded(folder):
    from lgvsc_flow.pretrained import load_pretrained, load_processor

    model, tokenizer = load_pretrained("AutoModelForCausalLM", folder), load_processor("AutoTokenizer", folder)
    coder = LanguageCoder(model, tokenizer, max_tokens=4)
    assert coder.encode("one two tram bus street") is None
    assert coder.decode(coder.encode("a bus"), 4) is None  # bytes


def test_lines_and_line_ends_are_not_coded(coder):
    assert coder.encode("two\nlines") is None


def test_damaged_codes_are_bounded(coder):
    rng = np.random.default_rng(2)
    for _ in range(20):
        text = coder.decode(rng.bytes(int(rng.integers(0, 12))), 60)
        assert text is None or len(text.encode()) <= 60


def test_the_name_tells_weights_and_prompt(coder, folder, tiny, tmp_path):
    assert load_language_coder(str(folder)).check == coder.check
    assert load_language_coder(str(folder), PROMPT + "A bus.\n").check != coder.check
    assert load_language_coder(str(tiny.tiny_llm(tmp_path, sharp=False, words=WORDS, seed=1))).check != coder.check


def test_blocks_round_trip_and_say_what_is_lost(folder, letters):
    captions = [Caption(i, t) for i, t in enumerate(TEXTS)]
    payloads = run_block(TextEncoder(model=str(folder)), captions)
    back = run_block(TextDecoder(model=str(folder)), payloads)
    assert [(c.text, c.lost) for c in back] == [(t, False) for t in TEXTS]
    other = TextDecoder(model=str(folder), prompt="Another prompt:\n")
    with_letters = [unpack_text(p.data, letters) for p in payloads]
    texts = [c.text for c in run_block(other, payloads)]
    assert all(t in (None, sent) for t, sent in zip(texts, TEXTS, strict=True))
    assert other.losses["damaged, or coded by another model or with another prompt"] == texts.count(None)
    assert all(t in (None, sent) for t, sent in zip(with_letters, TEXTS, strict=True))


def test_letters_are_sent_where_they_are_shorter(coder, letters):
    """The tiny model is random: the letter model beats it, and costs no more than one byte for being the second."""
    text = "A man rides a bicycle down a busy street while cars pass on both sides."
    data = pack_text(text, letters, language=coder)
    assert 240 <= data[0] < 255
    assert len(data) <= len(pack_text(text, letters)) + 1
    assert unpack_text(data, letters, language=coder) == text


def test_a_model_that_decodes_otherwise_is_not_used(coder, letters, monkeypatch):
    monkeypatch.setattr(coder, "encode", lambda text, last: b"\x01")
    data = pack_text("zqj xkq 42", letters, language=coder)
    assert unpack_text(data, letters, language=coder) == "zqj xkq 42"
    monkeypatch.setattr(coder, "decode", lambda code, max_bytes, last: "another text")
    assert pack_text("zqj xkq 42", letters, language=coder)[0] >= 240


def test_every_single_bit_error_is_noticed(coder, letters):
    code = coder.encode("a red square", 240)
    assert code is not None
    data = min((pack_text(t, letters, language=coder) for t in TEXTS if pack_text(t, letters, language=coder)[0] < 240),
               key=len, default=None)  # fmt: skip
    if data is None:
        pytest.skip("letters beat the random model on all texts")
    sent = unpack_text(data, letters, language=coder)
    for bit in range(len(data) * 8):
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << bit % 8
        assert unpack_text(bytes(flipped), letters, 200, coder) in (None, sent)


def test_wrong_logits_at_the_other_end_are_a_lost_caption(folder, letters):
    """What other rounding does, a hundred times as strong as it is between machines."""
    text = "one two tram bus street one two tram bus street"
    here, there = load_language_coder(str(folder)), load_language_coder(str(folder))
    rng = np.random.default_rng(4)
    read = there._read
    there._read = lambda token, cache: read(token, cache) + rng.normal(0, 0.3, len(there.tokenizer)).astype(np.float32)
    from lgvsc_flow.blocks.semantic.captions import _check, check_bytes

    code = here.encode(text, 240)
    data = code + _check(text.encode(), here.check, check_bytes(code))
    assert unpack_text(data, letters, language=here) == text
    assert unpack_text(data, letters, language=there) is None


def test_a_tokenizer_without_line_ends_is_refused(coder):
    class Words:
        def encode(self, text, add_special_tokens=False):
            return [1, 2]

    with pytest.raises(ModelError, match="no token for the end of a line"):
        LanguageCoder(coder.model, Words())


def test_a_model_that_is_not_there_says_so(tmp_path):
    with pytest.raises(FlowError, match=r"no model is called .*known are"):
        run_block(TextEncoder(model=str(tmp_path / "nothing")), [Caption(0, "a")])
    with pytest.raises(FlowError, match="no model is called 'no-such-model'"):
        run_block(TextDecoder(model="no-such-model"), [Payload(0, "caption", b"a")])
