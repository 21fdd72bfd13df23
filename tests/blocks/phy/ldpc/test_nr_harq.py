import numpy as np
import pytest

from lgvsc_flow.blocks.phy.ldpc.decode import decode
from lgvsc_flow.blocks.phy.ldpc.fixed import decode_int8
from lgvsc_flow.blocks.phy.ldpc.nr_encode import nr_encode
from lgvsc_flow.blocks.phy.ldpc.nr_harq import SoftBuffer, receive
from lgvsc_flow.blocks.phy.ldpc.nr_rate_matching import RateMatching, match
from lgvsc_flow.blocks.phy.ldpc.nr_segmentation import join, segment, segmentation

SEQUENCE = (0, 2, 3, 1)


def transmit(matching, blocks, rvs, esn0_db, seed):
    """Bits of transport blocks and the LLRs of all their transmissions as BPSK over AWGN: float32 [blocks, rvs, e]."""
    rng = np.random.default_rng(seed)
    bits = rng.integers(0, 2, blocks * matching.cut.a, dtype=np.uint8)
    words = nr_encode(segment(bits, matching.cut), matching.code(*rvs))
    sent = np.stack([match(words, matching, rv).reshape(blocks, -1) for rv in rvs], axis=1)
    variance = 10 ** (-esn0_db / 10) / 2
    y = 1 - 2.0 * sent + rng.normal(size=sent.shape) * np.sqrt(variance)
    return bits, (2 * y / variance).astype(np.float32)


def test_soft_buffer_adds_up_and_knows_the_fillers():
    matching = RateMatching(segmentation(496, 2), 1024, 2)
    buffer = SoftBuffer(matching, blocks=2)
    with pytest.raises(ValueError, match="nothing has been received"):
        buffer.codewords()
    buffer.add(np.full(2048, 1.5, np.float32), 0)
    llrs, code = buffer.codewords()
    assert llrs.shape == (2, code.n) == (2, 1280)
    assert (llrs[:, 512:640] == np.inf).all()
    assert not llrs[:, :128].any()
    assert (llrs[:, 640:] == 1.5).all()
    buffer.add(np.full(2048, 1.5, np.float32), 0)
    buffer.add(np.full(2048, 1.5, np.float32), 3)
    llrs, code = buffer.codewords()
    assert code.n == matching.n == 3328
    assert (llrs[:, 128:512] == 4.5).all()  # both versions
    assert (llrs[:, 900:1280] == 3).all()
    assert (llrs[:, 2880:] == 1.5).all()
    buffer.clear()
    assert np.array_equal(buffer.llrs, SoftBuffer(matching, blocks=2).llrs)
    assert buffer.rvs == ()


@pytest.mark.parametrize(("a", "base_graph", "e", "bits_per_symbol"), [(100, 2, 160, 2), (3000, 2, 4000, 4)])
def test_incremental_redundancy_decodes_what_one_transmission_cannot(a, base_graph, e, bits_per_symbol):
    """Each transmission has about half the Es/N0 it takes: blocks come through as redundancy adds up, none wrongly."""
    matching = RateMatching(segmentation(a, base_graph), e, bits_per_symbol)
    bits, llrs = transmit(matching, 40, SEQUENCE, -3.5 if a == 100 else -2.0, seed=6)
    found = receive(llrs.ravel(), matching, SEQUENCE)
    one = receive(llrs[:, 0].ravel(), matching, SEQUENCE[:1])
    assert one.ok.mean() < 0.5
    assert found.ok.all()
    assert np.array_equal(found.bits, bits)
    assert found.transmissions.min() >= 1
    assert found.transmissions.max() > 1
    assert np.array_equal(found.transmissions == 1, one.ok)
    # More is decoded from two transmissions of new redundancy than from the same one sent twice.
    counts = []
    for rvs in ((0, 2), (0, 0)):
        _, pair = transmit(matching, 60, rvs, -3.5 if a == 100 else -2.0, seed=7)
        counts.append(receive(pair.ravel(), matching, rvs).ok.sum())
    assert counts[0] > counts[1]


def test_only_wrong_code_blocks_are_decoded_again():
    """The second code block's first transmission is lost; its twin is left as decoded, with its iterations."""
    cut = segmentation(8456, 1)
    assert cut.code_blocks == 2
    matching = RateMatching(cut, 2 * 8000, 2)
    bits, llrs = transmit(matching, 1, (0, 0), 6.0, seed=8)
    llrs[0, 0, 8000:] = 0
    found = receive(llrs.ravel(), matching, (0, 0), max_iterations=10)
    assert np.array_equal(found.bits, bits)
    assert found.ok.tolist() == [True]
    assert found.transmissions.tolist() == [2]
    alone = receive(llrs[:, 0].ravel(), matching, (0,), max_iterations=10)
    assert alone.code_blocks_ok.tolist() == [[True, False]]
    assert alone.ok.tolist() == [False]
    assert found.iterations[0, 0] == alone.iterations[0, 0] < 10
    assert found.iterations[0, 1] > alone.iterations[0, 1] == 10


@pytest.mark.parametrize("precision", ["int8", "float32"])
def test_transmissions_that_need_longer_codes_each(precision):
    """What `receive` keeps of some blocks is what a soft buffer of each has; NaN in any transmission is an erasure."""
    matching, rvs = RateMatching(segmentation(496, 2), 700, 4), (0, 1, 3)
    assert len({matching.code(*rvs[:number]).n for number in (1, 2, 3)}) > 1
    _, llrs = transmit(matching, 12, rvs, -3.5, seed=9)
    llrs[:, :, ::50] = np.nan
    together = receive(llrs.ravel(), matching, rvs, precision=precision)
    assert set(together.transmissions.tolist()) >= {2, 3}
    for block in range(12):
        buffer, count = SoftBuffer(matching, 1, rvs), together.transmissions[block]
        for number in range(count):
            buffer.add(llrs[block, number], rvs[number])
        combined, code = buffer.codewords()
        decoder = decode_int8 if precision == "int8" else decode
        found = join(decoder(combined.ravel(), code, max_iterations=20).words, matching.cut)
        assert found.ok[0] == together.ok[block]
        assert np.array_equal(found.bits, together.bits[block * 496 : (block + 1) * 496])


def test_what_never_arrived_does_not_pass():
    """The all-zero word has right CRCs; erasures alone must not decode to it."""
    matching = RateMatching(segmentation(496, 2), 1024, 2)
    for value in (0.0, np.nan):
        found = receive(np.full(2048, value, np.float32), matching, (0, 2))
        assert found.ok.tolist() == [False]
        assert found.transmissions.tolist() == [2]


def test_no_blocks():
    found = receive(np.zeros(0, np.float32), RateMatching(segmentation(496, 2), 1024, 2))
    assert found.bits.size == found.ok.size == 0
    assert found.iterations.shape == (0, 1)


def test_message():
    matching = RateMatching(segmentation(496, 2), 1024, 2)
    with pytest.raises(ValueError, match=r"whole transport blocks of 2 transmission\(s\) of 1024 LLRs"):
        receive(np.zeros(1024, np.float32), matching, (0, 2))
