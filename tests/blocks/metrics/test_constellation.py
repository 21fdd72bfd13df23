import numpy as np

from lgvsc_flow.blocks.metrics import ConstellationMeter
from lgvsc_flow.items import Received
from lgvsc_flow.testing import run_block


def bursts(*sizes: int) -> list[Received]:
    numbers = iter(np.split(np.arange(sum(sizes)), np.cumsum(sizes)[:-1]))
    return [Received(n.astype(np.complex64), np.complex64(1), np.float32(0.1)) for n in numbers]


def test_keeps_all_while_there_is_room() -> None:
    meter = ConstellationMeter(max_symbols=10)
    assert meter.symbols.size == 0
    run_block(meter, bursts(3, 0, 4))
    assert meter.symbols.tolist() == list(range(7))


def test_sample_is_bounded_repeatable_and_fair() -> None:
    meter = ConstellationMeter(max_symbols=500)
    run_block(meter, bursts(300, 700, 9000, 1, 9999), seed=4)
    first = meter.symbols
    assert first.size == 500
    assert meter.seen == 20000
    assert np.unique(first).size == 500
    run_block(meter, bursts(300, 700, 9000, 1, 9999), seed=4)
    assert np.array_equal(first, meter.symbols)
    # Uniform over 0..19999: the mean of 500 has standard deviation 255; 4.5 sigma is a chance of 7e-6.
    assert abs(first.real.mean() - 9999.5) < 4.5 * 20000 / np.sqrt(12 * 500)
