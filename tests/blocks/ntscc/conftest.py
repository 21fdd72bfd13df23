"""A small untrained codec: a test fixture, never a result."""

import numpy as np
import pytest


@pytest.fixture(scope="session")
def small_weights():
    torch = pytest.importorskip("torch")
    from lgvsc_flow.blocks.ntscc.entropy import integer_tables
    from lgvsc_flow.blocks.ntscc.nets import NetSettings, NtsccNet
    from lgvsc_flow.blocks.ntscc.weights_file import NOMINAL_CBR, Weights

    torch.manual_seed(0)
    settings = NetSettings((64, 20, 20), 6, 16, 16, 16, (16, 16, 16), (1, 1, 1), (32, 16, 16), (1, 1, 1))
    net = NtsccNet(settings)
    decays = [scale * torch.linspace(0, -4, count).exp() for scale, count in ((2.0, 64), (0.5, 20), (0.3, 20))]
    net.y_std.copy_(torch.cat(decays))
    return Weights(net.eval(), integer_tables(net.prior), np.linspace(0, -3, len(NOMINAL_CBR)), "")


@pytest.fixture(scope="session")
def photograph():
    data = pytest.importorskip("skimage.data")
    return np.ascontiguousarray(data.astronaut()[40:136, 150:278])
