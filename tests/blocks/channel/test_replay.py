import io
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from lgvsc_flow.blocks.channel import Dispersed, ReplayChannel
from lgvsc_flow.blocks.channel.replay import load_gains
from lgvsc_flow.errors import BlockError, MediaError
from lgvsc_flow.testing import run_block


def signal(*shape, seed=0):
    return (np.random.default_rng(seed).normal(size=(*shape, 2)) @ [1, 1j]).astype(np.complex64)


@pytest.mark.parametrize("kind", ["npy", "npz", "compressed"])
def test_gains_come_back_scaled_to_unit_power(tmp_path, kind):
    gains, path = signal(50), tmp_path / ("h.npy" if kind == "npy" else "h.npz")
    if kind == "npy":
        np.save(path, gains)
    else:
        (np.savez if kind == "npz" else np.savez_compressed)(path, other=np.ones(3), gain=gains)
    channel = ReplayChannel(path=path, esn0_db=100.0, hold=3, begin=2)
    x = signal(200, seed=1)
    parts = run_block(channel, [x[:1], x[1:70], x[70:70], x[70:]])
    found = np.concatenate([p.gain for p in parts])
    expected = np.repeat(gains[(2 + np.arange(67)) % 50], 3)[:200] / np.sqrt(np.mean(np.abs(gains) ** 2))
    assert np.allclose(found, expected, rtol=1e-5)
    assert np.allclose(np.concatenate([p.symbols for p in parts]), expected * x, atol=1e-3)
    assert parts[0].noise_variance == pytest.approx(1e-10)


def test_as_recorded(tmp_path):
    np.save(tmp_path / "h.npy", np.array([2.0, -3.0]))
    (out,) = run_block(ReplayChannel(path=tmp_path / "h.npy", normalize=False), [np.ones(2, np.complex64)])
    assert np.array_equal(out.gain, [2, -3])


