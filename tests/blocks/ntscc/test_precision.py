"""Number types of the learned branches, and devices."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from lgvsc_flow.blocks.ntscc.codec import NtsccCodec  # noqa: E402
from lgvsc_flow.blocks.ntscc.precision import HalfBranch, synthesis_dtype, usable_device, with_synthesis_in  # noqa: E402
from lgvsc_flow.errors import ModelError  # noqa: E402


def test_names():
    cpu = torch.device("cpu")
    assert synthesis_dtype("float32", cpu) == torch.float32
    assert synthesis_dtype("bfloat16", cpu) == torch.bfloat16
    assert synthesis_dtype("auto", torch.device("cuda")) == torch.float32
    with pytest.raises(ValueError, match="dtype='half' is none of auto, float32, bfloat16"):
        synthesis_dtype("half", cpu)


def test_auto_follows_the_processor(monkeypatch):
    cpu = torch.device("cpu")
    for there, dtype in ((True, torch.bfloat16), (False, torch.float32)):
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda there=there: {"avx512_bf16": there}, raising=False)
        assert synthesis_dtype("auto", cpu) == dtype
    monkeypatch.delattr(torch.cpu, "get_capabilities")
    assert synthesis_dtype("auto", cpu) == torch.float32


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_missing_gpu_is_named():
    with pytest.raises(ModelError, match=r"NTSCC cannot use the device 'cuda': .*Use device='cpu'"):
        usable_device("cuda")
    with pytest.raises(ModelError, match=r"NTSCC cannot use the device 'toaster'"):
        NtsccCodec(device="toaster")


def test_the_given_network_is_left_as_it_is(small_weights):
    net = small_weights.net
    half = with_synthesis_in(net, torch.bfloat16)
    assert isinstance(half.g_s, HalfBranch)
    assert not isinstance(net.g_s, HalfBranch)
    assert half.g_a is net.g_a
    assert half.f_d is net.f_d
    assert all(p.dtype == torch.float32 for p in net.parameters())
    assert with_synthesis_in(net, torch.float32) is net


def test_bfloat16_changes_pixels_by_one_level_and_repeats(photograph):
    full, half = NtsccCodec(dtype="float32"), NtsccCodec(dtype="bfloat16")
    payload, symbols = full.encode(photograph, 10, target_cbr=0.06)
    pixels, rounded = full.decode(payload, symbols, 0.1), half.decode(payload, symbols, 0.1)
    assert np.abs(pixels.astype(int) - rounded).max() <= 1
    assert np.array_equal(rounded, half.decode(payload, symbols, 0.1))

    again, same = half.encode(photograph, 10, target_cbr=0.06)
    assert again == payload
    assert np.array_equal(same, symbols)
    errors = [np.square(p.astype(float) - photograph).mean() for p in (pixels, rounded)]
    assert abs(10 * np.log10(errors[0] / errors[1])) < 0.02
