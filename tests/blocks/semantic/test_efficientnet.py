import pytest

torch = pytest.importorskip("torch")

from lgvsc_flow.blocks.semantic.efficientnet import EfficientNetLite0, load_efficientnet_lite0  # noqa: E402
from lgvsc_flow.models import load_state, resolve_file  # noqa: E402


def test_parameters_are_those_of_lite0():
    # 4.7 million in the published table.
    assert sum(p.numel() for p in EfficientNetLite0().parameters()) == 4_652_008


def test_equals_the_independent_implementation():
    reference = pytest.importorskip("efficientnet_lite_pytorch")
    other = reference.EfficientNet.from_name("efficientnet-lite0").eval()
    other.load_state_dict(torch.load(resolve_file("efficientnet-lite0"), weights_only=True))
    network = load_efficientnet_lite0(load_state("efficientnet-lite0"))
    x = torch.randn(2, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        torch.testing.assert_close(network(x), other(x))


def test_parameters_that_do_not_fit_are_refused():
    with pytest.raises(RuntimeError, match="Missing key"):
        load_efficientnet_lite0({})
