"""Damaged and forged payloads: an error that says so, never a crash, never a picture that no check has passed."""

import math

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from lgvsc_flow.blocks.ntscc.codec import NtsccCodec, payload_symbols  # noqa: E402
from lgvsc_flow.blocks.ntscc.header import SideInformation, check_value  # noqa: E402
from lgvsc_flow.blocks.ntscc.inputs import LARGEST_PICTURE  # noqa: E402


@pytest.fixture(scope="module")
def sent(small_weights, photograph):
    codec = NtsccCodec(small_weights)
    picture = photograph[:48, :64]
    return codec, picture.shape[:2], *codec.encode(picture, 10, target_cbr=0.1)


def forged(body):
    return body + check_value(body)


def test_every_damaged_byte_is_noticed(sent):
    codec, _, payload, symbols = sent
    for at in range(len(payload)):
        for flip in (1, 0x80, 0xFF):
            damaged = payload[:at] + bytes([payload[at] ^ flip]) + payload[at + 1 :]
            with pytest.raises(ValueError, match="side information"):
                codec.decode(damaged, symbols, 0.1)


def test_every_truncation_is_noticed(sent):
    codec, _, payload, symbols = sent
    for length in range(len(payload)):
        with pytest.raises(ValueError, match="side information"):
            codec.decode(payload[:length], symbols, 0.1)
    with pytest.raises(ValueError, match="side information"):
        codec.decode(payload + b"\0", symbols, 0.1)


def test_forged_check_values_never_crash(sent):
    """Payloads whose CRC is right: what is in them is bounded by the session's size and the burst's length."""
    codec, size, payload, symbols = sent
    rng, shown = np.random.default_rng(0), 0
    for number in range(300):
        body = bytearray(payload[:-2])
        for _ in range(1 + number % 3):
            body[int(rng.integers(len(body)))] = int(rng.integers(256))
        damaged = forged(bytes(body[: int(rng.integers(11, len(body)))] if number % 5 == 0 else body))
        try:
            pixels = codec.decode(damaged, symbols, 0.1, size)
        except ValueError:
            continue
        shown += 1
        assert pixels.shape == (*size, 3)
        assert payload_symbols(damaged) == symbols.size
    assert shown < 300


def test_random_bytes_behind_a_right_check_value(sent):
    codec, size, _, symbols = sent
    rng = np.random.default_rng(1)
    for _ in range(200):
        with pytest.raises(ValueError, match=r"side information|keyframe of|range code|the burst"):
            codec.decode(forged(bytes([0x20]) + rng.bytes(int(rng.integers(8, 60)))), symbols, 0.1, size)


def test_huge_pictures_are_refused_before_anything_is_allocated(sent):
    codec, _, payload, symbols = sent
    side = SideInformation.unpack(payload)
    huge = SideInformation(16384, 16384, 1, side.level, side.snr_code, 0, side.weights_check, 0, b"")
    with pytest.raises(
        ValueError, match=f"keyframe of 16384x16384 pixels announced, expected at most {LARGEST_PICTURE}"
    ):
        codec.decode(huge.pack(), symbols[:1], 0.1)
    long = SideInformation(48, 64, 1 << 26, side.level, side.snr_code, 0, side.weights_check, 0, b"")
    with pytest.raises(ValueError, match="67108864 symbols for 64x48 pixels; these weights cannot have made it"):
        codec.decode(long.pack(), symbols, 0.1)


def test_absurd_symbols_and_scales_give_pixels(sent):
    """A forged power scale, symbols of any size: finite arithmetic, or an erasure."""
    codec, _, payload, symbols = sent
    side = SideInformation.unpack(payload)
    for power in (0, 65535):
        scaled = SideInformation(*[power if n == "power_code" else v for n, v in vars(side).items()]).pack()
        for scale in (1e-30, 1.0, 9e3, 1e30, math.inf):
            with np.errstate(all="ignore"):
                pixels = codec.decode(scaled, symbols.astype(complex) * scale, 0.1)
            assert pixels.dtype == np.uint8
