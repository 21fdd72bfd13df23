"""The pass over the link that training runs: it stays on the device of the pixels."""

from contextlib import nullcontext

import pytest

torch = pytest.importorskip("torch")

from lgvsc_flow.blocks.ntscc import simulate as simulating  # noqa: E402
from lgvsc_flow.blocks.ntscc.learning import LearningNet  # noqa: E402
from lgvsc_flow.blocks.ntscc.recipe import RECIPES  # noqa: E402


def test_a_pass_and_its_gradients_stay_on_another_device(monkeypatch):
    """The device is torch's "meta", which needs no GPU: it computes shapes alone and refuses to meet the CPU."""
    monkeypatch.setattr(torch.Tensor, "cpu", lambda tensor: torch.ones(tensor.shape))
    monkeypatch.setattr(LearningNet, "_mixed", lambda net: nullcontext())
    recipe = RECIPES["test"]
    net = LearningNet(recipe.net).to("meta")
    x = torch.rand(4, 3, 32, 32, device="meta")
    with pytest.raises(RuntimeError, match="device"):
        net.analyse(x.float(), 0.03, 10.0) + torch.ones(4, 32, 2, 2)
    out = simulating.simulate(net, x, recipe.draws(0), torch.Generator().manual_seed(0))
    (out.mse.sum() + out.bits.sum() + out.nll.sum()).backward()
    assert {t.device.type for t in (out.mse, out.bits, out.nll, out.plain_nll, out.x_hat)} == {"meta"}
    assert {p.grad.device.type for p in net.parameters() if p.grad is not None} == {"meta"}
