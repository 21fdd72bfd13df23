from pathlib import Path

import pytest

pytest.importorskip("diffusers")
torch = pytest.importorskip("torch")

from lgvsc_flow.blocks.world.generator_net import (  # noqa: E402
    KNOWN,
    NetSettings,
    build_net,
    load_net,
    path_loss,
    refine,
    save_net,
)
from lgvsc_flow.errors import ModelError  # noqa: E402

TINY = NetSettings((16, 32), 1)


def test_the_shipped_size_is_small() -> None:
    count = sum(p.numel() for p in build_net(NetSettings()).parameters())
    assert 2e6 < count < 8e6


def test_untrained_it_is_the_interpolator_at_any_size() -> None:
    net = build_net(TINY).eval()
    known = torch.rand(1, KNOWN, 19, 33) * 2 - 1
    for steps in (1, 3):
        made = refine(net, known, torch.tensor([0.5]), torch.zeros(1, 3, 19, 33), steps)
        assert torch.equal(made, known[:, :3])


def test_the_exact_difference_leads_to_the_true_frame_in_any_number_of_steps() -> None:
    true = torch.full((1, 3, 16, 16), 0.25)
    known = torch.zeros(1, KNOWN, 16, 16)

    class Exact(torch.nn.Module):
        config = {"block_out_channels": (16, 32)}

        def forward(self, x: torch.Tensor, s: torch.Tensor, return_dict: bool) -> tuple[torch.Tensor]:
            return (torch.full((len(x), 48, *x.shape[2:]), 0.25),)

    for steps in (1, 2, 5):  # whatever the noise that the path begins with
        made = refine(Exact(), known, torch.tensor([0.5]), 0.1 * torch.randn(1, 3, 16, 16), steps)
        assert torch.allclose(made, true, atol=1e-5)
    loss = path_loss(Exact(), true, known, torch.tensor([0.5]), torch.tensor([0.3]), torch.zeros_like(true))
    assert float(loss) == pytest.approx(0, abs=1e-6)


def test_weights_survive_their_file(tmp_path: Path) -> None:
    net = build_net(TINY).eval()
    torch.nn.init.normal_(net.conv_out.weight, std=0.01)
    path = tmp_path / "w.safetensors"
    save_net(path, net, TINY)
    again, settings = load_net(path)
    assert settings == TINY
    for a, b in zip(net.parameters(), again.parameters(), strict=True):
        assert torch.allclose(a, b, atol=1e-3)


def test_other_files_are_refused(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    path = tmp_path / "w.safetensors"
    with pytest.raises(ModelError, match="do not exist"):
        load_net(path)
    path.write_bytes(b"no weights at all")
    with pytest.raises(ModelError, match="damaged or no safetensors file"):
        load_net(path)
    save_file({"x": torch.zeros(1)}, path, {"format": "else"})
    with pytest.raises(ModelError, match="holds 'else', not 'lgvsc-flow world generator 1'"):
        load_net(path)
    save_net(path, build_net(TINY), TINY)
    raw = bytearray(path.read_bytes())
    raw[-1] ^= 64
    path.write_bytes(raw)
    with pytest.raises(ModelError, match="their check value does not match"):
        load_net(path)
