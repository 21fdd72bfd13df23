import hashlib
import itertools
import math

import numpy as np
import pytest

from lgvsc_flow.blocks.channel.awgn import add_noise, noise_variance
from lgvsc_flow.blocks.phy.ldpc.nr_blocks import NrLdpcDecoder, NrLdpcEncoder
from lgvsc_flow.blocks.phy.ldpc.nr_segmentation import choose_base_graph, segmentation
from lgvsc_flow.blocks.phy.nr_mcs import (
    NR_MCS_TABLES,
    REFERENCE_SYMBOLS,
    NrMcs,
    best_mcs,
    transport_block_size,
)
from lgvsc_flow.blocks.phy.qam import demodulate, modulate
from lgvsc_flow.items import Received

ALL = [mcs for table in NR_MCS_TABLES.values() for mcs in table]


@pytest.mark.parametrize(
    ("table", "index", "order", "efficiency"),
    [
        (1, 0, 4, 0.2344),
        (1, 9, 4, 1.3262),
        (1, 10, 16, 1.3281),
        (1, 16, 16, 2.5703),
        (1, 17, 64, 2.5664),
        (1, 28, 64, 5.5547),
        (2, 0, 4, 0.2344),
        (2, 10, 16, 2.5703),
        (2, 11, 64, 2.7305),
        (2, 20, 256, 5.3320),
        (2, 27, 256, 7.4063),
        (3, 0, 4, 0.0586),
        (3, 14, 4, 1.1758),
        (3, 15, 16, 1.3281),
        (3, 28, 64, 4.5234),
        (4, 1, 4, 0.3770),
        (4, 5, 16, 2.4063),
        (4, 14, 64, 5.1152),
        (4, 22, 256, 7.4063),
        (4, 23, 1024, 7.8662),
        (4, 24, 1024, 8.3301),
        (4, 25, 1024, 8.7939),
        (4, 26, 1024, 9.2578),
    ],
)
def test_spectral_efficiencies_as_printed_in_the_standard(table, index, order, efficiency):
    mcs = NR_MCS_TABLES[table][index]
    assert (mcs.table, mcs.index, mcs.order) == (table, index, order)
    assert math.floor(mcs.efficiency * 1e4 + 0.5) / 1e4 == efficiency


def test_numbers_are_those_of_two_independent_copies():
    """SHA-256 of (order, rate) as compared, row by row, with two independent implementations of the standard."""
    assert [len(table) for table in NR_MCS_TABLES.values()] == [29, 28, 29, 27]
    text = ";".join(f"{m.table},{m.index},{m.order},{m.code_rate_1024:g}" for m in ALL)
    assert hashlib.sha256(text.encode()).hexdigest()[:16] == "18ebfb3deaf6650b"


@pytest.mark.parametrize(
    ("table", "index", "symbols", "layers", "size"),
    [
        (3, 0, 36, 1, 24),  # 2.1 bits: the least there is
        (1, 5, 144, 1, 104),  # 106.6 bits: n = 3, 104, which is in the list
        (1, 9, 1560, 1, 2088),  # 2068.8: n = 5, 2048, and the next in the list
        (1, 28, 1560, 1, 8712),  # 8665.3: n = 8, 8704 above 8424, C = 2: 16 * ceil(8728 / 16) - 24
        (3, 0, 90000, 1, 5256),  # 5273.4: n = 7, 5248; R <= 1/4, C = 2: 16 * ceil(5272 / 16) - 24
        (2, 27, 42588, 4, 1277992),  # the largest there is: 273 resource blocks of 156 symbols, 4 layers
    ],
)
def test_transport_block_sizes_worked_by_hand(table, index, symbols, layers, size):
    assert transport_block_size(symbols, NR_MCS_TABLES[table][index], layers=layers) == size


def test_every_size_divides_into_equal_code_blocks():
    for mcs in ALL:
        for symbols in (12, 36, 156, 700, 1560, 5000, 15600, 42588):
            a = transport_block_size(symbols, mcs)
            assert segmentation(a, choose_base_graph(a, mcs.code_rate)).a == a