def test_impulse_responses(tmp_path):
    """Every sample against the sum itself; the cut into bursts changes nothing."""
    taps, x = signal(30, 4), signal(100, seed=2)
    np.save(tmp_path / "h.npy", np.asfortranarray(taps))
    settings = {"path": tmp_path / "h.npy", "dispersive": True, "hold": 5, "esn0_db": 100.0, "normalize": False}
    (whole,) = run_block(ReplayChannel(**settings), [x])
    assert isinstance(whole, Dispersed)
    expected = [sum(taps[i // 5][d] * x[i - d] for d in range(4) if i >= d) for i in range(100)]
    assert np.allclose(whole.symbols, expected, atol=1e-3)
    parts = run_block(ReplayChannel(**settings), [x[:3], x[3:41], x[41:]])
    assert np.allclose(np.concatenate([p.symbols for p in parts]), whole.symbols, atol=1e-3)
    for part, start in zip(parts, (0, 3, 41), strict=True):
        assert np.array_equal(part.taps[0], taps[start // 5])
        assert part.used == start % 5
    (scaled,) = run_block(ReplayChannel(**{**settings, "normalize": True}), [x])
    power = np.mean(np.sum(np.abs(taps) ** 2, axis=1))
    assert np.allclose(scaled.taps, whole.taps / np.sqrt(power), atol=1e-5)


def test_the_end_of_the_recording(tmp_path):
    np.save(tmp_path / "h.npy", np.ones(10))
    settings = {"path": tmp_path / "h.npy", "hold": 2, "begin": 4, "at_end": "error"}
    assert len(run_block(ReplayChannel(**settings), [np.ones(7, np.complex64), np.ones(5, np.complex64)])) == 2
    message = r"h.npy' is at its end: 6 rows last for 12 symbols. Send less, or set at_end='repeat'"
    with pytest.raises(BlockError, match=message):
        run_block(ReplayChannel(**settings), [np.ones(12, np.complex64), np.ones(1, np.complex64)])


def raw(shape="(4,)", dtype="<c8", data=b"\0" * 32):
    header = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}".encode()
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + data


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "is no NumPy file"),
        (b"hello", "is no NumPy file"),
        (raw(data=b"\0" * 31), "is damaged: it should have 32 bytes of data, not 31"),
        (raw(data=b"\0" * 40), "is damaged: it should have 32 bytes of data, not 33"),
        (raw(shape="(10**12,)"), "is no NumPy file"),
        (raw(shape="(1000000000000,)"), "says it has 1000000000000 values, more than 1073741824 bytes"),
        (raw(shape="(-4,)"), r"holds complex64 \[-4\]; a channel is real or complex"),
        (raw(shape="(2, 2, 1)"), r"holds complex64 \[2, 2, 1\]"),
        (raw(shape="(0,)"), r"holds complex64 \[0\]"),
        (raw(dtype="|O"), r"holds object \[4\]; a channel is real or complex"),
        (raw(dtype="<i8"), r"holds int64 \[4\]"),
    ],
)
def test_what_is_no_recording(tmp_path, data, message):
    path = tmp_path / "h.npy"
    path.write_bytes(data)
    with pytest.raises(MediaError, match=message):
        load_gains(path)
    packed = tmp_path / "h.npz"
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("gain.npy", data)
    with pytest.raises(MediaError, match=message):
        load_gains(packed)


@settings(max_examples=150, deadline=None)
@given(
    kind=st.sampled_from(["npy", "npz"]), place=st.integers(0, 600), value=st.integers(0, 255), cut=st.integers(0, 600)
)
def test_damaged_files_are_read_or_refused(tmp_path_factory, kind, place, value, cut):
    path = tmp_path_factory.mktemp("damaged") / f"h.{kind}"
    if kind == "npy":
        np.save(path, signal(40))
    else:
        np.savez_compressed(path, gain=signal(40))
    raw = bytearray(path.read_bytes())
    raw[place % len(raw)] = value
    path.write_bytes(raw[: max(len(raw) - cut % 50, 0)])
    try:
        gains = load_gains(path)
    except MediaError:
        return
    assert np.isfinite(gains).all()


def test_damaged_archives(tmp_path):
    path = tmp_path / "h.npz"
    np.savez_compressed(path, h=np.ones(1000))
    with pytest.raises(MediaError, match=r"has no array 'gain'; it has h. Set key"):
        load_gains(path)
    whole = path.read_bytes()
    assert load_gains(path, "h").size == 1000
    for cut in (10, len(whole) // 2, len(whole) - 5):
        path.write_bytes(whole[:cut])
        with pytest.raises(MediaError, match="cannot be read"):
            load_gains(path, "h")
    flipped = bytearray(whole)
    flipped[60] ^= 255
    path.write_bytes(bytes(flipped))
    with pytest.raises(MediaError, match=r"cannot be read|is no NumPy file|is damaged"):
        load_gains(path, "h")


def test_what_does_not_fit_the_settings(tmp_path):
    path = tmp_path / "h.npy"
    x = [np.ones(1, np.complex64)]
    with pytest.raises(BlockError, match=r"h.npy' cannot be read: No such file or directory"):
        run_block(ReplayChannel(path=path), x)
    np.save(path, np.ones(3))
    with pytest.raises(BlockError, match=r"holds gains of shape \[3\]: set dispersive=False"):
        run_block(ReplayChannel(path=path, dispersive=True), x)
    with pytest.raises(BlockError, match=r"has 3 rows; begin=3 lies behind its end"):
        run_block(ReplayChannel(path=path, begin=3), x)
    np.save(path, np.ones((3, 2)))
    with pytest.raises(BlockError, match=r"holds impulse responses of shape \[3, 2\]: set dispersive=True"):
        run_block(ReplayChannel(path=path), x)
    np.save(path, np.array([1, np.nan, np.inf, 1e300]))
    with pytest.raises(BlockError, match="3 of 4 values are NaN or infinite"):
        run_block(ReplayChannel(path=path), x)
    np.save(path, np.zeros(3))
    with pytest.raises(BlockError, match="has a mean power of 0, which cannot be scaled to 1"):
        run_block(ReplayChannel(path=path), x)


def test_nothing_is_unpickled(tmp_path):
    buffer = io.BytesIO()
    np.save(buffer, np.array([print, None], object), allow_pickle=True)
    (tmp_path / "h.npy").write_bytes(buffer.getvalue())
    with pytest.raises(MediaError, match="holds object"):
        load_gains(tmp_path / "h.npy")
