import numpy as np
import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from lgvsc_flow.blocks.semantic.language_model import LanguageModel  # noqa: E402
from lgvsc_flow.errors import ModelError  # noqa: E402


@pytest.fixture(scope="module")
def folder(tiny, tmp_path_factory):
    return tiny.tiny_llm(tmp_path_factory.mktemp("llm"), sharp=False)


@pytest.fixture
def language(folder) -> LanguageModel:
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    return LanguageModel(model, transformers.AutoTokenizer.from_pretrained(folder), "toy")


def test_a_context_grows_row_by_row_as_if_read_at_once(language):
    rows = [[10, 11, 12, 13, 14, 15], [20, 21, 22]]
    _, context = language.extend(None, [rows[0][:2], rows[1][:1]])
    logits, context = language.extend(context, [rows[0][2:], rows[1][1:]])
    alone = [language.extend(None, [row])[0] for row in rows]
    torch.testing.assert_close(logits, torch.cat(alone), atol=1e-5, rtol=1e-4)
    assert context.following.tolist() == [6, 3]
    assert context.mask.sum(1).tolist() == [6, 3]


def test_a_row_may_stand_still(language):
    _, context = language.extend(None, [[10, 11], [20, 21]])
    logits, context = language.extend(context, [[12], []])
    logits, _ = language.extend(context, [[13], [22]])
    torch.testing.assert_close(logits[1:], language.extend(None, [[20, 21, 22]])[0], atol=1e-5, rtol=1e-4)


def test_a_fork_is_a_copy(language):
    prefix = language.read_prefix([10, 11, 12, 13])
    a, _ = language.read(language.fork(prefix, 1), [[14, 15]])
    b, _ = language.read(language.fork(prefix, 2), [[20], [21, 22]])
    again, _ = language.read(language.fork(prefix, 1), [[14, 15]])
    assert torch.equal(a, again)
    short, context = language.read(language.fork(prefix, 1, 2), [[30]])
    torch.testing.assert_close(short, language.extend(None, [[10, 11, 30]])[0], atol=1e-5, rtol=1e-4)
    assert context.following.tolist() == [3]
    assert prefix.length == 4
    counts = language.counts
    assert (counts.calls, counts.prompt_tokens, counts.reused_tokens) == (5, 6 + 11 + 6 + 3, 0 + 8 + 4 + 2)
    assert b.shape == (2, len(language.tokenizer) + 5)


@pytest.mark.parametrize("goes_on", [False, True])
def test_decoding_reads_what_it_said_where_the_talk_goes_on(language, goes_on):
    rows = [[10, 11, 12], [20]]
    logits, context = language.read(None, rows)
    answers, context = language.decode(logits, context, 5, goes_on=goes_on)
    assert [len(a) for a in answers] == [5, 5]
    assert language.counts.generated_tokens == 10
    assert context.mask.sum(1).tolist() == [3 + 4 + goes_on, 1 + 4 + goes_on]
    for row, answer in zip(rows, answers, strict=True):
        for n in range(5):
            step, _ = language.extend(None, [row + answer[:n]])
            assert int(step.argmax()) == answer[n]


def test_decoding_stops_each_row_at_its_own_stop_token(language):
    rows = [[10, 11, 12], [20]]
    logits, context = language.read(None, rows)
    free, _ = language.decode(logits, context, 6)
    stop = next(t for t in free[0] if t not in free[1])
    language.stops = frozenset({stop})
    logits, context = language.read(None, rows)
    answers, context = language.decode(logits, context, 6, goes_on=True)
    kept = free[0].index(stop)
    assert answers == [free[0][:kept], free[1]]
    assert context.mask.sum(1).tolist() == [3 + kept, 1 + 6]


def test_a_prompt_longer_than_the_model_reads_is_an_error(language):
    language._longest = 8
    with pytest.raises(ModelError, match=r"toy reads at most 8 tokens and got 9; set a smaller max_new_tokens"):
        language.extend(None, [list(range(9))])


def test_a_model_without_a_cache_is_refused(folder):
    config = transformers.MambaConfig(vocab_size=50, hidden_size=8, num_hidden_layers=1, state_size=4)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    with pytest.raises(ModelError, match="toy is a MambaForCausalLM, which keeps no key-value cache"):
        LanguageModel(transformers.MambaForCausalLM(config), tokenizer, "toy")


def test_a_model_without_positions_is_asked_without_them(folder):
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    config = transformers.BloomConfig(vocab_size=len(tokenizer), hidden_size=16, n_layer=1, n_head=2)
    torch.manual_seed(0)
    language = LanguageModel(transformers.BloomForCausalLM(config), tokenizer, "toy")
    alone = [language.extend(None, [row])[0] for row in ([5, 6, 7], [8])]
    together, _ = language.extend(None, [[5, 6, 7], [8]])
    torch.testing.assert_close(together, torch.cat(alone), atol=1e-5, rtol=1e-4)


def test_masses_are_noted(language):
    logits, _ = language.read(None, [[10], [11]])
    p_yes, p_no = language.ask(logits, 0)
    assert language.counts.min_mass == pytest.approx(np.min(p_yes + p_no))
    assert language.counts.mean_mass == pytest.approx(np.mean(p_yes + p_no))
