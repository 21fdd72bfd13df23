"""What both ends derive from the hyperprior."""

import pytest

torch = pytest.importorskip("torch")

from lgvsc_flow.blocks.ntscc.plan import TRAINED_SNR_DB, plan  # noqa: E402


@pytest.fixture
def latents():
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(1, 104, 3, 5, dtype=torch.float64, generator=generator) for _ in range(2)]


def test_the_largest_are_sent(small_weights, latents):
    with torch.inference_mode():
        made = plan(small_weights.net, *latents, 200, 10.0, 0)
    assert made.mask.sum() == made.chosen.numel() == 200
    assert made.log_sigma[made.mask > 0].min() >= made.log_sigma[made.mask == 0].max() - 1 / 32
    assert float(made.log_theta) == pytest.approx(float(made.log_sigma[made.mask > 0].min()))
    assert (made.amplitude[made.mask == 0] == 0).all()
    assert all(t.dtype == torch.float32 for t in (made.mean, made.log_sigma, made.mask, made.amplitude))


def test_the_check_value_follows_selection_and_weights(small_weights, latents):
    def check(dimensions, weights):
        with torch.inference_mode():
            return plan(small_weights.net, *latents, dimensions, 10.0, weights).check

    assert check(200, 0) == check(200, 0)
    assert len({check(n, 0) for n in range(200, 210)}) > 5
    assert len({check(200, w) for w in range(10)}) > 5


@pytest.mark.parametrize(("given", "taken"), [(-20, TRAINED_SNR_DB[0]), (7.5, 7.5), (40, TRAINED_SNR_DB[1])])
def test_networks_are_told_of_trained_snrs_only(small_weights, latents, given, taken):
    with torch.inference_mode():
        assert float(plan(small_weights.net, *latents, 10, given, 0).snr) == taken
