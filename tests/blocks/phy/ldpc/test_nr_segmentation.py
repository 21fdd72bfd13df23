import numpy as np
import pytest

from lgvsc_flow.blocks.phy.crc import CRCS, crc
from lgvsc_flow.blocks.phy.ldpc.nr_segmentation import Segmentation, choose_base_graph, join, segment, segmentation


@pytest.mark.parametrize(
    ("a", "code_rate", "base_graph"),
    [(292, 0.9, 2), (293, 0.68, 1), (293, 0.67, 2), (3824, 0.67, 2), (3825, 0.67, 1), (3825, 0.26, 1), (9000, 0.25, 2)],
)
def test_base_graph(a, code_rate, base_graph):
    assert choose_base_graph(a, code_rate) == base_graph


@pytest.mark.parametrize(
    ("a", "base_graph", "crc_name", "code_blocks", "k_prime", "z"),
    [
        (20, 2, "16", 1, 36, 6),  # B = 36 <= 192: K_b = 6
        (176, 2, "16", 1, 192, 32),  # the last of them
        (177, 2, "16", 1, 193, 26),  # K_b = 8, 193 / 8 = 24.1
        (544, 2, "16", 1, 560, 72),  # the last of them
        (545, 2, "16", 1, 561, 64),  # K_b = 9, 62.3
        (624, 2, "16", 1, 640, 72),
        (625, 2, "16", 1, 641, 72),  # K_b = 10
        (3824, 2, "16", 1, 3840, 384),  # the largest that stays whole on base graph 2
        (3840, 2, "24A", 2, 1956, 208),  # B = 3864, C = ceil(3864 / 3816), B' = 3912
        (8424, 1, "24A", 1, 8448, 384),  # the largest that stays whole on base graph 1
        (8456, 1, "24A", 2, 4264, 208),  # B = 8480, C = ceil(8480 / 8424), B' = 8528; 4264 / 22 = 193.8
        (1277992, 1, "24A", 152, 8432, 384),  # the largest transport block there is
    ],
)
def test_worked_by_hand(a, base_graph, crc_name, code_blocks, k_prime, z):
    cut = segmentation(a, base_graph)
    assert cut == Segmentation(a, base_graph, crc_name, code_blocks, k_prime, z)
    assert cut.k == {1: 22, 2: 10}[base_graph] * z
    assert cut.fillers == cut.k - k_prime >= 0


@pytest.mark.parametrize(("a", "base_graph"), [(1, 2), (100, 2), (3000, 1), (3840, 2), (8456, 1), (30000, 1)])
def test_words_are_as_the_standard_says_and_join_is_the_inverse(a, base_graph):
    cut = segmentation(a, base_graph)
    bits = np.random.default_rng(1).integers(0, 2, 3 * a, dtype=np.uint8)
    words = segment(bits, cut)
    assert words.shape == (3 * cut.code_blocks, cut.k)
    assert not words[:, cut.k_prime :].any()
    own = 24 if cut.code_blocks > 1 else 0
    for number, block in enumerate(words.reshape(3, cut.code_blocks, cut.k)):
        information = block[:, : cut.k_prime - own].ravel()
        sent = bits[number * a : (number + 1) * a]
        assert np.array_equal(information[:a], sent)
        length = CRCS[cut.crc].bits
        assert information.size == a + length
        assert "".join(map(str, information[a:])) == format(crc(sent, cut.crc), f"0{length}b")
        for word in block if own else []:
            tail = "".join(map(str, word[cut.k_prime - own : cut.k_prime]))
            assert tail == format(crc(word[: cut.k_prime - own], "24B"), "024b")
    joined = join(words, cut)
    assert np.array_equal(joined.bits, bits)
    assert joined.ok.tolist() == [True] * 3
    assert joined.code_blocks_ok.shape == (3, cut.code_blocks)
    assert joined.code_blocks_ok.all()


def test_verdicts_tell_which_code_block_is_wrong():
    cut = segmentation(30000, 1)
    words = segment(np.random.default_rng(2).integers(0, 2, 2 * 30000, dtype=np.uint8), cut)
    assert cut.code_blocks == 4
    words[6, 17] ^= 1
    joined = join(words, cut)
    assert joined.ok.tolist() == [True, False]
    assert joined.code_blocks_ok.tolist() == [[True] * 4, [True, True, False, True]]


def test_messages():
    with pytest.raises(ValueError, match=r"a=20000 bits .* into 3 equal code blocks; take a=19998 or a=20001\."):
        segmentation(20000, 1)
    assert segmentation(19998, 1).code_blocks == segmentation(20001, 1).code_blocks == 3
    with pytest.raises(ValueError, match="at least one bit"):
        segmentation(0, 1)
    with pytest.raises(ValueError, match="whole transport blocks of a=100 bits"):
        segment(np.zeros(101, np.uint8), segmentation(100, 2))
    with pytest.raises(ValueError, match=r"words are \[blocks \* 1, 116 or more\], got \[2, 115\]"):
        join(np.zeros((2, 115), np.uint8), segmentation(100, 2))
