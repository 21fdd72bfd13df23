import re

import pytest

torch = pytest.importorskip("torch")

from lgvsc_flow.blocks.semantic.raft import LARGE, SMALL, Raft  # noqa: E402
from lgvsc_flow.blocks.semantic.raft_checkpoint import load_raft  # noqa: E402
from lgvsc_flow.errors import ModelError  # noqa: E402
from lgvsc_flow.models import sha256_of  # noqa: E402


@pytest.fixture(scope="module")
def states():
    """Random weights: what they look like, not what they can."""
    torch.manual_seed(0)
    return {"small": Raft(SMALL).state_dict(), "large": Raft(LARGE).state_dict()}


@pytest.mark.parametrize("ending", [".pth", ".safetensors"])
@pytest.mark.parametrize("name", ["small", "large"])
def test_a_checkpoint_says_which_network_it_is(states, tmp_path, name, ending):
    path = tmp_path / f"raft_{name}{ending}"
    if ending == ".pth":
        torch.save(states[name], path)
    else:
        pytest.importorskip("safetensors.torch").save_file(states[name], path)
    for source in (path, tmp_path, str(path)):
        raft = load_raft(source)
        assert not raft.training
        found = raft.state_dict()
        assert list(found) == list(states[name])
        assert all(torch.equal(found[key], value) for key, value in states[name].items())


def test_the_name_carries_the_digest(states, tmp_path):
    path = tmp_path / "raft.pth"
    torch.save(states["small"], path)
    digest = sha256_of(path)
    good = path.rename(tmp_path / f"raft_small_C_T_V2-{digest[:8]}.pth")
    load_raft(good)
    bad = good.rename(tmp_path / "raft_small_C_T_V2-01064c6d.pth")
    with pytest.raises(ModelError, match=f"its SHA-256 begins with 01064c6d, it begins with {digest[:8]}; fetch it"):
        load_raft(bad)


def test_missing_weights_say_where_they_come_from(tmp_path):
    how = re.escape("flow='dis' needs no weights")
    with pytest.raises(
        ModelError, match=r"the RAFT checkpoint .*/raft.pth does not exist; .*raft_small_C_T_V2.*" + how
    ):
        load_raft(tmp_path / "raft.pth")
    with pytest.raises(ModelError, match=f"must hold one .pth or .safetensors file with RAFT, found none; .*{how}"):
        load_raft(tmp_path)
    with pytest.raises(ModelError, match=f"dsi is neither a folder nor a .pth or .safetensors file.*{how}"):
        load_raft("dsi")
    for name in "ba":
        (tmp_path / f"{name}.pth").touch()
    with pytest.raises(ModelError, match=r"found a.pth, b.pth"):
        load_raft(tmp_path)


class Sly:
    def __reduce__(self):
        return print, ("run on loading",)


def test_what_is_no_checkpoint_is_refused(states, tmp_path, capsys):
    path, tensors = tmp_path / "w.pth", tmp_path / "w.safetensors"
    for content in (b"", b"no weights"):
        for file in (path, tensors):
            file.write_bytes(content)
            with pytest.raises(ModelError, match="cannot be read as weights"):
                load_raft(file)
    torch.save({"weights": Sly()}, path)
    with pytest.raises(ModelError, match=r"cannot be read as weights \(UnpicklingError\)"):
        load_raft(path)
    assert "run on loading" not in capsys.readouterr().out
    torch.save([1, 2], path)
    with pytest.raises(ModelError, match="holds something else than tensors by name"):
        load_raft(path)
    torch.save({k: v for k, v in states["small"].items() if "flow_head" not in k}, path)
    with pytest.raises(ModelError, match=r"holds no RAFT weights in torchvision's layout \(.*Missing key"):
        load_raft(path)
    torch.save({"model": torch.zeros(3)}, path)
    with pytest.raises(ModelError, match="holds no RAFT weights"):
        load_raft(path)
