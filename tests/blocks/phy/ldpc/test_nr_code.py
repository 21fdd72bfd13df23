import hashlib

import numpy as np
import pytest

from lgvsc_flow.blocks.phy.ldpc.nr_code import BASE_GRAPHS, LIFTING_SETS, LIFTING_SIZES, nr_code, nr_table

DIGESTS = {
    1: "b37d73a4370322a5a01415e404e4cae4c5cee7c28a0c2de618f5c10ff2945f31",
    2: "706f390e857cded087992d592bbace745f26f911abd07d1271e4dc21d2857aa3",
}


def test_lifting_sizes():
    """Table 5.3.2-1: 51 sizes in 8 sets, the largest of each set as printed there."""
    assert len(LIFTING_SIZES) == len(set(LIFTING_SIZES)) == 51
    assert [sizes[-1] for sizes in LIFTING_SETS] == [256, 384, 320, 224, 288, 352, 208, 240]
    assert LIFTING_SIZES[:8] == (2, 3, 4, 5, 6, 7, 8, 9)


@pytest.mark.parametrize("base_graph", [1, 2])
def test_numbers_are_those_of_two_independent_copies(base_graph):
    """SHA-256 of the tables as compared, entry by entry, with two independent implementations of the standard."""
    digest = hashlib.sha256(nr_table(base_graph).astype("<i2").tobytes()).hexdigest()
    assert digest == DIGESTS[base_graph]


@pytest.mark.parametrize(("base_graph", "edges", "degrees"), [(1, 316, (3, 19)), (2, 197, (3, 10))])
def test_shape_and_number_of_entries(base_graph, edges, degrees):
    table = nr_table(base_graph)
    assert table.shape == (8, *BASE_GRAPHS[base_graph])
    for shifts in table:
        assert np.array_equal(shifts >= 0, table[0] >= 0)
        assert (shifts >= 0).sum() == edges
        weights = (shifts >= 0).sum(axis=1)
        assert (weights.min(), weights.max()) == degrees


@pytest.mark.parametrize("base_graph", [1, 2])
@pytest.mark.parametrize("lifting_set", range(8))
def test_double_diagonal_core_and_identity_extension(base_graph, lifting_set):
    """What the encoder stands on: a staircase in the core behind a column of three entries, two alike; then I."""
    shifts = nr_table(base_graph)[lifting_set]
    rows, columns = shifts.shape
    core = shifts[:4, columns - rows : columns - rows + 4]
    expected = np.full((4, 3), -1)
    for i in range(3):
        expected[i, i] = expected[i + 1, i] = 0
    assert np.array_equal(core[:, 1:], expected)
    first = core[:, 0][core[:, 0] >= 0]
    assert first.size == 3
    assert first[0] == first[2] != first[1]
    assert np.count_nonzero(core[:, 0] == first[1]) == 1
    assert (shifts[:4, columns - rows + 4 :] == -1).all()
    extension = shifts[4:, columns - rows + 4 :]
    assert np.array_equal(extension, np.where(np.eye(rows - 4), 0, -1))


def test_shifts_are_taken_modulo_the_lifting_size():
    code = nr_code(1, 6)
    assert code.base[0, 0] == 307 % 6
    assert (code.k, code.m, code.n) == (132, 46 * 6, 68 * 6)


def test_a_cut_code_is_the_upper_left_of_the_full_one():
    full, cut = nr_code(2, 7).parity_check(), nr_code(2, 7, rows=9).parity_check()
    assert cut.shape == (9 * 7, 19 * 7)
    assert np.array_equal(cut, full[: 9 * 7, : 19 * 7])
    assert not full[: 9 * 7, 19 * 7 :].any()


def test_messages():
    with pytest.raises(ValueError, match="got base_graph=1, z=17"):
        nr_code(1, 17)
    with pytest.raises(ValueError, match="got base_graph=3, z=16"):
        nr_code(3, 16)
    with pytest.raises(ValueError, match=r"base graph 2 has 42 rows and needs the first 4; got rows=43"):
        nr_code(2, 16, rows=43)
