"""Weights files: round trip, and one clear message for every kind of damage."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from lgvsc_flow.blocks.ntscc.nets import NetSettings, NtsccNet  # noqa: E402
from lgvsc_flow.blocks.ntscc.weights_file import NOMINAL_CBR, load_weights, save_weights  # noqa: E402
from lgvsc_flow.errors import ModelError  # noqa: E402


@pytest.fixture
def saved(tmp_path, small_weights):
    path = tmp_path / "w.safetensors"
    save_weights(path, small_weights.net, small_weights.log_thresholds)
    return path


def test_round_trip(saved, small_weights):
    loaded = load_weights(saved)
    for name, value in small_weights.net.state_dict().items():
        torch.testing.assert_close(loaded.net.state_dict()[name], value, atol=1e-3, rtol=1e-3)
    assert np.array_equal(loaded.tables, small_weights.tables)
    assert loaded.log_thresholds.shape == (len(NOMINAL_CBR),)
    assert not list(saved.parent.glob("*.tmp"))


def test_the_same_networks_give_the_same_bytes(saved, small_weights, tmp_path):
    for number in range(4):
        save_weights(tmp_path / str(number), small_weights.net, small_weights.log_thresholds)
        assert (tmp_path / str(number)).read_bytes() == saved.read_bytes()


def test_large_convolutions_are_kept_in_eight_bits(tmp_path):
    net = NtsccNet(NetSettings((8, 2, 2), 2, 4, 4, 4, (4, 4, 4), (1, 1, 1), (240, 4, 4), (1, 1, 1)))
    save_weights(tmp_path / "w", net, np.zeros(len(NOMINAL_CBR)))
    loaded = load_weights(tmp_path / "w").net.g_s.body16[0].a.weight
    original = net.g_s.body16[0].a.weight
    assert 0 < (loaded - original).abs().max() <= original.abs().max() / 254 * 1.01


def test_missing(tmp_path):
    with pytest.raises(ModelError, match=r"do not exist. Use weights='embedded'"):
        load_weights(tmp_path / "none.safetensors")


def test_damaged(saved):
    data = bytearray(saved.read_bytes())
    saved.write_bytes(data[: len(data) // 2])
    with pytest.raises(ModelError, match="are damaged or no safetensors file"):
        load_weights(saved)
    saved.write_bytes(b"not a file of tensors")
    with pytest.raises(ModelError, match="are damaged or no safetensors file"):
        load_weights(saved)
    data[-5] ^= 16
    saved.write_bytes(data)
    with pytest.raises(ModelError, match="check value does not match"):
        load_weights(saved)


def test_other_tensors(tmp_path):
    from safetensors.torch import save_file

    save_file({"a": torch.zeros(3)}, tmp_path / "other.safetensors")
    with pytest.raises(ModelError, match="holds 'other tensors', not 'lgvsc-flow ntscc 1'"):
        load_weights(tmp_path / "other.safetensors")


def test_embedded_weights_fit_the_package():
    from importlib import resources

    path = resources.files("lgvsc_flow.blocks.ntscc") / "weights" / "ntscc.safetensors"
    assert len(path.read_bytes()) <= 25_000_000
    assert load_weights().net.settings.m == 384
