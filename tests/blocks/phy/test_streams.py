import numpy as np
import pytest

from lgvsc_flow.blocks.phy import StreamJoiner, StreamSplitter
from lgvsc_flow.errors import BlockError
from lgvsc_flow.items import Checked, Payload
from lgvsc_flow.testing import run_block

NAMES = ("caption", "side", "hyperprior")
BURSTS = [
    (b"a dog runs", b"\x01\x02", b"\x00" * 40),
    (None, b"", b"z"),
    (None, None, bytes(range(256)) * 5),
]


def payloads(index: int, data: tuple[bytes | None, ...]) -> list[Payload]:
    return [Payload(index, name, part) for name, part in zip(NAMES, data, strict=True)]


def joined() -> list[np.ndarray]:
    streams = zip(*(payloads(i, data) for i, data in enumerate(BURSTS)), strict=True)
    return run_block(StreamJoiner(), *map(list, streams))


def split(*checked: Checked) -> list[tuple[bytes | None, ...]]:
    found = run_block(StreamSplitter(), list(checked))
    for name, port in zip(NAMES, ("captions", "side", "hyperprior"), strict=True):
        assert [(p.index, p.stream) for p in found[port]] == [(i, name) for i in range(len(checked))]
        assert all(p.lost == (p.data is None) for p in found[port])
    return list(zip(*([p.data for p in found[n]] for n in ("captions", "side", "hyperprior")), strict=True))


def test_streams_come_back_without_the_padding():
    bursts = joined()
    assert [b.size for b in bursts] == [8 * (3 + 52), 8 * (3 + 1), 8 * (4 + 1280)]
    padded = [Checked(np.r_[b, np.zeros(40, np.uint8)], np.array([True])) for b in bursts]
    assert split(*padded) == BURSTS


def test_what_rides_in_a_failed_block_is_lost():
    first = joined()[0]
    halves = first[: first.size // 2 * 2]
    assert split(Checked(halves, np.array([True, False]))) == [(b"a dog runs", b"\x01\x02", None)]
    assert split(Checked(halves, np.array([False, True]))) == [(None, None, None)]
    assert split(Checked(np.zeros(0, np.uint8), np.zeros(0, bool))) == [(None, None, None)]


def test_streams_of_several_segments_and_uneven_blocks():
    with pytest.raises(BlockError, match="of segments 0, 1 and 0"):
        run_block(StreamJoiner(), *[[Payload(i, n, b"")] for i, n in zip((0, 1, 0), NAMES, strict=True)])
    with pytest.raises(BlockError, match="9 bits do not make 2 equal blocks"):
        run_block(StreamSplitter(), [Checked(np.zeros(9, np.uint8), np.ones(2, bool))])
