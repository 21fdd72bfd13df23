"""What kernels are given: the item itself where it is as it should be, a copy of the same values, or a clear error."""

import numpy as np
import pytest

from lgvsc_flow.blocks.channel import Dispersed
from lgvsc_flow.blocks.given import bits_of, burst_of, check_taps, checked_of, received_of
from lgvsc_flow.items import Bits, Checked, Llrs, Received, Symbols

LLRS = np.arange(7, dtype=np.float32)
SYMBOLS = np.arange(7, dtype=np.complex64)
GAIN, NOISE = np.array(1, np.complex64), np.array(0.5, np.float32)


def unaligned(values):
    raw = np.zeros(values.nbytes + 1, np.uint8)[1:]
    found = raw[: values.nbytes].view(values.dtype)
    found[:] = values
    return found


def read_only(values):
    values = values.copy()
    values.setflags(write=False)
    return values


class Named(np.ndarray):
    pass


def test_a_burst_as_it_should_be_is_not_copied():
    assert burst_of(LLRS, Llrs) is LLRS
    received = Received(SYMBOLS, GAIN, NOISE)
    assert received_of(received) is received
    each = Received(SYMBOLS, SYMBOLS, LLRS)
    assert received_of(each) is each


@pytest.mark.parametrize(
    "burst",
    [np.repeat(LLRS, 2)[::2], LLRS[::-1].copy()[::-1], unaligned(LLRS), read_only(LLRS), LLRS.copy().view(Named)],
    ids=["strided", "reversed", "unaligned", "read-only", "subclass"],
)
def test_any_layout_becomes_a_plain_one(burst):
    plain = burst_of(burst, Llrs)
    assert np.array_equal(plain, LLRS)
    assert plain.flags.carray


@pytest.mark.parametrize(
    ("burst", "message"),
    [
        (LLRS.astype(float), r"Llrs is one-dimensional float32, got float64 .*; .* array.astype\(np.float32\)\.$"),
        (LLRS.astype(">f4"), r"got >f4 of shape \(7,\); convert it, as in array.astype\(np.float32\)\.$"),
        (LLRS.reshape(1, 7), r"of shape \(1, 7\); convert it, as in array.reshape\(-1\)\.$"),
        (np.zeros((2, 2)), r"convert it, as in array.astype\(np.float32\).reshape\(-1\)\.$"),
        ([1.0], r"Llrs is a NumPy array of float32, got list; convert it, as in np.array\(values, np.float32\)\.$"),
        (np.ma.masked_array(LLRS), r"a plain array, got a masked one; fill it, as in array.filled\(0\)\.$"),
    ],
)
def test_what_is_no_burst_is_refused_with_a_remedy(burst, message):
    with pytest.raises(ValueError, match=message):
        burst_of(burst, Llrs)


def test_bits_are_zero_or_one():
    assert bits_of(np.zeros(0, np.uint8)).size == 0
    with pytest.raises(ValueError, match=r"bits are 0 or 1, got 255; packed bytes are taken apart by np.unpackbits\.$"):
        bits_of(np.array([0, 255], np.uint8))
    assert burst_of(np.array([0, 255], np.uint8), Bits).size == 2


def test_states_are_converted_and_one_value_is_a_scalar():
    found = received_of(Received(SYMBOLS, np.ones((1,)), np.array([0.5])))
    assert (found.gain.dtype, found.gain.shape) == (np.complex64, ())
    assert (found.noise_variance.dtype, found.noise_variance.shape) == (np.float32, ())
    assert received_of(Received(SYMBOLS, 2, np.float64(1e300))).noise_variance == np.inf
    assert received_of(Received(SYMBOLS[:1], SYMBOLS[:1], LLRS[:1])).gain.shape == ()
    assert received_of(Received(SYMBOLS[:0], SYMBOLS[:0], LLRS[:0])).gain.shape == (0,)
    dispersed = Dispersed(SYMBOLS[::-1], GAIN, NOISE, np.ones((1, 2), np.complex64), 7, 0)
    assert received_of(dispersed).taps is dispersed.taps


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"symbols": SYMBOLS.astype(complex)}, "Symbols is one-dimensional complex64, got complex128"),
        ({"gain": SYMBOLS[:3]}, "gain has 3 values for 7 symbols; it is a scalar or one each"),
        ({"gain": SYMBOLS.reshape(7, 1)}, r"gain has shape \[7, 1\] for 7 symbols"),
        ({"gain": "1"}, "gain holds complex or real numbers, got <U1; convert it"),
        ({"noise_variance": SYMBOLS}, r"noise_variance holds real numbers, got complex64; .*astype\(np.float32\)"),
        ({"noise_variance": np.array([None])}, "noise_variance holds real numbers, got object"),
        ({"noise_variance": LLRS[:0]}, "noise_variance has 0 values for 7 symbols"),
    ],
)
def test_what_is_no_channel_state_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        received_of(Received(**{"symbols": SYMBOLS, "gain": GAIN, "noise_variance": NOISE, **changes}))


@pytest.mark.parametrize(
    ("taps", "hold", "used", "message"),
    [
        (SYMBOLS, 7, 0, r"taps are complex64 \[rows, length\], got complex64 \[7\]"),
        (SYMBOLS.reshape(7, 1)[:, :0], 7, 0, r"got complex64 \[7, 0\]"),
        (SYMBOLS.reshape(7, 1), 0, 0, "7 rows of taps, each for hold=0 samples of which used=0 are gone"),
        (SYMBOLS.reshape(7, 1), 1, 1, "do not last for 7 samples"),
        (SYMBOLS.reshape(7, 1), 1, -1, "used=-1"),
        (SYMBOLS.reshape(7, 1), None, 0, "hold and used are numbers of samples, got None and 0"),
    ],
)
def test_taps_last_for_the_samples(taps, hold, used, message):
    with pytest.raises(ValueError, match=message):
        check_taps(taps, hold, used, 7)


def test_symbols_may_have_any_layout():
    assert np.array_equal(received_of(Received(np.repeat(SYMBOLS, 2)[::2], GAIN, NOISE)).symbols, SYMBOLS)
    assert burst_of(SYMBOLS, Symbols) is SYMBOLS


def test_records_of_other_kinds_are_refused():
    with pytest.raises(ValueError, match="expected Received, got Checked; a channel makes one of symbols"):
        received_of(Checked(np.zeros(2, np.uint8), np.ones(1, bool)))
    with pytest.raises(ValueError, match="expected Checked, got Received; CrcCheck makes one of bits"):
        checked_of(Received(SYMBOLS, GAIN, NOISE))


def test_checked_bits():
    checked = Checked(np.zeros(4, np.uint8), np.ones(2, bool))
    assert checked_of(checked) is checked
    assert checked_of(Checked(np.zeros(8, np.uint8)[::2], np.ones(2, bool))).bits.flags.carray
    with pytest.raises(ValueError, match=r"Checked.ok is one-dimensional bool, got uint8 of shape \(4,\); convert it"):
        checked_of(Checked(np.zeros(4, np.uint8), np.zeros(4, np.uint8)))