@pytest.mark.parametrize("table", [1, 2, 3, 4])
def test_measured_thresholds_are_possible_and_in_order(table):
    """Each is above Shannon's limit for its efficiency, by less than 3.6 dB: the short blocks lose most."""
    schemes = NR_MCS_TABLES[table]
    for mcs in schemes:
        sent = transport_block_size(REFERENCE_SYMBOLS, mcs) / REFERENCE_SYMBOLS
        limit_db = 10 * math.log10(2**sent - 1)
        assert limit_db < mcs.threshold_db(0.1) < limit_db + 3.6
        assert 0.1 < mcs.threshold_db(0.01) - mcs.threshold_db(0.1) < 0.8
    ordered = sorted(schemes, key=lambda mcs: mcs.efficiency)
    for left, right in itertools.pairwise(ordered):
        if right.efficiency > 1.02 * left.efficiency:
            assert left.threshold_db(0.1) < right.threshold_db(0.1)


@pytest.mark.parametrize(("table", "index"), [(3, 3), (1, 7), (1, 13), (2, 22), (4, 23)])
def test_thresholds_hold(table, index):
    """At the threshold for 0.1, give or take 0.15 dB, the rate is on the right side of 0.1 at 99.9 %, one-sided."""
    mcs, blocks = NR_MCS_TABLES[table][index], 256
    settings = {
        "a": transport_block_size(REFERENCE_SYMBOLS, mcs),
        "e": REFERENCE_SYMBOLS * mcs.bits_per_symbol,
        "code_rate": mcs.code_rate,
        "order": mcs.order,
    }
    encoder, decoder = NrLdpcEncoder(**settings), NrLdpcDecoder(**settings)
    encoder.start()
    decoder.start()
    rng = np.random.default_rng(5)
    bits = rng.integers(0, 2, blocks * encoder.a, dtype=np.uint8)
    symbols = modulate(encoder.work(bits), mcs.order)
    slack = 3.09 * math.sqrt(0.1 * 0.9 / blocks)
    for off_db in (-0.15, 0.15):
        variance = noise_variance(mcs.threshold_db(0.1) + off_db)
        noisy = add_noise(symbols, float(variance), rng)
        llrs = demodulate(Received(noisy, np.complex64(1), np.float32(variance)), mcs.order)
        found, _ = decoder.work(llrs)
        bler = (found != bits).reshape(blocks, -1).any(axis=1).mean()
        assert bler > 0.1 - slack if off_db < 0 else bler < 0.1 + slack


def test_best_mcs():
    table = NR_MCS_TABLES[1]
    for mcs in table:
        chosen = best_mcs(mcs.threshold_db(0.1) + 1e-6)
        assert chosen.threshold_db(0.1) <= mcs.threshold_db(0.1) + 1e-6
        assert chosen.efficiency >= mcs.efficiency
    assert best_mcs(-30) == table[0]
    assert best_mcs(99) == table[28]
    assert best_mcs(99, table=2).order == 256
    assert best_mcs(99, table=4).order == 1024
    assert best_mcs(10, 0.01).efficiency <= best_mcs(10, 0.1).efficiency
    assert best_mcs(10, margin_db=3) == best_mcs(7)


def test_between_the_measured_rates():
    mcs = NrMcs(1, 0, 4, 512, (1.0, 2.0))
    assert mcs.threshold_db(0.1) == pytest.approx(1.0)
    assert mcs.threshold_db(10**-1.5) == pytest.approx(1.5)
    assert mcs.threshold_db(0.01) == pytest.approx(2.0)


def test_messages():
    with pytest.raises(ValueError, match="NR has MCS tables 1, 2, 3, 4; got 5"):
        best_mcs(10, table=5)
    with pytest.raises(ValueError, match=r"from 0\.01 to 0\.1; got 0\.001"):
        best_mcs(10, 0.001)
    with pytest.raises(ValueError, match=r"choose the scheme; got nan and 0\.0"):
        best_mcs(math.nan)
    with pytest.raises(ValueError, match="at least one symbol and one layer; got 0 and 1"):
        transport_block_size(0, NR_MCS_TABLES[1][0])
