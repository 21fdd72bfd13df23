import pytest
from hypothesis import given, strategies as st

from lgvsc_flow.blocks.semantic.search import coarse_to_fine, exact, gallop

THRESHOLD = 0.35


def run(search, scores):
    """The offset that a search returns over scores of the samples 1, 2, ..., and what it asked for, in order."""
    asked, wanted = [], next(search)
    while True:
        asked.append(list(wanted))
        try:
            wanted = search.send([scores[o - 1] if o <= len(scores) else None for o in wanted])
        except StopIteration as stop:
            return stop.value, asked


def first(scores):
    return next((i for i, s in enumerate(scores, 1) if s > THRESHOLD), 0)


rows = st.lists(st.sampled_from([-1.0, 0.0, 0.35, 0.36, 1.0]), max_size=60)


@given(rows, st.integers(1, 20))
def test_exact_finds_the_first_and_asks_each_once(scores, ahead):
    hit, asked = run(exact(THRESHOLD, ahead), scores)
    assert hit == first(scores)
    flat = [o for batch in asked for o in batch]
    assert flat == list(range(1, len(flat) + 1))
    assert max(map(len, asked)) <= ahead
    in_vain = min(len(scores), flat[-1]) - hit if hit else 0
    assert in_vain < max(hit, 1)


def test_exact_asks_for_as_many_as_it_has_seen():
    assert [len(b) for b in run(exact(THRESHOLD, 16), [0.0] * 50)[1]] == [1, 1, 2, 4, 8, 16, 16, 16]
    assert run(exact(THRESHOLD, 16), [1.0] * 50) == (1, [[1]])


@given(rows, st.integers(1, 9), st.integers(0, 5))
def test_gallop_returns_a_crossing_or_the_end(scores, stride, window):
    hit, asked = run(gallop(THRESHOLD, stride, window), scores)
    assert hit == 0 or scores[hit - 1] > THRESHOLD
    assert hit == 0 or all(s <= THRESHOLD for s in scores[max(hit - 1 - window, 0) : hit - 1])
    judged = {o for batch in asked for o in batch}
    assert hit or not scores or len(scores) in judged  # the last sample is never passed over
    if stride == 1:
        assert hit == first(scores)


@given(st.integers(0, 200), st.integers(0, 200), st.integers(1, 32), st.integers(0, 3))
def test_gallop_finds_a_lasting_change_where_it_begins(before, behind, stride, window):
    hit, asked = run(gallop(THRESHOLD, stride, window), [0.0] * before + [1.0] * behind)
    assert hit == (before + 1 if behind else 0)
    assert len(asked) <= (before + behind) / stride + 3 * stride.bit_length() + 3


def test_gallop_looks_back_as_far_as_its_window():
    scores = [0.0] * 4 + [1.0, 0.0, 0.0] + [1.0] * 9  # passed over by the steps to 3 and 7
    assert run(gallop(THRESHOLD, 8, 0), scores)[0] == 8
    assert run(gallop(THRESHOLD, 8, 2), scores)[0] == 8
    assert run(gallop(THRESHOLD, 8, 3), scores)[0] == 5


@given(rows, st.integers(1, 9))
def test_coarse_to_fine_returns_a_crossing_or_the_end(scores, step):
    hit, asked = run(coarse_to_fine(THRESHOLD, step), scores)
    assert hit == 0 or scores[hit - 1] > THRESHOLD
    assert hit == 0 or all(s <= THRESHOLD for s in scores[(hit - 1) // step * step : hit - 1])
    judged = {o for batch in asked for o in batch}
    assert hit or all(o in judged for o in range(step, len(scores) + 1, step))
    if step == 1:
        assert hit == first(scores)


@pytest.mark.parametrize("step", [1, 3, 8])
@given(st.integers(0, 60), st.integers(0, 60))
def test_coarse_to_fine_finds_a_lasting_change_where_it_begins(step, before, behind):
    assert run(coarse_to_fine(THRESHOLD, step), [0.0] * before + [1.0] * behind)[0] == (before + 1 if behind else 0)
