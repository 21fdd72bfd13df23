from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from lgvsc_flow.blocks.semantic.raft import LARGE, SMALL, Raft, convex_upsample, correlation, look_up  # noqa: E402

SHAPES = pytest.mark.parametrize("shape", [SMALL, LARGE], ids=["small", "large"])


def network(shape):
    torch.manual_seed(0)
    return Raft(shape).eval()


def features(channels, height, width):
    return torch.from_numpy(np.random.default_rng(channels).normal(size=(2, channels, height, width))).float()


@pytest.mark.parametrize(("shape", "count"), [(SMALL, 990_162), (LARGE, 5_257_536)], ids=["small", "large"])
def test_parameter_counts_are_the_published_ones(shape, count):
    assert sum(p.numel() for p in Raft(shape).parameters()) == count


def test_names_and_shapes_are_those_of_the_checkpoints():
    small = {name: tuple(p.shape) for name, p in Raft(SMALL).state_dict().items()}
    large = {name: tuple(p.shape) for name, p in Raft(LARGE).state_dict().items()}
    assert (len(small), len(large)) == (106, 169)
    assert small["feature_encoder.convnormrelu.0.weight"] == (32, 3, 7, 7)
    assert small["feature_encoder.layer2.0.convnormrelu3.0.weight"] == (64, 16, 1, 1)
    assert small["context_encoder.layer3.0.downsample.0.bias"] == (96,)
    assert small["update_block.motion_encoder.convcorr1.0.weight"] == (96, 4 * 49, 1, 1)
    assert small["update_block.recurrent_block.convgru1.convz.weight"] == (96, 96 + 82 + 64, 3, 3)
    assert not any(name.startswith("mask_predictor") for name in small)
    assert large["context_encoder.convnormrelu.1.running_var"] == (64,)
    assert large["context_encoder.layer2.0.downsample.1.num_batches_tracked"] == ()
    assert large["update_block.motion_encoder.convcorr2.0.weight"] == (192, 256, 3, 3)
    assert large["update_block.recurrent_block.convgru2.convq.weight"] == (128, 128 + 128 + 128, 5, 1)
    assert large["update_block.flow_head.conv2.bias"] == (2,)
    assert large["mask_predictor.conv.weight"] == (576, 256, 1, 1)


@SHAPES
def test_flow_has_the_pictures_size_and_repeats(shape):
    raft = network(shape)
    one, two = (torch.rand(2, 3, 128, 136) * 2 - 1 for _ in range(2))
    with torch.inference_mode():
        flow = raft(one, two, updates=2)
        assert flow.shape == (2, 2, 128, 136)
        assert torch.isfinite(flow).all()
        assert torch.equal(flow, raft(one, two, updates=2))
        torch.testing.assert_close(flow[1:], raft(one[1:], two[1:], updates=2), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("size", [(120, 128), (128, 132), (64, 256)])
def test_sizes_that_do_not_fit_are_refused(size):
    with pytest.raises(ValueError, match=f"multiple of 8 from 128; got {size[1]}x{size[0]}"):
        network(SMALL)(torch.zeros(1, 3, *size), torch.zeros(1, 3, *size))


def test_correlation_is_the_twins():
    one, two = features(6, 16, 24), features(7, 16, 24)[:, :6]
    pyramid = correlation(one, two)
    assert [tuple(level.shape[2:]) for level in pyramid] == [(16, 24), (8, 12), (4, 6), (2, 3)]
    a, b = one.double().numpy(), two.double().numpy()
    volume = np.zeros((2, 16, 24, 16, 24))
    for n in range(2):
        for i in range(16):
            for j in range(24):
                volume[n, i, j] = (a[n, :, i, j, None, None] * b[n]).sum(0) / np.sqrt(6)
    for level, found in enumerate(pyramid):
        k = 2**level
        twin = volume.reshape(2, 16, 24, 16 // k, k, 24 // k, k).mean((4, 6))
        np.testing.assert_allclose(found.numpy().reshape(twin.shape), twin, atol=1e-5)


def bilinear(plane, x, y):
    """A value between pixels, 0 outside."""
    total = 0.0
    for i in (int(np.floor(y)), int(np.floor(y)) + 1):
        for j in (int(np.floor(x)), int(np.floor(x)) + 1):
            if 0 <= i < plane.shape[0] and 0 <= j < plane.shape[1]:
                total += plane[i, j] * (1 - abs(y - i)) * (1 - abs(x - j))
    return total


def test_looking_up_is_the_twins():
    pyramid = correlation(features(5, 16, 16), features(4, 16, 16)[:, [0, 1, 2, 3, 0]])
    flow = 6 * features(2, 16, 16)
    found = look_up(pyramid, flow, radius=2).numpy()
    assert found.shape == (2, 4 * 25, 16, 16)
    rng = np.random.default_rng(0)
    for _ in range(300):
        n, i, j, level, dx, dy = (int(rng.integers(k)) for k in (2, 16, 16, 4, 5, 5))
        plane = pyramid[level].numpy().reshape(2, 16, 16, *pyramid[level].shape[2:])[n, i, j]
        x, y = ((v + float(flow[n, c, i, j])) / 2**level + d - 2 for c, (v, d) in enumerate(((j, dx), (i, dy))))
        assert found[n, level * 25 + dx * 5 + dy, i, j] == pytest.approx(bilinear(plane, x, y), abs=2e-4)


def test_upsampling_is_convex():
    flow, logits = features(2, 5, 6), 3 * features(576, 5, 6)
    fine = convex_upsample(flow, logits).numpy()
    assert fine.shape == (2, 2, 40, 48)
    around = np.pad(8 * flow.numpy(), ((0, 0), (0, 0), (1, 1), (1, 1)))
    weights = torch.softmax(logits.reshape(2, 9, 64, 5, 6), 1).numpy()
    for i in range(5):
        for j in range(6):
            nine = around[:, :, i : i + 3, j : j + 3].reshape(2, 2, 9)
            cell = fine[:, :, 8 * i : 8 * i + 8, 8 * j : 8 * j + 8]
            assert (cell <= nine.max(2)[..., None, None] + 1e-5).all()
            assert (cell >= nine.min(2)[..., None, None] - 1e-5).all()
            twin = np.einsum("nck,nkp->ncp", nine, weights[:, :, :, i, j]).reshape(2, 2, 8, 8)
            np.testing.assert_allclose(cell, twin, atol=1e-4)


def test_upsampling_of_an_even_flow_is_even():
    fine = convex_upsample(torch.full((1, 2, 4, 4), 1.5), features(576, 4, 4)[:1])
    torch.testing.assert_close(fine[..., 8:-8, 8:-8], torch.full((1, 2, 16, 16), 12.0))


def test_flow_moves_with_the_pictures():
    # By 64 pixels, so that the coarsest correlations stay on their raster; with the mask, since the small network's
    # own upsampling aligns the corners of the picture.
    raft = network(replace(SMALL, mask=32))
    here = torch.zeros(2, 3, 320, 320)
    here[:, :, 112:144, 112:144] = torch.from_numpy(np.random.default_rng(4).uniform(-1, 1, (2, 3, 32, 32))).float()
    there = torch.roll(here, (64, 64), (2, 3))
    with torch.inference_mode():
        one, two = raft(here[:1], here[1:], updates=1), raft(there[:1], there[1:], updates=1)
    near, far = one[..., 112:144, 112:144], two[..., 176:208, 176:208]
    # Correlations far off look beyond the picture's border, which did not move.
    assert float((near - far).abs().max()) < 0.02 * float(near.abs().max())
