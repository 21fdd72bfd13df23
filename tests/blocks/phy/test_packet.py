import numpy as np
import pytest

from lgvsc_flow.blocks.phy import Depacketizer, NoPayload, Packetizer
from lgvsc_flow.blocks.phy.packet import (
    HEADER_BITS,
    MAX_FRAGMENTS,
    STREAMS,
    fragment,
    gather,
    join_streams,
    read_header,
    split_streams,
)
from lgvsc_flow.errors import BlockError, SettingError
from lgvsc_flow.items import Checked, Payload
from lgvsc_flow.testing import run_block

PORTS = {"captions": "caption", "side": "side", "hyperprior": "hyperprior"}


def payload(stream, data, index=0):
    return Payload(index, stream, data, lost=data is None)


def send(segments, block_bits=300):
    """Bursts of bits from a list of {stream: bytes or None}."""
    inputs = [[payload(name, s[name], i) for i, s in enumerate(segments)] for name in PORTS.values()]
    return run_block(Packetizer(block_bits=block_bits), *inputs)


def receive(bursts, block_bits=300, ok=None):
    checked = [Checked(b, np.ones(b.size // block_bits, bool) if ok is None else o) for b, o in zip_ok(bursts, ok)]
    return run_block(Depacketizer(block_bits=block_bits), checked)


def zip_ok(bursts, ok):
    return [(b, None if ok is None else ok[i]) for i, b in enumerate(bursts)]


def random_segment(rng):
    sizes = {"side": rng.integers(0, 20), "caption": rng.integers(0, 200), "hyperprior": rng.integers(0, 2000)}
    return {name: None if rng.random() < 0.1 else rng.bytes(int(size)) for name, size in sizes.items()}


@pytest.mark.parametrize("block_bits", [64, 77, 300, 516, 1596])
def test_round_trip(block_bits):
    rng = np.random.default_rng(block_bits)
    segments = [random_segment(rng) for _ in range(30)]
    if block_bits < 300:
        segments = [{k: v and v[:60] for k, v in s.items()} for s in segments]
    received = receive(send(segments, block_bits), block_bits)
    for port, name in PORTS.items():
        assert [p.data for p in received[port]] == [s[name] for s in segments]
        assert [p.index for p in received[port]] == list(range(30))
        assert all(p.lost == (p.data is None) and p.stream == name for p in received[port])


def test_what_arrived_whole_is_recovered_and_nothing_else():
    """Against the ranges worked out from the layout: a stream is there iff its and the table's fragments are."""
    rng = np.random.default_rng(1)
    content = 300 - HEADER_BITS
    for _ in range(200):
        segment = random_segment(rng)
        (burst,) = send([segment])
        ok = rng.random(burst.size // 300) < 0.8
        noise = np.repeat(~ok, 300) & (rng.random(burst.size) < 0.3)
        received = receive([burst ^ noise.astype(np.uint8)], ok=[ok])
        at = len(join_streams(dict.fromkeys(STREAMS))) + sum(len(segment[s] or b"") > 126 for s in STREAMS)
        arrived = {"table": ok[: -(-8 * at // content)].all()}
        for name in STREAMS:
            stop = at + len(segment[name] or b"")
            arrived[name] = arrived["table"] and ok[8 * at // content : -(-8 * stop // content)].all()
            if stop == at:
                arrived[name] = arrived["table"]
            at = stop
        for port, name in PORTS.items():
            (got,) = received[port]
            assert got.data == (segment[name] if arrived[name] else None)


def test_short_streams_survive_the_loss_of_the_long_one():
    segment = {"side": b"s" * 4, "caption": b"c" * 20, "hyperprior": b"h" * 500}
    (burst,) = send([segment])
    ok = np.zeros(burst.size // 300, bool)
    ok[0] = True
    received = receive([burst], ok=[ok])
    assert received["side"][0].data == b"s" * 4
    assert received["captions"][0].data == b"c" * 20
    assert received["hyperprior"][0].lost


def test_one_item_per_burst_even_when_all_is_lost():
    empty = np.zeros(0, np.uint8)
    received = receive([empty, empty, empty])
    for port in PORTS:
        assert [(p.index, p.data, p.lost) for p in received[port]] == [
            (0, None, True),
            (1, None, True),
            (2, None, True),
        ]


def test_packets_of_another_segment_are_left_out():
    bursts = send([{"side": b"a", "caption": b"b", "hyperprior": b"c"}] * 2)
    received = receive([bursts[1], bursts[1]])
    assert received["captions"][0].lost
    assert received["captions"][1].data == b"b"


def test_the_index_wraps():
    segment = {"side": b"a", "caption": b"", "hyperprior": b"c"}
    bits = fragment(join_streams(segment), 4096 + 5, 300)
    assert read_header(bits) == (5, 0, 1)
    data, known = gather(Checked(bits, np.ones(1, bool)), 3 * 4096 + 5, 300)
    assert split_streams(data, known) == segment


@pytest.mark.parametrize("seed", range(20))
def test_random_bits_with_a_right_crc_are_a_loss_and_no_exception(seed):
    rng = np.random.default_rng(seed)
    for _ in range(50):
        block_bits = int(rng.integers(64, 400))
        blocks = int(rng.integers(0, 6))
        bits = rng.integers(0, 2, blocks * block_bits, dtype=np.uint8)
        if seed % 2 and blocks:  # a valid header with rubbish behind it
            rows = bits.reshape(blocks, block_bits)
            for i in range(blocks):
                header = i << 10 | blocks
                rows[i, :HEADER_BITS] = [header >> j & 1 for j in reversed(range(HEADER_BITS))]
        received = receive([bits], block_bits)
        for port in PORTS:
            (got,) = received[port]
            assert got.lost == (got.data is None)
            assert len(got.data or b"") <= bits.size // 8


def test_an_all_zero_block_is_no_packet():
    assert read_header(np.zeros(300, np.uint8)) is None


def test_broken_tables():
    """An endless length, a length beyond the end, a table cut off."""
    for data in (b"\xff\xff\xff\xff\xff\xff", b"\x7f\x01\x01ab", b"\x01"):
        array = np.frombuffer(data, np.uint8)
        assert all(v is None for k, v in split_streams(array, np.ones(array.size, bool)).items() if k == "side")
    array = np.frombuffer(b"\x02\x7f\x01ab", np.uint8)
    assert split_streams(array, np.ones(5, bool)) == {"side": b"a", "caption": None, "hyperprior": None}


def test_a_stream_that_is_not_sent():
    captions = [payload("caption", b"x", i) for i in range(2)]
    omitted = run_block(NoPayload(stream="hyperprior"), captions)
    assert [(p.index, p.stream, p.data) for p in omitted] == [(0, "hyperprior", None), (1, "hyperprior", None)]


def test_messages():
    big = payload("hyperprior", bytes(40_000))
    with pytest.raises(BlockError, match=rf"a burst holds at most {MAX_FRAGMENTS}. Use a longer code or send less"):
        run_block(Packetizer(block_bits=300), [payload("caption", b"")], [payload("side", b"")], [big])
    one = payload("side", b"", 1)
    with pytest.raises(BlockError, match="are of segments 0, 1 and 0"):
        run_block(Packetizer(), [payload("caption", b"")], [one], [payload("hyperprior", b"")])
    with pytest.raises(BlockError, match="a burst must hold whole packets of block_bits=300"):
        run_block(Depacketizer(), [Checked(np.zeros(301, np.uint8), np.ones(1, bool))])
    with pytest.raises(SettingError, match=r"Packetizer.block_bits must be >= 64 bits, got 40"):
        Packetizer(block_bits=40)
