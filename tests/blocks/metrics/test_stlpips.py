"""The network against the same arithmetic in NumPy, with random parameters."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from lgvsc_flow.blocks.metrics.stlpips import CHANNELS, StLpipsNetwork, load_stlpips  # noqa: E402
from lgvsc_flow.errors import ModelError  # noqa: E402


def windows(x: np.ndarray, size: int) -> np.ndarray:
    """[channels, H, W] -> [channels, H', W', size, size]"""
    return np.lib.stride_tricks.sliding_window_view(x, (size, size), axis=(1, 2))


def convolve(x, weight, bias, padding):
    padded = np.pad(x, ((0, 0), (padding, padding), (padding, padding)))
    return np.einsum("ihwab,oiab->ohw", windows(padded, weight.shape[2]), weight, optimize=True) + bias[:, None, None]


def halve(x):
    taps = np.outer([1, 2, 1], [1, 2, 1]) / 16
    return (windows(np.pad(x, ((0, 0), (2, 2), (2, 2)), "reflect"), 3) * taps).sum((3, 4))[:, ::2, ::2]


def features(image, state):
    """Five stages, by the paper: stride 1, blur before the rectifier, max-pool and blur between the stages."""
    x = (image.transpose(2, 0, 1) / 127.5 - 1 - state["scaling_layer.shift"][0]) / state["scaling_layer.scale"][0]

    def layer(number, x, padding):
        return convolve(x, state[f"net.{number}.weight"], state[f"net.{number}.bias"], padding)

    stages = [np.maximum(halve(layer("slice1.0", x, 2)), 0)]
    stages.append(np.maximum(layer("slice2.5", halve(windows(stages[-1], 3).max((3, 4))), 2), 0))
    stages.append(np.maximum(layer("slice3.9", halve(windows(stages[-1], 3).max((3, 4))), 1), 0))
    for number in ("slice4.11", "slice5.13"):
        stages.append(np.maximum(layer(number, stages[-1], 1), 0))
    return [stage / (np.sqrt((stage**2).sum(0)) + 1e-10) for stage in stages]


def random_state(seed=0):
    generator = torch.Generator().manual_seed(seed)
    state = StLpipsNetwork().state_dict()
    for name, value in state.items():
        if name.endswith(("weight", "bias")):
            value.copy_(torch.randn(value.shape, generator=generator) / (value[0].numel() ** 0.5))
        if name.startswith("lin"):
            value.abs_()
    state["scaling_layer.shift"] += torch.tensor([-0.03, -0.09, -0.19]).view(1, 3, 1, 1)
    state["scaling_layer.scale"] *= torch.tensor([0.46, 0.45, 0.44]).view(1, 3, 1, 1)
    return state


def test_every_stage_and_the_distance_against_numpy():
    rng = np.random.default_rng(2)
    a, b = (rng.integers(0, 256, (27, 33, 3)).astype(np.uint8) for _ in range(2))
    state = random_state()
    network = load_stlpips(state)
    plain = {name: value.double().numpy() for name, value in state.items()}
    batch = torch.from_numpy(np.stack([a, b])).permute(0, 3, 1, 2).float() / 127.5 - 1
    ours = network.features(batch)
    theirs = [features(image.astype(float), plain) for image in (a, b)]
    for number, channels in enumerate(CHANNELS):
        assert ours[number].shape[1] == channels
        for place in range(2):
            assert ours[number][place].numpy() == pytest.approx(theirs[place][number], abs=2e-5)
    expected = sum(
        (plain[f"lin{number}.model.1.weight"][0, :, 0, 0, None, None] * (x - y) ** 2).sum(0).mean()
        for number, (x, y) in enumerate(zip(*theirs, strict=True))
    )
    found = network.distance([stage[:1] for stage in ours], [stage[1:] for stage in ours])
    assert found.numpy() == pytest.approx([expected], rel=1e-4)


def test_weights_that_do_not_fit(monkeypatch):
    from lgvsc_flow.blocks.metrics import perceptual

    state = random_state()
    del state["lin4.model.1.weight"]
    with pytest.raises(RuntimeError, match=r"lin4\.model\.1\.weight"):
        load_stlpips(state)
    monkeypatch.setattr(perceptual, "load_state", lambda name, folder: state)
    with pytest.raises(ModelError, match="the weights of stlpips-alex do not fit its network"):
        perceptual.StLpips().load()
