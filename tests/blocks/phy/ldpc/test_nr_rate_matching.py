import numpy as np
import pytest

from lgvsc_flow.blocks.phy.ldpc.nr_code import nr_code
from lgvsc_flow.blocks.phy.ldpc.nr_encode import nr_encode
from lgvsc_flow.blocks.phy.ldpc.nr_rate_matching import RateMatching, match, recover
from lgvsc_flow.blocks.phy.ldpc.nr_segmentation import segment, segmentation

NULL = -1


def by_the_letter(words, cut, e, bits_per_symbol, rv, layers=1, n_ref=None):
    """Clauses 5.3.2 (2), 5.4.2.1, 5.4.2.2 and 5.5 for one transport block, bit by bit as they are written."""
    z, k = cut.z, cut.k
    n = {1: 66, 2: 50}[cut.base_graph] * z
    n_cb = n if n_ref is None else min(n, n_ref)
    table = {1: (0, 17, 33, 56), 2: (0, 13, 25, 43)}[cut.base_graph]
    k0 = table[rv] * n_cb // n * z
    c = cut.code_blocks
    sent = []
    for r in range(c):
        d = [NULL if cut.k_prime <= i < k else int(words[r, i]) for i in range(2 * z, n + 2 * z)]
        symbols = e // (layers * bits_per_symbol)
        share = layers * bits_per_symbol * (symbols // c if r <= c - symbols % c - 1 else -(-symbols // c))
        chosen, j = [], 0
        while len(chosen) < share:
            bit = d[(k0 + j) % n_cb]
            if bit != NULL:
                chosen.append(bit)
            j += 1
        f = [0] * share
        for j in range(share // bits_per_symbol):
            for i in range(bits_per_symbol):
                f[i + j * bits_per_symbol] = chosen[i * share // bits_per_symbol + j]
        sent += f
    return sent


CASES = [
    # a, base graph, e as a share of what is encoded, bits per symbol, layers, n_ref as a share of N
    (20, 2, 0.3, 2, 1, None),
    (100, 2, 0.9, 1, 1, None),
    (500, 2, 0.5, 4, 1, None),
    (500, 2, 2.7, 6, 1, None),
    (1000, 1, 0.45, 8, 2, None),
    (1000, 1, 1.5, 10, 1, 0.61),
    (3840, 2, 0.4, 4, 1, 0.5),
    (9000, 1, 0.37, 6, 2, None),
    (26004, 1, 0.6, 2, 4, 0.8),
]


@pytest.mark.parametrize("rv", range(4))
@pytest.mark.parametrize(("a", "base_graph", "share", "bits_per_symbol", "layers", "limit"), CASES)
def test_against_the_clauses_as_written(a, base_graph, share, bits_per_symbol, layers, limit, rv):
    cut = segmentation(a, base_graph)
    whole = nr_code(base_graph, cut.z).n - 2 * cut.z
    step = bits_per_symbol * layers
    e = int(share * whole * cut.code_blocks) // step * step + step
    n_ref = None if limit is None else int(limit * whole)
    matching = RateMatching(cut, e, bits_per_symbol, layers, n_ref)
    words = segment(np.random.default_rng(3).integers(0, 2, 2 * a, dtype=np.uint8), cut)
    found = match(nr_encode(words, matching.code(rv)), matching, rv).reshape(2, e)
    full = nr_encode(words, nr_code(base_graph, cut.z)).reshape(2, cut.code_blocks, -1)
    for block in range(2):
        expected = by_the_letter(full[block], cut, e, bits_per_symbol, rv, layers, n_ref)
        assert found[block].tolist() == expected


def test_starting_positions_worked_by_hand():
    """Table 5.4.2.1-2: BG2, Z = 64: 0, 13 Z, 25 Z, 43 Z; BG1, Z = 384 with N_cb = 19000: floor(17 * 19000 / 25344) = 12
    blocks, floor(33 * 19000 / 25344) = 24, floor(56 * 19000 / 25344) = 41."""
    small = RateMatching(segmentation(496, 2), 1024, 2)
    assert small.n_cb == 3200
    assert [small.k0(rv) for rv in range(4)] == [0, 832, 1600, 2752]
    limited = RateMatching(segmentation(8424, 1), 16848, 2, n_ref=19000)
    assert limited.n_cb == 19000
    assert [limited.k0(rv) for rv in range(4)] == [0, 12 * 384, 24 * 384, 41 * 384]


def test_runs_worked_by_hand():
    """BG2, a = 496: K' = 512, Z = 64, so 128 fillers behind bit 512 and 2 Z = 128 bits unsent before all."""
    matching = RateMatching(segmentation(496, 2), 1024, 2)
    assert matching.runs(0, 1024) == [(128, 512), (640, 1280)]
    assert matching.rows(0) == 10
    # Redundancy version 3 begins at bit 43 * 64 of the buffer, has 448 bits up to its end, and goes on in front.
    assert matching.runs(3, 900) == [(2880, 3328), (128, 512), (640, 708)]
    assert matching.rows(3) == 42
    assert matching.rows(0, 2) == 33  # version 2 ends at 2 * 64 + 25 * 64 + 1024 = 43 * 64, and 10 columns have no row
    # Twice around and more: each bit of the buffer without fillers comes again after 3072.
    assert sum(end - begin for begin, end in matching.runs(2, 7000)) == 7000


def test_shares_worked_by_hand():
    """E_r: 250 symbols of 4 bits for 3 code blocks are 83, 83 and 84; 2 layers: 125 pairs are 41, 42 and 42."""
    cut = segmentation(20001, 1)
    assert RateMatching(cut, 1000, 4).shares.tolist() == [332, 332, 336]
    assert RateMatching(cut, 1000, 4, layers=2).shares.tolist() == [328, 336, 336]


@pytest.mark.parametrize("rv", range(4))
@pytest.mark.parametrize(("a", "base_graph", "share", "bits_per_symbol", "layers", "limit"), CASES)
def test_every_llr_comes_back_to_its_bit(a, base_graph, share, bits_per_symbol, layers, limit, rv):
    """The LLRs of what was sent add up to how often each bit was sent, with its sign; all else stays 0."""
    cut = segmentation(a, base_graph)
    whole = nr_code(base_graph, cut.z).n - 2 * cut.z
    step = bits_per_symbol * layers
    e = int(share * whole * cut.code_blocks) // step * step + step
    matching = RateMatching(cut, e, bits_per_symbol, layers, None if limit is None else int(limit * whole))
    words = segment(np.random.default_rng(4).integers(0, 2, a, dtype=np.uint8), cut)
    full = nr_encode(words, nr_code(base_graph, cut.z))
    counts = np.zeros(full.shape, int)
    for r, size in enumerate(matching.shares):
        for begin, end in matching.runs(rv, int(size)):
            counts[r, begin:end] += 1
    buffer = np.zeros(full.shape, np.float32)
    recover(1 - 2 * match(full, matching, rv).astype(np.float32), matching, rv, buffer)
    assert np.array_equal(buffer, (1 - 2.0 * full) * counts)
    assert counts.sum() == e
    assert not counts[:, : 2 * cut.z].any()
    assert not counts[:, cut.k_prime : cut.k].any()


def test_nan_is_an_erasure_and_infinities_stay():
    matching = RateMatching(segmentation(496, 2), 1024, 2)
    llrs = np.full(1024, 2, np.float32)
    llrs[:4] = np.nan, np.inf, -np.inf, 1e30
    buffer = np.zeros((1, matching.n), np.float32)
    for _ in range(2):
        recover(llrs, matching, 0, buffer)
    # The interleaver's first two columns: rows of 512 bits, the second of which begins behind the fillers.
    assert buffer[0, [128, 768, 129, 769]].tolist() == [0, np.inf, -np.inf, np.float32(2e30)]
    assert (buffer[0, 130:512] == 4).all()


def test_other_layouts_are_taken_and_other_dtypes_refused():
    matching = RateMatching(segmentation(496, 2), 1024, 2)
    words = np.random.default_rng(6).integers(0, 2, (1, matching.n), dtype=np.uint8)
    sent = match(words, matching, 2)
    with pytest.raises(ValueError, match=r"Bits is one-dimensional uint8, got int64 .*array.astype\(np.uint8\)"):
        match(words.astype(np.int64), matching, 2)
    assert np.array_equal(match(np.repeat(words, 2, axis=1)[:, ::2], matching, 2), sent)
    one, other = np.zeros((2, 1, matching.n), np.float32)
    recover(1 - 2 * sent.astype(np.float32), matching, 2, one)
    recover(np.repeat(1 - 2 * sent.astype(np.float32), 2)[::2], matching, 2, other)
    assert np.array_equal(one, other)
    with pytest.raises(ValueError, match=r"Llrs is one-dimensional float32, got float64"):
        recover(1 - 2.0 * sent, matching, 2, other)
    for buffer in (other.astype(float), np.zeros((1, 2 * matching.n), np.float32)[:, ::2], other[0]):
        with pytest.raises(ValueError, match=r"the buffer is a writable float32 array in one piece"):
            recover(1 - 2 * sent.astype(np.float32), matching, 2, buffer)


def test_what_does_not_fit_is_refused():
    cut = segmentation(496, 2)
    matching = RateMatching(cut, 1024, 2)
    with pytest.raises(ValueError, match="bits_per_symbol and layers are 1 or more, got 0 and 1"):
        RateMatching(cut, 1024, 0)
    for rv in (-1, 4):
        with pytest.raises(ValueError, match=f"a redundancy version is 0 to 3, got {rv}"):
            match(np.zeros((1, matching.n), np.uint8), matching, rv)
    with pytest.raises(ValueError, match=r"takes codewords \[blocks \* 1, \d+ or more\], got \[5\]"):
        match(np.zeros(5, np.uint8), matching, 0)


def test_any_length_is_as_good_as_its_bits():
    """No rate cliff: every e from one symbol up gives the first e bits of one and the same endless sequence."""
    cut = segmentation(100, 2)
    words = nr_encode(segment(np.random.default_rng(5).integers(0, 2, 100, dtype=np.uint8), cut), nr_code(2, cut.z))
    endless = match(words, RateMatching(cut, 4000, 1), 1)
    for e in range(1, 2500, 7):
        assert np.array_equal(match(words, RateMatching(cut, e, 1), 1), endless[:e])


def test_messages():
    cut = segmentation(20001, 1)
    with pytest.raises(
        ValueError, match=r"e=1001 bits do not make whole symbols of 4 bits .* multiple of 4, 12 or more"
    ):
        RateMatching(cut, 1001, 4)
    with pytest.raises(ValueError, match=r"n_ref=100 cuts off information bits; it is \d+ \(k\) or more"):
        RateMatching(cut, 1000, 4, n_ref=100)
    matching = RateMatching(cut, 30000, 2)
    with pytest.raises(ValueError, match=r"takes codewords \[blocks \* 3, \d+ or more\], got \[2, 100\]"):
        match(np.zeros((2, 100), np.uint8), matching, 0)
    with pytest.raises(ValueError, match="transmissions of e=30000 LLRs for 1 blocks"):
        recover(np.zeros(29999, np.float32), matching, 0, np.zeros((3, matching.n), np.float32))
    with pytest.raises(ValueError, match="needs a buffer of"):
        recover(np.zeros(30000, np.float32), matching, 0, np.zeros((3, 100), np.float32))
