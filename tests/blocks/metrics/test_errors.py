import math

import numpy as np
import pytest

from lgvsc_flow.blocks.metrics import BerMeter, PacketMeter
from lgvsc_flow.blocks.metrics.errors import count_errors, wilson_interval
from lgvsc_flow.errors import SettingError
from lgvsc_flow.items import Checked


def bits(*values: int) -> np.ndarray:
    return np.array(values, np.uint8)


def test_counts_bits_and_bursts() -> None:
    meter = BerMeter()
    assert math.isnan(meter.ber)
    meter.start()
    meter.work(bits(0, 1, 1, 0), bits(0, 1, 0, 1))
    meter.work(bits(1, 1, 1, 1), bits(1, 1, 1, 1))
    assert (meter.bits, meter.errors, meter.ber) == (8, 2, 0.25)
    assert (meter.bursts, meter.burst_errors) == (2, 1)
    meter.start()
    assert meter.bits == 0


def test_every_length_is_counted() -> None:
    rng = np.random.default_rng(1)
    for n in (*range(70), 4097, 70_001):
        sent, received = rng.integers(0, 2, (2, n), np.uint8)
        assert count_errors(sent, received) == np.count_nonzero(sent != received)
        assert count_errors(sent[::3], received[::3]) == np.count_nonzero(sent[::3] != received[::3])


def test_bursts_of_different_length_are_an_error() -> None:
    with pytest.raises(ValueError, match="4 bits were sent and 3 received"):
        BerMeter().work(bits(0, 1, 1, 0), bits(0, 1, 0))


def test_wilson_interval_against_published_figures() -> None:
    # 10 of 20 at 95 %: 0.2993 to 0.7007 (Brown, Cai, DasGupta 2001, the standard worked case).
    assert wilson_interval(10, 20, 0.95) == pytest.approx((0.2993, 0.7007), abs=1e-4)
    assert wilson_interval(0, 0) == (0.0, 1.0)
    assert wilson_interval(0, 100)[0] == 0.0
    assert wilson_interval(100, 100)[1] == 1.0
    meter = BerMeter()
    meter.work(np.zeros(1000, np.uint8), bits(*([1] * 10 + [0] * 990)))
    low, high = meter.interval(0.99)
    assert low < meter.ber < high


def test_packets_lost_missing_and_undetected() -> None:
    meter = PacketMeter(block_bits=4)
    sent = bits(0, 0, 0, 0, 1, 1, 1, 1, 0, 1, 0, 1)
    damaged = sent.copy()
    damaged[9] ^= 1
    meter.work(sent, Checked(damaged, np.array([True, False, True])))
    assert (meter.packets, meter.lost, meter.undetected) == (3, 1, 1)
    meter.work(sent, Checked(bits(), np.zeros(0, bool)))
    assert (meter.packets, meter.lost, meter.undetected) == (6, 4, 1)
    assert meter.loss_rate == pytest.approx(4 / 6)
    meter.work(bits(), Checked(bits(), np.zeros(0, bool)))
    assert meter.packets == 6


def test_each_burst_is_a_packet_where_no_length_is_given() -> None:
    meter, sent = PacketMeter(block_bits=None), bits(0, 1, 1)
    for received, ok in (
        (bits(0, 1, 1, 0, 0), True),  # zeros behind it
        (bits(0, 1, 1), True),
        (bits(0, 1, 0, 0), False),
        (bits(), None),
        (bits(0, 0, 1, 0), True),  # undetected: another bit, one behind it, one that is missing
        (bits(0, 1, 1, 1), True),
        (bits(0, 1), True),
    ):
        meter.work(sent, Checked(received, np.array([] if ok is None else [ok], np.bool_)))
    assert (meter.packets, meter.lost, meter.undetected) == (7, 2, 3)
    with pytest.raises(ValueError, match="one burst arrived as 2 packets; give PacketMeter their length as block_bits"):
        meter.work(sent, Checked(bits(0, 1, 1, 0), np.ones(2, np.bool_)))


def test_packet_meter_says_what_is_wrong() -> None:
    meter = PacketMeter(block_bits=4)
    with pytest.raises(ValueError, match="not made of whole packets of block_bits=4"):
        meter.work(bits(0, 1, 0), Checked(bits(), np.zeros(0, bool)))
    with pytest.raises(ValueError, match=r"wire the burst before CrcAppend to PacketMeter.sent"):
        meter.work(bits(0, 1, 0, 0), Checked(bits(0, 1, 0, 0, 1), np.ones(1, bool)))
    with pytest.raises(SettingError, match="block_bits must be >= 1 bits, got 0"):
        PacketMeter(block_bits=0)
