import numpy as np
import pytest

from lgvsc_flow.blocks.metrics import CbrLedger, TextCbrLedger
from lgvsc_flow.blocks.metrics.cbr import charge
from lgvsc_flow.items import Payload
from lgvsc_flow.testing import run_block

ROWS = ["keyframe symbols", "hyperprior", "captions", "side information", "headers and CRC", "burst length (SIG)"]


def payload(stream: str, count: int) -> Payload:
    return Payload(0, stream, bytes(count))


def symbols(count: int) -> np.ndarray:
    return np.zeros(count, np.complex64)


def test_a_burst_by_hand() -> None:
    # 800 information bits became 400 symbols: half a symbol per bit; 32 signalling symbols on top.
    parts = charge({"captions": 160, "side information": 40}, 800, digital=400, channel=1032, analog=600)
    assert parts == {"captions": 80, "side information": 20, "headers and CRC": 300, "burst length (SIG)": 32}


def test_rows_sum_to_the_channel_exactly_over_random_bursts() -> None:
    rng = np.random.default_rng(1)
    streams: list[list[object]] = [[] for _ in range(7)]
    total = 0
    for _ in range(200):
        a, b, c, analog, extra = (int(v) for v in rng.integers(0, 300, 5))
        info = 8 * (a + b + c) + int(rng.integers(0, 500))
        digital = int(rng.integers(0, 5000))
        burst = [payload("caption", a), payload("side", b), payload("hyperprior", c), np.zeros(info, np.uint8)]
        burst += [symbols(digital), symbols(analog), symbols(digital + analog + extra)]
        for stream, item in zip(streams, burst, strict=True):
            stream.append(item)
        total += digital + analog + extra
    ledger = CbrLedger(height=10, width=20, num_frames=7)
    run_block(ledger, *streams)
    assert list(ledger.symbols) == ROWS
    assert all(isinstance(v, int) and v >= 0 for v in ledger.symbols.values())
    assert ledger.total_symbols == sum(ledger.symbols.values()) == total
    assert ledger.cbr == pytest.approx(total / (3 * 10 * 20 * 7))
    assert sum(r.cbr for r in ledger.rows) == pytest.approx(ledger.cbr)
    assert ledger.rows[2].payload_bytes == sum(len(p.data) for p in streams[0])  # type: ignore[attr-defined]


def test_captions_only() -> None:
    ledger = TextCbrLedger(height=4, width=4, num_frames=2)
    run_block(ledger, [payload("caption", 10)], [np.zeros(100, np.uint8)], [symbols(50)], [symbols(50)])
    assert ledger.symbols == {"captions": 40, "headers and CRC": 10}
    assert ledger.cbr == 50 / 96


def test_with_the_code_rate_the_bits_are_those_in_front_of_the_transport_encoder() -> None:
    # 100 bytes and 3 of lengths, made up to a transport block with 16 bits of CRC: 840 bits.
    sent = [[payload("caption", 10)], [np.zeros(8 * 103, np.uint8)], [symbols(420)], [symbols(420)]]
    for code_rate, of_caption in ((0.5, 40), (None, 40 * 840 // 824)):
        ledger = TextCbrLedger(height=4, width=4, num_frames=2, code_rate=code_rate)
        run_block(ledger, *sent)
        assert ledger.symbols == {"captions": of_caption, "headers and CRC": 420 - of_caption}
    streams = [payload("caption", 50), payload("side", 10), payload("hyperprior", 40), np.zeros(8 * 103, np.uint8)]
    whole = CbrLedger(height=4, width=4, num_frames=2, code_rate=0.5)
    run_block(whole, *[[item] for item in [*streams, symbols(420), symbols(9), symbols(450)]])
    assert list(whole.symbols.values()) == [9, 160, 200, 40, 20, 21]


def test_an_empty_burst_costs_nothing() -> None:
    assert charge({"captions": 0}, 0, digital=0, channel=0) == {
        "captions": 0,
        "headers and CRC": 0,
        "burst length (SIG)": 0,
    }


def test_the_table_has_every_row_and_its_share() -> None:
    ledger = CbrLedger(height=10, width=10, num_frames=2)
    burst = [payload("caption", 10), payload("side", 1), payload("hyperprior", 9), np.zeros(200, np.uint8)]
    run_block(ledger, *[[item] for item in [*burst, symbols(100), symbols(1200), symbols(1600)]])
    lines = ledger.table().splitlines()
    assert "2 frames of 10x10" in lines[0]
    shares = [("keyframe symbols", "1,200", "75.0 %"), ("hyperprior", "36", "2.2 %"), ("captions", "40", "2.5 %")]
    shares += [
        ("side information", "4", "0.2 %"),
        ("headers and CRC", "20", "1.2 %"),
        ("burst length", "300", "18.8 %"),
    ]
    for name, *parts in [*shares, ("all", "1,600", "100.0 %", "2.66667")]:
        line = next(line for line in lines if name in line)
        assert all(part in line for part in parts), line


def test_books_that_cannot_balance_are_refused() -> None:
    with pytest.raises(ValueError, match="payloads have 80 bits, but the burst carries only 40 information bits"):
        charge({"captions": 80}, 40, digital=10, channel=10)
    with pytest.raises(ValueError, match="only 10 came out; wire the multiplexer's output"):
        charge({"captions": 8}, 40, digital=10, channel=10, analog=5)
