import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from tokenizers import Tokenizer, decoders, models, pre_tokenizers  # noqa: E402
from transformers import PreTrainedTokenizerFast  # noqa: E402

from lgvsc_flow.blocks.semantic.yes_no import (  # noqa: E402
    YesNoTokens,
    check_floor,
    spells,
    yes_no_masses,
    yes_no_tokens,
)
from lgvsc_flow.errors import ModelError  # noqa: E402


def byte_level(*words: str) -> PreTrainedTokenizerFast:
    """A byte-level tokenizer whose vocabulary is the bytes and these words."""
    to_token = {
        w: "".join(t for t, _ in pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False).pre_tokenize_str(w))
        for w in words
    }
    tokens = [*sorted(pre_tokenizers.ByteLevel.alphabet()), *to_token.values()]
    tokenizer = Tokenizer(models.BPE(vocab={t: i for i, t in enumerate(tokens)}, merges=[]))
    tokenizer.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer)


def sentencepiece_like(*words: str) -> PreTrainedTokenizerFast:
    """A tokenizer that marks a leading space as sentencepiece does."""
    tokenizer = Tokenizer(models.Unigram([("<unk>", 0.0), *((w.replace(" ", "▁"), -1.0) for w in words)], unk_id=0))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="<unk>")


YES = ["yes", " yes", "Yes", " Yes", "YES", "\nyes", "‘yes’", '"Yes', "Yes."]
NO = ["no", " no", "No", " NO", "\n\nNo", "‘no", "no’"]
NEITHER = ["yesterday", "not", "know", "none", "noyes", "/no", "yes_", "no-", "eyes", "n o"]


@pytest.mark.parametrize("kind", [byte_level, sentencepiece_like])
def test_all_spellings_are_found_by_what_they_decode_to(kind):
    tokenizer = kind(*YES, *NO, *NEITHER)
    vocabulary = tokenizer.get_vocab()
    tokens = yes_no_tokens(tokenizer)
    size = len(vocabulary)
    assert [tokens.yes, tokens.no] == [
        tuple(range(size - len(YES + NO + NEITHER), size - len(NO + NEITHER))),
        tuple(range(size - len(NO + NEITHER), size - len(NEITHER))),
    ]


@pytest.mark.parametrize("text", NEITHER)
def test_other_words_are_neither(text):
    assert spells(text) == ""


@pytest.mark.parametrize(
    ("words", "missing"), [((" Yes", "yes"), "no"), (("no",), "yes"), (("maybe",), "yes or no"), ((), "yes or no")]
)
def test_a_tokenizer_without_single_tokens_is_refused(words, missing):
    with pytest.raises(
        ModelError, match=f"tokenizer of toy has no single token that spells {missing}; .* another model"
    ):
        yes_no_tokens(byte_level(*words), "toy")


def test_special_tokens_are_no_answers():
    tokenizer = byte_level("yes", "no", "<yes>")
    tokenizer.add_special_tokens({"eos_token": "Yes"})
    tokens = yes_no_tokens(tokenizer)
    assert len(tokens.yes) == 1


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_masses_are_those_of_the_whole_softmax(dtype):
    logits = torch.tensor(np.random.default_rng(0).normal(0, 4, (3, 1000))).to(getattr(torch, dtype))
    tokens = YesNoTokens((3, 77, 500), (4, 999))
    p_yes, p_no = yes_no_masses(logits, tokens)
    wide = logits.float().numpy().astype(np.float64)
    by_hand = np.exp(wide - wide.max(axis=1, keepdims=True))
    by_hand /= by_hand.sum(axis=1, keepdims=True)
    assert p_yes.dtype == p_no.dtype == np.float64
    np.testing.assert_allclose(p_yes, by_hand[:, [3, 77, 500]].sum(axis=1), rtol=2e-6)
    np.testing.assert_allclose(p_no, by_hand[:, [4, 999]].sum(axis=1), rtol=2e-6)


def test_masked_tokens_do_not_disturb():
    logits = torch.full((1, 4), -torch.inf)
    logits[0, 1] = 3.0
    p_yes, p_no = yes_no_masses(logits, YesNoTokens((1,), (2,)))
    assert (p_yes[0], p_no[0]) == (1.0, 0.0)


@pytest.mark.parametrize("bad", [float("nan"), -float("inf")])
def test_logits_that_are_no_numbers_name_the_setting(bad):
    logits = torch.zeros(2, 5)
    logits[1] = bad
    with pytest.raises(
        ModelError, match=r"toy computed NaN or infinite logits: .* dtype='bfloat16' or dtype='float32'"
    ):
        yes_no_masses(logits, YesNoTokens((0,), (1,)), "toy")


def test_the_floor_says_what_the_model_would_say_instead():
    tokenizer = byte_level("yes", "no", "The", "Perhaps")
    logits = torch.full((2, len(tokenizer)), -30.0)
    ids = tokenizer.get_vocab()
    logits[:, ids["yes"]] = 5.0
    logits[1, ids["yes"]], logits[1, ids["The"]], logits[1, ids["Perhaps"]] = 1.0, 3.0, 2.0
    p_yes, p_no = yes_no_masses(logits, YesNoTokens((ids["yes"],), (ids["no"],)))
    check_floor(p_yes[:1], p_no[:1], logits[:1], 0.5, tokenizer)
    check_floor(p_yes[:0], p_no[:0], logits[:0], 0.5, tokenizer)
    check_floor(p_yes, p_no, logits, 0.09, tokenizer)
    expected = (
        r"toy answers neither yes nor no: P\(yes\) \+ P\(no\) is 0\.090, below the floor of 0\.5\. Its likeliest next "
        r"tokens: 'The' 0\.67, 'Perhaps' 0\.24, 'yes' 0\.09, .* use an instruction-tuned checkpoint .* lower floor"
    )
    with pytest.raises(ModelError, match=expected):
        check_floor(p_yes, p_no, logits, 0.5, tokenizer, "toy")
