import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from lgvsc_flow import Graph
from lgvsc_flow.blocks.metrics import BerMeter
from lgvsc_flow.blocks.phy import (
    Descrambler,
    LlrDescrambler,
    Prbs,
    Scrambler,
    SelfSyncDescrambler,
    SelfSyncScrambler,
)
from lgvsc_flow.blocks.phy.scrambler import SELF_SYNC, SEQUENCES, Gold, Register, bit_sequence
from lgvsc_flow.errors import SettingError, WiringError
from lgvsc_flow.testing import run_block


def text(bits):
    return "".join(map(str, bits))


def number(bits):
    return sum(int(b) << i for i, b in enumerate(bits))


def test_the_sequence_that_802_11_prints():
    """IEEE Std 802.11-2016, clause 17.3.5.5: 127 bits from all ones; and the start of annex I's, from 1011101."""
    printed = (
        "00001110 11110010 11001001 00000010 00100110 00101110 10110110 00001100 11010100 11100111 10110100 00101010 "
        "11111010 01010001 10111000 1111111"
    )
    assert text(bit_sequence("802.11").take(127)) == printed.replace(" ", "")
    assert text(bit_sequence("802.11", 0b1011101).take(16)) == "0110110000011001"


@pytest.mark.parametrize("name", ["802.11", "PRBS7", "PRBS9", "PRBS11", "PRBS15"])
def test_a_sequence_of_full_length(name):
    """Every register but zero comes once in a period: ones, runs and autocorrelation of an m-sequence."""
    polynomial = SEQUENCES[name]
    order, period = polynomial.order, 2**polynomial.order - 1
    bits = bit_sequence(name).take(2 * period) ^ polynomial.inverted
    assert np.array_equal(bits[:period], bits[period:])
    windows = sum(bits[i : i + period].astype(int) << i for i in range(order))
    assert np.unique(windows).size == period
    longest = max(map(len, text(np.append(bits, 0)).split("0")))
    assert longest == order


@pytest.mark.parametrize(("name", "taps"), [("PRBS23", (23, 18)), ("PRBS31", (31, 28)), ("PRBS15", (15, 14))])
def test_a_shift_register_stage_by_stage(name, taps):
    """O.150: the sum of two stages enters the first, and the complement is sent; piece by piece as at one go."""
    stages, expected = [1] * taps[0], []
    for _ in range(5000):
        bit = stages[taps[0] - 1] ^ stages[taps[1] - 1]
        stages = [bit, *stages[:-1]]
        expected.append(1 - bit)
    whole = bit_sequence(name)
    pieces = [whole.take(n) for n in (0, 1, 5, 30, 31, 32, 700, 1, 4200)]
    assert np.concatenate(pieces).tolist() == expected
    longest = max(map(len, text(bit_sequence(name).take(2**16)).split("1")))
    assert longest <= taps[0]


def test_the_initial_register():
    """Bit i - 1 of the number is stage i."""
    for name, (order, tap) in {"PRBS9": (9, 5), "802.11": (7, 4), "PRBS31": (31, 28)}.items():
        for initial in (1, 2, 5, 1 << (order - 1), (1 << order) - 1):
            stages = [initial >> i & 1 for i in range(order)]
            first = stages[order - 1] ^ stages[tap - 1] ^ SEQUENCES[name].inverted
            assert bit_sequence(name, initial).take(1)[0] == first


def test_nr_against_the_standards_formula():
    for c_init in (0, 1, 12345, 2**31 - 1):
        x1, x2 = [1] + [0] * 30, [c_init >> i & 1 for i in range(31)]
        for n in range(2200):
            x1.append(x1[n + 3] ^ x1[n])
            x2.append(x2[n + 3] ^ x2[n + 2] ^ x2[n + 1] ^ x2[n])
        assert Gold(c_init).take(600).tolist() == [a ^ b for a, b in zip(x1[1600:2200], x2[1600:2200], strict=True)]


def test_nr_against_published_values():
    """The first register before place 1600 is 0x54D21B24, as implementations tabulate it; c_init = 162 gives 1011.

    The latter is the example of MATLAB's ltePRBS, whose generator (TS 36.211, clause 7.2) is the same.
    """
    first = Register((31, 28), np.arange(31) == 0)
    first.take(1538)
    assert number(first.take(31)) == 0x54D21B24
    assert text(Gold(162).take(4)) == "1011"
    assert text(Gold(0).take(5)) == "00000"


bursts = st.lists(st.integers(0, 400), min_size=1, max_size=6)


