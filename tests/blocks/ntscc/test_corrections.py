"""All corrections of sigma together: the encoder's and the receiver's are the same."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from lgvsc_flow.blocks.ntscc.corrections import corrected, correction_planes, with_planes  # noqa: E402
from lgvsc_flow.blocks.ntscc.nets import NtsccNet  # noqa: E402
from lgvsc_flow.blocks.ntscc.recipe import TINY  # noqa: E402


def drawn(rows, columns, seed=0):
    generator = torch.Generator().manual_seed(seed)
    log_sigma = torch.randn(1, TINY.m, rows, columns, generator=generator, dtype=torch.float64) - 2
    scale = 0.7 * torch.randn(log_sigma.shape, generator=generator)
    return torch.randn(log_sigma.shape, generator=generator) * (log_sigma + scale).exp(), log_sigma


@pytest.mark.parametrize(("rows", "columns", "level"), [(8, 9, 6), (8, 9, 2), (2, 3, 7), (1, 1, 0)])
def test_planes_say_all(rows, columns, level):
    net = NtsccNet(TINY)
    error, log_sigma = drawn(rows, columns)
    with torch.inference_mode():
        made = corrected(net, error, log_sigma, level, 100)
    shapes, tables = correction_planes(level, rows, columns)
    assert len(shapes) == len(tables) == len(made.planes) == (rows * columns >= 32) * (1 + 3 * (level >= 5))
    planes = [p.numpy().astype(np.int32).reshape(s) for p, s in zip(made.planes, shapes, strict=True)]
    assert all((p == q.numpy().reshape(s)).all() for p, q, s in zip(planes, made.planes, shapes, strict=True))
    assert torch.allclose(with_planes(TINY.channels, log_sigma, planes), made.log_sigma, atol=1e-12)
    assert (made.bits > 0) == (level >= 5 and rows * columns >= 32)


def test_a_common_factor_of_a_band_is_no_business_of_the_hyperprior():
    """Whatever factor sigma is off by in a band, the corrected one is the same within half a step: no gradient."""
    net = NtsccNet(TINY)
    error, log_sigma = drawn(8, 8, 3)
    off = torch.zeros((), dtype=torch.float64, requires_grad=True)
    made = corrected(net, error, log_sigma + off, 0, 100)
    made.log_sigma.sum().backward()
    assert off.grad.item() == pytest.approx(0, abs=1e-6)
