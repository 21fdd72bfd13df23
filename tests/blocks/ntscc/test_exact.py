"""h_s in double precision."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from lgvsc_flow.blocks.ntscc.exact import ExactHyperSynthesis  # noqa: E402


def test_it_is_the_networks_own_in_double_precision(small_weights):
    net = small_weights.net
    before = {name: (value.dtype, value.clone()) for name, value in net.state_dict().items()}
    exact = ExactHyperSynthesis(net)
    q = np.random.default_rng(0).integers(-9, 9, (6, 2, 3)).astype(np.int32)
    with torch.inference_mode():
        mean, log_sigma = exact(q, 3, 3, 5)
        expected = net.hyper_synthesise(torch.from_numpy(q)[None].float(), torch.tensor([3]), 3, 5)
    assert mean.dtype == log_sigma.dtype == torch.float64
    for found, single in zip((mean, log_sigma), expected, strict=True):
        torch.testing.assert_close(found.float(), single, atol=1e-5, rtol=1e-5)
    for name, value in net.state_dict().items():
        assert value.dtype == before[name][0]
        assert torch.equal(value, before[name][1])
    assert not any(p.dtype == torch.float64 for p in net.parameters())