@settings(max_examples=60, deadline=None)
@given(bursts, st.sampled_from(["nr", *SEQUENCES]), st.integers(1, 127), st.sampled_from(["burst", "never"]))
def test_round_trip_and_chunks(sizes, name, initial, restart):
    """Back by hard bits and by LLRs; without restarts the stream is the same however it is cut."""
    bits = np.random.default_rng(sum(sizes)).integers(0, 2, sum(sizes), dtype=np.uint8)
    items = np.split(bits, np.cumsum(sizes)[:-1])
    given_settings = {"sequence": name, "initial": initial, "restart": restart}
    sent = run_block(Scrambler(**given_settings), items)
    assert [s.size for s in sent] == sizes
    for item, out in zip(run_block(Descrambler(**given_settings), sent), items, strict=True):
        assert np.array_equal(item, out)
    llrs = [(1 - 2 * s.astype(np.float32)) * 3 for s in sent]
    for item, out in zip(run_block(LlrDescrambler(**given_settings), llrs), items, strict=True):
        assert item.dtype == np.float32
        assert np.array_equal(item, (1 - 2 * out.astype(np.float32)) * 3)
    expected = bit_sequence(name, initial).take(bits.size)
    if restart == "never":
        assert np.array_equal(np.concatenate(sent), bits ^ expected)
    else:
        for item, out in zip(items, sent, strict=True):
            assert np.array_equal(out, item ^ expected[: item.size])


def test_descrambled_llrs_keep_their_size():
    """NaN stays NaN, infinite stays infinite, zero stays zero."""
    llrs = np.array([np.nan, np.inf, -np.inf, 0, 2.5] * 20, np.float32)
    (turned,) = run_block(LlrDescrambler(sequence="nr", initial=9), [llrs])
    signs = 1 - 2 * bit_sequence("nr", 9).take(100).astype(np.float32)
    assert np.array_equal(turned, llrs * signs, equal_nan=True)


@settings(max_examples=40, deadline=None)
@given(bursts, st.sampled_from(list(SELF_SYNC)))
def test_self_synchronising_round_trip_and_chunks(sizes, polynomial):
    bits = np.random.default_rng(sum(sizes)).integers(0, 2, sum(sizes), dtype=np.uint8)
    items = np.split(bits, np.cumsum(sizes)[:-1])
    sent = run_block(SelfSyncScrambler(polynomial=polynomial), items)
    (whole,) = run_block(SelfSyncScrambler(polynomial=polynomial), [bits])
    assert np.array_equal(np.concatenate(sent), whole)
    assert np.array_equal(np.concatenate(run_block(SelfSyncDescrambler(polynomial=polynomial), sent)), bits)
    new = run_block(SelfSyncScrambler(polynomial=polynomial, restart="burst"), items)
    for item, out in zip(
        run_block(SelfSyncDescrambler(polynomial=polynomial, restart="burst"), new), items, strict=True
    ):
        assert np.array_equal(item, out)


def test_self_synchronising_by_the_formula():
    bits = np.random.default_rng(5).integers(0, 2, 500, dtype=np.uint8)
    for polynomial, taps in {"64B/66B": (58, 39), "ATM": (43,)}.items():
        expected = []
        for t, bit in enumerate(bits):
            expected.append(int(bit) ^ (sum(expected[t - tap] for tap in taps if t >= tap) & 1))
        (sent,) = run_block(SelfSyncScrambler(polynomial=polynomial), [bits])
        assert sent.tolist() == expected


def test_self_synchronising_finds_its_place_and_spreads_one_error_to_three():
    bits = np.random.default_rng(6).integers(0, 2, 600, dtype=np.uint8)
    (sent,) = run_block(SelfSyncScrambler(), [bits])
    (late,) = run_block(SelfSyncDescrambler(), [sent[137:]])
    assert np.array_equal(late[58:], bits[137 + 58 :])
    sent[100] ^= 1
    (back,) = run_block(SelfSyncDescrambler(), [sent])
    assert np.flatnonzero(back != bits).tolist() == [100, 139, 158]


def test_prbs_source_goes_on_from_burst_to_burst():
    sent = run_block(Prbs(sequence="PRBS23", n=1000, count=3))
    assert np.array_equal(np.concatenate(sent), bit_sequence("PRBS23").take(3000))
    graph, source, meter = Graph("scrambled"), Prbs(sequence="PRBS9", n=511, count=4), BerMeter()
    graph.connect(source, Scrambler(restart="never"), Descrambler(restart="never"), meter.received)
    graph.connect(source, meter.sent)
    graph.run()
    assert meter.ber == 0


def test_another_sequence_at_the_other_end_is_found_before_the_run():
    graph = Graph("clash")
    meter, source = BerMeter(), Prbs()
    graph.connect(source, Scrambler(initial=93), Descrambler(initial=94), meter.received)
    graph.connect(source, meter.sent)
    with pytest.raises(WiringError, match=r"scrambling is 802\.11 from 93, restart burst .* takes 802\.11 from 94"):
        graph.run()


def test_messages():
    with pytest.raises(
        SettingError, match="Scrambler: the NR sequence needs initial=c_init from 0 to 2147483647, got None"
    ):
        Scrambler(sequence="nr")
    with pytest.raises(SettingError, match=r"Prbs: the register of PRBS7 holds initial=1 to 127, got 128"):
        Prbs(sequence="PRBS7", initial=128)
    with pytest.raises(SettingError, match=r"Descrambler: the register of 802\.11 holds initial=1 to 127, got 0"):
        Descrambler(initial=0)
    with pytest.raises(ValueError, match="there are the sequences nr, 802"):
        bit_sequence("PRBS8")
