"""The networks begin as the linear code and grow from there."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from lgvsc_flow.blocks.ntscc.hyper import LEVELS  # noqa: E402
from lgvsc_flow.blocks.ntscc.nets import NetSettings, NtsccNet, level_for  # noqa: E402
from lgvsc_flow.blocks.ntscc.transform import block_dct  # noqa: E402


def test_analysis_begins_as_the_block_transform(small_weights):
    x = torch.rand(1, 3, 32, 48, generator=torch.Generator().manual_seed(0))
    y = small_weights.net.analyse(x, 0.03, 10.0)[0].detach().numpy()
    basis = block_dct((64, 20, 20)).reshape(104, 768)
    block = x[0, :, 16:32, 32:48].numpy().ravel() - 0.5
    np.testing.assert_allclose(y[:, 1, 2], basis @ block, atol=1e-4)


def test_synthesis_begins_as_the_inverse():
    net = NtsccNet(NetSettings((256, 256, 256), 2, 4, 4, 4, (4, 4, 4), (1, 1, 1), (4, 4, 4), (1, 1, 1)))
    x = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        y = net.analyse(x, 0.03, 10.0)
        torch.testing.assert_close(net.synthesise(y, torch.ones_like(y)), x, atol=1e-4, rtol=0)


def test_entropy_model_begins_as_channel_variances(small_weights):
    net = small_weights.net
    q = torch.randint(-9, 9, (2, 6, 2, 3), generator=torch.Generator().manual_seed(2)).float()
    mean, log_sigma = net.hyper_synthesise(q, torch.tensor([1, 6]), 3, 5)
    assert mean.shape == log_sigma.shape == (2, 104, 3, 5)
    torch.testing.assert_close(log_sigma, net.y_std.log().view(1, -1, 1, 1).expand(2, 104, 3, 5))


def test_code_begins_as_the_linear_code(small_weights):
    net = small_weights.net
    generator = torch.Generator().manual_seed(3)
    shape = (1, 104, 2, 2)
    whitened, log_sigma = torch.randn(shape, generator=generator), torch.randn(shape, generator=generator)
    mask = (torch.rand(shape, generator=generator) < 0.5).float()
    theta, snr, power = torch.zeros(1, 1, 1, 1), torch.tensor([5.0]), torch.full(shape, 0.8)
    amplitude = net.amplitude(log_sigma, theta, mask, power, snr)
    sent = net.channel_encode(whitened, amplitude, log_sigma, theta, mask, snr)
    torch.testing.assert_close(sent, 0.8**0.5 * whitened * mask)
    noise = torch.full(shape, 0.2)
    estimate, variance = net.channel_decode(sent, noise, amplitude, log_sigma, theta, mask, snr)
    torch.testing.assert_close(estimate, log_sigma.exp() * mask * whitened * 0.8)
    torch.testing.assert_close(variance, log_sigma.exp() ** 2 * torch.where(mask > 0, 0.2, 1.0))


def test_no_learned_branch_is_dead(small_weights):
    """Every zero-initialised output sees gradient; rectifiers behind it must not have died."""
    net = small_weights.net
    x = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(4))
    y = net.analyse(x, 0.03, 10.0)
    loss = (net.synthesise(y, torch.ones_like(y)) - x.flip(3)).square().mean()
    gradients = torch.autograd.grad(loss, [net.g_s.last.weight, net.g_a.last.weight])
    assert all(g.abs().mean() > 0 for g in gradients)


def test_level_follows_the_bits_that_the_symbols_could_carry():
    levels = [level_for(cbr, 2.0) for cbr in (0.001, 0.01, 0.03, 0.1)]
    assert levels == sorted(levels)
    assert levels[0] >= 0
    assert levels[-1] == LEVELS - 1
    assert level_for(0.03, 0.25) == level_for(0.03, 2.0) - 3
