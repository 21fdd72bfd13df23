"""A grown network gives at first what the small one gave."""

from dataclasses import replace

import pytest

torch = pytest.importorskip("torch")

from lgvsc_flow.blocks.ntscc.grow import grow  # noqa: E402
from lgvsc_flow.blocks.ntscc.nets import NetSettings, NtsccNet  # noqa: E402

SMALL = NetSettings((20, 6, 6), 4, 8, 8, 8, (8, 8, 8), (0, 1, 1), (8, 8, 8), (1, 1, 1), False)
LARGE = NetSettings((30, 10, 9), 4, 8, 12, 8, (12, 10, 10), (2, 2, 2), (12, 12, 8), (2, 3, 1), True)


def stirred(settings: NetSettings) -> NtsccNet:
    """A network whose every weight has moved."""
    torch.manual_seed(0)
    net = NtsccNet(settings).eval()
    with torch.no_grad():
        for p in net.parameters():
            p.add_(0.02 * torch.randn_like(p))
        net.preference.normal_()
    return net


def latents(old: NetSettings, new: NetSettings) -> torch.Tensor:
    starts = [0, new.channels[0], new.channels[0] + new.channels[1]]
    return torch.cat([start + torch.arange(count) for start, count in zip(starts, old.channels, strict=True)])


@torch.inference_mode()
def test_a_grown_network_gives_what_the_small_one_gave():
    small = stirred(SMALL)
    large = grow(small.state_dict(), SMALL, LARGE, torch.full((LARGE.m,), 0.3)).eval()
    where = latents(SMALL, LARGE)
    x = torch.rand(2, 3, 48, 64, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(large.preference[where], small.preference)
    assert large.preference.count_nonzero() == len(where)
    y = small.analyse(x, 0.02, 3.0)
    y_large = large.analyse(x, 0.02, 3.0)
    torch.testing.assert_close(y_large[:, where], y)

    level = torch.tensor([2, 5])
    z = small.hyper_analyse(y, level)
    torch.testing.assert_close(large.hyper_analyse(y_large, level), z)
    for a, b in zip(small.hyper_synthesise(z, level, 3, 4), large.hyper_synthesise(z, level, 3, 4), strict=True):
        torch.testing.assert_close(b[:, where], a)

    y_hat, variance = torch.zeros_like(y_large), torch.ones_like(y_large)
    y_hat[:, where] = y
    torch.testing.assert_close(large.synthesise(y_hat, variance), small.synthesise(y, variance[:, where]))


@torch.inference_mode()
def test_the_code_of_the_old_latents_stays():
    small = stirred(SMALL)
    large = grow(small.state_dict(), SMALL, LARGE, torch.full((LARGE.m,), 0.3)).eval()
    where, generator = latents(SMALL, LARGE), torch.Generator().manual_seed(2)
    wide = [torch.rand(1, LARGE.m, 2, 3, generator=generator) for _ in range(3)]
    whitened, log_sigma, power = wide
    mask = torch.zeros_like(power)
    mask[:, where] = 1
    theta, snr = torch.zeros(1, 1, 1, 1), torch.tensor([7.0])

    def through(net, pick):
        parts = [t[:, pick] for t in (whitened, log_sigma, mask, power)]
        amplitude = net.amplitude(parts[1], theta, parts[2], parts[3], snr)
        sent = net.channel_encode(parts[0], amplitude, parts[1], theta, parts[2], snr)
        noise = torch.full_like(sent, 0.1)
        return sent, *net.channel_decode(sent, noise, amplitude, parts[1], theta, parts[2], snr)

    everything = torch.arange(LARGE.m)
    for a, b in zip(through(small, where), through(large, everything), strict=True):
        torch.testing.assert_close(b[:, where], a)


def test_nothing_may_shrink():
    with pytest.raises(ValueError, match=r"g_s.first.weight has shape \[8, 64, 1, 1\], which does not fit into"):
        grow(stirred(SMALL).state_dict(), SMALL, replace(SMALL, g_s=(4, 8, 8)), torch.ones(SMALL.m))
