import numpy as np
import pytest

pytest.importorskip("cv2")

from lgvsc_flow.blocks.semantic import DisFlow, OpticalFlow, RaftFlow
from lgvsc_flow.blocks.semantic.motion import flow_magnitude, segment_motion
from lgvsc_flow.blocks.semantic.optical_flow import open_flow
from lgvsc_flow.blocks.semantic.shrink import shrink
from lgvsc_flow.errors import ModelError, SettingError


def texture(height, width):
    coarse = np.random.default_rng(3).integers(0, 256, (height // 8 + 1, width // 8 + 1, 3), dtype=np.uint8)
    return shrink(coarse, width, height)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    torch = pytest.importorskip("torch")
    from lgvsc_flow.blocks.semantic.raft import SMALL, Raft

    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("raft") / "raft.pth"
    torch.save(Raft(SMALL).state_dict(), path)
    return path


@pytest.mark.parametrize(("width", "size"), [(128, (96, 128)), (640, (77, 256))])
def test_dis_follows_a_shift_in_pixels_of_the_full_size(width, size):
    picture = texture(96 if width == 128 else 192, width)
    flow = DisFlow().flow(picture, np.roll(picture, (2, 5), (0, 1)))
    assert flow.dtype == np.float32
    assert flow.shape == (*size, 2)
    assert np.median(flow.reshape(-1, 2), axis=0) == pytest.approx([5, 2], abs=0.3)


def test_the_score_is_the_mean_length_of_any_flow():
    class Steady(OpticalFlow):
        def flow(self, before, after):
            return np.full((4, 6, 2), [3, -4], np.float32)

    picture = texture(64, 96)
    assert flow_magnitude(picture, picture, Steady()) == 5
    assert segment_motion([picture] * 9, flow=Steady()) == 5


@pytest.mark.parametrize(
    ("height", "width", "size"), [(272, 640, (109, 256)), (9, 11, (9, 11)), (200, 136, (200, 136))]
)
def test_raft_takes_any_size(checkpoint, height, width, size):
    flow = RaftFlow(checkpoint, updates=1).flow(texture(height, width), texture(height, width)[::-1])
    assert flow.dtype == np.float32
    assert flow.shape == (*size, 2)
    assert np.isfinite(flow).all()


def test_raft_counts_in_pixels_of_the_full_size(checkpoint):
    raft = RaftFlow(checkpoint.parent, updates=1)
    one, two = texture(128, 256), np.ascontiguousarray(texture(128, 256)[:, ::-1])
    wide = [np.repeat(np.repeat(p, 3, 0), 3, 1) for p in (one, two)]  # shrunk again, the same pictures
    np.testing.assert_allclose(raft.flow(*wide), 3 * raft.flow(one, two), rtol=1e-4, atol=1e-3)


def test_what_is_missing_is_said(tmp_path):
    assert isinstance(open_flow("dis"), DisFlow)
    missing = open_flow(str(tmp_path / "raft.pth"))
    with pytest.raises(ModelError, match=r"raft.pth does not exist; .* flow='dis' needs no weights"):
        missing.load()
    with pytest.raises(SettingError, match="refines at least once, got updates=0"):
        RaftFlow("x.pth", updates=0)


def test_a_device_that_is_not_there_is_said(checkpoint):
    torch = pytest.importorskip("torch")
    if torch.cuda.is_available():
        pytest.skip("there is a CUDA device")
    with pytest.raises(ModelError, match="RAFT cannot use device='cuda'"):
        RaftFlow(checkpoint, device="cuda").load()
